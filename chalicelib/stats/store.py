"""Counters in DynamoDB.

| question              | table    | key           | order    | cost                       | asked by   |
| --------------------- | -------- | ------------- | -------- | -------------------------- | ---------- |
| the latest minute     | counters | active_minute | one item | half a unit per 4 KB, once | GET /zupc  |
|                       |          |               |          | each 5 s a process         |            |
"""

import json
import zlib
from datetime import UTC, datetime

from chalicelib import aws
from chalicelib.settings import table
from chalicelib.stats.rules import ActiveCounts

_NAME = {"name": {"S": "active_minute"}}


def put_active(counts: ActiveCounts, *, at: datetime) -> None:
    """Stores the latest minute's counters in place of the one before."""
    document = [
        counts.towns,
        counts.zones,
        [[*key, n] for key, n in counts.operators_in_towns.items()],
        [[*key, n] for key, n in counts.operators_in_zones.items()],
    ]
    aws.dynamodb().put_item(
        TableName=table("counters"),
        Item={
            **_NAME,
            "at": {"N": str(int(at.timestamp()))},
            "counts": {"B": zlib.compress(json.dumps(document).encode())},
        },
    )


def active() -> tuple[datetime, ActiveCounts] | None:
    """The latest minute's counters and their time."""
    item = aws.dynamodb().get_item(TableName=table("counters"), Key=_NAME).get("Item")
    if item is None:
        return None
    towns, zones, own_towns, own_zones = json.loads(zlib.decompress(item["counts"]["B"]))
    counts = ActiveCounts(
        towns,
        zones,
        {(owner, insee): n for owner, insee, n in own_towns},
        {(owner, zone_id): n for owner, zone_id, n in own_zones},
    )
    return datetime.fromtimestamp(int(item["at"]["N"]), UTC), counts
