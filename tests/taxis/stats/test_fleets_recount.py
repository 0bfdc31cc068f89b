"""Every answer about a random fleet, recounted taxi by taxi from the registry's own tables."""

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from chalicelib.foundation import cache
from chalicelib.taxis.registry import rules
from chalicelib.taxis.registry.rows import DescriptionRow, TaxiRow
from chalicelib.taxis.stats.calendar import Milestones
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.fleets import service
from chalicelib.taxis.stats.fleets.rules import OwnerFleet

pytestmark = pytest.mark.usefixtures("store")

NOW = datetime(2026, 11, 27, 12, 20, tzinfo=UTC)
MILESTONES = [
    NOW,
    datetime(2026, 8, 27, 12, 20, tzinfo=UTC),
    datetime(2026, 5, 27, 12, 20, tzinfo=UTC),
    datetime(2025, 11, 27, 12, 20, tzinfo=UTC),
]
DEPARTEMENTS = {
    "75056": "75",
    "94018": "94",
    "94028": "94",
    "33063": "33",
    "01004": "01",
    "2A004": "2A",
    "2B033": "2B",
    "97105": "971",
    "97411": "974",
    "98818": "988",
}
OWNERS = [str(number) for number in range(1, 8)]


class Recorded(NamedTuple):
    """A taxi as it was written down, to be counted one by one."""

    insee: str
    owner: str
    added_at: datetime
    used_at: datetime | None
    radius_m: int | None


def a_random_fleet(chance: random.Random, *, size: int) -> list[Recorded]:
    """Writes descriptions of one or two taxis each, and tells what the taxis are."""

    def moment() -> datetime:
        """Often just at a milestone, the threshold or a month's first day; now and then to come."""
        borders = [*MILESTONES, datetime(2022, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)]
        near = chance.choice(borders) + timedelta(milliseconds=chance.choice([-1, 0, 0, 1]))
        # In whole milliseconds, as a description keeps its times.
        far = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(seconds=chance.randrange(217_814_400))
        return near if chance.random() < 0.3 else far

    fleet = []
    with DescriptionRow.batch_write() as descriptions, TaxiRow.batch_write() as taxis:
        for vehicle_id in range(size):
            owner = chance.choice(OWNERS)
            used_at = moment() if chance.random() < 0.7 else None
            radius_m = chance.choice([None, 150, 300, 500])
            descriptions.save(
                DescriptionRow(
                    rules.description_id(owner, vehicle_id),
                    owner=owner,
                    vehicle_id=vehicle_id,
                    licence_plate=f"P{vehicle_id}",
                    details_version=1,
                    status="off",
                    radius=radius_m,
                    availability_changed_at=NOW,
                    status_changed_at=used_at,
                )
            )
            for shift in range(chance.choice([1, 1, 1, 2])):
                taxi = Recorded(
                    chance.choice(list(DEPARTEMENTS)), owner, moment(), used_at, radius_m
                )
                fleet.append(taxi)
                taxis.save(
                    TaxiRow(
                        f"{vehicle_id}/{shift}",
                        owner=owner,
                        operator=f"operator {owner}",
                        vehicle_id=vehicle_id,
                        ads_id=rules.ads_id(owner, taxi.insee, str(shift)),
                        driver_id=rules.driver_id(owner, "75", str(vehicle_id)),
                        insee=taxi.insee,
                        added_at=taxi.added_at,
                        details_version=1,
                        licence_plate=f"P{vehicle_id}",
                        characteristics=[],
                    )
                )
    return fleet


def random_filters(chance: random.Random) -> Iterator[Filter]:
    yield EVERYTHING
    yield Filter(frozenset(), frozenset(), frozenset())
    for _ in range(100):
        yield Filter(
            *(
                frozenset(chance.sample(sorted(values), chance.randrange(1, len(values))))
                if chance.random() < 0.5
                else None
                for values in (set(DEPARTEMENTS.values()), set(DEPARTEMENTS), set(OWNERS))
            )
        )


def asked_for(fleet: list[Recorded], filters: Filter) -> list[Recorded]:
    """What a filter asks for, said anew; and only taxis that were there at the survey's moment."""
    return [
        taxi
        for taxi in fleet
        if taxi.added_at < NOW
        and (filters.departements is None or DEPARTEMENTS[taxi.insee] in filters.departements)
        and (filters.insees is None or taxi.insee in filters.insees)
        and (filters.owners is None or taxi.owner in filters.owners)
    ]


def at_milestones(times: list[datetime]) -> Milestones:
    return Milestones(*(len([time for time in times if time < then]) for then in MILESTONES))


@pytest.fixture(params=[1, 2, 3])
def chance(request: pytest.FixtureRequest) -> random.Random:
    return random.Random(request.param)


def test_every_answer_about_a_random_fleet_is_what_counting_it_one_by_one_gives(
    chance: random.Random,
) -> None:
    fleet = a_random_fleet(chance, size=300)
    service.count_fleets(now=NOW)
    cache.forget_all()

    assert service.survey().at == NOW
    for filters in random_filters(chance):
        taxis = asked_for(fleet, filters)
        added = [taxi.added_at for taxi in taxis]
        used = [taxi.used_at for taxi in taxis if taxi.used_at is not None]
        radii_m = [taxi.radius_m for taxi in taxis if taxi.radius_m is not None]
        summary = service.survey().summary(filters)
        assert summary.registered_taxis == at_milestones(added)
        assert summary.connected_taxis == at_milestones(used)
        assert summary.registered_taxis_since_threshold == at_milestones(
            [time for time in added if time.year >= 2022]
        )
        assert summary.connected_taxis_since_threshold == at_milestones(
            [time for time in used if time.year >= 2022]
        )
        assert summary.average_radius == (
            pytest.approx(sum(radii_m) / len(radii_m)) if radii_m else None
        )
        assert summary.average_radius_change == (
            pytest.approx(100 * len(radii_m) / len(taxis)) if taxis else None
        )
        assert service.survey().of_owners(filters) == {
            owner: OwnerFleet(len(dates), max(dates))
            for owner in OWNERS
            if (dates := [taxi.added_at for taxi in taxis if taxi.owner == owner])
        }
        assert service.survey().of_departements(filters) == {
            departement: count
            for departement in set(DEPARTEMENTS.values())
            if (count := sum(DEPARTEMENTS[taxi.insee] == departement for taxi in taxis))
        }


def test_the_taxis_before_each_month_are_what_counting_them_one_by_one_gives(
    chance: random.Random,
) -> None:
    fleet = a_random_fleet(chance, size=300)
    firsts = [
        datetime(year, month, 1, tzinfo=UTC) for year in range(2020, 2027) for month in range(1, 13)
    ]
    service.count_fleets(now=NOW)
    cache.forget_all()

    for _ in range(20):
        members = chance.sample(sorted(DEPARTEMENTS), 4)
        assert service.survey().registered_before(
            members, [f"{first:%Y-%m}" for first in firsts]
        ) == [
            sum(t.insee in members and t.added_at < min(first, NOW) for t in fleet)
            for first in firsts
        ]
