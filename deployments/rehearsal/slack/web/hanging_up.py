"""How a server leaves a client without an answer, which ASGI has no word for."""

import asyncio
from typing import Any

from starlette.types import Receive


def transport_of(receive: Receive) -> asyncio.Transport:
    """Return the connection: `receive` is a method of the one who reads from it."""
    owner: Any = getattr(receive, "__self__", None)
    transport: asyncio.Transport = owner.transport
    return transport


def hang_up(receive: Receive) -> None:
    """End the connection at once, whatever was to come."""
    transport_of(receive).abort()
