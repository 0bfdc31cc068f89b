"""CPU time of a position, beside `json.loads` of the same positions in the same process.

The API's way is from the bytes of a body to the packed records, the ingest's from an event of Lambda
to the packed cells. What the AWS SDK adds to each call is measured by itself.
"""

import base64
import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import FrameType
from typing import Any
from unittest.mock import patch

import botocore.session

from bench.cloud import Cloud, Http
from bench.scene import VIEWERS, Scene
from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients, kinesis
from chalicelib.foundation.geo import E7
from chalicelib.foundation.settings import table
from chalicelib.taxis.contract import parsed
from chalicelib.taxis.positions import codec, store, window
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.schemas import BatchSchema
from ingest_lambda import handler

REPEATS = 7  # the best of which counts
_SDK_CALLS = 300
_CELL_BYTES = 1500


@dataclass(frozen=True, slots=True)
class Cost:
    """Positions a second of processor time."""

    api: float
    ingest: float
    json_loads: float  # of the same positions, as a body has them
    dict_pass: float  # of positions that are parsed: the newest of each taxi, in 1e-7 degree
    sdk_put_us: float  # microseconds that botocore spends on a PutItem of a cell
    sdk_records_us: float  # on a PutRecords of a POST
    ingest_calls: int  # of DynamoDB, in the window that was timed
    ingest_positions: int
    api_stages: Mapping[str, float]  # microseconds a position, in order
    ingest_stages: Mapping[str, float]
    api_opcodes: float  # of Python, a position; the same in every run
    ingest_opcodes: float


def run(scene: Scene) -> Cost:
    """Times the two ways with the positions of the fleet's next window, and changes nothing."""
    posts = [post for second in range(5) for post in scene.fleet.posts(second, scene.period_s)]
    lngs, lats = scene.fleet.e7()
    bodies = [
        (
            VIEWERS[operator],
            json.dumps(
                {
                    "positions": [
                        {
                            "taxi_id": scene.ids[taxi],
                            "lon": int(lngs[taxi]) / E7,
                            "lat": int(lats[taxi]) / E7,
                        }
                        for taxi in taxis
                    ]
                }
            ).encode(),
        )
        for operator, taxis in posts
    ]
    count = sum(len(taxis) for _, taxis in posts)
    schema = BatchSchema()
    sent: list[tuple[str, bytes]] = []

    def accept() -> None:
        sent.clear()
        for viewer, body in bodies:
            batch: Any = schema.load(parsed(body))
            positions.report(viewer, batch, now=scene.cloud.now)

    def taken(_: str, records: list[tuple[str, bytes]]) -> int:
        sent.extend(records)
        return 0

    with patch.object(kinesis, "put", taken):
        api_s = _best(accept)
        api_opcodes = _opcodes(accept)

    records: list[dict[str, Any]] = [
        {
            "eventSource": "aws:kinesis",
            "eventID": f"shardId-000000000000:{number}",
            "kinesis": {
                "sequenceNumber": str(number),
                "data": base64.b64encode(packed).decode(),
                "approximateArrivalTimestamp": scene.cloud.now.timestamp(),
            },
        }
        for number, (_, packed) in enumerate(sent)
    ]
    bare = _BareDynamoDB(scene.cloud)

    def ingest() -> None:
        bare.calls = 0
        handler._store_positions(records, [], scene.cloud.now)  # noqa: SLF001  # all but its log

    with patch.object(clients, "dynamodb", lambda: bare):
        ingest_s = _best(ingest)
        ingest_opcodes = _opcodes(ingest)

    texts = [body for _, body in bodies]
    batches = [json.loads(body)["positions"] for body in texts]
    loads_s = _best(lambda: [json.loads(body) for body in texts])
    read_s = _best(lambda: [parsed(body) for body in texts])
    pass_s = _best(lambda: [_newest(batch) for batch in batches])
    schema_s = _best(lambda: [schema.load({"positions": batch}) for batch in batches])
    per = 1e6 / count
    api_stages = {
        "JSON read": read_s * per,
        "checked by the schema": schema_s * per,
        "checked against the fleet, by region, packed": (api_s - read_s - schema_s) * per,
    }
    ingest_stages = _stages(scene, records, ingest_s)
    put, put_records = _sdk()
    return Cost(
        api=count / api_s,
        ingest=count / ingest_s,
        json_loads=count / loads_s,
        dict_pass=count / pass_s,
        sdk_put_us=_best(put) / _SDK_CALLS * 1e6,
        sdk_records_us=_best(put_records) / _SDK_CALLS * 1e6,
        ingest_calls=bare.calls,
        ingest_positions=count,
        api_stages=api_stages,
        ingest_stages={stage: seconds * per for stage, seconds in ingest_stages.items()},
        api_opcodes=api_opcodes / count,
        ingest_opcodes=ingest_opcodes / count,
    )


