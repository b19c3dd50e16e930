"""The one place where the controllers and the kubelet are made and joined."""

import random
from collections.abc import Callable, Sequence

from deployments.rehearsal.cluster.controllers.cronjobs import CronJobs
from deployments.rehearsal.cluster.controllers.custom_objects import CustomObjects
from deployments.rehearsal.cluster.controllers.daemonsets import DaemonSets
from deployments.rehearsal.cluster.controllers.deployments import Deployments
from deployments.rehearsal.cluster.controllers.endpoints import EndpointSlices
from deployments.rehearsal.cluster.controllers.events import Recorder
from deployments.rehearsal.cluster.controllers.evictions import allow
from deployments.rehearsal.cluster.controllers.fates import MISSING_IMAGES, Fates, Kindly
from deployments.rehearsal.cluster.controllers.garbage import Garbage
from deployments.rehearsal.cluster.controllers.jobs import Jobs
from deployments.rehearsal.cluster.controllers.kubelet import Addresses, Kubelet
from deployments.rehearsal.cluster.controllers.namespaces import Namespaces
from deployments.rehearsal.cluster.controllers.old_events import OldEvents
from deployments.rehearsal.cluster.controllers.pdbs import DisruptionBudgets
from deployments.rehearsal.cluster.controllers.pod_lives import Host
from deployments.rehearsal.cluster.controllers.pods import Readiness
from deployments.rehearsal.cluster.controllers.quotas import Quotas
from deployments.rehearsal.cluster.controllers.replicasets import ReplicaSets
from deployments.rehearsal.cluster.controllers.running import Controller, Runner
from deployments.rehearsal.cluster.controllers.schedulers import Scheduler
from deployments.rehearsal.cluster.controllers.selecting import ByLabel
from deployments.rehearsal.cluster.controllers.serviceaccounts import NamespaceFurniture
from deployments.rehearsal.cluster.controllers.statefulsets import StatefulSets
from deployments.rehearsal.cluster.controllers.turns import Turns
from deployments.rehearsal.cluster.resources import PODS, REPLICASETS
from deployments.rehearsal.cluster.verbs import Server


class Controllers:
    """Everything that keeps a cluster going, between `start` and `stop`."""

    def __init__(
        self,
        server: Server,
        *,
        seed: int = 0,
        fates: Fates | None = None,
        missing_images: Sequence[str] = MISSING_IMAGES,
        ca: str = "",
        around: Callable[[Controller], Controller] = lambda controller: controller,
    ) -> None:
        """Put them together. `around` may put something in the place of each controller."""
        server.check_eviction = allow
        self._runner = Runner(server.store, server.registry, server.clock)
        pods = ByLabel(server.store, PODS)
        replica_sets = ByLabel(server.store, REPLICASETS)
        readiness = Readiness(server.clock)
        host = Host(
            server=server,
            clock=server.clock,
            programs=server.programs,
            activity=self._runner.activity,
            turns=Turns(),
            fates=fates or Kindly(),
            random=random.Random(seed),  # noqa: S311  # pods' luck is no secret
            missing_images=missing_images,
            events=Recorder(server, "kubelet"),
            address=Addresses(server.store).of,
        )
        self._kubelet = Kubelet(host, self._runner.failures)
        for listener in (pods, replica_sets, readiness, self._kubelet):
            self._runner.add_listener(listener)
        controllers: Sequence[Controller] = (
            Scheduler(server),
            ReplicaSets(server, pods, readiness),
            Deployments(server, replica_sets, server.clock),
            StatefulSets(server, readiness),
            DaemonSets(server, readiness),
            Jobs(server),
            CronJobs(server),
            EndpointSlices(server, pods),
            DisruptionBudgets(server, pods),
            Garbage(server),
            Namespaces(server),
            NamespaceFurniture(server, ca=ca),
            Quotas(server),
            CustomObjects(server),
            OldEvents(server),
        )
        for controller in controllers:
            self._runner.add(around(controller))

    def start(self) -> None:
        """Begin to work, on what is there already too. Needs a running event loop."""
        self._runner.start()
        self._kubelet.start()

    async def stop(self) -> None:
        await self._runner.stop()
        await self._kubelet.stop()

    async def settled(self) -> None:
        """Return when no key waits and no pod is about to start or end. Raises bugs met so far."""
        await self._runner.settled()
