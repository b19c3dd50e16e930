"""The journal and the plan, in ConfigMaps."""

import gzip
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from tasks.adapters.records import KubernetesRecords
from tasks.domain.errors import BadInputError, LeaseLostError, RefusedError, TransientError
from tasks.domain.journal import Entry, Snapshotted, Started, Step
from tasks.domain.snapshot import ObjectSnapshot
from tests.unit.api_server import (
    ApiServer,
    Object,
    Refusal,
    Request,
    Stopped,
    connected,
    encoded,
    serving,
)

CONFIG_MAPS = "/api/v1/namespaces/istio-system/configmaps"
RUN = "20251124-1-29-1"
START = datetime(2025, 11, 24, 10, 0, 0, 123456, tzinfo=UTC)


def started(at: datetime = START) -> Started:
    return Started(
        at=at, parameters="0", target="1.29.1", revision="1-29-1", old="1-28-3", requester="ann"
    )


def step(number: int, text: str = "step") -> Step:
    return Step(at=START + timedelta(seconds=number), text=f"{text} {number}")


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with serving() as running:
        yield running


@pytest.fixture
def records(server: ApiServer) -> Iterator[KubernetesRecords]:
    with connected(server) as api:
        yield KubernetesRecords(api, namespace="istio-system")


def test_entries_come_back_in_order(records: KubernetesRecords) -> None:
    entries: tuple[Entry, ...] = (started(), *(step(number) for number in range(12)))
    for entry in entries:
        records.append(RUN, entry)

    assert records.run(RUN).entries == entries


def test_a_record_carries_none_of_istios_labels(
    server: ApiServer, records: KubernetesRecords
) -> None:
    records.append(RUN, started())
    records.save_plan(RUN, b"{}")

    labels = {path: kept["metadata"]["labels"] for path, kept in server.objects.items()}
    assert labels == {
        f"{CONFIG_MAPS}/istio-canary-run-{RUN}": {
            "app.kubernetes.io/managed-by": "istio-canary",
            "istio-canary.io/run": RUN,
            "istio-canary.io/record": "journal",
        },
        f"{CONFIG_MAPS}/istio-canary-plan-{RUN}": {
            "app.kubernetes.io/managed-by": "istio-canary",
            "istio-canary.io/run": RUN,
            "istio-canary.io/record": "plan",
        },
    }


def test_an_entry_is_one_key_of_readable_json(
    server: ApiServer, records: KubernetesRecords
) -> None:
    records.append(RUN, started())
    records.append(RUN, step(1))

    data = server.objects[f"{CONFIG_MAPS}/istio-canary-run-{RUN}"]["data"]
    assert list(data) == ["00001", "00002"]
    assert data["00002"] == (
        '{"at":"2025-11-24T10:00:01.123456Z","namespace":null,"text":"step 1","type":"step",'
        '"wave":null}'
    )


def test_a_recorded_object_comes_back_byte_for_byte(records: KubernetesRecords) -> None:
    payload = msgspec.Raw(b'[{"name":"b","a":1}]')
    objects = (ObjectSnapshot(kind="Service", name="x", payload=payload),)
    records.append(RUN, started())
    records.append(RUN, Snapshotted(at=START, objects=objects))

    (found,) = records.run(RUN).of(Snapshotted)
    assert bytes(found.objects[0].payload) == bytes(payload)


def test_the_newest_entry_is_not_added_twice(server: ApiServer, records: KubernetesRecords) -> None:
    records.append(RUN, started())
    records.append(RUN, step(1))
    records.append(RUN, step(1))
    assert len(server.changes()) == 2

    records.append(RUN, started())

    assert records.run(RUN).entries == (started(), step(1), started())


def test_an_answer_that_was_lost_does_not_make_a_second_entry(
    server: ApiServer, records: KubernetesRecords
) -> None:
    records.append(RUN, started())
    name = f"{CONFIG_MAPS}/istio-canary-run-{RUN}"

    def written_but_lost(request: Request) -> Object:
        kept = server.objects[name]
        later = msgspec.json.encode(step(2), order="sorted").decode()
        data = {**kept["data"], **request.body["data"], "00003": later}
        server.put(name, {**kept, "data": data})
        raise Refusal(409, "Conflict", "the object has been modified")

    server.answer("PATCH", RUN, written_but_lost)
    records.append(RUN, step(1))

    assert records.run(RUN).entries == (started(), step(1), step(2))


def test_entries_of_many_threads_and_two_processes_are_all_kept(server: ApiServer) -> None:
    with connected(server) as one, connected(server) as other:
        both = [KubernetesRecords(api, namespace="istio-system") for api in (one, other)]
        both[0].append(RUN, started())
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda n: appended(both[n % 2], n), range(12)))

        texts = [entry.text for entry in both[0].run(RUN).of(Step)]
        assert sorted(texts) == sorted(f"step {number}" for number in range(12))


