"""The addresses that Services get, one after the other."""

import ipaddress
from itertools import count
from typing import Final

_SERVICES: Final = ipaddress.ip_network("10.96.0.0/12")
_FIRST_ADDRESS: Final = 10  # the first few belong to the cluster's own Services
_FIRST_NODE_PORT: Final = 30000


class Addresses:
    """Gives out what has not been given out yet."""

    def __init__(self) -> None:
        self._hosts = count(_FIRST_ADDRESS)
        self._ports = count(_FIRST_NODE_PORT)

    def cluster_ip(self) -> str:
        return str(_SERVICES[next(self._hosts)])

    def node_port(self) -> int:
        return next(self._ports)
