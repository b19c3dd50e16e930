import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from slack_sdk.signature import SignatureVerifier

from tests.rehearsal.slack_at_work import CHANNEL, COMMAND, WHO, ask, at_work

NOWHERE = "http://127.0.0.1:9"


class Receiver(ThreadingHTTPServer):
    """An app's request URL."""

    def __init__(self, status: int, answer: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.answer = status, answer
        self.told: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/slack/events"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.told.append((dict(self.headers), body))
        self.send_response(self.server.status)
        self.end_headers()
        self.wfile.write(self.server.answer.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        pass


@contextmanager
def receiving(status: int = 200, answer: str = "") -> Iterator[Receiver]:
    with Receiver(status, answer) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


def test_a_press_is_posted_and_signed() -> None:
    with at_work() as slack, receiving() as receiver:
        slack.request_at(receiver.url)
        outcome = slack.press(WHO, CHANNEL, ask(slack), "go")
        (headers, body), verifier = (
            receiver.told[0],
            SignatureVerifier(slack.app.signing_secret),
        )
        stranger = SignatureVerifier("another secret")

        assert outcome.acknowledged
        assert verifier.is_valid_request(body, headers)
        assert not stranger.is_valid_request(body, headers)
        assert json.loads(parse_qs(body.decode())["payload"][0]) == outcome.payload


def test_a_command_is_a_form_and_may_be_answered_with_plain_text() -> None:
    with at_work() as slack, receiving(answer="on its way") as receiver:
        slack.request_at(receiver.url)
        slack.command(WHO, CHANNEL, COMMAND, "status")
        form = parse_qs(receiver.told[0][1].decode())

        assert (form["command"], form["text"], form["user_id"]) == ([COMMAND], ["status"], [WHO])
        assert [one["text"] for one in slack.ephemerals(WHO)] == ["on its way"]


def test_an_event_is_posted_as_json() -> None:
    with at_work() as slack, receiving() as receiver:
        slack.request_at(receiver.url)
        outcome = slack.event({"type": "app_mention"})

        assert outcome.acknowledged
        assert json.loads(receiver.told[0][1]) == outcome.payload


def test_an_app_that_fails_or_is_away_did_not_respond() -> None:
    with at_work() as slack, receiving(500) as receiver:
        ts = ask(slack)
        for url in (receiver.url, NOWHERE):
            slack.request_at(url)
            assert not slack.press(WHO, CHANNEL, ts, "go").acknowledged
        assert len(slack.warnings(WHO)) == 2
