"""`maraude cost`: from counted units and dated prices to dollars a month."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from ops.cli import main
from ops.cli.cost import estimate
from ops.cli.cost.command import ROOT, loaded
from ops.cli.cost.estimate import Line, Load, OutOfRange, PriceMissing
from ops.cli.cost.tables import floor as tables_floor
from ops.cli.cost.tables import tables
from tests.alarms import alarms, sources

FIGURES: Mapping[str, Any] = {
    "made_on": "2026-03-02",
    "commit": "abc",
    "fleets": [
        {
            "taxis": taxis,
            "write_units_per_1000": 80.0,
            "read_units_per_1000": 40.0,
            "search_units": units,
            "taxis_found": 10.0,
        }
        for taxis, units in ((1_000, 2.0), (100_000, 4.0))
    ],
    "of_5_s_to_10_s": {"write_units": 0.5, "read_units": 0.5},
    "post": {"positions": 50, "records": 1.0, "record_bytes": 700.0},
    "change": {"write_units": 4.0, "read_units": 10.0},
    "hail": {"write_units": 100, "read_units": 50.0},
    "cpu": {
        "api_us_per_position": 3.0,
        "ingest_us_per_position": 10.0,
        "sdk_us_per_call": 100.0,
        "ingest_calls_per_position": 0.04,
        "search_ms": 0.1,
    },
}
_, PRICES = loaded()
USUAL = Load(10_000, period_s=10, searches_s=20)


def usd(found: list[Line], cause: str, service: str) -> float:
    return sum(line.usd for line in found if (line.cause, line.service) == (cause, service))


def test_twice_the_searches_cost_twice_as_much_and_nothing_else_changes() -> None:
    once = estimate.lines(USUAL, FIGURES, PRICES)
    twice = estimate.lines(replace(USUAL, searches_s=40), FIGURES, PRICES)

    for service in ("DynamoDB", "Lambda", "API Gateway", "CloudWatch", "Transfer"):
        assert usd(twice, "searches", service) == pytest.approx(2 * usd(once, "searches", service))
    others = (
        estimate.total(line for line in some if line.cause != "searches") for some in (once, twice)
    )
    assert next(others) == pytest.approx(next(others))


def test_positions_cost_the_units_that_were_counted() -> None:
    found = estimate.lines(USUAL, FIGURES, PRICES)

    positions = 10_000 / 10 * 2_628_000
    expected = positions * (0.080 * 0.7423e-6 + 0.040 * 0.1487e-6)
    assert usd(found, "positions", "DynamoDB") == pytest.approx(expected)


def test_a_change_of_status_costs_its_two_entries_in_the_journal_too() -> None:
    found = estimate.lines(USUAL, FIGURES, PRICES)

    changes = 10 * 10_000 * 30.4
    expected = changes * ((4 + 4) * 0.7423e-6 + 2 * 10 * 0.1487e-6)
    assert usd(found, "status", "DynamoDB") == pytest.approx(expected)


def test_a_hail_costs_the_entries_of_its_requests_too() -> None:
    found = estimate.lines(USUAL, FIGURES, PRICES)

    expected = 100_000 * 30.4 * ((100 + 8) * 0.7423e-6 + 50 * 0.1487e-6)
    assert usd(found, "hails", "DynamoDB") == pytest.approx(expected)


def test_reports_twice_as_often_cost_fewer_units_each() -> None:
    at_10_s = estimate.lines(USUAL, FIGURES, PRICES)
    at_5_s = estimate.lines(replace(USUAL, period_s=5), FIGURES, PRICES)

    assert usd(at_5_s, "positions", "DynamoDB") == pytest.approx(
        usd(at_10_s, "positions", "DynamoDB")
    )
    assert usd(at_5_s, "positions", "Kinesis") == pytest.approx(
        2 * usd(at_10_s, "positions", "Kinesis")
    )


def test_a_fleet_between_two_that_were_measured_is_between_them() -> None:
    assert estimate.interpolated(FIGURES["fleets"], 10_000, "search_units") == pytest.approx(3.0)
    assert estimate.interpolated(FIGURES["fleets"], 1_000, "search_units") == 2.0


def test_the_gateway_takes_less_for_requests_beyond_its_step() -> None:
    few = estimate._gateway(PRICES, 1e6)
    many = estimate._gateway(PRICES, 2e9)

    assert few == pytest.approx(1.17e-6)
    assert many == pytest.approx((300 * 1.17 + 1700 * 1.05) / 2e9)


@pytest.mark.parametrize("name", sorted(PRICES["prices"]))
def test_a_missing_price_is_named(name: str) -> None:
    prices = copy.deepcopy(PRICES)
    del prices["prices"][name]

    with pytest.raises(PriceMissing, match=f"no price '{name}'"):
        estimate.lines(replace(USUAL, searches_s=1000), FIGURES, prices)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"taxis": 999}, "--taxis must be from 1,000 to 100,000"),
        ({"taxis": 100_001}, "--taxis"),
        ({"period_s": 4.9}, "--period"),
        ({"period_s": 11}, "--period"),
        ({"searches_s": -1}, "searches_s"),
        ({"hails_day": -1}, "hails_day"),
    ],
)
def test_what_was_not_measured_is_refused(changes: dict[str, Any], named: str) -> None:
    with pytest.raises(OutOfRange, match=named):
        estimate.lines(replace(USUAL, **changes), FIGURES, PRICES)


def test_the_largest_lever_is_named() -> None:
    said = tables(replace(USUAL, searches_s=0), FIGURES, PRICES)

    assert "The largest lever: DynamoDB for hails, 32%" in said
    assert "a million searches" not in said


def test_the_page_has_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "docs" / "evidence" / "cost.md").read_text(encoding="utf-8")

    for taxis in ("60000", "600000"):
        assert main.main(["cost", "--taxis", taxis, "--period", "5", "--searches", "1000"]) == 0
        said, _, assumed = capsys.readouterr().out.partition("\n\n- units")
        table, _, floor = said.partition("\n\nThe floor: ")
        assert table in text
        assert f"The floor: {floor}\n" in text
        assert f"- units{assumed}" in text


def test_a_small_installation_is_estimated_with_the_hails_that_its_taxis_can_do(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main.main(["cost", "--taxis", "500", "--searches", "1"]) == 0
    said = capsys.readouterr().out

    assert said.startswith("500 taxis, a report each 5 s, 1 searches a second, 5,000 hails a day")
    assert main.main(["cost", "--taxis", "499", "--searches", "1"]) == 1
    assert "--taxis must be from 500 to 600,000" in capsys.readouterr().err


def test_the_floor_is_what_stands_there_without_a_taxi_and_no_load_costs_less() -> None:
    floor = estimate.total(estimate.standing(0, PRICES))
    least = Load(1_000, period_s=10, searches_s=0, hails_day=0, changes_day=0)

    parts = [2 * 730 * 0.047, 300 * 0.30 + estimate.ALARMS * 0.10 + 3, 2 * 0.40]
    assert floor == pytest.approx(sum(parts))
    assert estimate.total(estimate.lines(least, FIGURES, PRICES)) > floor
    assert f"costs {floor:.0f} USD a month" in tables_floor(PRICES)


def test_each_metric_that_an_alarm_reads_is_paid_for() -> None:
    read = sum(len(sources(alarm)) for alarm in alarms().values())

    assert read <= estimate.ALARMS <= 1.2 * read
