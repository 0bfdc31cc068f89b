"""What leaves a function that fails, and what its log says."""

import json
from typing import Any

import pytest

from app import app
from chalicelib.foundation.aws import clients
from chalicelib.foundation.observe.guard import InvocationFailed
from chalicelib.foundation.settings import table
from ingest_lambda import handler, searches

PHONE = "+33612345678"
TICK = {
    **dict.fromkeys(("version", "account", "region", "source", "detail-type", "id", "time"), ""),
    "detail": {},
    "resources": [],
}


def faults(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [json.loads(one.message) for one in caplog.records if one.name == "maraude.edge"]


@pytest.mark.parametrize(
    ("function", "kind"), [(handler.handle, "KeyError"), (searches.handle, "TypeError")]
)
def test_a_stream_s_function_fails_without_the_text_of_what_it_could_not_take(
    function: Any, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(InvocationFailed) as failed:
        function({"Records": {PHONE: 1}}, None)  # no list

    assert PHONE not in str(failed.value)
    assert failed.value.__cause__ is failed.value.__context__ is None
    [line] = faults(caplog)
    assert (line["event"], line["errors"][0]["type"]) == ("invocation_failed", kind)
    assert PHONE not in caplog.text


def test_a_queue_s_function_fails_without_the_text_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvocationFailed) as failed:
        app.handler_map["apply_deadlines"]({"Records": [{"body": PHONE}]}, None)

    assert failed.value.__context__ is None
    assert [line["errors"][0]["type"] for line in faults(caplog)] == ["KeyError"]
    assert PHONE not in caplog.text


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("name", ["blur_hails", "count_active", "sweep_hails"])
def test_a_schedule_that_cannot_reach_its_table_fails_by_its_kind_alone(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    for gone in ("statistics", "hail-lists", "cells"):
        clients.dynamodb().delete_table(TableName=table(gone))

    with pytest.raises(InvocationFailed) as failed:
        app.handler_map[name](TICK, None)

    assert failed.value.__context__ is None
    [line] = faults(caplog)
    assert line["event"] == "invocation_failed"


def test_every_function_that_no_request_starts_is_guarded() -> None:
    kinds = {kind for _, kind in app.middleware_handlers}

    assert {type(source).__name__ for source in app.event_sources} == {
        "ScheduledEventConfig",
        "SQSEventConfig",
    }
    assert kinds == {"scheduled", "sqs"}
