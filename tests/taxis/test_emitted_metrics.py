"""What each domain tells of itself in metrics, and what no line of the log tells."""

import json

import pytest

from app import app
from tests import watched
from tests.calls import Caller
from tests.emitted import lines_of, metrics_of

Named = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def sums() -> Named:
    """The day's metrics by name and dimensions without the stage, added up."""
    found: Named = {}
    for metric in metrics_of(watched.day().printed):
        where = tuple(one for one in metric.dimensions if one[0] != "stage")
        found[metric.name, where] = found.get((metric.name, where), 0) + metric.value
    return found


INGEST = {"function": "ingest"}


@pytest.mark.parametrize(
    ("name", "dimensions"),
    [
        ("positions_accepted", {}),
        ("positions_rejected", {}),
        ("positions_dropped", {}),
        *(
            (name, INGEST)
            for name in (
                *("records", "unreadable", "positions", "unknown", "cells_written"),
                *("lag_ms", "window_ms", "largest_cell_bytes", "failed_windows"),
            )
        ),
        ("searches", {}),
        ("searches_empty", {}),
        *(
            ("searches_empty", {"reason": reason})
            for reason in ("excluded", "no_town", "none_near", "none_allowed", "none_reaching")
        ),
        ("searches_lost", {}),
        *(
            ("hails", {"outcome": outcome})
            for outcome in ("received", "received_by_operator", "failure", "declined_by_customer")
        ),
        ("webhook_calls", {}),
        ("webhook_failures", {}),
        *(("deadlines", {"way": way}) for way in ("read", "queue", "sweep")),
        ("swept", {"job": "sweep-hails"}),
        ("failed", {"job": "sweep-hails"}),
        ("requests", {}),
        ("requests_refused", {"route": "POST /geotaxi"}),
        ("requests_failed", {"route": "GET /taxis"}),
        ("latency_ms", {"route": "GET /taxis"}),
        ("requests_throttled", {}),
        ("requests_throttled_by_address", {}),
        ("request_counts_lost", {}),
        ("keys_left", {}),
        ("store_busy", {}),
        ("runs", {"job": "count-active"}),
    ],
)
def test_what_happens_is_counted(name: str, dimensions: dict[str, str]) -> None:
    assert sums()[name, tuple(sorted(dimensions.items()))] > 0


def test_each_metric_has_one_unit() -> None:
    units: dict[str, set[str]] = {}
    for metric in metrics_of(watched.day().printed):
        units.setdefault(metric.name, set()).add(metric.unit)

    assert {name: found for name, found in units.items() if len(found) > 1} == {}


def test_dimensions_are_few() -> None:
    """Each set of values is paid for: what grows with taxis or customers must not be among them."""
    names = {name for metric in metrics_of(watched.day().printed) for name, _ in metric.dimensions}

    assert names == {"stage", "route", "reason", "outcome", "way", "operator", "function", "job"}


def test_a_request_is_one_line_whatever_it_counts() -> None:
    routes = [line["route"] for line in lines_of(watched.day().printed) if "latency_ms" in line]
    found = [line for line in lines_of(watched.day().printed) if line.get("searches")]

    assert found
    assert all(line["route"] == "GET /taxis" for line in found)
    assert routes


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/hails/", "GET /hails"),
        ("GET", "/no/such/place", "none"),
        ("DELETE", "/hails", "none"),
        ("OPTIONS", "/hails/abc", "OPTIONS"),
        ("PUT", "/hails/abcdef0", "PUT /hails/{hail_id}"),
    ],
)
@pytest.mark.usefixtures("store")
def test_the_routes_of_metrics_are_few_whatever_is_asked_for(
    capsys: pytest.CaptureFixture[str], method: str, path: str, route: str
) -> None:
    Caller(app).send(method, path)

    [line] = lines_of(capsys.readouterr().out)
    assert line["route"] == route


def test_a_request_s_line_says_who_asked_for_what_and_under_which_id() -> None:
    found = [line for line in lines_of(watched.day().printed) if "latency_ms" in line]
    shown = next(line for line in found if line["route"] == "GET /taxis")

    assert shown["status"] == 200
    assert isinstance(shown["account"], int)
    assert {"request_id", "lambda_id", "method", "latency_ms"} <= shown.keys()


def test_nothing_of_a_person_and_no_key_is_in_any_line_of_the_log() -> None:
    day = watched.day()

    leaks = {
        name: line[:200]
        for name, secret in day.secrets.items()
        for line in (day.printed + day.logged).splitlines()
        if secret in line
    }

    assert leaks == {}


def test_every_line_of_the_log_is_json_that_says_what_happened() -> None:
    lines = [line.partition("\t")[2] for line in watched.day().logged.splitlines() if line]
    ours = [json.loads(line) for line in lines if line.startswith("{")]

    assert len(ours) == len(lines)
    assert {"request_failed", "message_failed", "window_failed", "unreadable", "not_queued"} <= {
        line["event"] for line in ours
    }


def test_a_fault_is_logged_by_its_kinds_and_places() -> None:
    lines = [line for line in watched.day().logged.splitlines() if '"KeyError"' in line]

    [fault] = json.loads(lines[0].partition("\t")[2])["errors"]
    assert fault["type"] == "KeyError"
    assert fault["at"][-1].endswith("get_broken")
