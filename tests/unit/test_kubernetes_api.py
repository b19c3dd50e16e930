"""The API server's answers become the domain's errors, and nothing of a body gets out."""

import socket
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from tasks.adapters.kubernetes_api import (
    AlreadyExists,
    Api,
    Busy,
    Conflict,
    Expired,
    Forbidden,
    Missing,
    Page,
    ServerFailure,
    Unreachable,
    segment,
)
from tasks.adapters.kubernetes_login import configuration
from tasks.adapters.kubernetes_objects import MERGE_PATCH
from tasks.domain.errors import BadInputError, LeaseLostError, RefusedError, TransientError
from tests.unit.scripted_server import (
    Asked,
    Pauses,
    Reply,
    Stream,
    connected,
    json,
    listed,
    refused,
    serving,
)


class Named(msgspec.Struct):
    name: str


def in_turn(*replies: Reply) -> Callable[[Asked], Reply]:
    """Answer one after the other, the last one again and again."""
    left = list(replies)
    return lambda _asked: left.pop(0) if len(left) > 1 else left[0]


class Stopped:
    def check(self) -> None:
        raise LeaseLostError("another process has the Lease")


def test_a_list_is_read_page_by_page_under_its_continue_tokens() -> None:
    with (
        serving(
            in_turn(listed({"name": "a"}, more="token+1"), listed({"name": "b"}), listed())
        ) as server,
        connected(server.url) as api,
    ):
        found = api.items("/api/v1/pods", {"labelSelector": "istio.io/rev"}, Named)
    assert [one.name for one in found] == ["a", "b"]
    first, second = server.asked
    assert first.query == {"labelSelector": "istio.io/rev", "limit": "500"}
    assert second.query["continue"] == "token+1"


def test_a_list_that_expires_half_way_is_begun_again_and_nothing_is_counted_twice() -> None:
    gone = refused(410, "Expired", "the provided continue parameter is too old")
    with (
        serving(
            in_turn(
                listed({"name": "a"}, more="t"),
                gone,
                listed({"name": "a"}, more="u"),
                listed({"name": "b"}),
            )
        ) as server,
        connected(server.url) as api,
    ):
        assert [one.name for one in api.items("/api/v1/pods", {}, Named)] == ["a", "b"]


def test_a_list_that_expires_twice_is_left_to_the_task_to_repeat() -> None:
    gone = refused(410, "Expired", "too old")
    decoder = msgspec.json.Decoder(Page[Named])
    with (
        serving(in_turn(listed(more="t"), gone, listed(more="u"), gone)) as server,
        connected(server.url) as api,
        pytest.raises(Expired),
    ):
        api.pages("/api/v1/pods", {}, decoder)
    assert issubclass(Expired, TransientError)


def test_a_list_without_items_is_empty() -> None:
    with serving(in_turn(json({"items": None}))) as server, connected(server.url) as api:
        assert api.items("/api/v1/pods", {}, Named) == []


def test_a_busy_api_server_delays_a_read_as_long_as_it_says() -> None:
    pauses = Pauses()
    with (
        serving(
            in_turn(
                refused(429, "TooManyRequests", "slow down", retry_after="2"),
                refused(503, "ServiceUnavailable", "starting", retry_after="3600"),
                json({"name": "a"}),
            )
        ) as server,
        connected(server.url, pause=pauses) as api,
    ):
        assert api.get("/version") == b'{"name":"a"}'
    assert pauses.seconds == [2.0, 10.0]  # never longer than ten seconds


def test_a_busy_api_server_is_not_asked_for_ever() -> None:
    with (
        serving(in_turn(refused(429, "TooManyRequests", "slow down"))) as server,
        connected(server.url) as api,
        pytest.raises(Busy, match=r"answered 429 to GET /version: slow down"),
    ):
        api.get("/version")
    assert len(server.asked) == 6


def broken() -> Reply:
    return refused(500, "InternalError", "etcdserver: leader changed")