def appended(records: KubernetesRecords, number: int) -> None:
    try:
        records.append(RUN, step(number))
    except TransientError:
        appended(records, number)


def test_a_journal_that_is_always_changed_by_others_may_be_tried_again(
    server: ApiServer, records: KubernetesRecords
) -> None:
    def changed(_request: Request) -> Object:
        raise Refusal(409, "Conflict", "the object has been modified")

    records.append(RUN, started())
    server.answer("PATCH", RUN, changed)

    with pytest.raises(TransientError, match="changed by others 5 times"):
        records.append(RUN, step(1))


def test_a_full_config_map_is_followed_by_another(
    server: ApiServer, records: KubernetesRecords
) -> None:
    entries: tuple[Entry, ...] = (started(), *(step(number, "x" * 40_000) for number in range(5)))
    for entry in entries:
        records.append(RUN, entry)

    assert records.run(RUN).entries == entries
    assert [path.rsplit("/", 1)[1] for path in server.objects] == [
        f"istio-canary-run-{RUN}",
        f"istio-canary-run-{RUN}-1",
        f"istio-canary-run-{RUN}-2",
    ]
    assert records.runs()[0].entries == entries


def test_a_long_journal_is_not_read_again_for_each_entry(
    server: ApiServer, records: KubernetesRecords
) -> None:
    entries: tuple[Entry, ...] = (started(), *(step(number) for number in range(10)))
    for entry in entries:
        records.append(RUN, entry)

    assert sum(one.method == "GET" and one.path == CONFIG_MAPS for one in server.requests) == 1


def test_an_entry_follows_what_another_process_has_put_elsewhere(server: ApiServer) -> None:
    with connected(server) as one, connected(server) as other:
        ours, theirs = (KubernetesRecords(api, namespace="istio-system") for api in (one, other))
        last = step(2, "x" * 150_000), step(3)
        entries: tuple[Entry, ...] = (started(), step(1), *last)
        for records, entry in zip((ours, ours, theirs, ours), entries, strict=True):
            records.append(RUN, entry)

        assert ours.run(RUN).entries == entries


def test_an_entry_that_no_config_map_takes_is_refused(records: KubernetesRecords) -> None:
    with pytest.raises(RefusedError, match="a ConfigMap takes 900000"):
        records.append(RUN, step(1, "x" * 900_001))


def test_a_config_map_of_somebody_else_is_not_written_to(
    server: ApiServer, records: KubernetesRecords
) -> None:
    server.put(f"{CONFIG_MAPS}/istio-canary-run-{RUN}", {"data": {"theirs": "x"}})

    with pytest.raises(RefusedError, match="belongs to something else"):
        records.append(RUN, started())


def test_of_two_that_begin_a_journal_both_are_kept(
    server: ApiServer, records: KubernetesRecords
) -> None:
    def too_late(request: Request) -> Object:
        name = f"{CONFIG_MAPS}/{request.body['metadata']['name']}"
        first = msgspec.json.encode(started()).decode()
        server.put(name, {**request.body, "data": {"00001": first}})
        raise Refusal(409, "AlreadyExists", "already exists")

    server.answer("POST", "/configmaps", too_late)
    records.append(RUN, step(1))

    assert records.run(RUN).entries == (started(), step(1))


def test_a_journal_under_another_name_is_refused(
    server: ApiServer, records: KubernetesRecords
) -> None:
    records.append(RUN, started())
    copied = server.objects[f"{CONFIG_MAPS}/istio-canary-run-{RUN}"]
    renamed = {**copied, "metadata": {**copied["metadata"], "name": "copy"}}
    server.put(f"{CONFIG_MAPS}/copy", renamed)

    with pytest.raises(RefusedError, match="ConfigMap istio-system/copy is labelled"):
        records.run(RUN)


def test_a_run_that_cannot_be_read_hides_no_other_from_whoever_is_told(
    server: ApiServer, records: KubernetesRecords
) -> None:
    records.append("a", started())
    records.append("b", step(0))  # not how a journal begins
    told: list[RefusedError] = []
    assert [record.run for record in records.runs(left_out=told.append)] == ["a"]
    assert [str(one).partition(" in ")[0] for one in told] == ["the journal of run 'b'"]
    with pytest.raises(RefusedError, match="the journal of run 'b'"):
        records.runs()


def test_runs_are_in_the_order_of_their_beginning(records: KubernetesRecords) -> None:
    records.append("b", started(START + timedelta(days=1)))
    records.append("a", started(START + timedelta(days=2)))
    records.append("c", started(START))

    assert [record.run for record in records.runs()] == ["c", "b", "a"]


