"""The UDP door in the template: only where it is wanted, and with a role that does what it does."""

import asyncio
import re
from typing import Any

import boto3
import pytest

from chalicelib.foundation import sealing
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.settings import settings
from ops import apps
from tests import factories
from tests.infra.templates import Template, translated
from tests.infra.witness import Witness
from tests.ops.udp_gateways import eventually, running


def parts(template: Template) -> dict[str, dict[str, Any]]:
    """The door's resources."""
    return {
        name: one
        for name, one in translated(template)["Resources"].items()
        if one.get("Condition") == "HasUdpDoor"
    }


def test_without_its_image_there_is_no_door(template: Template) -> None:
    assert template["Parameters"]["UdpImage"]["Default"] == ""
    assert template["Conditions"]["HasUdpDoor"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "UdpImage"}, ""]}]
    }
    strangers = [
        name
        for name, one in template["Resources"].items()
        if (name.startswith("Udp") or one["Type"].startswith(("AWS::ECS", "AWS::Elastic")))
        and name not in parts(template)
    ]
    assert strangers == []
    assert len(parts(template)) == 11


@pytest.mark.parametrize(
    ("image", "taken"),
    [
        ("", True),
        (f"1.dkr.ecr.eu-west-3.amazonaws.com/maraude-udp@sha256:{'0a' * 32}", True),
        (f"1.dkr.ecr.eu-west-3.amazonaws.com/maraude-udp:tag@sha256:{'0a' * 32}", True),
        ("1.dkr.ecr.eu-west-3.amazonaws.com/maraude-udp:latest", False),
        ("1.dkr.ecr.eu-west-3.amazonaws.com/maraude-udp", False),
        ("1.dkr.ecr.eu-west-3.amazonaws.com/maraude-udp@sha256:0a", False),
        (f"@sha256:{'0a' * 32}", False),
    ],
)
def test_the_door_s_image_is_named_by_its_digest(
    image: str,
    taken: bool,  # noqa: FBT001  # a table
    template: Template,
) -> None:
    pattern = template["Parameters"]["UdpImage"]["AllowedPattern"]

    assert (re.fullmatch(pattern, image) is not None) is taken


def test_datagrams_and_health_checks_meet_the_ports_that_the_container_has(
    template: Template,
) -> None:
    found = parts(template)
    [door] = found["UdpDoorTask"]["Properties"]["ContainerDefinitions"]
    targets = found["UdpDoorsGroup"]["Properties"]

    assert {(one["Protocol"], one["ContainerPort"]) for one in door["PortMappings"]} == {
        ("udp", targets["Port"]),
        ("tcp", int(targets["HealthCheckPort"])),
    }
    assert found["UdpListener"]["Properties"]["Protocol"] == targets["Protocol"] == "UDP"
    let_in = found["UdpDoorGroup"]["Properties"]["SecurityGroupIngress"]
    assert {(one["IpProtocol"], one["FromPort"]) for one in let_in} == {
        ("udp", 8080),
        ("tcp", 8081),
    }
    assert {str(one["SourceSecurityGroupId"]) for one in let_in} == {
        str({"Fn::GetAtt": ["UdpBalancerGroup", "GroupId"]})
    }


@pytest.mark.usefixtures("store")
def test_a_door_may_make_the_calls_that_it_makes_and_no_others(
    template: Template, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "maraude-test-keys"
    boto3.client("secretsmanager").create_secret(Name=name, SecretString=settings().secret_keys)
    account, key = factories.an_account("operator")
    fleet.admit(account.owner, "abcdefg")
    monkeypatch.delenv("MARAUDE_SECRET_KEYS")
    monkeypatch.setenv("MARAUDE_SECRET_ID", name)
    forget_settings()
    witness = Witness(apps.find("taxis"), monkeypatch)

    async def main() -> None:
        async with running() as opened:
            opened.send(key)
            await eventually(lambda: "PositionsStream" in witness.needed["UdpDoor"])

    with witness.process("UdpDoor"):
        asyncio.run(main())
    monkeypatch.undo()
    forget_settings()
    sealing.forget()

    [policy] = parts(template)["UdpDoorRole"]["Properties"]["Policies"]
    assert witness.needed["UdpDoor"] == {
        one["Sid"]: {action.partition(":")[2] for action in one["Action"]}
        for one in policy["PolicyDocument"]["Statement"]
    }
