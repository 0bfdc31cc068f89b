"""Metrics: one line each, or one line for all of a request."""

import json
import time

import pytest

from chalicelib.foundation import settings
from chalicelib.foundation.observe import metrics
from tests.emitted import Metric, lines_of, metrics_of

STAGE = ("stage", "test")


def test_a_metric_is_a_line_with_units_and_the_stage(capsys: pytest.CaptureFixture[str]) -> None:
    before_ms = int(time.time() * 1000)

    metrics.emit(
        {"job": "sweep"},
        counts={"runs": 1},
        milliseconds={"job_ms": 12.345},
        size_bytes={"cell": 7},
        about={"hail": "abc"},
    )

    printed = capsys.readouterr().out
    [line] = lines_of(printed)
    assert json.loads(printed)["_aws"]["Timestamp"] >= before_ms
    assert line["hail"] == "abc"
    dimensions = (("job", "sweep"), STAGE)
    assert list(metrics_of(printed)) == [
        Metric("runs", "Count", dimensions, 1),
        Metric("job_ms", "Milliseconds", dimensions, 12.3),
        Metric("cell", "Bytes", dimensions, 7),
    ]


def test_a_metric_in_total_counts_for_the_stage_too(capsys: pytest.CaptureFixture[str]) -> None:
    metrics.emit({"route": "GET /"}, counts={"requests": 1}, in_total=True)

    assert [metric.dimensions for metric in metrics_of(capsys.readouterr().out)] == [
        (STAGE,),
        (("route", "GET /"), STAGE),
    ]


def test_what_is_emitted_within_one_line_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with metrics.one_line():
        metrics.emit({}, counts={"searches": 1})
        metrics.emit({"reason": "no_town"}, counts={"searches_empty": 1})

    printed = capsys.readouterr().out
    assert len(lines_of(printed)) == 1
    assert list(metrics_of(printed)) == [
        Metric("searches", "Count", (STAGE,), 1),
        Metric("searches_empty", "Count", (("reason", "no_town"), STAGE), 1),
    ]


def test_a_name_that_comes_twice_loses_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with metrics.one_line():
        metrics.emit({"way": "read"}, counts={"deadlines": 1}, about={"expired": "a"})
        metrics.emit({"way": "read"}, counts={"deadlines": 1}, about={"expired": "b"})
        metrics.emit({"way": "sweep"}, counts={"deadlines": 1}, about={"expired": "c"})

    printed = capsys.readouterr().out
    assert {line["expired"] for line in lines_of(printed)} == {"a", "b", "c"}
    assert len(list(metrics_of(printed))) == 3


def test_the_same_metric_twice_is_two_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with metrics.one_line():
        metrics.emit({}, counts={"searches": 1})
        metrics.emit({}, counts={"searches": 1})

    assert len(lines_of(capsys.readouterr().out)) == 2


def test_a_line_is_printed_whatever_becomes_of_its_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def breaks() -> None:
        with metrics.one_line():
            metrics.emit({}, counts={"searches": 1})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        breaks()

    assert len(lines_of(capsys.readouterr().out)) == 1
    metrics.emit({}, counts={"searches": 1})
    assert len(lines_of(capsys.readouterr().out)) == 1


def test_a_service_s_metrics_are_in_its_own_namespace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARAUDE_NAMESPACE", "Maraude/toy")
    settings.forget()
    try:
        metrics.emit({}, counts={"requests": 1})
    finally:
        monkeypatch.undo()
        settings.forget()

    [directive] = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Maraude/toy"
