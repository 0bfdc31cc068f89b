"""Units of a hail's life, from POST /hails to `finished`, counted on moto."""

import os
from dataclasses import dataclass
from typing import Any

import boto3
from moto import mock_aws

from bench import charges
from bench.meter import Meter
from chalicelib.foundation.aws import clients
from chalicelib.foundation.store import documents
from chalicelib.taxis.hails import service as hails
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.settings import settings


@dataclass(frozen=True, slots=True)
class Cost:
    """Units of DynamoDB, the call of the operator's server aside."""

    writes: int
    reads: float


def run() -> Cost:
    """Counts one hail that everybody accepts. Only in a process of its own: it is all moto's."""
    os.environ["MARAUDE_SECRET_KEYS"] = "YmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmVuY2gtYmU="  # noqa: S105  # seals nothing that lasts
    os.environ["MARAUDE_HOOK_SECRET_KEYS"] = os.environ["MARAUDE_SECRET_KEYS"]
    with mock_aws():
        from ops.local.provision import provision  # noqa: PLC0415  # the keys come first
        from tests.taxis.hails.hail_factories import WAYS, Scene  # noqa: PLC0415

        provision(settings().stage, endpoint=None, region=settings().region)
        documents.forget()
        past: Any = boto3.client("dynamodb", region_name=settings().region)
        meter = Meter(
            lambda table, key: past.get_item(TableName=table, Key=key).get("Item"),
            charges.schema(settings().stage),
        )
        meter.attach(clients.session().get_component("event_emitter"))
        scene = Scene()
        with meter.counting() as bill:
            answer = scene.post()
            hail = hails.history(answer.data[0]["id"]).hail
            scene.drive(hail, *WAYS[Status.FINISHED])
        return Cost(bill.write_units, bill.read_units)
