"""Hails are counted by night, and told of by what the request asks for."""

import random
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from chalicelib.foundation import cache
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, geohash6, geohash_centre
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import sheets
from chalicelib.taxis.hails import lists, retention, rows
from chalicelib.taxis.hails import service as hails
from chalicelib.taxis.hails.lines import line_of
from chalicelib.taxis.hails.rules import Hail, Status, day_of
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.stats import heat
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.hails import rules, service, store
from chalicelib.taxis.stats.hails.rules import DayCount
from tests.taxis.hails.hail_factories import CUSTOMER, Scene, a_hail
from tests.taxis.territory import loaded

pytestmark = pytest.mark.usefixtures("store")

S = Status
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
NIGHT = datetime(2026, 3, 18, 4, 10, tzinfo=UTC)
BORDEAUX = LngLat(-0.58, 44.84)


def stored(hail: Hail) -> Hail:
    """A hail as its table and the list of its day have it."""
    lists.know(day_of(hail.created_at))
    rows.hail_row(hail).save()
    for owner in lists.owners(hail):
        rows.line_row(owner, line_of(hail)).save()
    return hail


def ended(name: str, at: datetime, status: Status = S.FINISHED, **changes: Any) -> Hail:
    """A stored hail that ended at once."""
    about = {"hail_id": name, "created_at": at, "last_status_change": at, **changes}
    return stored(a_hail(status, **about))


def received(filters: Filter = EVERYTHING, *, now: datetime = NIGHT) -> int:
    cache.forget_all()
    return service.statistics(filters, now=now).milestones["hails_received"].today


def count(now: datetime = NIGHT, *, dry_run: bool = False) -> dict[str, int]:
    return dict(jobs.run("count-hails", now=now, dry_run=dry_run).done)


# --- the night -----------------------------------------------------------------------------------


def test_hails_are_counted_when_their_day_is_over() -> None:
    scene = Scene()
    scene.hail(S.FINISHED)
    midnight = scene.now.replace(hour=0, minute=0, second=0, microsecond=0) + DAY

    assert count(scene.now) == {}
    assert count(midnight - timedelta(microseconds=1)) == {}
    assert count(midnight) == {"days": 1, "hails": 1}

    cache.forget_all()
    told = service.statistics(EVERYTHING, now=midnight)
    assert told.milestones["hails_finished"].today == 1
    assert told.average_hail_distance.today == 183
    assert told.average_times["accepted_by_taxi"] == 0.0
    owner = Filter(owners=frozenset({scene.operateur.owner}))
    assert received(owner, now=midnight) == 1
    assert received(Filter(owners=frozenset({scene.moteur.owner})), now=midnight) == 0


def test_a_day_is_counted_once() -> None:
    ended("a000000", NIGHT - DAY)
    ended("a000001", NIGHT - 2 * DAY)

    assert count() == {"days": 2, "hails": 2}
    assert count() == {}
    assert received() == 2


def test_a_day_with_a_hail_that_is_not_over_waits_and_the_others_do_not() -> None:
    hail = stored(a_hail(S.RECEIVED, hail_id="a000000", created_at=NIGHT - 2 * DAY))
    ended("a000001", NIGHT - 2 * DAY)
    ended("a000002", NIGHT - DAY)

    assert count() == {"left": 1, "days": 1, "hails": 1}
    assert received() == 1
    assert hails.first_uncounted_day(now=NIGHT) == "2026-03-16"

    ended(hail.hail_id, hail.created_at, S.FAILURE)
    assert count() == {"days": 1, "hails": 2}
    assert received() == 3
    assert hails.first_uncounted_day(now=NIGHT) == "2026-03-18"


def test_a_count_that_broke_off_before_its_end_counts_nothing_twice() -> None:
    hail = ended("a000000", NIGHT - DAY)
    broken_off = rules.count([hail], lambda _: "")
    assert broken_off is not None
    store.put_day(date(2026, 3, 17), broken_off, heat_days=365)

    count()

    assert received() == 1
    assert [n for _, _, n in service.heat(now=NIGHT)] == [1]


