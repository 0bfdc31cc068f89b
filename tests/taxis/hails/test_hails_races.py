"""What happens at once, on real services: one customer gets the taxi, and nobody's step is lost.

moto's transactions are not safe for threads, so each race runs in a process of its own against
MiniStack; this module is that process, too. `MARAUDE_TEST_RACES` says how often each is run.
"""

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from chalicelib.foundation.values import replace
from chalicelib.taxis.registry import availability_change, own_taxis, vehicles

if TYPE_CHECKING:
    from chalicelib.taxis.hails.rules import Hail, Status
    from tests.taxis.hails.hail_factories import Scene

TIMES = int(os.environ.get("MARAUDE_TEST_RACES", "20"))


# --- the test ------------------------------------------------------------------------------------


def run(endpoint: str, race: str, *, times: int, conflicts: bool) -> dict[str, int]:
    """What came of a race, so many times; `conflicts` fails a third of the transactions."""
    stage = f"race{len(race)}{'c' if conflicts else 'n'}"
    environment = {
        **os.environ,
        "MARAUDE_ENDPOINT": endpoint,
        "MARAUDE_STAGE": stage,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run(
        [sys.executable, "-m", __name__, race, str(times), str(int(conflicts))],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    outcomes: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return outcomes


pytestmark = pytest.mark.local_stack


def test_of_fifty_customers_who_hail_one_taxi_at_once_one_gets_it(state_service: str) -> None:
    assert run(state_service, "fifty", times=1, conflicts=False) == {"201": 1, "400 not free": 49}


@pytest.mark.parametrize("conflicts", [False, True], ids=["calm", "conflicts"])
@pytest.mark.parametrize(
    ("race", "ends"),
    [
        ("accept_decline", {"declined_by_customer"}),
        ("timer_accept", {"timeout_taxi", "accepted_by_taxi"}),
        ("webhook_decline", {"declined_by_customer"}),
        ("freed_and_taken", {"timeout_customer taken", "timeout_customer not taken"}),
    ],
)
def test_hail_taxi_and_log_agree_whoever_comes_first(
    state_service: str,
    race: str,
    ends: set[str],
    conflicts: bool,  # noqa: FBT001  # a parameter
) -> None:
    outcomes = run(state_service, race, times=TIMES, conflicts=conflicts)

    assert sum(outcomes.values()) == TIMES
    assert outcomes.keys() <= ends


# --- the races -----------------------------------------------------------------------------------


def at_once(*steps: Callable[[], object]) -> list[object]:
    """What each step answered or was refused with, all begun together; a fault of ours is raised."""
    from chalicelib.foundation.errors import Refusal, Unavailable  # noqa: PLC0415

    start = threading.Barrier(len(steps))

    def go(step: Callable[[], object]) -> object:
        start.wait()
        try:
            return step()
        except Unavailable:
            raise
        except Refusal as refusal:
            return refusal

    with ThreadPoolExecutor(len(steps)) as pool:
        return [done.result() for done in [pool.submit(go, step) for step in steps]]


def fail_a_third(client: Any) -> None:
    """Cancels a third of the transactions as if another held one of their items."""
    choice = random.Random(1)

    class Refused:
        status_code = 400
        headers: Mapping[str, str] = {}

    def cancel(**_: object) -> tuple[object, Mapping[str, object]] | None:
        if choice.random() > 1 / 3:
            return None
        reasons = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "injected"}]
        return Refused(), {
            "Error": {"Code": "TransactionCanceledException", "Message": "injected"},
            "CancellationReasons": reasons,
        }

    client.meta.events.register("before-call.dynamodb.TransactWriteItems", cancel)


def placed(scene: "Scene", status: "Status") -> "Hail":
    """A hail in a status, written at once with its taxi."""
    from chalicelib.foundation.store.writes import Moved  # noqa: PLC0415
    from chalicelib.taxis.hails import lifecycle, request_log, rules, writes  # noqa: PLC0415
    from chalicelib.taxis.vocabulary import (  # noqa: PLC0415
        Action,
        Activity,
        Resource,
        TaxiStatus,
    )
    from tests.taxis.hails.hail_factories import WAITS, WAYS, a_hail  # noqa: PLC0415

    description = scene.description()
    free = replace(
        description,
        status=TaxiStatus.FREE,
        availability_changed_at=description.availability_changed_at + timedelta(seconds=1),
    )
    vehicles.change_availability(description, free)
    hail = a_hail(
        hail_id=f"{random.getrandbits(28):07x}",
        created_at=scene.now,
        last_status_change=scene.now,
        last_update_at=scene.now,
        deadline=scene.now + WAITS[rules.Status.RECEIVED],
        moteur_id=scene.moteur.id,
        operateur_id=scene.operateur.id,
        taxi_id=scene.taxi_id,
        description_id=description.description_id,
        session_id=f"{random.getrandbits(64)}",
        transitions=(rules.Transition(None, rules.Status.RECEIVED, scene.now, 1, None),),
    )
    for to in WAYS[status]:
        hail = lifecycle.step(hail, to, now=scene.now, waits=WAITS)
    taken = free.hailed(TaxiStatus.ANSWERING, open_hail=hail.hail_id, now=scene.now)
    while True:
        with suppress(Moved):
            writes.create(
                hail,
                [writes.TaxiStep(replace(free, open_hail=description.open_hail), taken)],
                new_session=True,
                replay=None,
                exchange=request_log.Exchange(scene.now, "POST", "{}"),
                activities=[
                    Activity(scene.now, Resource.CUSTOMER, "somebody", Action.CUSTOMER_HAIL)
                ],
            )
            return hail


