"""get and list."""

from starlette.responses import Response

from deployments.rehearsal.cluster.errors import not_found, too_new
from deployments.rehearsal.cluster.selectors import Test, field_test, label_test
from deployments.rehearsal.cluster.store import Entry
from deployments.rehearsal.cluster.views import VIEWS
from deployments.rehearsal.cluster.web.answers import encoded
from deployments.rehearsal.cluster.web.asks import Ask
from deployments.rehearsal.cluster.web.pages import Moment
from deployments.rehearsal.cluster.web.telling import listed, teller


async def get(ask: Ask) -> Response:
    place = ask.place
    entry = ask.server.store.entry(ask.resource, place.name, place.namespace)
    if entry is None:
        raise not_found(ask.resource, place.name)
    if place.subresource == "scale":
        return encoded(Entry(VIEWS["scale"].read(entry.object)).encoded)
    return encoded(teller(ask)(entry))


async def list_(ask: Ask) -> Response:
    limit = ask.number("limit") or 0
    token = ask.query("continue")
    test = selected(ask)
    if token:
        page = ask.cluster.pages.next(token, limit)
    else:
        store = ask.server.store
        asked = ask.number("resourceVersion") or 0
        if asked > store.version:
            raise too_new(asked, store.version)
        page = ask.cluster.pages.first(Moment(entries_of(ask, test), store.version), limit)
    return encoded(listed(ask, page, is_filtered=test is not None))


def entries_of(ask: Ask, test: Test | None) -> list[Entry]:
    """Return the entries that a request for many is about."""
    entries = ask.server.store.entries(ask.resource, ask.scope)
    return [entry for entry in entries if test is None or test(entry.object)]


def selected(ask: Ask) -> Test | None:
    """Return the test of a request's selectors, None if it has none."""
    tests: list[Test] = []
    if text := ask.query("labelSelector"):
        tests.append(label_test(text))
    if text := ask.query("fieldSelector"):
        tests.append(field_test(ask.resource, text))
    if not tests:
        return None
    return lambda obj: all(test(obj) for test in tests)