@pytest.mark.parametrize(
    "ask",
    [
        pytest.param(lambda api: api.get("/version"), id="a read"),
        pytest.param(lambda api: api.ask("/reviews", b"{}"), id="a review or a dry run"),
        pytest.param(
            lambda api: api.write("PATCH", "/object", b"{}", content_type=MERGE_PATCH),
            id="a patch that says what shall be",
        ),
    ],
)
def test_what_may_be_said_twice_outlasts_failures_and_cuts(ask: Callable[[Api], bytes]) -> None:
    pauses = Pauses()
    cut = Reply(hangs_up=True)
    with (
        serving(in_turn(cut, broken(), cut, broken(), cut, json({"name": "a"}))) as server,
        connected(server.url, pause=pauses) as api,
    ):
        assert ask(api) == b'{"name":"a"}'
    assert pauses.seconds == [0.0, 1.0, 2.0, 4.0, 8.0]  # the first cut is a kept connection's end


def test_a_server_that_only_hangs_up_is_not_asked_for_ever() -> None:
    with (
        serving(in_turn(Reply(hangs_up=True))) as server,
        connected(server.url) as api,
        pytest.raises(Unreachable, match="the connection was cut"),
    ):
        api.get("/version")
    assert len(server.asked) == 6


def test_a_webhook_that_is_down_is_told_at_once() -> None:
    down = refused(500, "InternalError", 'failed calling webhook "rev.namespace": timed out')
    with (
        serving(in_turn(down)) as server,
        connected(server.url) as api,
        pytest.raises(ServerFailure, match="failed calling webhook"),
    ):
        api.ask("/api/v1/namespaces/shop/pods", b"{}", {"dryRun": "All"})
    assert len(server.asked) == 1


def test_a_patch_is_not_repeated_once_the_lease_is_lost() -> None:
    class Held:
        def __init__(self) -> None:
            self.asked = 0

        def check(self) -> None:
            self.asked += 1
            if self.asked > 1:
                raise LeaseLostError("another process has the Lease")

    with (
        serving(in_turn(broken())) as server,
        connected(server.url, guard=Held()) as api,
        pytest.raises(LeaseLostError),
    ):
        api.write("PATCH", "/api/v1/namespaces/shop", b"{}", content_type=MERGE_PATCH)
    assert len(server.asked) == 1


def test_a_change_is_repeated_only_where_nothing_was_changed() -> None:
    with (
        serving(
            in_turn(refused(429, "TooManyRequests", "slow"), refused(503, "Unavailable", "down"))
        ) as server,
        connected(server.url) as api,
        pytest.raises(Busy),
    ):
        api.write("POST", "/api/v1/namespaces", b"{}")
    assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("code", "reason", "error", "root"),
    [
        (400, "BadRequest", RefusedError, RefusedError),
        (401, "Unauthorized", Forbidden, RefusedError),
        (403, "Forbidden", Forbidden, RefusedError),
        (404, "NotFound", Missing, RefusedError),
        (408, "Timeout", Busy, TransientError),
        (409, "Conflict", Conflict, TransientError),
        (409, "AlreadyExists", AlreadyExists, TransientError),
        (422, "Invalid", RefusedError, RefusedError),
        (500, "InternalError", ServerFailure, TransientError),
        (504, "Timeout", Busy, TransientError),
    ],
)
def test_an_answer_becomes_an_error_that_carries_the_servers_words(
    code: int, reason: str, error: type[Exception], root: type[Exception]
) -> None:
    with (
        serving(in_turn(refused(code, reason, "because of this"))) as server,
        connected(server.url) as api,
        pytest.raises(error, match=rf"{code} to PATCH /api/v1/namespaces/shop: because of this"),
    ):
        api.write("PATCH", "/api/v1/namespaces/shop", b"{}")
    assert issubclass(error, root)


def test_a_conflict_is_not_taken_for_a_name_that_exists() -> None:
    with (
        serving(in_turn(refused(409, "Conflict", "modified"))) as server,
        connected(server.url) as api,
    ):
        with pytest.raises(Conflict) as caught:
            api.write("PUT", "/api/v1/namespaces/shop", b"{}")
        assert not isinstance(caught.value, AlreadyExists)


