"""Whoever reaches Prefect's API can write rows and press Resume. Neither is a decision."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.mesh import judge, manifests
from tests.mesh.cluster import OLD_REVISION
from tests.mesh.kubectl import Json, Kubectl
from tests.mesh.product import REJECTED, Product
from tests.mesh.scheduler import Scheduler
from tests.mesh.waiting import until

pytestmark = pytest.mark.mesh

UNTOUCHED = ("shop", judge.SYSTEM)


def signed(vote: Mapping[str, object], key: bytes) -> Json:
    """Sign a vote as the design says: HMAC-SHA-256 over its canonical JSON."""
    canonical = json.dumps(vote, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return {"vote": vote, "signature": hmac.new(key, canonical, hashlib.sha256).hexdigest()}


def rows(genuine: Json, key: bytes) -> dict[str, str]:
    """Return rows that must not count for `wave-2`, made from a vote that counted for `start`."""
    vote = genuine["vote"] | {"gate": "wave-2"}
    forged: dict[str, object] = {
        "another plan's digest": signed(vote | {"digest": "0" * 64}, key),
        "a broken signature": {"vote": vote, "signature": "0" * 64},
        "somebody else's key": signed(vote, secrets.token_bytes(32)),
        "an unknown person": signed(vote | {"person": "kubernetes:mallory"}, key),
        "another gate's vote": genuine,
        "another run's vote": signed(vote | {"run": "another"}, key),
        "rubbish": "approve",
    }
    return {
        why: json.dumps(row, sort_keys=True, separators=(",", ":")) for why, row in forged.items()
    }


def settle(kubectl: Kubectl) -> None:
    for name in ("first", "shop"):
        kubectl.apply(
            manifests.enabled(name), manifests.workload("Deployment", "web", namespace=name)
        )
    for name in ("first", "shop"):
        judge.wait_until_on(kubectl, OLD_REVISION, name, count=1)


def press_resume(prefect: Scheduler, flow_run: str) -> None:
    """Resume through Prefect's API, and wait until the run has come back and waits again."""
    before = prefect.api.state(flow_run)["id"]
    answer = prefect.api.post(f"/flow_runs/{flow_run}/resume", {})
    assert answer["status"] == "ACCEPT", answer
    until(
        lambda: (
            (state := prefect.api.state(flow_run))["name"] == "Suspended" and state["id"] != before
        ),
        what="the run waits again",
        seconds=60,
    )


def test_rows_and_resume_without_a_valid_vote_change_nothing(
    kubectl: Kubectl, scheduled: Product, prefect: Scheduler, tmp_path: Path
) -> None:
    settle(kubectl)
    file = tmp_path / "key"
    file.write_text(secrets.token_hex(32))
    file.chmod(0o600)
    key = file.read_bytes()
    me = kubectl("auth", "whoami", "-o", "jsonpath={.status.userInfo.username}")
    gates = {"signing_key": f"file:{file}", "approvers": [f"kubernetes:{me}"]}
    prefect.start_worker()
    running = scheduled.start_upgrade(
        *("--wave", "first", "--gates", "start,wave"), parameters=scheduled.parameters(gates=gates)
    )
    run = scheduled.waiting_at("start", running)
    flow_run = run["flow_runs"][-1]
    scheduled.approve(run["run"])
    scheduled.waiting_at("wave-2", running)
    until(lambda: prefect.api.state(flow_run)["name"] == "Suspended", what="the run is suspended")
    genuine = json.loads(prefect.api.inputs(flow_run, "vote-start-")[0]["value"])
    assert signed(genuine["vote"], key) == genuine, "the test signs as the product does"
    before = judge.versions(kubectl, UNTOUCHED)

    for value in rows(genuine, key).values():
        digest = hashlib.sha256(value.encode()).hexdigest()[:24]
        prefect.api.write(flow_run, f"vote-wave-2-{digest}", value)
    press_resume(prefect, flow_run)

    assert judge.versions(kubectl, UNTOUCHED) == before
    assert (scheduled.unfinished() or {})["gate"]["name"] == "wave-2"
    scheduled.on_cluster("reject", run["run"], seconds=60).exited(0)
    running.wait().exited(REJECTED)
    assert judge.versions(kubectl, ["shop"]).items() <= before.items()
