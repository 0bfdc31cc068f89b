"""Taxis that nobody has seen for a year go, with all that is their own, and no other."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.errors import Unknown
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.settings import BadSetting, read
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.hails import create
from chalicelib.taxis.hails.rules import HailRequest
from chalicelib.taxis.jobs import old_taxis
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.registry import availability, registration, service
from chalicelib.taxis.registry.rows import TaxiRow
from chalicelib.taxis.registry.rules import TaxiParts
from chalicelib.taxis.settings import Settings
from ops.cli.territory import licences
from tests import factories
from tests.taxis.hails.hail_factories import a_wish
from tests.taxis.jobs.job_scene import DAY, YEAR, Fleet, items
from tests.taxis.registry.races import just_before, transactions

SECOND = timedelta(seconds=1)
JOB = "delete-old-taxis"


@pytest.fixture
def scene(store: None) -> Fleet:  # noqa: ARG001  # where everything is
    return Fleet()


@pytest.fixture
def silent(scene: Fleet) -> str:
    """The one taxi that is old and has never reported; the scene's own has reported since."""
    scene.report(scene.taxi_id, at=scene.later - DAY)
    return scene.registered("1")


def test_of_six_taxis_only_the_two_that_are_old_and_unseen_go(scene: Fleet) -> None:
    young = scene.later - timedelta(days=60)
    recently = scene.later - DAY
    scene.report(scene.taxi_id, at=recently)
    without_position, with_old_position = scene.registered("1"), scene.registered("2")
    scene.report(with_old_position, at=scene.now)
    with_recent_position, hailed = scene.registered("3"), scene.registered("4")
    scene.report(with_recent_position, at=recently)
    scene.rode(hailed, at=scene.now)
    not_hailed_60, hailed_60 = scene.registered("5", at=young), scene.registered("6", at=young)
    scene.rode(hailed_60, at=young)

    done = scene.run(JOB)

    kept = {scene.taxi_id, with_recent_position, hailed, not_hailed_60, hailed_60}
    assert scene.taxi_ids() == kept
    assert {without_position, with_old_position} & kept == set()
    assert done == {"deleted": 2, "positions_deleted": 0}


def test_a_taxi_goes_with_all_that_is_its_own(scene: Fleet) -> None:
    scene.report(scene.taxi_id, at=scene.later - DAY)
    taxi_id = scene.registered("1")
    scene.report(taxi_id, at=scene.now)
    positions.retire_cells(availability_of=availability.availability_of, now=scene.now + DAY)
    description = scene.description(taxi_id)

    scene.run(JOB)

    assert not [item for item in items("fleets") if taxi_id in str(item)]
    assert not [item for item in items("descriptions") if taxi_id in str(item)]
    assert not [item for item in items("last-positions") if item["taxi_id"]["S"] == taxi_id]
    after = service.described(description.description_id)
    assert after is not None
    assert (after.taxis, after.status) == (frozenset(), description.status)
    assert [line for line, _ in fleet.newest(description.owner, limit=9)] == [scene.taxi_id]
    cache.forget_all()
    unknown = scene.as_operateur.get(f"/taxis/{taxi_id}")
    assert unknown.status == 404


@pytest.mark.parametrize("age", [YEAR - SECOND, YEAR + SECOND])
def test_a_year_is_a_year_of_the_taxi_and_of_its_position(scene: Fleet, age: timedelta) -> None:
    goes = age > YEAR
    old, seen = scene.registered("1", at=scene.later - age), scene.registered("2")
    scene.report(seen, at=scene.later - age)

    scene.run(JOB)

    assert ({old, seen} & scene.taxi_ids() == set()) is goes


def test_of_two_taxis_of_one_vehicle_each_may_go(scene: Fleet) -> None:
    first = scene.registered("1")
    factories.register_parts(
        scene.as_operateur,
        driver={"professional_licence": "night"},
        ads={"numero": "a1"},
        vehicle={"licence_plate": "ZZ-1-ZZ"},
    )
    body = factories.a_taxi(numero="a1", licence_plate="ZZ-1-ZZ", professional_licence="night")
    second = scene.as_operateur.post("/taxis", body).data[0]["id"]

    scene.run(JOB)

    assert {first, second} & scene.taxi_ids() == set()
    assert not [item for item in items("descriptions") if first in str(item)]


def test_the_parts_of_a_taxi_that_went_make_a_new_one(scene: Fleet, silent: str) -> None:
    scene.run(JOB)

    anew = scene.registered("1", at=scene.later)

    assert anew != silent
    assert anew in scene.taxi_ids()


# --- somebody is faster --------------------------------------------------------------------------


def hailed_just_then(scene: Fleet, taxi_id: str) -> None:
    """The taxi is back, and hailed at once."""
    scene.as_operateur.put(f"/taxis/{taxi_id}", {"status": "free"})
    scene.report(taxi_id, at=scene.later)
    scene.hail(taxi_id=taxi_id, after=scene.later - scene.now)


def freed_just_then(scene: Fleet, taxi_id: str) -> None:
    scene.as_operateur.put(f"/taxis/{taxi_id}", {"status": "free"})


def freed_and_off_just_then(scene: Fleet, taxi_id: str) -> None:
    for status in ("free", "off"):
        scene.as_operateur.put(f"/taxis/{taxi_id}", {"status": status})


def seen_just_then(scene: Fleet, taxi_id: str) -> None:
    scene.report(taxi_id, at=scene.later)


