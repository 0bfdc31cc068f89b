"""The clients of AWS: which of botocore's handlers they have."""

from collections.abc import Sequence
from typing import Any

import botocore.session
import pytest
from botocore.handlers import BUILTIN_HANDLERS

from chalicelib.foundation.aws import clients

# What happens to a call, in botocore's words; each event is of a service and mostly of an operation.
CALL_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "before-parse",
    "needs-retry",
    "response-received",
    "after-call",
    "after-call-error",
)


def handlers(client: Any, event: str) -> Sequence[str]:
    """Whatever is called at an event, in order."""
    emitter = client.meta.events
    names = emitter._alias_event_name(event)
    found = emitter._emitter._handlers.prefix_search(names)
    return [getattr(one, "__qualname__", type(one).__qualname__) for one in found]


@pytest.mark.parametrize(
    "service",
    ["cloudwatch", "dynamodb", "events", "kinesis", "secretsmanager", "sqs", "sts"],
)
def test_a_call_meets_the_same_handlers_as_in_botocore_s_own_session(service: str) -> None:
    theirs = botocore.session.Session().create_client(service, "eu-west-3", config=clients._LIMITS)
    ours = clients.client(service)
    name = ours.meta.service_model.service_id.hyphenize()
    events = [
        f"{kind}.{name}.{operation}"
        for kind in CALL_EVENTS
        for operation in ours.meta.service_model.operation_names
    ]
    events += [f"creating-client-class.{name}", f"getattr.{name}.get_paginator"]

    differing = {
        event: (met, expected)
        for event in events
        if (met := handlers(ours, event)) != (expected := handlers(theirs, event))
    }

    assert differing == {}
    assert "generate_idempotent_uuid" in handlers(ours, f"before-parameter-build.{name}.Any")


def test_no_handler_that_stays_is_to_be_the_first_or_last_of_its_event() -> None:
    ranked = [one[0] for one in BUILTIN_HANDLERS if len(one) > 2 and clients._concerns_us(one[0])]

    assert ranked == []