def check(scene: "Scene", before: "Hail") -> "Hail":
    """The hail, whose log must be a path in the table, and its taxi as the log says."""
    from chalicelib.taxis.hails import rules  # noqa: PLC0415
    from chalicelib.taxis.vocabulary import TaxiStatus  # noqa: PLC0415

    hail, taxi = scene.read(before), scene.description()
    steps = hail.transitions
    assert steps[-1].to_status is hail.status
    for one, other in pairwise(steps):
        assert other.from_status is one.to_status
        assert other.to_status in rules.STEPS[one.to_status]
        assert one.at <= other.at
    assert hail.version == before.version + len(steps) - len(before.transitions)
    if taxi.open_hail == hail.hail_id:
        assert not hail.status.is_over
        assert taxi.status is TaxiStatus.ANSWERING
    elif taxi.open_hail is None and hail.status.is_over:
        assert taxi.status is rules.TAXI[hail.status]
    return hail


def accept(scene: "Scene", hail: "Hail", *, now: datetime) -> object:
    """The driver's answer."""
    from chalicelib.taxis.hails import change  # noqa: PLC0415
    from chalicelib.taxis.hails.rules import Status  # noqa: PLC0415

    asked = {"status": Status.ACCEPTED_BY_TAXI, "taxi_phone_number": "0611223344"}
    return change.change_hail(scene.operateur, scene.read(hail), asked, now=now)  # type: ignore[arg-type]


def decline(scene: "Scene", hail: "Hail") -> object:
    """The customer's change of mind."""
    from chalicelib.taxis.hails import change  # noqa: PLC0415
    from chalicelib.taxis.hails.rules import Status  # noqa: PLC0415

    asked: Any = {"status": Status.DECLINED_BY_CUSTOMER}
    return change.change_hail(scene.moteur, scene.read(hail), asked, now=scene.now)


def accept_decline(scene: "Scene") -> str:
    from chalicelib.taxis.hails.rules import Status  # noqa: PLC0415

    hail = placed(scene, Status.RECEIVED_BY_TAXI)
    at_once(lambda: accept(scene, hail, now=scene.now), lambda: decline(scene, hail))
    return check(scene, hail).status.value


def timer_accept(scene: "Scene") -> str:
    from chalicelib.taxis.hails import expiry  # noqa: PLC0415
    from chalicelib.taxis.hails.rules import Status  # noqa: PLC0415

    hail = placed(scene, Status.RECEIVED_BY_TAXI)
    late = scene.now + timedelta(seconds=30)
    at_once(
        lambda: accept(scene, hail, now=late - timedelta(milliseconds=1)),
        lambda: expiry.expire(hail.hail_id, now=late, way="queue"),
    )
    return check(scene, hail).status.value


def webhook_decline(scene: "Scene") -> str:
    from chalicelib.taxis.hails import dispatch  # noqa: PLC0415
    from chalicelib.taxis.hails.rules import Status  # noqa: PLC0415

    hail = placed(scene, Status.RECEIVED)
    at_once(
        lambda: dispatch.confirm(hail.hail_id, taxi_phone_number="06", now=scene.now),
        lambda: decline(scene, hail),
    )
    return check(scene, hail).status.value


def freed_and_taken(scene: "Scene") -> str:
    from chalicelib.taxis.hails import create, expiry  # noqa: PLC0415
    from chalicelib.taxis.hails.rules import HailRequest, Status  # noqa: PLC0415
    from tests.taxis.hails.hail_factories import a_wish  # noqa: PLC0415

    hail = placed(scene, Status.ACCEPTED_BY_TAXI)
    late = scene.now + timedelta(seconds=30)

    def free_and_hail() -> object:
        taxi = own_taxis.find_taxi(scene.operateur, scene.taxi_id)
        availability_change.change_taxi(taxi, {"status": "free"}, now=late)
        return create.create_hail(scene.moteur, HailRequest(**a_wish(scene.taxi_id)), now=scene.now)

    taken, _ = at_once(free_and_hail, lambda: expiry.expire(hail.hail_id, now=late, way="queue"))
    first, taxi = check(scene, hail), scene.description()
    if isinstance(taken, Exception):
        return f"{first.status} not taken"
    second = taken[0]  # type: ignore[index]  # the hail and where its taxi is
    assert (taxi.status.value, taxi.open_hail) == ("answering", second.hail_id)
    check(scene, second)
    return f"{first.status} taken"


def fifty(scene: "Scene") -> Counter[str]:
    answers = at_once(*[scene.post] * 50)
    said = Counter(
        "201" if answer.status == 201 else f"{answer.status} {answer.errors}"  # type: ignore[attr-defined]
        for answer in answers
    )
    not_free = "400 {'data': {'0': {'taxi_id': ['Taxi is not free.']}}}"
    return Counter({"201": said["201"], "400 not free": said[not_free]})


def main(race: str, times: int, *, conflicts: bool) -> None:
    from chalicelib.foundation.store import writes  # noqa: PLC0415
    from chalicelib.taxis.settings import settings  # noqa: PLC0415
    from ops.local.provision import provision  # noqa: PLC0415
    from tests.taxis.hails.hail_factories import Scene  # noqa: PLC0415

    provision(settings().stage, endpoint=settings().endpoint, region=settings().region)
    scene = Scene()
    if conflicts:
        fail_a_third(writes.connection().client)
    run_once = globals()[race]
    outcomes: Counter[str] = Counter()
    for _ in range(times):
        outcome = run_once(scene)
        outcomes.update(outcome if isinstance(outcome, Counter) else [outcome])
    print(json.dumps(outcomes))  # noqa: T201  # what the parent reads


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), conflicts=sys.argv[3] == "1")