def test_a_run_whose_name_begins_another_is_kept_apart(records: KubernetesRecords) -> None:
    records.append("a", started())
    records.append("a-x", started(START + timedelta(days=1)))

    assert [len(record.entries) for record in records.runs()] == [1, 1]


def test_no_run_is_an_empty_list(records: KubernetesRecords) -> None:
    assert list(records.runs()) == []


def test_a_run_that_is_not_there_is_bad_input(records: KubernetesRecords) -> None:
    with pytest.raises(BadInputError, match="there is no run 'nosuch' in namespace istio-system"):
        records.run("nosuch")


@pytest.mark.parametrize("run", ["", "A", "a/b", "a,b=c", "-a", "a" * 64])
def test_a_name_that_is_no_run_id_reaches_no_path(
    server: ApiServer, records: KubernetesRecords, run: str
) -> None:
    with pytest.raises(BadInputError, match="is no run id"):
        records.run(run)
    with pytest.raises(BadInputError, match="is no run id"):
        records.append(run, started())
    with pytest.raises(BadInputError, match="is no run id"):
        records.plan(run)
    with pytest.raises(BadInputError, match="is no run id"):
        records.save_plan(run, b"{}")
    assert server.requests == []


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"type":"from-the-future"}',
        '{"type":"step"}',
        pytest.param('{"type":"step","at":"2026-01-01T00:00:00","text":""}', id="no time zone"),
        pytest.param('{"type":"step","more":' + "[" * 100_000, id="brackets without end"),
    ],
)
def test_a_malformed_entry_is_named(
    server: ApiServer, records: KubernetesRecords, text: str
) -> None:
    records.append(RUN, started())
    name = f"{CONFIG_MAPS}/istio-canary-run-{RUN}"
    kept = server.objects[name]
    server.put(name, {**kept, "data": {**kept["data"], "00002": text}})

    with pytest.raises(RefusedError, match=f"{RUN} has a malformed entry in key '00002'"):
        records.run(RUN)


@pytest.mark.parametrize("first", [None, step(1)])
def test_a_journal_without_a_beginning_is_refused(
    server: ApiServer, records: KubernetesRecords, first: Step | None
) -> None:
    records.append(RUN, step(0))
    name = f"{CONFIG_MAPS}/istio-canary-run-{RUN}"
    data = {} if first is None else {"00001": msgspec.json.encode(first).decode()}
    server.put(name, {**server.objects[name], "data": data})

    with pytest.raises(RefusedError, match="does not begin with `started`"):
        records.run(RUN)


def test_a_plan_is_kept_once(server: ApiServer, records: KubernetesRecords) -> None:
    assert records.plan(RUN) is None

    records.save_plan(RUN, b'{"waves":[]}')
    records.save_plan(RUN, b'{"waves":[]}')

    assert records.plan(RUN) == b'{"waves":[]}'
    with pytest.raises(RefusedError, match="has another plan already"):
        records.save_plan(RUN, b'{"waves":[1]}')


def test_a_plan_is_compared_by_what_it_says(server: ApiServer, records: KubernetesRecords) -> None:
    records.save_plan(RUN, b"{}")
    name = f"{CONFIG_MAPS}/istio-canary-plan-{RUN}"
    packed = encoded(gzip.compress(b"{}", compresslevel=0, mtime=7))
    server.put(name, {**server.objects[name], "binaryData": {"plan.json.gz": packed}})

    records.save_plan(RUN, b"{}")


def test_a_plan_too_large_for_a_config_map_is_refused(
    server: ApiServer, records: KubernetesRecords
) -> None:
    noise = random.Random(1).randbytes(1_100_000)  # noqa: S311 - nothing secret

    with pytest.raises(RefusedError, match="a ConfigMap holds 1048576"):
        records.save_plan(RUN, noise)
    assert server.requests == []


@pytest.mark.parametrize(
    "value", ["", "!", encoded(b"plain"), encoded(gzip.compress(b"{}", mtime=7)[:-4])]
)
def test_a_plan_that_is_no_longer_one_is_refused(
    server: ApiServer, records: KubernetesRecords, value: str
) -> None:
    records.save_plan(RUN, b"{}")
    name = f"{CONFIG_MAPS}/istio-canary-plan-{RUN}"
    server.put(name, {**server.objects[name], "binaryData": {"plan.json.gz": value}})

    with pytest.raises(RefusedError, match="does not hold a gzipped plan"):
        records.plan(RUN)


def test_nothing_is_recorded_without_the_lease(server: ApiServer) -> None:
    with connected(server, guard=Stopped()) as api:
        records = KubernetesRecords(api, namespace="istio-system")

        with pytest.raises(LeaseLostError):
            records.append(RUN, started())
        with pytest.raises(LeaseLostError):
            records.save_plan(RUN, b"{}")

    assert server.changes() == []
