"""What is counted of a day's hails, and the means, sums and spans that are made of it."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.geo import METRES_A_DEGREE, LngLat, geohash6
from chalicelib.taxis.hails.rules import Hail, Status, Transition
from chalicelib.taxis.stats.filters import EVERYTHING, Filter
from chalicelib.taxis.stats.hails import rules, service, summary
from chalicelib.taxis.stats.hails.rules import History, Outcome, Sums
from chalicelib.taxis.stats.hails.summary import HailStatistics
from tests.taxis.hails.hail_factories import CUSTOMER, NOON, a_hail

S = Status
PARIS, LYON = "75056", "69123"
HOUR, MS = timedelta(hours=1), timedelta(milliseconds=1)


def paris(_: LngLat) -> str:
    return PARIS


def ended(
    status: Status, *, at: datetime = NOON, took: timedelta = timedelta(0), **changes: Any
) -> Hail:
    """A hail that ended so, this long after it was created."""
    return a_hail(status, created_at=at, last_status_change=at + took, **changes)


def with_log(*entries: tuple[Status, float]) -> Hail:
    """A hail with these states, each so many seconds after its creation."""
    log = [Transition(None, S.RECEIVED, NOON, 1, None)]
    for status, after_s in entries:
        at = NOON + timedelta(seconds=after_s)
        log.append(Transition(log[-1].to_status, status, at, 1, None))
    return a_hail(log[-1].to_status, transitions=tuple(log), last_status_change=log[-1].at)


def history(*hails: Hail, filters: Filter = EVERYTHING, town: str = PARIS) -> History:
    """What is told of hails once each of their days is counted."""
    by_day: dict[date, list[Hail]] = {}
    for hail in hails:
        by_day.setdefault(hail.created_at.date(), []).append(hail)
    sums = []
    for day, its_hails in by_day.items():
        counted = rules.count(its_hails, lambda _: town)
        assert counted is not None
        sums.append((day, Sums.of([*counted.sums.items()])))
    return History.of(sums, filters)


def on(*days: str, status: Status = S.FINISHED) -> History:
    """What is told of one hail on each of these days."""
    at = (datetime.fromisoformat(f"{day}T12:00+00:00") for day in days)
    return history(*(ended(status, at=each) for each in at))


def told(history: History, now: str) -> HailStatistics:
    return summary.statistics(history, now=datetime.fromisoformat(f"{now}+00:00"))


# --- outcomes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [status for status in Status if status.is_over])
def test_a_hail_ends_as_its_last_status_says(status: Status) -> None:
    assert rules.outcome(ended(status)).value == status.value


@pytest.mark.parametrize(
    ("took", "expected"),
    [
        (timedelta(seconds=40), Outcome.TIMEOUT_TAXI),
        (HOUR - MS, Outcome.TIMEOUT_TAXI),
        (HOUR, Outcome.TIMEOUT_RIDE),
        (2 * HOUR, Outcome.TIMEOUT_RIDE),
    ],
)
def test_a_timeout_after_an_hour_is_a_rides(took: timedelta, expected: Outcome) -> None:
    assert rules.outcome(ended(S.TIMEOUT_TAXI, took=took)) is expected


def test_another_end_after_an_hour_is_no_timeout() -> None:
    assert rules.outcome(ended(S.FINISHED, took=2 * HOUR)) is Outcome.FINISHED


@pytest.mark.parametrize("status", [status for status in Status if not status.is_over])
def test_a_day_with_a_hail_that_is_not_over_is_not_counted(status: Status) -> None:
    assert rules.count([ended(S.FINISHED), a_hail(status)], paris) is None


@pytest.mark.parametrize(
    ("hail", "row"),
    [
        *(
            (ended(status, initial_taxi_lon=CUSTOMER.lng), {status: 1, "distance_cm": 11_120})
            for status in Status
            if status.is_over
        ),
        (
            ended(S.TIMEOUT_TAXI, took=HOUR, blurred=True),
            {"timeout_ride": 1, "without_distance": 1},
        ),
        (
            with_log((S.RECEIVED_BY_TAXI, 1), (S.ACCEPTED_BY_TAXI, 3), (S.TIMEOUT_CUSTOMER, 4)),
            {
                "timeout_customer": 1,
                "distance_cm": 18_377,
                "accepted_by_taxi/ms": 2_000,
                "accepted_by_taxi/hails": 1,
                "timeout_customer/ms": 1_000,
                "timeout_customer/hails": 1,
            },
        ),
    ],
)
def test_stored_measures_keep_their_names(hail: Hail, row: Mapping[str, int]) -> None:
    counted = rules.count([hail], paris)

    assert counted is not None
    assert counted.sums == {("2", PARIS): row}


# --- milestones ----------------------------------------------------------------------------------


def test_nothing_is_told_of_nothing() -> None:
    statistics = told(History.of([], EVERYTHING), "2026-03-02T12:00")

    assert set(statistics.milestones) == {
        *("hails_received", "hails_finished", "hails_declined_by_taxi"),
        *("hails_declined_by_customer", "hails_timeout_taxi", "hails_timeout_ride"),
        *("hails_timeout_customer", "hails_incident_taxi", "hails_incident_customer"),
        *("hails_timeout_accepted_by_customer", "hails_failure"),
    }
    assert {each.today for each in statistics.milestones.values()} == {0}
    assert statistics.average_hail_distance.today == 0
    assert statistics.total == {"current_year": [], "last_year": []}
    means = [
        mean
        for periods in statistics.averages.values()
        for series in periods.values()
        for mean in series.values()
    ]
    assert means == [0.0] * 45
    assert [*statistics.average_times.values()] == [None] * 8


def test_a_milestone_counts_the_days_before_its_own() -> None:
    hails = on("2021-12-31", "2022-01-01", "2025-03-01", "2025-03-02", "2025-12-02", "2026-03-02")

    received = told(hails, "2026-03-02T12:00").milestones["hails_received"]

    assert (received.today, received.three_months_ago) == (4, 3)
    assert (received.six_months_ago, received.twelve_months_ago) == (3, 2)


def test_each_outcome_has_its_own_milestones() -> None:
    hails = history(
        *[ended(S.FINISHED)] * 3,
        *[ended(S.TIMEOUT_TAXI, took=2 * HOUR)] * 2,
        ended(S.TIMEOUT_TAXI),
    )

    milestones = told(hails, "2026-03-03T00:00").milestones

    counts = {name: each.today for name, each in milestones.items() if each.today}
    assert counts == {
        "hails_received": 6,
        "hails_finished": 3,
        "hails_timeout_ride": 2,
        "hails_timeout_taxi": 1,
    }


def test_days_are_those_of_utc() -> None:
    hails = on("2026-03-02")
    in_paris = datetime.fromisoformat("2026-03-03T00:30+01:00")

    received = summary.statistics(hails, now=in_paris).milestones["hails_received"]

    assert received.today == 0


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (EVERYTHING, 1),
        (Filter(departements=frozenset({"75"})), 1),
        (Filter(departements=frozenset({"69"})), 0),
        (Filter(insees=frozenset({PARIS, LYON})), 1),
        (Filter(insees=frozenset({LYON})), 0),
        (Filter(owners=frozenset({"2"})), 1),
        (Filter(owners=frozenset({"1"})), 0),
        (Filter(owners=frozenset({"2"}), insees=frozenset({LYON})), 0),
    ],
)
def test_every_figure_is_of_what_the_filter_takes(filters: Filter, expected: int) -> None:
    hail = with_log((S.RECEIVED_BY_TAXI, 1), (S.ACCEPTED_BY_TAXI, 2), (S.FINISHED, 4))

    statistics = told(history(hail, filters=filters), "2026-03-03T00:00")

    assert statistics.milestones["hails_received"].today == expected
    assert (statistics.average_hail_distance.today > 0) == bool(expected)
    assert len(statistics.total["current_year"]) == expected
    assert statistics.averages["current_year"]["daily"]["total"] == expected
    assert (statistics.average_times["accepted_by_taxi"] == 1.0) == bool(expected)


def test_only_the_pairs_that_are_asked_for_are_added_up() -> None:
    rows = [
        (("1", PARIS), {"finished": 1, "distance_cm": 100}),
        (("1", LYON), {"finished": 2, "failure": 20}),
        (("2", PARIS), {"failure": 40}),
        (("2", ""), {"finished": 4, "distance_cm": 400}),
    ]
    sums = [(date(2026, 3, 1), Sums.of(rows[:3])), (date(2026, 3, 1), Sums.of(rows[3:]))]

    def found(**filters: frozenset[str]) -> list[int]:
        [day] = History.of(sums, Filter(**filters)).days.values()
        return [day.get(measure, 0) for measure in ("finished", "failure", "distance_cm")]

    assert found() == [7, 60, 500]
    assert found(owners=frozenset({"1"})) == [3, 20, 100]
    assert found(insees=frozenset({PARIS})) == [1, 40, 100]
    assert found(insees=frozenset({PARIS, ""}), owners=frozenset({"2"})) == [4, 40, 400]
    assert History.of(sums, Filter(owners=frozenset({"3"}))).days == {}


# --- distances and times -------------------------------------------------------------------------


def away(metres: float, **changes: Any) -> Hail:
    lat = CUSTOMER.lat + metres / METRES_A_DEGREE
    return ended(S.FINISHED, initial_taxi_lon=CUSTOMER.lng, initial_taxi_lat=lat, **changes)


@pytest.mark.parametrize(
    ("metres", "mean"),
    [([100], 100), ([100, 201], 150), ([99.98], 99), ([0, 0, 299], 99), ([0], 0)],
)
def test_the_mean_distance_is_cut_to_whole_metres(metres: list[float], mean: int) -> None:
    hails = history(*map(away, metres))

    assert told(hails, "2026-03-03T00:00").average_hail_distance.today == mean


def test_a_blurred_hail_counts_and_has_no_distance() -> None:
    hails = history(away(300), away(0, blurred=True))

    statistics = told(hails, "2026-03-03T00:00")

    assert statistics.milestones["hails_received"].today == 2
    assert statistics.average_hail_distance.today == 300


@pytest.mark.parametrize(
    ("log", "times"),
    [
        (
            [
                *((S.RECEIVED_BY_OPERATOR, 1), (S.RECEIVED_BY_TAXI, 2), (S.ACCEPTED_BY_TAXI, 12)),
                *((S.ACCEPTED_BY_CUSTOMER, 15), (S.CUSTOMER_ON_BOARD, 400), (S.FINISHED, 900)),
            ],
            {"accepted_by_taxi": 10, "accepted_by_customer": 3, "customer_on_board": 388},
        ),
        (
            [(S.RECEIVED_BY_TAXI, 2), (S.ACCEPTED_BY_TAXI, 3), (S.TIMEOUT_CUSTOMER, 33.5)],
            {"accepted_by_taxi": 1, "timeout_customer": 30.5},
        ),
        (
            [(S.RECEIVED_BY_TAXI, 2), (S.ACCEPTED_BY_TAXI, 3), (S.DECLINED_BY_CUSTOMER, 8)],
            {"accepted_by_taxi": 1, "declined_by_customer": 5},
        ),
        ([(S.RECEIVED_BY_TAXI, 2), (S.TIMEOUT_TAXI, 32)], {"timeout_taxi": 30}),
        (
            [
                *((S.RECEIVED_BY_TAXI, 2), (S.ACCEPTED_BY_TAXI, 3), (S.ACCEPTED_BY_CUSTOMER, 4)),
                *((S.CUSTOMER_ON_BOARD, 5), (S.INCIDENT_TAXI, 25)),
            ],
            {
                "accepted_by_taxi": 1,
                "accepted_by_customer": 1,
                "customer_on_board": 2,
                "incident_taxi": 22,
                "customer_on_board_incident_taxi": 20,
            },
        ),
        ([(S.DECLINED_BY_CUSTOMER, 8)], {}),
    ],
)
def test_times_are_between_two_states_of_the_log(
    log: list[tuple[Status, float]], times: Mapping[str, float]
) -> None:
    told_times = told(history(with_log(*log)), "2026-03-03T00:00").average_times

    assert {step: each for step, each in told_times.items() if each is not None} == times


def test_times_are_means_over_the_hails_that_took_the_step() -> None:
    hails = history(
        with_log((S.RECEIVED_BY_TAXI, 1), (S.ACCEPTED_BY_TAXI, 3), (S.TIMEOUT_CUSTOMER, 33)),
        with_log((S.RECEIVED_BY_TAXI, 1), (S.ACCEPTED_BY_TAXI, 6), (S.TIMEOUT_CUSTOMER, 36)),
        with_log((S.FAILURE, 10)),
    )

    assert told(hails, "2026-03-03T00:00").average_times["accepted_by_taxi"] == 3.5


# --- years, months, weeks, days ------------------------------------------------------------------


def test_totals_are_by_month_of_this_year_and_the_last_for_months_with_hails() -> None:
    hails = on("2024-12-31", "2025-01-01", "2025-03-02", "2025-03-31", "2026-01-01", "2026-03-02")

    total = told(hails, "2026-03-02T12:00").total

    assert total == {"current_year": [(1, 1)], "last_year": [(1, 1), (3, 2)]}


def test_a_mean_is_over_the_days_weeks_and_months_that_have_any() -> None:
    # Two days of one week, then a month of nothing
    hails = on(*["2026-01-05"] * 3, "2026-01-06", *["2026-03-01"] * 2)

    of_year = told(hails, "2026-03-02T12:00").averages["current_year"]

    assert (of_year["daily"]["total"], of_year["weekly"]["total"]) == (2.0, 3.0)
    assert of_year["monthly"]["total"] == 3.0


def test_the_mean_of_an_outcome_is_over_the_days_that_have_it() -> None:
    hails = history(
        ended(S.FINISHED),
        ended(S.INCIDENT_TAXI),
        ended(S.INCIDENT_TAXI),
        ended(S.FINISHED, at=NOON + timedelta(days=1)),
    )

    daily = told(hails, "2026-03-04T12:00").averages["current_year"]["daily"]

    assert (daily["total"], daily["incident_taxi"], daily["timeout_customer"]) == (2.0, 2.0, 0.0)


def test_a_week_over_new_year_is_one_week_of_each_year() -> None:
    # The first week of 2026 begins on Monday 2025-12-29
    hails = on("2025-12-28", "2025-12-29", "2025-12-31", "2026-01-01", "2026-01-04", "2026-01-05")

    averages = told(hails, "2026-01-06T12:00").averages

    assert averages["last_year"]["weekly"]["total"] == 1.5  # 1 and 2
    assert averages["current_year"]["weekly"]["total"] == 1.5  # 2 and 1
    assert averages["last_three_months"]["weekly"]["total"] == 2.0  # 1, 4 and 1


def test_today_is_left_out_of_every_span() -> None:
    hails = on("2026-03-01", *["2026-03-02"] * 5)

    averages = told(hails, "2026-03-02T23:59").averages

    assert averages["last_three_months"]["daily"]["total"] == 1.0
    assert averages["current_year"]["daily"]["total"] == 1.0


def test_three_months_begin_on_the_same_day_of_the_month() -> None:
    hails = on(*["2025-12-01"] * 9, *["2025-12-02"] * 3, "2026-03-01")

    daily = told(hails, "2026-03-02T12:00").averages["last_three_months"]["daily"]

    assert daily["total"] == 2.0


# --- growth --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["2025-02-01", "2025-02-28", "2026-02-01", "2026-02-14", "2026-02-28"], 50.0),
        (["2025-02-01"], -100.0),
        (["2026-02-01"], None),
        (["2025-01-31", "2025-03-01", "2026-02-01"], None),
        (["2025-02-03", "2026-01-31", "2026-03-01"], -100.0),
        ([], None),
    ],
)
def test_growth_compares_the_last_full_month_with_the_same_a_year_before(
    days: list[str], expected: float | None
) -> None:
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)

    assert summary.growth(on(*days), now=now) == expected


# --- heat ----------------------------------------------------------------------------------------


def test_a_day_is_counted_by_the_cells_of_its_customers() -> None:
    elsewhere = ended(S.FAILURE, customer_lon=-1.55, customer_lat=47.21)

    counted = rules.count([ended(S.FINISHED), ended(S.FINISHED), elsewhere], paris)

    assert counted is not None
    assert counted.heat == {geohash6(CUSTOMER): 2, geohash6(LngLat(-1.55, 47.21)): 1}
    assert counted.hail_count == 3


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2026, 3, 31), date(2026, 3, 1), ["2026-03"]),
        (date(2025, 12, 31), date(2026, 1, 1), ["2025-12", "2026-01"]),
        (date(2025, 11, 1), date(2026, 2, 1), ["2025-11", "2025-12", "2026-01", "2026-02"]),
    ],
)
def test_months_are_named_from_one_days_to_anothers(
    first: date, last: date, expected: list[str]
) -> None:
    assert service.months(first, last) == expected
