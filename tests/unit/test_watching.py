"""A live picture stays true while watches come, go and break."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from tasks.adapters.kubernetes_api import Forbidden
from tasks.adapters.watching import Watching
from tasks.domain.errors import BadInputError, RefusedError, TransientError
from tasks.domain.inventory import Kind, WorkloadRef
from tests.unit.scripted_server import (
    Asked,
    Reply,
    ScriptedServer,
    Stream,
    connected,
    json,
    listed,
    refused,
    serving,
)

Object = dict[str, Any]
PODS = "/api/v1/namespaces/shop/pods"
NO_SUCH = refused(404, "NotFound", "the server could not find the requested resource")
SOON = timedelta(seconds=5)


def pod(name: str, *, version: str = "1", namespace: str = "shop", **more: object) -> Object:
    return {
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": version, **more},
        "status": {"phase": "Running"},
    }


class Cluster:
    """Pods as a test says; of everything else there is none, and nothing happens to it."""

    def __init__(self, *pods: Object, path: str = PODS) -> None:
        self.path = path
        self.lists = [listed(*pods, version="10")]
        self.watches: list[Reply] = []

    def watch(self) -> Stream:
        """Return the stream of the next watch of the pods."""
        stream = Stream()
        self.watches.append(Reply(stream=stream))
        return stream

    def __call__(self, asked: Asked) -> Reply:
        if asked.path.endswith("/rollouts"):
            return NO_SUCH
        if asked.path != self.path:
            return Reply(stream=Stream()) if asked.is_watch else listed(version="3")
        if not asked.is_watch:
            return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        return self.watches.pop(0) if self.watches else Reply(stream=Stream())


def eventually(state: Watching, is_so: Callable[[], bool]) -> None:
    """Wait as the product does: look, and wait for a change."""
    until = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < until, "it did not come true in half a minute"
        state.wait(timedelta(seconds=1))


def wait_for_ever(state: Watching) -> None:
    while True:
        state.wait(SOON)


def names(state: Watching) -> list[str]:
    return sorted(one.name for one in state.pods)


def watches_of(server: ScriptedServer, path: str = PODS) -> list[Asked]:
    return [one for one in server.of(path) if one.is_watch]


def test_what_is_there_is_seen_at_once_and_what_happens_soon_after() -> None:
    cluster = Cluster(pod("a"))
    stream = cluster.watch()
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        assert names(state) == ["a"]
        stream.send("ADDED", pod("b", version="11"))
        eventually(state, lambda: names(state) == ["a", "b"])
        stream.send("MODIFIED", pod("b", version="12", deletionTimestamp="2026-11-24T10:00:00Z"))
        eventually(state, lambda: any(one.is_terminating for one in state.pods))
        stream.send("DELETED", pod("b", version="13"))
        eventually(state, lambda: names(state) == ["a"])
        [watch] = watches_of(server)
        assert watch.query["resourceVersion"] == "10"
        assert watch.query["allowWatchBookmarks"] == "true"


def test_a_pod_that_has_not_changed_is_not_drawn_again() -> None:
    cluster = Cluster(pod("a"))
    stream = cluster.watch()
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        [before] = state.pods
        stream.send("ADDED", pod("b", version="11"))
        eventually(state, lambda: names(state) == ["a", "b"])
        assert any(one is before for one in state.pods)
        stream.send("MODIFIED", pod("a", version="12", labels={"x": "y"}))
        eventually(state, lambda: any(one.labels == {"x": "y"} for one in state.pods))


def test_workloads_are_seen_with_their_pods() -> None:
    deployment = {"metadata": {"name": "cart", "namespace": "shop"}, "status": {"readyReplicas": 1}}
    owner = {"kind": "Deployment", "name": "cart", "apiVersion": "apps/v1", "controller": True}
    replica_set = {"metadata": {"name": "cart-1", "namespace": "shop", "ownerReferences": [owner]}}
    above = {"kind": "ReplicaSet", "name": "cart-1", "apiVersion": "apps/v1", "controller": True}
    cluster = Cluster(pod("a", ownerReferences=[above]))

    def script(asked: Asked) -> Reply:
        if not asked.is_watch and asked.path.endswith("/deployments"):
            return listed(deployment)
        if not asked.is_watch and asked.path.endswith("/replicasets"):
            return listed(replica_set)
        return cluster(asked)

    ref = WorkloadRef(namespace="shop", kind=Kind.DEPLOYMENT, name="cart")
    with (
        serving(script) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        assert state.pods[0].workload == ref
        assert list(state.workloads) == [ref]
        assert state.workloads[ref].ready == 1


def test_a_watch_that_ends_or_is_cut_goes_on_where_it_was() -> None:
    cluster = Cluster(pod("a"))
    first, second, third = cluster.watch(), cluster.watch(), cluster.watch()
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        first.send("ADDED", pod("b", version="11"))
        first.cut()
        second.send("BOOKMARK", {"metadata": {"resourceVersion": "20"}})
        second.end()
        third.send("ADDED", pod("c", version="21"))
        eventually(state, lambda: names(state) == ["a", "b", "c"])
        seen = [one.query["resourceVersion"] for one in watches_of(server)]
        assert seen == ["10", "11", "20"]
        assert len(server.of(PODS)) == 4  # one list only


@pytest.mark.parametrize("is_answer", [True, False])
def test_a_place_that_is_too_old_lists_again(is_answer: bool) -> None:
    cluster = Cluster(pod("a"))
    cluster.lists.append(listed(pod("b"), version="30"))
    if is_answer:
        cluster.watches.append(refused(410, "Expired", "too old resource version"))
    else:
        cluster.watch().send("ERROR", {"kind": "Status", "code": 410, "reason": "Expired"})
    last = cluster.watch()
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        eventually(state, lambda: names(state) == ["b"])
        last.send("ADDED", pod("c", version="31"))
        eventually(state, lambda: names(state) == ["b", "c"])
        assert watches_of(server)[-1].query["resourceVersion"] == "30"


def test_a_right_that_is_taken_away_is_told_to_whoever_looks() -> None:
    cluster = Cluster(pod("a"))
    cluster.watches.append(refused(403, "Forbidden", "cannot watch pods"))
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        with pytest.raises(RefusedError, match="cannot watch pods"):
            wait_for_ever(state)
        with pytest.raises(Forbidden):
            _ = state.pods


def test_a_watch_that_cannot_be_had_for_long_ends_the_picture() -> None:
    cluster = Cluster(pod("a"))
    cluster.watches.extend(refused(500, "InternalError", "etcd is gone") for _ in range(50))
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"], patience=3) as state,
        pytest.raises(TransientError, match="etcd is gone"),
    ):
        wait_for_ever(state)


def test_without_the_right_to_list_there_is_no_picture_at_all() -> None:
    cluster = Cluster()
    cluster.lists = [refused(403, "Forbidden", "cannot list pods")]

    def script(asked: Asked) -> Reply:
        if asked.path == "/api/v1":
            return json({"resources": [{"name": "pods", "verbs": ["list"]}]})
        return cluster(asked)

    with (
        serving(script) as server,
        connected(server.url) as api,
        pytest.raises(Forbidden, match="cannot list pods"),
        Watching(api, ["shop"]),
    ):
        pass


def test_a_kind_that_is_forbidden_and_not_there_is_no_hindrance() -> None:
    cluster = Cluster(pod("a"))

    def script(asked: Asked) -> Reply:
        if asked.path.endswith("/rollouts"):
            return refused(403, "Forbidden", "rollouts is forbidden")
        return NO_SUCH if asked.path == "/apis/argoproj.io/v1alpha1" else cluster(asked)

    with (
        serving(script) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        assert names(state) == ["a"]


def test_many_namespaces_are_one_watch_and_the_others_pods_are_not_ours() -> None:
    cluster = Cluster(pod("a", namespace="one"), pod("x", namespace="foreign"), path="/api/v1/pods")
    stream = cluster.watch()
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["one", "two", "three", "four"]) as state,
    ):
        stream.send("ADDED", pod("y", namespace="foreign"))
        stream.send("ADDED", pod("b", namespace="four"))
        eventually(state, lambda: names(state) == ["a", "b"])
        assert not any("/namespaces/" in one.path for one in server.asked)


def test_leaving_ends_every_thread_also_while_nothing_happens() -> None:
    before = threading.active_count()
    with serving(Cluster(pod("a"))) as server, connected(server.url) as api:
        with Watching(api, ["shop", "other"]) as state:
            eventually(state, lambda: names(state) == ["a"])
        began = time.monotonic()
        left = [one.name for one in threading.enumerate() if one.name.startswith("watch ")]
        assert not left
        assert time.monotonic() - began < 1
    assert threading.active_count() <= before + 20  # the server's own may still be ending


def test_waiting_ends_after_its_time_when_nothing_happens() -> None:
    with (
        serving(Cluster(pod("a"))) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):
        state.wait(SOON)  # the lists themselves
        began = time.monotonic()
        state.wait(timedelta(milliseconds=100))
        assert 0.05 < time.monotonic() - began < 10


def test_two_threads_that_wait_both_see_a_change() -> None:
    cluster = Cluster(pod("a"))
    stream = cluster.watch()
    seen: list[list[str]] = []
    with (
        serving(cluster) as server,
        connected(server.url) as api,
        Watching(api, ["shop"]) as state,
    ):

        def look() -> None:
            eventually(state, lambda: names(state) == ["a", "b"])
            seen.append(names(state))

        threads = [threading.Thread(target=look) for _ in range(2)]
        for thread in threads:
            thread.start()
        stream.send("ADDED", pod("b"))
        for thread in threads:
            thread.join(5)
    assert seen == [["a", "b"], ["a", "b"]]


def test_there_must_be_something_to_watch() -> None:
    with connected("http://127.0.0.1:9") as api:
        with pytest.raises(BadInputError):
            Watching(api, [])
        with pytest.raises(BadInputError):
            Watching(api, ["../x"])
