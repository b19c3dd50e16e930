"""
What the API server's refusals mean for us.

The one place where an answer or a broken connection becomes one of our errors. A body is shown to
nobody, except the `message` of a Kubernetes Status, which is written for people; and of that no
more than a screenful.
"""

import ssl
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import msgspec
import urllib3.exceptions

from tasks.domain.errors import RefusedError, TransientError, UpgradeError

_LONGEST_MESSAGE: Final = 500
_BUSY: Final = frozenset({408, 429, 502, 503, 504})
_HEALS: Final = frozenset({429, 500, 502, 503, 504})
_WEBHOOK_FAILED: Final = "failed calling webhook"


class Unreachable(TransientError):
    """Nobody there: refused, reset, or no name."""


class Late(TransientError):
    """Connected, but no answer in time."""


class Cut(Unreachable):
    """The connection broke off, as a kept one may that the server had enough of."""


class Busy(TransientError):
    """The API server, or what stands before it, asks us to come again."""


class ServerFailure(TransientError):
    """500: among others a webhook that could not be called; the text says which."""


class Expired(TransientError):
    """410: a continue token or resourceVersion is too old."""


class Conflict(TransientError):
    """409: somebody else changed the object first."""


class AlreadyExists(Conflict):
    """409 for a name that is taken."""


class Missing(RefusedError):
    """404: there is no such object, or no such kind of object."""


class Forbidden(RefusedError):
    """401 or 403: a right is missing, or admission says no."""


class Status(msgspec.Struct, frozen=True):
    """The fields of a Kubernetes Status that say why."""

    kind: str = ""
    message: str = ""
    reason: str = ""


class _Line(msgspec.Struct, frozen=True):
    code: int
    method: str
    path: str
    status: Status

    @property
    def sentence(self) -> str:
        said = self.status.message or f"status {self.code} without a reason"
        return f"the API server answered {self.code} to {self.method} {self.path}: {said}"


def refusal(code: int, *, method: str, path: str, body: bytes) -> UpgradeError:
    """Return the error that an answer of 300 or more stands for."""
    line = _Line(code, method, path, status_of(body))
    if code == HTTPStatus.CONFLICT:
        taken = line.status.reason == "AlreadyExists"
        return AlreadyExists(line.sentence) if taken else Conflict(line.sentence)
    if code == HTTPStatus.UNAUTHORIZED:
        return Forbidden(f"{line.sentence}; the kubeconfig's credentials are wrong or too old")
    if code == HTTPStatus.FORBIDDEN:
        return Forbidden(line.sentence)
    if code == HTTPStatus.NOT_FOUND:
        return Missing(line.sentence)
    return _by_class(code, line.sentence)


def _by_class(code: int, sentence: str) -> UpgradeError:
    if code == HTTPStatus.GONE:
        return Expired(sentence)
    if code in _BUSY:
        return Busy(sentence)
    return (
        ServerFailure(sentence)
        if code >= HTTPStatus.INTERNAL_SERVER_ERROR
        else RefusedError(sentence)
    )


def status_of(body: bytes) -> Status:
    """Return the Status in a body, an empty one when the body is anything else."""
    try:
        status = msgspec.json.decode(body, type=Status)
    except (msgspec.DecodeError, UnicodeError):
        return Status()
    if status.kind != "Status":
        return Status()
    return Status(status.kind, _shortened(status.message), status.reason)


def _shortened(message: str) -> str:
    message = " ".join(message.split())
    return message if len(message) <= _LONGEST_MESSAGE else message[: _LONGEST_MESSAGE - 1] + "…"


def breakdown(error: urllib3.exceptions.HTTPError, *, host: str) -> UpgradeError:
    """Return the error that a failed connection stands for."""
    where = f"the API server {address(host)}"
    if isinstance(error, urllib3.exceptions.SSLError):
        return RefusedError(
            f"{where} could not prove who it is ({_certificate_problem(error)}); "
            "the kubeconfig's certificate authority or server address is wrong"
        )
    if isinstance(error, urllib3.exceptions.NameResolutionError):
        return Unreachable(f"{where} has a name that cannot be resolved")
    return _kind_of(error)(f"{where} did not answer: {_how(error)}")


def _kind_of(error: urllib3.exceptions.HTTPError) -> type[TransientError]:
    if isinstance(error, urllib3.exceptions.ReadTimeoutError):
        return Late
    return Cut if isinstance(error, urllib3.exceptions.ProtocolError) else Unreachable


def _certificate_problem(error: urllib3.exceptions.SSLError) -> str:
    inner = error.args[0] if error.args else error
    if isinstance(inner, ssl.SSLCertVerificationError):
        return inner.verify_message
    return "TLS failed"


_HOW: Final[tuple[tuple[type[Exception], str], ...]] = (
    (urllib3.exceptions.NewConnectionError, "connection refused, or no way there"),
    (urllib3.exceptions.ConnectTimeoutError, "it took too long to connect"),
    (urllib3.exceptions.ReadTimeoutError, "it took too long to answer"),
    (urllib3.exceptions.ProxyError, "the proxy on the way did not let us through"),
    (urllib3.exceptions.ProtocolError, "the connection was cut"),
)


def _how(error: urllib3.exceptions.HTTPError) -> str:
    return next((text for kind, text in _HOW if isinstance(error, kind)), "the connection failed")


def address(host: str) -> str:
    """Return `host:port` of a server's URL, without any name and password in it."""
    parts = urlsplit(host)
    return f"{parts.hostname or 'of unknown address'}{f':{parts.port}' if parts.port else ''}"


def is_told_to_wait(code: int) -> bool:
    """Whether the server says that it has done nothing, and to come again."""
    return code == HTTPStatus.TOO_MANY_REQUESTS


def may_heal(code: int, body: bytes) -> bool:
    """Whether the same request may well be answered in a moment: not so by a webhook that is down."""
    return code in _HEALS and not is_webhook_failure(status_of(body).message)


def is_webhook_failure(message: str) -> bool:
    """Whether a 500 is about a webhook that had to be asked, and could not be."""
    return _WEBHOOK_FAILED in message


def waiting_time(headers: Mapping[str, str], *, attempt: int) -> float:
    """Return how many seconds to wait before asking again: as told, else doubling, ten at most."""
    told = headers.get("Retry-After", "")
    return min(float(told) if told.isdecimal() else 0.25 * 2**attempt, 10.0)
