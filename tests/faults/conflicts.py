"""`python -m tests.faults.conflicts TAXIS`: hails at once, on real services, of whose transactions a third is cancelled.

moto's transactions are not safe for threads, so this is a process of its own against MiniStack. It
prints what came of it, as JSON.
"""

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import pairwise
from typing import Any

from chalicelib.foundation.store import writes
from chalicelib.taxis.hails import change, create, dispatch, rules
from chalicelib.taxis.hails.rules import Hail, HailRequest, Status
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, TaxiStatus
from ops.local.provision import provision
from tests.faults import injected
from tests.taxis.hails.hail_factories import PHONE, Scene, a_wish
from tests.taxis.hails.test_hails_races import at_once

CUSTOMERS = 4  # of each taxi, at once


def hailed(scene: Scene, taxi_id: str) -> list[Hail]:
    """The hails that customers get who hail one taxi at once."""

    def hail(number: int) -> Callable[[], object]:
        wanted = HailRequest(**a_wish(taxi_id, customer_id=f"customer {number}"))
        return lambda: create.create_hail(scene.moteur, wanted, now=scene.now)

    made = at_once(*map(hail, range(CUSTOMERS)))
    return [one[0] for one in made if isinstance(one, tuple)]


def answered(scene: Scene, hail: Hail) -> list[Status]:
    """The steps that were granted when driver and customer answer at once, and the driver went on."""
    dispatch.confirm(hail.hail_id, taxi_phone_number=PHONE, now=scene.now)
    wanted: list[tuple[Any, dict[str, Any]]] = [
        (scene.operateur, {"status": Status.RECEIVED_BY_TAXI}),
        (scene.operateur, {"status": Status.ACCEPTED_BY_TAXI}),
        (scene.moteur, {"status": Status.ACCEPTED_BY_CUSTOMER}),
        (scene.operateur, {"status": Status.CUSTOMER_ON_BOARD}),
        (scene.operateur, {"status": Status.FINISHED}),
    ]
    granted = []
    for account, asked in wanted:
        step = partial(advance, scene, hail, account, asked)
        # Whoever sends a step twice at once has it once; a customer declines meanwhile, or tries to
        both: list[Callable[[], object]] = [step, step]
        if asked["status"] is Status.ACCEPTED_BY_TAXI and int(hail.hail_id, 16) % 3 == 0:
            both.append(partial(decline, scene, hail))
        made = [one for one in at_once(*both) if isinstance(one, Hail)]
        granted += [one.status for one in made]
    return granted


def advance(scene: Scene, hail: Hail, account: Account, asked: Any) -> object:
    """A step that one of the two asks for."""
    return change.change_hail(account, scene.read(hail), asked, now=scene.now)


def decline(scene: Scene, hail: Hail) -> object:
    """The customer's change of mind."""
    asked: Any = {"status": Status.DECLINED_BY_CUSTOMER}
    return change.change_hail(scene.moteur, scene.read(hail), asked, now=scene.now)


def is_sound(scene: Scene, hail: Hail, granted: Iterable[Status]) -> bool:
    """Whether the log is one path that has every step granted, and the taxi is as the last one says."""
    steps = hail.transitions
    taken = Counter(step.to_status for step in steps)
    path = all(
        other.from_status is one.to_status and other.to_status in rules.STEPS[one.to_status]
        for one, other in pairwise(steps)
    )
    taxi = scene.description(hail.taxi_id)
    return (
        path
        and all(taken[status] == 1 for status in granted)
        and taxi.open_hail is None
        and taxi.status is TaxiStatus.FREE
        and hail.status.is_over
    )


def main(taxis: int) -> None:
    """Runs it."""
    known = settings()
    provision(known.stage, endpoint=known.endpoint, region=known.region)
    scene = Scene()
    fault = injected.Fault(1 / 3, seed=1)
    taxi_ids = [scene.taxi() for _ in range(taxis)]
    with (
        injected.conflicting(fault, writes.connection().client),
        ThreadPoolExecutor(2) as pool,
    ):
        created = list(pool.map(lambda taxi_id: hailed(scene, taxi_id), taxi_ids))
        alone = [hails[0] for hails in created if len(hails) == 1]
        granted = list(pool.map(lambda hail: answered(scene, hail), alone))
    after = [scene.read(hail) for hail in alone]
    found = {
        "conflicts": fault.happened,
        "created": sum(map(len, created)),
        "alone": len(alone),
        "granted": sum(map(len, granted)),
        "sound": sum(
            is_sound(scene, hail, steps) for hail, steps in zip(after, granted, strict=True)
        ),
        "declined": sum(hail.status is Status.DECLINED_BY_CUSTOMER for hail in after),
    }
    print(json.dumps(found))  # noqa: T201  # what the parent reads


if __name__ == "__main__":
    main(int(sys.argv[1]))