def _stages(scene: Scene, records: list[dict[str, Any]], whole_s: float) -> dict[str, float]:
    """Seconds of each stage of a window; the last is what is left of the whole."""
    data = [record["kinesis"]["data"] for record in records]
    reports = [codec.unpack_report(base64.b64decode(one, validate=True)) for one in data]
    newest = window.newest(reports)
    tree = store.leaf_maps()[-1].tree

    def leaves() -> set[int]:
        return {tree.leaf(geo.finest_cell(lng, lat)) for _, lat, lng in newest.values()}

    touched = leaves()
    items = [
        item
        for cell in touched
        if (item := scene.cloud.held(table("cells"), {"cell": {"S": geo.key(cell)}}))
    ]
    unpacked = store.cells(touched).parse
    cells = unpacked(items)
    stages = {
        "base64, unpacked": _best(
            lambda: [codec.unpack_report(base64.b64decode(one, validate=True)) for one in data]
        ),
        "the newest of each taxi": _best(lambda: window.newest(reports)),
        "the cell of each": _best(leaves),
        "cells unpacked": _best(lambda: unpacked(items)),
        "cells packed": _best(lambda: [cell.entries.packed() for cell in cells.values()]),
    }
    stages["merged, planned, keys and the rest"] = whole_s - sum(stages.values())
    return stages


def _opcodes(act: Callable[[], object]) -> int:
    """How many instructions of Python this thread runs."""
    count = 0

    def trace(frame: FrameType, event: str, _: object) -> Any:  # noqa: ANN401  # as settrace asks
        nonlocal count
        frame.f_trace_opcodes, frame.f_trace_lines = True, False
        count += event == "opcode"
        return trace

    sys.settrace(trace)
    try:
        act()
    finally:
        sys.settrace(None)
    return count


def _best(act: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        act()
        best = min(best, time.process_time() - started)
    return best


def _newest(body: list[dict[str, Any]]) -> dict[str, tuple[int, int]]:
    return {one["taxi_id"]: (round(one["lon"] * E7), round(one["lat"] * E7)) for one in body}


class _BareDynamoDB:
    """The client without the SDK: reads what there is, and keeps no write."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.calls = 0

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803  # AWS's name
        """The items there are."""
        self.calls += 1
        return {
            "Responses": {
                name: [
                    item
                    for key in expected["Keys"]
                    if (item := self._cloud.held(name, key)) is not None
                ]
                for name, expected in RequestItems.items()
            }
        }

    def put_item(self, **_: Any) -> None:  # noqa: ANN401
        """As if it were written."""
        self.calls += 1

    update_item = put_item


def _sdk() -> tuple[Callable[[], None], Callable[[], None]]:
    """A number of calls of each kind, answered at once where they would leave the process."""
    session = botocore.session.Session()
    events = session.get_component("event_emitter")
    events.register("before-call.dynamodb", lambda **_: (Http(200), {}))
    answer = {"FailedRecordCount": 0, "Records": [{}]}
    events.register("before-call.kinesis", lambda **_: (Http(200), answer))
    dynamodb: Any = session.create_client("dynamodb", region_name="eu-west-3")
    streams: Any = session.create_client("kinesis", region_name="eu-west-3")
    item = {"cell": {"S": "1" * 15}, "version": {"N": "1"}, "taxis": {"B": b"x" * _CELL_BYTES}}

    def put() -> None:
        for _ in range(_SDK_CALLS):
            dynamodb.put_item(
                TableName=table("cells"),
                Item=item,
                ConditionExpression="version = :read",
                ExpressionAttributeValues={":read": {"N": "1"}},
            )

    def put_records() -> None:
        for _ in range(_SDK_CALLS):
            streams.put_records(
                StreamName=table("positions"),
                Records=[{"PartitionKey": "paris", "Data": b"x" * 705}],
            )

    return put, put_records
