"""A browser without JavaScript: cookies, and forms as they stand in the page."""

import urllib.error
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.cookiejar import CookieJar
from urllib.parse import urlencode, urljoin

Fields = dict[str, str]


@dataclass
class Form:
    action: str
    fields: Fields = field(default_factory=dict[str, str])
    buttons: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])


class _Forms(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(found["action"]))
        elif tag == "a":
            self.links.append(found["href"])
        elif not self.forms or "name" not in found:
            return
        elif tag == "button":
            self.forms[-1].buttons.append((found["name"], found["value"]))
        elif found.get("type") not in {"radio", "checkbox"}:
            self.forms[-1].fields[found["name"]] = found.get("value", "")


class Browser:
    """One person's browser."""

    def __init__(self, page: str) -> None:
        self.url, self.status, self.html = page, 0, ""
        self.policy = ""
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(CookieJar()),
        )
        self.open(page)

    def open(self, url: str, body: bytes | None = None, *, host: str = "") -> None:
        headers = {"Host": host} if host else {}
        address = urljoin(self.url, url)
        request = urllib.request.Request(address, body, headers)  # noqa: S310 - ours
        try:
            with self._opener.open(request) as answer:
                self.url, self.status = answer.url, answer.status
                self.policy = answer.headers.get("Content-Security-Policy", "")
                self.html = answer.read().decode()
        except urllib.error.HTTPError as error:
            self.status, self.html = error.code, error.read().decode()

    @property
    def forms(self) -> list[Form]:
        return self._parsed().forms

    @property
    def links(self) -> list[str]:
        return self._parsed().links

    def send(self, action: str, *button: str, **fields: str) -> None:
        """Send the first form to `action` that has the button: its name and value."""
        form = next(
            one
            for one in self.forms
            if one.action == action and (not button or button in one.buttons)
        )
        sent = form.fields | ({button[0]: button[1]} if button else {}) | fields
        self.open(action, urlencode(sent).encode())

    def become(self, user: str) -> None:
        self.send("/page/person", "user", user)

    def _parsed(self) -> _Forms:
        parser = _Forms()
        parser.feed(self.html)
        return parser
