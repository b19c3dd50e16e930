"""
Prefect's REST API, reduced to votes and to what is done with runs.

It exists beside Prefect's own client because that one takes a lost double click for a success,
and reads one page of inputs. A change of state is judged by the body's `status`, never by the HTTP
code.
No body reaches a message: rows and parameters are other people's words.
"""

import base64
import re
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from http import HTTPStatus
from typing import Final, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from tasks.domain.approval import Row
from tasks.domain.errors import BadInputError, RefusedError, TransientError, UpgradeError
from tasks.domain.runs import FlowRunInfo

T = TypeVar("T")

_PREFIXES: Final = ("vote-", "control-")
_PAGE: Final = 200
_MOST_ROWS: Final = 10_000  # of one run and prefix; SQLite takes 32,766 variables in a query
_KEY: Final = re.compile(r"[a-z0-9-]{1,200}")
_TRIES: Final = 4
_RESUME_TRIES: Final = 5
_FIRST_PAUSE: Final = 0.2
_API_VERSION: Final = {"x-prefect-api-version": "0.8.4"}
_NEVER: Final = threading.Event()
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})

_UNFIT: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY}
)
_RESCHEDULABLE: Final = frozenset({"RUNNING", "PENDING"})


class _State(msgspec.Struct, frozen=True):
    type: str
    id: str | None = None
    name: str | None = None
    message: str | None = None


class _FlowRun(msgspec.Struct, frozen=True):
    id: str
    name: str
    state: _State | None = None
    deployment_id: str | None = None


class _Named(msgspec.Struct, frozen=True):
    id: str


class _Outcome(msgspec.Struct, frozen=True):
    status: str


