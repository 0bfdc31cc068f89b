"""What the template decides of everything that holds data: kept or not, encrypted, and for how long."""

import re
from typing import Any

import pytest
import yaml

from ops import apps
from ops.apps import App
from ops.templates import Loader, resources
from tests.infra.templates import Template, of_kind, translated

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


def stage(template: Template) -> dict[str, Any]:
    """What CloudFormation is told of the API's stage."""
    [(_, found)] = of_kind(translated(template), "AWS::ApiGateway::Stage")
    properties: dict[str, Any] = found["Properties"]
    return properties


def test_the_access_log_has_neither_keys_nor_phones_nor_coordinates(template: Template) -> None:
    logged = stage(template)["AccessLogSetting"]

    assert logged["DestinationArn"] == {"Fn::GetAtt": ["ApiAccessLog", "Arn"]}
    assert set(re.findall(r"\$context\.([\w.]+)", logged["Format"])) == {
        *("requestId", "requestTime", "httpMethod", "resourcePath", "status"),
        *("responseLatency", "integrationLatency", "responseLength", "error.responseType"),
    }
    assert "\n" not in logged["Format"]  # the gateway wants one line


@pytest.mark.parametrize("app", apps.every().values(), ids=apps.every())
def test_what_an_account_has_once_is_in_no_service_s_template(app: App) -> None:
    once = yaml.load((apps.ROOT / "infra/account.yaml").read_text("utf-8"), Loader=Loader)  # noqa: S506  # a safe loader

    setting = once["Resources"]["GatewayAccount"]
    assert setting["Properties"] == {"CloudWatchRoleArn": {"Fn::GetAtt": ["GatewayLogRole", "Arn"]}}
    assert setting["DeletionPolicy"] == "Retain"
    kinds = {resource["Type"] for resource in resources(app).values()}
    assert setting["Type"] not in kinds


def test_every_method_is_throttled_and_none_logs_whole_requests(template: Template) -> None:
    [settings] = stage(template)["MethodSettings"]

    assert (settings["ResourcePath"], settings["HttpMethod"]) == ("/*", "*")
    assert settings["ThrottlingRateLimit"] == {"Fn::If": ["Prod", 8000, 200]}
    assert settings["ThrottlingBurstLimit"] == {"Fn::If": ["Prod", 4000, 400]}
    assert (settings["LoggingLevel"], settings["DataTraceEnabled"]) == ("OFF", False)
