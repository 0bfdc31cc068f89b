"""What a survey counts of the registered taxis, and what is answered from it."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.taxis.registry.rules import SurveyedTaxi, Usage
from chalicelib.taxis.stats.calendar import Milestones
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.fleets import rules
from chalicelib.taxis.stats.fleets.rules import NO_SURVEY, OwnerFleet, Survey

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
MOMENT = timedelta(microseconds=1)
THRESHOLD = datetime(2022, 1, 1, tzinfo=UTC)


def a_taxi(
    insee: str = "75056",
    owner: str = "7",
    *,
    added_at: datetime = datetime(2020, 5, 1, tzinfo=UTC),
    used_at: datetime | None = None,
    radius_m: int | None = None,
) -> SurveyedTaxi:
    return SurveyedTaxi(owner, insee, added_at, Usage(used_at, radius_m))


def surveyed(*taxis: SurveyedTaxi, at: datetime = NOON) -> Survey:
    return Survey(at, rules.count(taxis, at=at))


def test_a_taxi_that_is_added_during_a_survey_is_left_to_the_next_one() -> None:
    assert rules.count([a_taxi(added_at=NOON)], at=NOON) == []
    assert len(rules.count([a_taxi(added_at=NOON - MOMENT)], at=NOON)) == 1


@pytest.mark.parametrize(
    ("at", "date", "counted"),
    [
        (NOON, NOON, (0, 0, 0, 0)),
        (NOON, NOON - MOMENT, (1, 0, 0, 0)),
        (NOON, datetime(2026, 8, 27, 12, tzinfo=UTC), (1, 0, 0, 0)),
        (NOON, datetime(2026, 8, 27, 12, tzinfo=UTC) - MOMENT, (1, 1, 0, 0)),
        (NOON, datetime(2026, 5, 27, 12, tzinfo=UTC), (1, 1, 0, 0)),
        (NOON, datetime(2026, 5, 27, 12, tzinfo=UTC) - MOMENT, (1, 1, 1, 0)),
        (NOON, datetime(2025, 11, 27, 12, tzinfo=UTC), (1, 1, 1, 0)),
        (NOON, datetime(2025, 11, 27, 12, tzinfo=UTC) - MOMENT, (1, 1, 1, 1)),
        # A year before the 29th of February is the 28th, three months before the 31st of May too.
        (datetime(2024, 2, 29, tzinfo=UTC), datetime(2023, 2, 28, tzinfo=UTC), (1, 1, 1, 0)),
        (datetime(2024, 2, 29, tzinfo=UTC), datetime(2023, 2, 27, 23, tzinfo=UTC), (1, 1, 1, 1)),
        (datetime(2025, 5, 31, tzinfo=UTC), datetime(2025, 2, 28, tzinfo=UTC), (1, 0, 0, 0)),
        (datetime(2025, 5, 31, tzinfo=UTC), datetime(2025, 2, 27, 23, tzinfo=UTC), (1, 1, 0, 0)),
    ],
)
def test_a_milestone_counts_what_was_before_it(
    at: datetime, date: datetime, counted: tuple[int, int, int, int]
) -> None:
    old = datetime(2022, 2, 2, tzinfo=UTC)

    added = surveyed(a_taxi(added_at=date), at=at).summary(EVERYTHING)
    used = surveyed(a_taxi(added_at=old, used_at=date), at=at).summary(EVERYTHING)

    assert added.registered_taxis == Milestones(*counted)
    assert added.registered_taxis_since_threshold == Milestones(*counted)
    assert used.connected_taxis == Milestones(*counted)
    assert used.connected_taxis_since_threshold == Milestones(*counted)


@pytest.mark.parametrize(("date", "counted"), [(THRESHOLD, 1), (THRESHOLD - MOMENT, 0)])
def test_since_the_threshold_counts_from_its_first_moment(date: datetime, counted: int) -> None:
    found = surveyed(a_taxi(added_at=date, used_at=date)).summary(EVERYTHING)

    assert found.registered_taxis_since_threshold.today == counted
    assert found.connected_taxis_since_threshold.today == counted
    assert found.registered_taxis.today == found.connected_taxis.today == 1


def test_a_taxi_whose_status_was_never_set_was_never_connected() -> None:
    found = surveyed(a_taxi(used_at=None)).summary(EVERYTHING)

    assert found.registered_taxis == Milestones(1, 1, 1, 1)
    assert found.connected_taxis == Milestones(0, 0, 0, 0)


@pytest.mark.parametrize(
    ("radii_m", "mean", "percent"),
    [
        ([], None, None),
        ([None], None, 0.0),
        ([300], 300.0, 100.0),
        ([300, 500, None, None], 400.0, 50.0),
        ([150, 500, 500], pytest.approx(383.333, abs=0.001), 100.0),
    ],
)
def test_the_average_radius_is_of_the_taxis_that_have_one(
    radii_m: list[int | None], mean: float | None, percent: float | None
) -> None:
    taxis = [a_taxi(f"7500{n}", radius_m=radius_m) for n, radius_m in enumerate(radii_m)]

    found = surveyed(*taxis).summary(EVERYTHING)

    assert (found.average_radius, found.average_radius_change) == (mean, percent)


def test_a_summary_is_of_what_is_asked_for_only() -> None:
    survey = surveyed(
        a_taxi("75056", "7"), a_taxi("75056", "8", radius_m=200), a_taxi("97105", "8", radius_m=900)
    )

    found = survey.summary(Filter(frozenset({"75"}), owners=frozenset({"8"})))

    assert found.registered_taxis.today == 1
    assert found.average_radius == 200.0


def test_an_owner_has_the_taxis_of_all_towns_and_the_date_of_the_newest() -> None:
    newest = datetime(2025, 7, 3, 1, 2, 3, 4, tzinfo=UTC)
    survey = surveyed(
        a_taxi("75056", "7"), a_taxi("94018", "7", added_at=newest), a_taxi("94018", "7")
    )

    assert survey.of_owners(EVERYTHING) == {"7": OwnerFleet(3, newest)}


def test_an_owner_without_taxis_in_the_towns_asked_for_is_left_out() -> None:
    survey = surveyed(a_taxi("75056", "7"), a_taxi("94018", "8"))

    assert survey.of_owners(Filter(insees=frozenset({"94018"}))).keys() == {"8"}


def test_departements_overseas_and_in_corsica_are_their_own() -> None:
    survey = surveyed(*map(a_taxi, ["97105", "97209", "2A004", "2B033", "75056", "75056"]))

    found = survey.of_departements(EVERYTHING)

    assert sorted(found.items()) == [("2A", 1), ("2B", 1), ("75", 2), ("971", 1), ("972", 1)]


def test_a_taxi_is_registered_before_the_months_after_that_of_its_adding() -> None:
    survey = surveyed(
        a_taxi("69123", added_at=datetime(2026, 1, 1, tzinfo=UTC)),
        a_taxi("69123", added_at=datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)),
        a_taxi("69266", added_at=datetime(2025, 3, 1, tzinfo=UTC)),
        a_taxi("75056", added_at=datetime(2025, 3, 1, tzinfo=UTC)),
    )

    found = survey.registered_before(
        {"69123", "69266"}, ["2026-02", "2026-01", "2025-12", "2025-03", "2025-04"]
    )

    assert found == [3, 2, 1, 0, 1]


def test_of_no_survey_everything_is_none_or_nothing() -> None:
    found = NO_SURVEY.summary(EVERYTHING)

    assert found.registered_taxis == found.connected_taxis == Milestones(0, 0, 0, 0)
    assert (found.average_radius, found.average_radius_change) == (None, None)
    assert NO_SURVEY.of_owners(EVERYTHING) == {}
    assert NO_SURVEY.of_departements(EVERYTHING) == {}
    assert NO_SURVEY.registered_before({"75056"}, ["2026-01"]) == [0]
