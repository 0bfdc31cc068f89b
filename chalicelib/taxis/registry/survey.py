"""All taxis with how they are used, for the survey of fleets.

| question                    | table         | key                | cost               | asked by         |
| --------------------------- | ------------- | ------------------ | ------------------ | ---------------- |
| whose every taxi is, and    | taxis         | scan               | half a unit per 4  | the survey of    |
| since when                  |               |                    | KB, 45 per 1,000   | fleets           |
| how every vehicle is used   | descriptions  | scan               | the same           | the same         |
"""

from collections.abc import Iterator
from datetime import datetime

from pynamodb.models import Model

from chalicelib.foundation.aws import clients
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.registry import availability, rules
from chalicelib.taxis.registry.rows import DescriptionRow, TaxiRow
from chalicelib.taxis.registry.rules import Licence, SurveyedTaxi, Usage


def every_taxi() -> Iterator[SurveyedTaxi]:
    """All taxis with how they are used: two scans, for jobs only.

    The taxis of a double-shift car share its description. One that has lost its description while
    this reads, or got it just now, was never used.
    """
    usages = dict(every_usage())
    for licence, added_at in every_licence():
        usage = usages.get(licence.description_id, rules.NEVER_USED)
        yield SurveyedTaxi(licence.owner, licence.insee, added_at, usage)


def _scanned(model: type[Model], *names: str) -> Iterator[Item]:
    """These attributes of every item, page by page; a change of the last second may be missing."""
    pages = (
        clients.dynamodb()
        .get_paginator("scan")
        .paginate(
            TableName=model.Meta.table_name,
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
        )
    )
    for page in pages:
        yield from page["Items"]


def every_licence() -> Iterator[tuple[Licence, datetime]]:
    """Of every taxi whose it is, and when it was added: a scan, for jobs only."""
    for item in _scanned(TaxiRow, "owner", "insee", "vehicle_id", "added_at"):
        yield availability.licence(item), TaxiRow.added_at.deserialize(item["added_at"]["S"])


def every_usage() -> Iterator[tuple[str, Usage]]:
    """How every vehicle is used, beside its description's key: a scan, for jobs only."""
    for item in _scanned(DescriptionRow, "description_id", "status_changed_at", "radius"):
        changed, radius = item.get("status_changed_at"), item.get("radius")
        yield (
            item["description_id"]["S"],
            Usage(
                DescriptionRow.status_changed_at.deserialize(changed["N"]) if changed else None,
                int(radius["N"]) if radius else None,
            ),
        )