@pytest.mark.parametrize(
    "body",
    [b"<html>password=hunter2</html>", b'{"kind":"Secret","message":"hunter2"}', b"\xff\xfe", b""],
)
def test_a_body_that_is_no_status_is_never_shown(body: bytes) -> None:
    with (
        serving(in_turn(Reply(403, body))) as server,
        connected(server.url) as api,
        pytest.raises(Forbidden) as caught,
    ):
        api.get("/version")
    assert "hunter2" not in str(caught.value)


def test_a_very_long_refusal_is_cut_to_a_screenful() -> None:
    with (
        serving(in_turn(refused(422, "Invalid", "x" * 5000))) as server,
        connected(server.url) as api,
        pytest.raises(RefusedError) as caught,
    ):
        api.write("POST", "/api/v1/namespaces", b"{}")
    assert len(str(caught.value)) < 600


def test_an_answer_of_another_shape_is_refused_without_being_shown() -> None:
    with (
        serving(in_turn(json({"items": [{"name": 5, "token": "hunter2"}]}))) as server,
        connected(server.url) as api,
        pytest.raises(RefusedError, match="not of a shape that we know") as caught,
    ):
        api.items("/api/v1/pods", {}, Named)
    assert "hunter2" not in str(caught.value)


def test_what_is_not_there_is_none_where_that_is_expected() -> None:
    with (
        serving(in_turn(refused(404, "NotFound", "no such"))) as server,
        connected(server.url) as api,
    ):
        assert api.get_or_none("/api/v1/namespaces/shop") is None


def test_an_api_server_that_is_not_there_is_one_sentence_with_its_address() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with (
        connected(f"http://somebody:secret@127.0.0.1:{port}") as api,
        pytest.raises(Unreachable, match=f"^the API server 127.0.0.1:{port} did not answer:") as it,
    ):
        api.get("/version")
    assert "secret" not in str(it.value)


def test_a_kept_connection_that_broke_is_replaced_for_a_read() -> None:
    with (
        serving(in_turn(Reply(hangs_up=True), json({}))) as server,
        connected(server.url) as api,
    ):
        assert api.get("/version") == b"{}"


def test_a_change_whose_answer_was_lost_is_not_sent_twice() -> None:
    with (
        serving(in_turn(Reply(hangs_up=True))) as server,
        connected(server.url) as api,
        pytest.raises(Unreachable),
    ):
        api.write("POST", "/api/v1/namespaces", b"{}")
    assert len(server.asked) == 1


def test_nothing_is_changed_once_the_lease_is_lost() -> None:
    with (
        serving(in_turn(json({}))) as server,
        connected(server.url, guard=Stopped()) as api,
    ):
        with pytest.raises(LeaseLostError):
            api.write("PATCH", "/api/v1/namespaces/shop", b"{}")
        assert not server.asked
        api.ask("/api/v1/pods", b"{}", {"dryRun": "All"})
    assert server.asked[0].query == {"dryRun": "All"}


def test_a_change_is_sent_as_it_is_with_its_own_content_type() -> None:
    with serving(in_turn(json({}))) as server, connected(server.url) as api:
        api.write(
            "PATCH",
            "/api/v1/namespaces/shop",
            b'[{"op":"test"}]',
            content_type="application/json-patch+json",
        )
    assert server.asked[0].body == b'[{"op":"test"}]'
    assert server.asked[0].headers["Content-Type"] == "application/json-patch+json"


def test_the_time_is_the_api_servers_and_never_goes_back() -> None:
    def dated(date: str) -> Reply:
        return json({}, headers={"Date": date})

    with (
        serving(
            in_turn(
                dated("Tue, 24 Nov 2026 10:00:05 GMT"),
                dated("Tue, 24 Nov 2026 10:00:04 GMT"),
                dated("nonsense"),
            )
        ) as server,
        connected(server.url) as api,
    ):
        for _ in range(3):
            api.get("/version")
        assert api.server_time == datetime(2026, 11, 24, 10, 0, 5, tzinfo=UTC)


def test_before_the_first_answer_the_time_is_unknown() -> None:
    with connected("http://127.0.0.1:9") as api, pytest.raises(RefusedError, match="Date"):
        _ = api.server_time


