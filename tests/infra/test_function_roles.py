"""What the packaged template lets each function do, and where what it says is kept."""

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from ops import apps
from ops.errors import CannotGoOn
from ops.release import permissions
from tests.infra.templates import Template, of_kind, translated

TAXIS = apps.find("taxis")

# IAM knows these for everything only: they tell names of streams, and send traces.
UNBOUND = {
    *("kinesis:ListStreams", "dynamodb:ListStreams"),
    *("xray:PutTraceSegments", "xray:PutTelemetryRecords"),
}


def statements(template: Template, function: str) -> list[dict[str, Any]]:
    """What a function may do."""
    role = template["Resources"][function]["Properties"]["Role"]["Fn::GetAtt"][0]
    [policy] = template["Resources"][role]["Properties"]["Policies"]
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def functions(template: Template) -> list[str]:
    return [name for name, _ in of_kind(template, "AWS::Serverless::Function")]


def test_each_function_has_a_role_of_its_own_and_no_role_is_left_over(template: Template) -> None:
    roles = [
        template["Resources"][name]["Properties"]["Role"]["Fn::GetAtt"][0]
        for name in functions(template)
    ]

    assert len(set(roles)) == len(roles) == len(permissions.granted(TAXIS))
    others = {name for name, _ in of_kind(template, "AWS::IAM::Role")} - set(roles)
    # Those of the UDP door, which is no function (test_udp_door.py).
    assert others == {"UdpDoorRole", "UdpStartRole"}


def test_each_schedule_has_the_name_and_the_time_that_the_doctor_looks_for(
    template: Template,
) -> None:
    rules = {
        rule["Properties"]["Name"]["Fn::Sub"]: rule["Properties"]["ScheduleExpression"]
        for _, rule in of_kind(translated(template), "AWS::Events::Rule")
    }

    assert rules == {
        f"maraude-${{Stage}}-{name}": when for name, (when, _) in apps.schedules(TAXIS).items()
    }


def test_a_function_is_let_at_resources_of_this_template_and_the_stage_s_secret_only(
    template: Template,
) -> None:
    for function in functions(template):
        for one in statements(template, function):
            assert not any("*" in action for action in one["Action"]), (function, one)
            if one["Resource"] == "*":
                assert set(one["Action"]) <= UNBOUND, (function, one)
            elif "Fn::GetAtt" in one["Resource"]:
                assert one["Resource"]["Fn::GetAtt"][0] in template["Resources"]
            elif one["Sid"] in permissions.SECRETS:
                name = f":secret:maraude-${{Stage}}-{permissions.SECRETS[one['Sid']]}-??????"
                assert one["Resource"]["Fn::Sub"].endswith(name)
            else:  # Chalice's way to name the queue of an event
                assert (
                    one["Resource"]["Fn::Sub"].removeprefix("${").removesuffix(".Arn}")
                    in (template["Resources"])
                )


def test_what_the_table_grants_is_in_the_role(template: Template) -> None:
    by_sid = {one["Sid"]: one for one in statements(template, "CallOperators")}

    assert by_sid["OperatorCallsTable"] == {
        "Sid": "OperatorCallsTable",
        "Effect": "Allow",
        "Action": ["dynamodb:UpdateItem"],
        "Resource": {"Fn::GetAtt": ["OperatorCallsTable", "Arn"]},
    }
    assert by_sid["HailDispatchQueue"]["Action"] == ["sqs:GetQueueUrl", "sqs:SendMessage"]
    assert by_sid["ReadCallOperatorsSqsEventSource"]["Action"] == [
        *("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    ]


def test_what_calls_operators_servers_may_read_the_secret_of_webhooks_and_no_other(
    template: Template,
) -> None:
    readable = [
        one["Resource"]["Fn::Sub"].rpartition(":secret:")[2]
        for one in statements(template, "CallOperators")
        if one["Action"] == ["secretsmanager:GetSecretValue"]
    ]

    assert readable == ["maraude-${Stage}-hook-keys-??????"]
    assert not fnmatch("maraude-prod-hook-keys-AbCdEf", "maraude-prod-keys-??????")
    assert not fnmatch("maraude-prod-keys-AbCdEf", "maraude-prod-hook-keys-??????")


def test_a_function_that_a_stream_feeds_may_read_it_and_put_failures_aside(
    template: Template,
) -> None:
    by_sid = {one["Sid"]: one for one in statements(template, "IngestFunction")}

    assert by_sid["ReadPositions"]["Resource"] == {"Fn::GetAtt": ["PositionsStream", "Arn"]}
    assert by_sid["ReadAvailability"]["Resource"] == {
        "Fn::GetAtt": ["DescriptionsTable", "StreamArn"]
    }
    assert "kinesis:GetRecords" in by_sid["ReadPositions"]["Action"]
    assert by_sid["FailPositions"]["Action"] == ["sqs:SendMessage"]


def test_each_function_writes_a_log_of_its_own_which_is_not_kept_for_ever(
    template: Template,
) -> None:
    for function in functions(template):
        log = template["Resources"][function]["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        group = template["Resources"][log]["Properties"]

        assert group["RetentionInDays"] == {"Fn::If": ["Prod", 90, 30]}
        assert group["LogGroupName"]["Fn::Sub"].startswith("/aws/lambda/maraude-${Stage}-")
        [written] = [one for one in statements(template, function) if one["Sid"] == "Log"]
        assert written["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert written["Resource"] == {"Fn::GetAtt": [log, "Arn"]}
    names = [
        one["Properties"]["LogGroupName"] for _, one in of_kind(template, "AWS::Logs::LogGroup")
    ]
    assert len({str(name) for name in names}) == len(names)


def test_every_function_is_traced(template: Template) -> None:
    for function in functions(template):
        assert template["Resources"][function]["Properties"]["Tracing"] == "Active"
        [sends] = [one for one in statements(template, function) if one["Sid"] == "Trace"]
        assert sends["Action"] == ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]


def test_a_package_is_deployed_as_the_stage_it_was_made_for(template: Template) -> None:
    assert template["Parameters"]["Stage"] == {
        "Type": "String",
        "Default": "dev",
        "AllowedValues": ["dev"],
    }


def test_the_template_has_no_aliases_which_cloudformation_does_not_read(package: Path) -> None:
    text = (package / "sam.yaml").read_text("utf-8")

    assert "&id0" not in text
    assert "*id0" not in text
    assert len(text) < 1_000_000  # CloudFormation's limit


def test_a_function_without_permissions_stops_the_packaging(template: Template) -> None:
    resources = {**template["Resources"], "Stranger": template["Resources"]["SweepHails"]}

    with pytest.raises(CannotGoOn, match="do not agree on: Stranger"):
        permissions.give_roles(TAXIS, resources)