def moved_just_then(scene: Fleet, taxi_id: str) -> None:  # noqa: ARG001  # like the others
    licences.move_ads({factories.PARIS: factories.CHARENTON})


@pytest.mark.parametrize(
    "happens",
    [
        *(hailed_just_then, freed_just_then, freed_and_off_just_then, seen_just_then),
        moved_just_then,
    ],
)
def test_a_taxi_to_which_something_happens_just_then_stays(
    scene: Fleet, silent: str, happens: Callable[[Fleet, str], None]
) -> None:
    with just_before(transactions(), "TransactWriteItems", lambda: happens(scene, silent)):
        done = scene.run(JOB)

    assert done["deleted"] == 0
    assert silent in scene.taxi_ids()
    assert silent in fleet.load(str(scene.operateur.id)).ids


def test_a_taxi_that_is_seen_somewhere_else_just_then_stays(scene: Fleet, silent: str) -> None:
    scene.report(silent, at=scene.now)
    number = codec.number_of(silent)
    assert number is not None
    there = Report(codec.tick(scene.later), [number], [448_000_000], [-5_800_000])

    def seen() -> None:
        positions.store_window(
            [there], availability_of=availability.availability_of, now=scene.later
        )

    with just_before(transactions(), "TransactWriteItems", seen):
        scene.run(JOB)

    assert silent in scene.taxi_ids()
    assert positions.where_is([silent], now=scene.later)[silent].point == (-0.58, 44.8)


def test_a_hail_that_comes_just_too_late_finds_no_taxi(scene: Fleet) -> None:
    """Everything was read of it as free; the job is as of a year after this position."""
    taxi_id = scene.registered("1")
    scene.as_operateur.put(f"/taxis/{taxi_id}", {"status": "free"})
    scene.report(taxi_id, at=scene.now)

    def deleted() -> None:
        assert scene.run(JOB)["deleted"] >= 1

    with (
        just_before(transactions(), "TransactWriteItems", deleted),
        pytest.raises(Unknown),
    ):
        create.create_hail(scene.moteur, HailRequest(**a_wish(taxi_id)), now=scene.now)

    assert taxi_id not in scene.taxi_ids()
    assert items("hails") == []


def test_who_adds_a_taxi_while_it_is_deleted_gets_a_new_one(scene: Fleet, silent: str) -> None:
    """The parts were read as that taxi's, which was gone when it was to be shown."""
    waiting = [JOB]

    def handle(params: Mapping[str, Any], **_: object) -> None:
        if waiting and "maraude-test-taxis" in params["RequestItems"]:
            scene.run(waiting.pop())

    events = clients.dynamodb().meta.events
    events.register("before-parameter-build.dynamodb.BatchGetItem", handle)
    parts = TaxiParts(factories.PARIS, "a1", "ZZ-1-ZZ", "75", "d1")

    found, is_new = registration.register_taxi(scene.operateur, parts, now=scene.later)

    events.unregister("before-parameter-build.dynamodb.BatchGetItem", handle)
    assert is_new
    assert found.taxi.taxi_id != silent
    assert scene.taxi_ids() == {scene.taxi_id, found.taxi.taxi_id}


# --- a job like any other --------------------------------------------------------------------------


def test_a_dry_run_counts_and_changes_nothing(scene: Fleet, silent: str) -> None:
    before = {name: items(name) for name in ("taxis", "fleets", "descriptions")}

    done = scene.run(JOB, dry_run=True)

    assert done["deleted"] == 1
    assert {name: items(name) for name in before} == before
    assert silent in scene.taxi_ids()


def test_running_again_finds_nothing_more(scene: Fleet, silent: str) -> None:
    assert scene.run(JOB)["deleted"] == 1
    assert scene.run(JOB) == {"deleted": 0, "positions_deleted": 0}
    assert silent not in scene.taxi_ids()


def test_it_goes_on_where_it_was_broken_off(scene: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(old_taxis, "A_PAGE", 2)
    scene.report(scene.taxi_id, at=scene.later - DAY)
    for number in range(5):
        scene.registered(str(number))
    pages: list[Page] = []
    after: str | None = None
    while after is not None or not pages:
        # Each page as if the one before it had been the last of its process
        pages.append(old_taxis.delete_old_taxis(now=scene.later, after=after))
        after = pages[-1].after

    assert len(pages) >= 4
    assert sum(page.done.get("deleted", 0) for page in pages) == 5
    assert max(page.done.get("deleted", 0) for page in pages) <= 2
    assert scene.taxi_ids() == {scene.taxi_id}


def test_a_last_position_of_no_taxi_goes_when_it_is_a_year_old(scene: Fleet) -> None:
    known, unknown = scene.registered("1"), scene.registered("2")
    for taxi_id in (known, unknown):
        scene.report(taxi_id, at=scene.now)
    scene.report(scene.taxi_id, at=scene.later - DAY)
    positions.retire_cells(availability_of=availability.availability_of, now=scene.now + DAY)
    scene.rode(known, at=scene.now)
    TaxiRow(unknown).delete()

    assert scene.run(JOB, dry_run=True)["positions_deleted"] == 1
    assert scene.run(JOB)["positions_deleted"] == 1

    left = {item["taxi_id"]["S"] for item in items("last-positions")}
    assert left == {known, scene.taxi_id}


def test_taxis_are_kept_for_a_day_at_least() -> None:
    with pytest.raises(BadSetting, match="MARAUDE_TAXI_KEPT_DAYS must be more than 0"):
        read(Settings, {"MARAUDE_TAXI_KEPT_DAYS": "0"})
