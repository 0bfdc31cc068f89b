"""What `infra/taxis` says of the hails' functions agrees with `app.py` and with AWS's rules."""

from typing import Any

import pytest
from chalice.app import SQSEventConfig
from chalice.utils import to_cfn_resource_name

from app import app
from chalicelib.taxis.settings import Settings
from ops import apps
from ops.local import worker
from ops.templates import resources, template

TAXIS = apps.find("taxis")
DECLARED: dict[str, Any] = template(TAXIS)["Resources"]
OURS = {name: added for name, added in DECLARED.items() if "Type" not in added}
QUEUES = {"CallOperators": "HailDispatchQueue", "ApplyDeadlines": "HailDeadlinesQueue"}


def test_what_is_added_to_chalices_functions_is_added_to_functions_that_there_are() -> None:
    assert set(OURS) <= {to_cfn_resource_name(source.name) for source in app.event_sources}


@pytest.mark.parametrize(("function", "queue"), QUEUES.items())
def test_a_queue_hides_a_message_for_as_long_as_its_function_may_run(
    function: str, queue: str
) -> None:
    hidden_s = DECLARED[queue]["Properties"]["VisibilityTimeout"]

    assert hidden_s >= OURS[function]["Properties"]["Timeout"] > Settings().hook_within_s


@pytest.mark.parametrize("source", [s for s in app.event_sources if isinstance(s, SQSEventConfig)])
def test_a_function_names_the_messages_that_failed(source: SQSEventConfig) -> None:
    function = to_cfn_resource_name(source.name)
    [(event, added)] = OURS[function]["Properties"]["Events"].items()

    assert event == to_cfn_resource_name(f"{source.name}-sqs-event-source")
    assert added["Properties"]["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    # The same key as Chalice's, which it replaces: another would stand beside it.
    assert added["Properties"]["Queue"] == {"Fn::Sub": f"${{{QUEUES[function]}.Arn}}"}
    named = DECLARED[QUEUES[function]]["Properties"]["QueueName"]["Fn::Sub"]
    assert str(source.queue).endswith(named.removeprefix("maraude-${Stage}"))


def test_operators_that_hang_leave_functions_to_the_others() -> None:
    queues = [source for source in app.event_sources if isinstance(source, SQSEventConfig)]
    [calls] = [source for source in queues if source.name == "call_operators"]

    assert (calls.maximum_concurrency or 0) >= 10 * Settings().hook_calls_at_once
    assert Settings().hook_calls_at_once < worker.AT_ONCE


def test_nothing_is_provisioned_for_what_is_only_added() -> None:
    assert not set(OURS) & set(resources(TAXIS))