class PrefectApi:
    """`Votes` and `FlowRuns` behind a Prefect API; may be used by several threads at once."""

    def __init__(
        self,
        url: str,
        *,
        auth: str | None = None,
        api_key: str | None = None,
        timeout: timedelta = timedelta(seconds=30),
        transport: httpx.BaseTransport | None = None,
        rest: Callable[[float], object] = _NEVER.wait,
    ) -> None:
        """
        Take PREFECT_API_URL and how to log in there.

        `auth` is PREFECT_API_AUTH_STRING; `api_key` is PREFECT_API_KEY, used if there is no `auth`.
        """
        address = _parse(url)
        self._rest = rest
        self._at = f"Prefect at {address.netloc.decode()}"
        self._client = httpx.Client(
            base_url=address,
            headers={**_API_VERSION, **_credentials(auth, api_key)},
            timeout=timeout.total_seconds(),
            # Prefect's server hangs up on a connection after five idle seconds.
            limits=httpx.Limits(keepalive_expiry=2),
            transport=transport,
            trust_env=address.host not in _LOOPBACK,  # no proxy stands between us and ourselves
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()

    def is_ready(self) -> bool:
        """Whether a Prefect API answers here now."""
        try:
            response = self._once("GET", "/health")
        except UpgradeError:
            return False
        return response.is_success and response.content.strip() == b"true"

    # ---- votes

    def rows(self, flow_run: str) -> Sequence[Row]:
        run = _run_id(flow_run)
        return tuple(row for prefix in _PREFIXES for row in self._rows(run, prefix))

    def _rows(self, run: str, prefix: str) -> Sequence[Row]:
        found: dict[str, Row] = {}
        while page := self._page(run, prefix, seen=tuple(found)):
            new = [row for row in page if row.key not in found]
            found.update((row.key, row) for row in new)
            if not new:
                break
            if len(found) > _MOST_ROWS:
                raise RefusedError(
                    f"flow run {run} has more than {_MOST_ROWS} inputs that begin with {prefix!r}; "
                    "somebody fills it with rows, which have to be deleted in Prefect first"
                )
        return tuple(found.values())

    def _page(self, run: str, prefix: str, *, seen: Sequence[str]) -> Sequence[Row]:
        # There is no offset: what was seen has to be named.
        asked = {"prefix": prefix, "limit": _PAGE, "exclude_keys": list(seen)}
        response = self._send("POST", f"/flow_runs/{run}/input/filter", asked)
        return self._decode(self._expected(response), tuple[Row, ...])

    def cast(self, flow_run: str, row: Row) -> None:
        if self.first(flow_run, row) != row:
            run = _run_id(flow_run)
            raise RefusedError(f"flow run {run} already has another input under {row.key}")

    def first(self, flow_run: str, row: Row) -> Row:
        run = _run_id(flow_run)
        if not _KEY.fullmatch(row.key):
            raise BadInputError(
                f"{row.key!r} cannot be the key of a flow run's input: Prefect takes lower case "
                "letters, digits and dashes"
            )
        body = {"key": row.key, "value": row.value}
        response = self._send("POST", f"/flow_runs/{run}/input", body)
        if response.status_code == HTTPStatus.CONFLICT:
            return Row(key=row.key, value=self._value(run, row.key))
        self._expected(response)
        return row

    def _value(self, run: str, key: str) -> str:
        return self._expected(self._send("GET", f"/flow_runs/{run}/input/{key}")).text

    # ---- runs

    def flow_run(self, flow_run: str) -> FlowRunInfo:
        """Return what Prefect knows of a flow run."""
        response = self._send("GET", f"/flow_runs/{_run_id(flow_run)}")
        run = self._decode(self._expected(response), _FlowRun)
        state = run.state or _State("UNKNOWN")
        return FlowRunInfo(
            id=run.id,
            name=run.name,
            state_type=state.type,
            state_id=state.id or "",
            state_name=state.name or state.type.capitalize(),
            state_message=state.message or "",
            deployment_id=run.deployment_id,
        )

    def knows(self, flow_run: str) -> bool:
        response = self._send("GET", f"/flow_runs/{_run_id(flow_run)}")
        if response.status_code == HTTPStatus.NOT_FOUND:
            return False
        self._decode(self._expected(response), _FlowRun)
        return True

    def state(self, flow_run: str) -> str:
        return self.flow_run(flow_run).state_type

    def resume(self, flow_run: str) -> bool:
        run = self.flow_run(flow_run).id  # Prefect's resume answers 500 for a run that is not there
        may_have_worked = False
        for attempt in range(_RESUME_TRIES):
            try:
                response = self._once("POST", f"/flow_runs/{run}/resume", {})
            except TransientError:
                may_have_worked = True
            else:
                # 409: somebody resumes it at this moment; who won is known only afterwards.
                if response.status_code != HTTPStatus.CONFLICT:
                    status = self._status(response)
                    return status == "ACCEPT" or (may_have_worked and self._went_on(run, status))
            self._rest(_FIRST_PAUSE * 2**attempt)
        raise TransientError(
            f"{self._at} did not resume flow run {run}, though asked {_RESUME_TRIES} times"
        )

    def _went_on(self, run: str, status: str) -> bool:
        # An answer was lost before; the one that came says no because the lost one said yes.
        return status == "ABORT" and self.state(run) in {"SCHEDULED", "PENDING", "RUNNING"}

    def reschedule(self, flow_run: str) -> None:
        run = _run_id(flow_run)
        # Each try looks again: a worker may have taken the run though we heard nothing.
        self._retrying(lambda: self._reschedule(run))

    def _reschedule(self, run: str) -> None:
        info = self.flow_run(run)
        if info.state_type == "SCHEDULED":
            return
        if info.deployment_id is None:
            raise RefusedError(f"flow run {run} has no deployment, so no worker would take it up")
        if info.state_type not in _RESCHEDULABLE:
            raise RefusedError(
                f"flow run {run} is {info.state_name}; only one that is Running or Pending, and "
                "whose process is gone, is scheduled again"
            )
        message = "its process is gone; scheduled again"
        # Not forced: Prefect's rules keep the pause keys and free the concurrency slot.
        body = {"state": {"type": "SCHEDULED", "message": message}, "force": False}
        if self._status(self._once("POST", f"/flow_runs/{run}/set_state", body)) != "ACCEPT":
            raise TransientError(f"flow run {run} changed its state while it was scheduled again")

    # ---- deployments

    def has_deployment(self, name: str) -> bool:
        return self._deployment(name) is not None

    def start(self, deployment: str, parameters: Mapping[str, object]) -> str:
        found = self._deployment(deployment)
        if found is None:
            raise RefusedError(
                f"{self._at} has no deployment {deployment}; `prefect deploy` makes it"
            )
        body = {
            "parameters": dict(parameters),
            "state": {"type": "SCHEDULED"},
            "idempotency_key": str(uuid.uuid4()),  # one run, however often this is sent
        }
        response = self._send("POST", f"/deployments/{found}/create_flow_run", body)
        if response.status_code in _UNFIT:
            raise BadInputError(
                f"the parameters do not fit the schema of deployment {deployment}; it may have "
                "been deployed by another version: deploy it again, or see its form in Prefect's UI"
            )
        return self._decode(self._expected(response), _Named).id

    def _deployment(self, name: str) -> str | None:
        flow, _, deployment = name.partition("/")
        if not flow or not deployment or "/" in deployment:
            raise BadInputError(f"{name!r} is no deployment's name; it looks like FLOW/DEPLOYMENT")
        path = f"/deployments/name/{quote(flow, safe='')}/{quote(deployment, safe='')}"
        response = self._send("GET", path)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        return self._decode(self._expected(response), _Named).id

    # ---- HTTP

    def _send(self, method: str, path: str, body: object = None) -> httpx.Response:
        """Ask, and ask again a few times; only for what may be done twice."""
        return self._retrying(lambda: self._once(method, path, body))

    def _retrying(self, call: Callable[[], T]) -> T:
        for attempt in range(_TRIES - 1):
            try:
                return call()
            except TransientError:
                self._rest(_FIRST_PAUSE * 2**attempt)
        return call()

    def _once(self, method: str, path: str, body: object = None) -> httpx.Response:
        try:
            response = self._client.request(method, path.lstrip("/"), json=body)
        except httpx.RequestError as error:
            raise TransientError(f"{self._at} did not answer {method} {path}") from error
        status = response.status_code
        if response.is_server_error or status == HTTPStatus.TOO_MANY_REQUESTS:
            raise TransientError(f"{self._at} answered {method} {path} with {status}")
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            raise RefusedError(
                f"{self._at} refused {method} {path} with {status}: it wants another "
                "PREFECT_API_AUTH_STRING or PREFECT_API_KEY"
            )
        return response

    def _expected(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        request = response.request
        raise RefusedError(
            f"{self._at} answered {request.method} {request.url.path} with {response.status_code}"
        )

    def _status(self, response: httpx.Response) -> str:
        return self._decode(self._expected(response), _Outcome).status

    def _decode(self, response: httpx.Response, kind: type[T]) -> T:
        try:
            return msgspec.json.decode(response.content, type=kind)
        except (msgspec.DecodeError, UnicodeError) as error:
            url = response.request.url
            raise RefusedError(
                f"what answers {url.path} at {url.netloc.decode()} is not Prefect's API, whose "
                "address usually ends in /api"
            ) from error


def _parse(url: str) -> httpx.URL:
    wanted = "looks like http://HOST:PORT/api"
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise BadInputError(f"PREFECT_API_URL is no address; it {wanted}") from error
    if address.scheme not in {"http", "https"} or not address.host or address.userinfo:
        raise BadInputError(f"PREFECT_API_URL is no address that we can use; it {wanted}")
    return address


def _credentials(auth: str | None, api_key: str | None) -> Mapping[str, str]:
    if auth:
        return {"authorization": f"Basic {base64.b64encode(auth.encode()).decode()}"}
    if not api_key:
        return {}
    if not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
        raise BadInputError("PREFECT_API_KEY holds characters that no key has; copy it again")
    return {"authorization": f"Bearer {api_key}"}


def _run_id(text: str) -> str:
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise BadInputError(f"{text!r} is no flow run's id, which is a UUID") from error