def test_a_hail_that_comes_late_has_its_day_counted_again() -> None:
    ended("a000000", NIGHT - DAY)
    count()
    cache.forget_all()
    ended("a000001", NIGHT - DAY)

    assert count() == {"days": 1, "hails": 2}
    assert received() == 2


def test_a_dry_run_tells_what_it_would_count_and_counts_nothing() -> None:
    ended("a000000", NIGHT - DAY)
    stored(a_hail(S.RECEIVED, hail_id="a000001", created_at=NIGHT - 2 * DAY))

    assert count(dry_run=True) == {"left": 1, "days": 1, "hails": 1}

    assert received() == 0
    assert service.heat(now=NIGHT) == []
    assert count() == {"left": 1, "days": 1, "hails": 1}


def test_a_blurred_hail_is_counted_in_its_town_without_a_distance(tmp_path: Path) -> None:
    loaded.load_towns(tmp_path)
    ended("a000000", NIGHT - 61 * DAY)
    ended("a000001", NIGHT - 61 * DAY, customer_lon=BORDEAUX.lng, customer_lat=BORDEAUX.lat)
    retention.blur(now=NIGHT)

    count()

    assert received(Filter(insees=frozenset({loaded.PARIS}))) == 1
    assert received(Filter(departements=frozenset({"33"}))) == 1
    told = service.statistics(EVERYTHING, now=NIGHT)
    assert told.average_hail_distance.today == 0


def test_a_hail_of_no_town_counts_for_the_whole_country_only(tmp_path: Path) -> None:
    loaded.load_towns(tmp_path)
    ended("a000000", NIGHT - DAY, customer_lon=-5.0, customer_lat=48.0)

    count()

    assert received() == 1
    assert received(Filter(departements=frozenset({"29", "75"}))) == 0


def test_a_counted_day_may_be_deleted_and_is_told_of_for_ever() -> None:
    ended("a000000", NIGHT - DAY)
    count()
    later = NIGHT + 400 * DAY
    jobs.run("blur-hails", now=later)

    jobs.run("delete-old-hails", now=later)

    assert lists.days() == []
    assert received(now=later) == 1


# --- sheets --------------------------------------------------------------------------------------


def many(size: int) -> DayCount:
    """A day of hails of a different owner and in a different cell each."""
    noise = random.Random(1)
    pairs = {(noise.randbytes(12).hex(), "75056"): {"finished": 1} for _ in range(size)}
    return DayCount(pairs, {geohash_of(noise): 1 for _ in range(size)})


def geohash_of(noise: random.Random) -> str:
    return "".join(noise.choices("0123456789bcdefghjkmnpqrstuvwxyz", k=6))


@pytest.fixture
def small_sheets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheets, "LARGEST", 400)


@pytest.mark.usefixtures("small_sheets")
def test_a_day_takes_as_many_sheets_as_it_needs() -> None:
    store.put_day(date(2026, 3, 17), many(200), heat_days=365)

    entries = [entry for entry, _ in store.SUMS.of("2026-03").all()]
    assert len(entries) > 2
    assert entries == [f"17#{number:04}" for number in range(len(entries))]
    assert len(list(store.HEAT.of("2026-03").all())) > 2
    assert received() == 200
    assert sum(n for _, _, n in service.heat(now=NIGHT)) == 200


@pytest.mark.usefixtures("small_sheets")
def test_a_day_that_takes_fewer_sheets_than_before_keeps_none_of_the_old() -> None:
    for day in (date(2026, 3, 16), date(2026, 3, 17)):
        store.put_day(day, many(200), heat_days=365)

    store.put_day(date(2026, 3, 17), many(3), heat_days=365)

    assert received() == 203
    assert sum(n for _, _, n in service.heat(now=NIGHT)) == 203


