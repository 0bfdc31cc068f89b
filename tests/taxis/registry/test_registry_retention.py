"""Drivers, ADS and descriptions that no taxi is made of for a year go; what is used stays."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from chalicelib.foundation.errors import Unknown
from chalicelib.foundation.jobs.rules import Page
from chalicelib.foundation.settings import BadSetting, read
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.registry import registration, retention, store, vehicles
from chalicelib.taxis.registry.rows import AdsRow, DescriptionRow, DriverRow
from chalicelib.taxis.registry.rules import Ads, Driver, TaxiParts
from chalicelib.taxis.settings import Settings
from tests import factories
from tests.factories import PARIS
from tests.taxis.jobs.job_scene import DAY, YEAR, Fleet, items
from tests.taxis.registry.races import client_of, just_before, transactions

SECOND = timedelta(seconds=1)
JOB = "delete-orphans"
PARTS = TaxiParts(PARIS, "a1", "ZZ-1-ZZ", "75", "d1")
NOTHING = {"drivers": 0, "ads": 0, "descriptions": 0, "first_seen": 0}


@pytest.fixture
def scene(store: None) -> Fleet:  # noqa: ARG001  # where everything is
    return Fleet()


def parts_of(scene: Fleet, number: str) -> None:
    """The parts of `Fleet.registered`, and no taxi that is made of them."""
    factories.register_parts(
        scene.as_operateur,
        driver={"professional_licence": f"d{number}"},
        ads={"numero": f"a{number}"},
        vehicle={"licence_plate": f"ZZ-{number}-ZZ"},
    )


def counted(*tables: str) -> list[int]:
    return [len(items(table)) for table in tables]


KINDS = ("drivers", "ads", "descriptions", "vehicles", "customers")


def test_after_an_old_taxi_went_its_driver_ads_and_description_go_and_no_customer(
    scene: Fleet,
) -> None:
    scene.report(scene.taxi_id, at=scene.later - DAY)
    scene.rode(scene.taxi_id, at=scene.now)
    scene.registered("1")
    assert scene.run("delete-old-taxis")["deleted"] == 1
    before = counted(*KINDS)

    done = scene.run(JOB)

    assert done == {"drivers": 1, "ads": 1, "descriptions": 1, "first_seen": 0}
    after = counted(*KINDS)
    assert [b - a for b, a in zip(before, after, strict=True)] == [1, 1, 1, 0, 0]
    assert scene.as_operateur.get(f"/taxis/{scene.taxi_id}").status == 200


def test_a_used_part_stays_however_old(scene: Fleet) -> None:
    scene.registered("1")

    assert scene.run(JOB) == NOTHING
    assert counted("drivers", "ads", "descriptions") == [2, 2, 2]


@pytest.mark.parametrize(("age", "gone"), [(YEAR - SECOND, 0), (YEAR + SECOND, 1)])
def test_a_year_is_a_year_since_the_part_was_first_added(
    scene: Fleet, age: timedelta, gone: int
) -> None:
    """Replacing it later makes it no younger, and a description no more than a driver."""
    owner, added = str(scene.operateur.id), scene.later - age
    number = vehicles.number_of("ZZ-9-ZZ")
    for at in (added, scene.later - DAY):
        store.put_driver(owner, Driver("75", "d9", "Anne", "Lescaut"), now=at)
        store.put_ads(owner, Ads(PARIS, "a9"), now=at)
        vehicles.describe(owner, number, {"licence_plate": "ZZ-9-ZZ"}, now=at)

    done = scene.run(JOB)

    assert done == {"drivers": gone, "ads": gone, "descriptions": gone, "first_seen": 0}


def test_a_part_of_an_earlier_build_is_as_old_as_it_was_first_seen_unused(scene: Fleet) -> None:
    parts_of(scene, "1")
    for driver in DriverRow.scan(DriverRow.professional_licence == "d1"):
        driver.update([DriverRow.added_at.remove()])
    for ads in AdsRow.scan(AdsRow.numero == "a1"):
        ads.update([AdsRow.added_at.remove()])
    for description in DescriptionRow.scan(DescriptionRow.licence_plate == "ZZ-1-ZZ"):
        description.update([DescriptionRow.added_at.remove()])

    assert scene.run(JOB, dry_run=True) == {**NOTHING, "first_seen": 3}
    assert scene.run(JOB) == {**NOTHING, "first_seen": 3}
    assert scene.run(JOB) == NOTHING

    scene.later += YEAR + SECOND
    assert scene.run(JOB) == {"drivers": 1, "ads": 1, "descriptions": 1, "first_seen": 0}


def test_a_customer_is_kept_as_long_as_a_hail_of_theirs(scene: Fleet) -> None:
    """By moteur and customer: the reference mixes up customers of one name [contract: Deletion]."""
    scene.rode(scene.taxi_id, at=scene.now)
    [customer] = items("customers")

    until = int(customer["ttl"]["N"])

    assert customer["customer"]["S"] == f"{scene.moteur.id}#somebody"
    assert until > (scene.now + YEAR).timestamp()
    for job in ("count-hails", "blur-hails", "delete-old-hails"):
        jobs.run(job, now=scene.now + YEAR + SECOND)
    assert items("hails") == []


# --- somebody is faster --------------------------------------------------------------------------


def new_taxi(scene: Fleet) -> None:
    registration.register_taxi(scene.operateur, PARTS, now=scene.later)


@pytest.mark.parametrize(
    ("kind", "name"), [(DriverRow, "drivers"), (AdsRow, "ads"), (DescriptionRow, "descriptions")]
)
def test_a_part_of_a_taxi_that_is_made_just_then_stays(
    scene: Fleet, kind: type[DriverRow | AdsRow | DescriptionRow], name: str
) -> None:
    parts_of(scene, "1")
    page = f"{name}/"

    with just_before(client_of(kind), "DeleteItem", lambda: new_taxi(scene)):
        done = retention.delete_orphans(now=scene.later, after=page).done

    assert done[name] == 0
    taxi_id = registration.register_taxi(scene.operateur, PARTS, now=scene.later)[0].taxi.taxi_id
    assert scene.as_operateur.get(f"/taxis/{taxi_id}").status == 200


def replaced(scene: Fleet) -> None:
    scene.as_operateur.post("/vehicles", factories.a_vehicle(licence_plate="ZZ-1-ZZ", color="red"))


def test_a_description_that_is_changed_just_then_stays(scene: Fleet) -> None:
    parts_of(scene, "1")

    with just_before(client_of(DescriptionRow), "DeleteItem", lambda: replaced(scene)):
        done = retention.delete_orphans(now=scene.later, after="descriptions/").done

    assert done["descriptions"] == 0


def without_drivers(scene: Fleet) -> Page:
    return retention.delete_orphans(now=scene.later, after="drivers/")


def without_ads(scene: Fleet) -> Page:
    return retention.delete_orphans(now=scene.later, after="ads/")


def without_descriptions(scene: Fleet) -> Page:
    return retention.delete_orphans(now=scene.later, after="descriptions/")


@pytest.mark.parametrize(
    ("happens", "missing"),
    [
        (without_drivers, "driver.professional_licence"),
        (without_ads, "ads.insee"),
        (without_descriptions, "vehicle.licence_plate"),
    ],
)
def test_a_taxi_of_a_part_that_went_just_then_is_refused_with_its_name(
    scene: Fleet, happens: Callable[[Fleet], Page], missing: str
) -> None:
    parts_of(scene, "1")
    before = scene.taxi_ids()

    with (
        just_before(transactions(), "TransactWriteItems", lambda: happens(scene)),
        pytest.raises(Unknown) as refusal,
    ):
        new_taxi(scene)

    assert missing in {".".join(fault.steps) for fault in refusal.value.faults}
    assert scene.taxi_ids() == before


# --- a job like any other --------------------------------------------------------------------------


def test_a_dry_run_counts_and_changes_nothing(scene: Fleet) -> None:
    parts_of(scene, "1")
    before = [items(kind) for kind in KINDS]

    done = scene.run(JOB, dry_run=True)

    assert done == {"drivers": 1, "ads": 1, "descriptions": 1, "first_seen": 0}
    assert [items(kind) for kind in KINDS] == before


def test_running_again_finds_nothing_more(scene: Fleet) -> None:
    parts_of(scene, "1")
    scene.run(JOB)

    assert scene.run(JOB) == NOTHING


def test_it_goes_on_where_it_was_broken_off(scene: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "PARTS_A_PAGE", 2)
    for number in range(3):
        parts_of(scene, str(number))
    pages: list[Page] = []
    after: str | None = None
    while after is not None or not pages:
        # Each page as if the one before it had been the last of its process
        retention._used.cache_clear()
        pages.append(retention.delete_orphans(now=scene.later, after=after))
        after = pages[-1].after

    assert len(pages) >= 6
    assert counted("drivers", "ads", "descriptions") == [1, 1, 1]
    assert max(sum(page.done.values()) for page in pages) <= 2


def test_parts_are_kept_for_a_day_at_least() -> None:
    with pytest.raises(BadSetting, match="MARAUDE_PART_KEPT_DAYS must be more than 0"):
        read(Settings, {"MARAUDE_PART_KEPT_DAYS": "0"})