def test_a_watch_gives_its_lines_one_by_one_until_it_ends() -> None:
    stream = Stream()
    stream.lines.put(b'{"a":1}\n{"b"')
    stream.lines.put(b":2}\n\n")
    stream.end()
    with (
        serving(in_turn(Reply(stream=stream))) as server,
        connected(server.url) as api,
        api.stream("/api/v1/pods", {"watch": "true"}, timeout_seconds=7) as lines,
    ):
        assert list(lines) == [b'{"a":1}', b'{"b":2}']
    assert server.asked[0].query["timeoutSeconds"] == "7"


def test_a_watch_that_is_refused_says_why() -> None:
    with (
        serving(in_turn(refused(403, "Forbidden", "cannot watch pods"))) as server,
        connected(server.url) as api,
        pytest.raises(Forbidden, match="cannot watch pods"),
        api.stream("/api/v1/pods", {}, timeout_seconds=7),
    ):
        pass


@pytest.mark.parametrize("name", ["", "a/b", "..", "a..b", "a%2f", "a?b", "-a", "a b", "x" * 300])
def test_what_is_no_name_gets_into_no_path(name: str) -> None:
    with pytest.raises(BadInputError):
        segment(name)


@pytest.mark.parametrize(
    "name", ["shop", "istio.io", "system:node", "istio-ca-root-cert", "x" * 253]
)
def test_names_of_kubernetes_objects_are_taken(name: str) -> None:
    assert segment(name) == name


@pytest.mark.parametrize("path", ["version", "/api/../etc", "/api/v1?x=1", "/api/v1/", "//x"])
def test_a_path_that_is_not_made_of_names_is_not_asked_for(path: str) -> None:
    with connected("http://127.0.0.1:9") as api, pytest.raises(BadInputError):
        api.get(path)


KUBECONFIG = """
apiVersion: v1
kind: Config
current-context: here
clusters: [{name: c, cluster: {server: "https://127.0.0.1:6443"}}]
users: [{name: u, user: {token: sesame}}]
contexts:
- {name: here, context: {cluster: c, user: u}}
- {name: there, context: {cluster: c, user: u}}
- {name: broken, context: {cluster: nowhere, user: u}}
"""


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    path = tmp_path / "config"
    path.write_text(KUBECONFIG)
    return str(path)


def test_a_kubeconfig_gives_server_and_token_and_no_hidden_retries(kubeconfig: str) -> None:
    api = Api.connect(kubeconfig=kubeconfig, context="there")
    assert api.host == "https://127.0.0.1:6443"
    assert api.client.configuration.retries is False
    assert api.new_client() is not api.client


def test_the_environment_names_the_kubeconfig_where_nobody_else_does(kubeconfig: str) -> None:
    made = configuration(kubeconfig=None, context=None, environment={"KUBECONFIG": kubeconfig})
    assert made.host == "https://127.0.0.1:6443"


def test_the_token_of_the_kubeconfig_is_sent(kubeconfig: str) -> None:
    with serving(in_turn(json({}))) as server:
        path = Path(kubeconfig)
        path.write_text(KUBECONFIG.replace("https://127.0.0.1:6443", server.url))
        api = Api.connect(kubeconfig=kubeconfig, context=None)
        api.get("/version")
        api.client.rest_client.pool_manager.clear()
    assert server.asked[0].headers["authorization"] == "Bearer sesame"


def test_a_context_that_is_not_there_is_said_with_those_that_are(kubeconfig: str) -> None:
    with pytest.raises(BadInputError, match=r"no context 'prod'; it has broken, here, there"):
        Api.connect(kubeconfig=kubeconfig, context="prod")


def test_a_context_that_names_no_cluster_is_said(kubeconfig: str) -> None:
    with pytest.raises(BadInputError, match=r"cannot be used: .*nowhere"):
        Api.connect(kubeconfig=kubeconfig, context="broken")


def test_a_kubeconfig_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"there is no kubeconfig .*nothing-here"):
        Api.connect(kubeconfig=str(tmp_path / "nothing-here"), context=None)


@pytest.mark.parametrize("text", ["", "- 1\n", "a: [", "just words", "token: sesame\n\t- x"])
def test_a_broken_kubeconfig_is_said_without_its_contents(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    with pytest.raises(BadInputError, match="cannot be used") as caught:
        Api.connect(kubeconfig=str(path), context=None)
    assert "sesame" not in str(caught.value)