def test_heat_is_kept_as_long_as_hails_are_and_sums_for_good() -> None:
    ended("a000000", NIGHT - DAY)
    count()

    items = clients.dynamodb().scan(TableName=table("statistics"))["Items"]

    kept = {item["series"]["S"]: "ttl" in item and int(item["ttl"]["N"]) for item in items}
    assert kept == {
        "2#runs": False,
        "2#hails#2026-03": False,
        "2#hail-heat#2026-03": int(datetime(2027, 3, 19, tzinfo=UTC).timestamp()),
    }


# --- telling -------------------------------------------------------------------------------------


def test_a_month_that_is_settled_is_read_once_and_one_that_grows_each_ten_minutes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended("a000000", NIGHT - 60 * DAY)
    ended("a000001", NIGHT - DAY)
    count()
    assert received() == 2
    more = DayCount({("9", "75056"): {"finished": 10}}, {})
    for day in (date(2026, 1, 1), date(2026, 3, 1)):
        store.put_day(day, more, heat_days=365)

    def now_told() -> int:
        return service.statistics(EVERYTHING, now=NIGHT).milestones["hails_received"].today

    began_s = cache.now_s()
    assert now_told() == 2
    monkeypatch.setattr(cache, "now_s", lambda: began_s + 601)
    assert now_told() == 12
    monkeypatch.setattr(cache, "now_s", lambda: began_s + 86_401)
    assert now_told() == 22


def test_a_month_with_a_day_that_is_not_counted_is_not_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ended("a000000", NIGHT - 60 * DAY)
    assert received() == 0
    count()

    began_s = cache.now_s()
    monkeypatch.setattr(cache, "now_s", lambda: began_s + 601)

    assert service.statistics(EVERYTHING, now=NIGHT).milestones["hails_received"].today == 1


def test_the_last_thirty_days_are_whole_days() -> None:
    for number, age in enumerate((1, 29, 30, 31)):
        ended(f"a00000{number}", NIGHT - age * DAY)
    count()

    assert service.received_in_last_days(EVERYTHING, now=NIGHT) == 3
    assert service.received_in_last_days(EVERYTHING, now=NIGHT, days=1) == 1
    assert service.received_in_last_days(Filter(owners=frozenset({"7"})), now=NIGHT) == 0


def test_growth_is_of_the_towns_that_are_asked_for(tmp_path: Path) -> None:
    loaded.load_towns(tmp_path)
    for number, day in enumerate(("2025-02-03", "2026-02-01", "2026-02-28", "2026-03-01")):
        ended(f"a00000{number}", datetime.fromisoformat(f"{day}T12:00+00:00"))
    at = datetime(2026, 2, 2, tzinfo=UTC)
    ended("a000009", at, customer_lon=BORDEAUX.lng, customer_lat=BORDEAUX.lat)
    count()

    assert service.growth({loaded.PARIS, loaded.MULHOUSE}, now=NIGHT) == 100.0
    assert service.growth({loaded.BORDEAUX}, now=NIGHT) is None
    assert service.growth([], now=NIGHT) is None


def test_the_heat_map_has_the_middles_of_cells_heaviest_first() -> None:
    ended("a000000", NIGHT - 366 * DAY)
    ended("a000001", NIGHT - 365 * DAY, customer_lon=BORDEAUX.lng, customer_lat=BORDEAUX.lat)
    ended("a000002", NIGHT - 2 * DAY)
    ended("a000003", NIGHT - DAY, S.FAILURE)
    count()

    found = service.heat(now=NIGHT)

    paris, bordeaux = (geohash_centre(geohash6(point)) for point in (CUSTOMER, BORDEAUX))
    assert found == [(paris.lat, paris.lng, 2), (bordeaux.lat, bordeaux.lng, 1)]


def test_the_heat_map_has_so_many_cells_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat, "HEAVIEST", 1)
    for number, point in enumerate((BORDEAUX, CUSTOMER, CUSTOMER)):
        ended(f"a00000{number}", NIGHT - DAY, customer_lon=point.lng, customer_lat=point.lat)
    count()

    [(lat, lng, hails)] = service.heat(now=NIGHT)

    assert (geohash6(LngLat(lng, lat)), hails) == (geohash6(CUSTOMER), 2)
