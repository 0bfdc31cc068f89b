"""What the template decides of everything that holds data: kept or not, encrypted, and for how long."""

import json
import re

import pytest

from ops import apps
from ops.apps import App
from ops.templates import resources
from tests.infra.templates import Template, account, of_kind

TAXIS = apps.find("taxis")

# Tables that may be lost: what is in them is made again by itself.
LOOSE = {"CellsTable", "LoginAttemptsTable", "OperatorCallsTable", "RequestCountsTable"}

# A week: so long what is deleted of a person can be had back, too.
RECOVERABLE = {"PointInTimeRecoveryEnabled": True, "RecoveryPeriodInDays": 7}
LOST = {"PointInTimeRecoveryEnabled": False}

PROD_ONLY = {"Fn::If": ["Prod", True, False]}


def names(kind: str) -> list[str]:
    """The resources of a kind that are declared, in their order."""
    return [name for name, resource in resources(TAXIS).items() if resource["Type"] == kind]


@pytest.mark.parametrize("table", names("AWS::DynamoDB::Table"))
def test_a_table_is_kept_and_can_be_had_back_or_is_one_that_may_be_lost(
    template: Template, table: str
) -> None:
    resource = template["Resources"][table]
    properties = resource["Properties"]
    kept = table not in LOOSE

    assert properties["PointInTimeRecoverySpecification"] == (RECOVERABLE if kept else LOST)
    assert properties["DeletionProtectionEnabled"] == (PROD_ONLY if kept else False)
    assert resource["DeletionPolicy"] == ("Retain" if kept else "Delete")
    assert resource["UpdateReplacePolicy"] == resource["DeletionPolicy"]


@pytest.mark.parametrize("table", names("AWS::DynamoDB::Table"))
def test_a_table_has_dynamodb_s_own_key(template: Template, table: str) -> None:
    assert "SSESpecification" not in template["Resources"][table]["Properties"]


@pytest.mark.parametrize("stream", names("AWS::Kinesis::Stream"))
def test_a_stream_is_encrypted_with_the_account_s_key(template: Template, stream: str) -> None:
    assert template["Resources"][stream]["Properties"]["StreamEncryption"] == {
        "EncryptionType": "KMS",
        "KeyId": "alias/aws/kinesis",
    }


@pytest.mark.parametrize("queue", names("AWS::SQS::Queue"))
def test_a_queue_is_encrypted_with_sqs_s_own_key(template: Template, queue: str) -> None:
    assert template["Resources"][queue]["Properties"]["SqsManagedSseEnabled"] is True


def test_what_a_function_cannot_take_from_a_stream_or_queue_is_kept_for_two_weeks(
    template: Template,
) -> None:
    found = template["Resources"]
    kept_in = []
    for _, function in of_kind(template, "AWS::Serverless::Function"):
        for event in function["Properties"].get("Events", {}).values():
            about = event["Properties"]
            if event["Type"] == "SQS":
                queue = found[re.sub(r"\.Arn|\W", "", about["Queue"]["Fn::Sub"])]["Properties"]
                kept_in.append(queue["RedrivePolicy"]["deadLetterTargetArn"])
            elif event["Type"] != "Schedule":
                kept_in.append(about["DestinationConfig"]["OnFailure"]["Destination"])

    assert len(kept_in) == 5
    for one in kept_in:
        dead = found[one["Fn::GetAtt"][0]]
        assert dead["Type"] == "AWS::SQS::Queue"
        assert dead["Properties"]["MessageRetentionPeriod"] == 14 * 86_400


def test_no_log_is_kept_for_ever(template: Template) -> None:
    logs = dict(of_kind(template, "AWS::Logs::LogGroup"))

    assert "ApiAccessLog" in logs
    for name, log in logs.items():
        assert log["Properties"]["RetentionInDays"] == {"Fn::If": ["Prod", 90, 30]}, name


def test_the_access_log_has_neither_keys_nor_phones_nor_coordinates(template: Template) -> None:
    [(_, stage)] = of_kind(template, "AWS::ApiGatewayV2::Stage")
    logged = stage["Properties"]["AccessLogSettings"]

    assert logged["DestinationArn"] == {"Fn::GetAtt": ["ApiAccessLog", "Arn"]}
    assert set(re.findall(r"\$context\.([\w.]+)", logged["Format"])) == {
        *("requestId", "requestTime", "httpMethod", "status", "responseLength", "responseLatency"),
        *("integration.status", "integrationErrorMessage", "integrationLatency"),
        "error.responseType",
    }
    assert "\n" not in logged["Format"]  # the gateway wants one line
    assert all(value.startswith("$context.") for value in json.loads(logged["Format"]).values())


@pytest.mark.parametrize("app", apps.every().values(), ids=apps.every())
def test_what_an_account_has_once_is_in_no_service_s_template(app: App) -> None:
    kinds = {resource["Type"] for resource in resources(app).values()}

    assert kinds.isdisjoint({"AWS::ApiGateway::Account", "AWS::Logs::ResourcePolicy"})
    assert kinds.isdisjoint({one["Type"] for one in account()["Resources"].values()})


def test_packages_are_for_nobody_else_and_not_kept_for_ever() -> None:
    [bucket] = account()["Resources"].values()

    assert bucket["DeletionPolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
    assert rule == {"Status": "Enabled", "ExpirationInDays": 90}
