"""Kinesis iterators that are not kept, and expiry of records that looks at the oldest only.

MiniStack 1.5.33 keeps the iterator of each look into a shard for five minutes and walks through all of
them at every call; an iterator is a place in the list of records, which goes wrong by as many as leave
the stream at its far end after 24 hours; and each call copies the lists of all records of its stream.
"""

# ruff: noqa: SLF001  # MiniStack has no other way in

import base64
import json
import time
from bisect import bisect_right
from typing import Any

from ministack.services import kinesis

Answer = tuple[int, dict[str, str], bytes]  # status, headers, body


def repair() -> None:
    """Puts the functions of this module in the place of MiniStack's."""
    get_shard_iterator, get_records = kinesis._get_shard_iterator, kinesis._get_records

    def records(data: dict[str, Any]) -> Answer:
        iterator = data.get("ShardIterator", "")
        place = _place(iterator)
        if place is None:
            refused: Answer = get_records(data)
            return refused
        kinesis._shard_iterators[iterator] = place
        try:
            answer: Answer = get_records(data)
        finally:
            kinesis._shard_iterators.pop(iterator, None)  # MiniStack drops an old one itself
        return _unkept(answer)

    kinesis._get_shard_iterator = lambda data: _unkept(get_shard_iterator(data))
    kinesis._get_records = records
    kinesis._expire_records = expire
    kinesis._restore_shard_iterator_store = lambda _: None  # of a run without this repair


def expire(stream: dict[str, Any]) -> None:
    """Drops the records of a stream that are older than it keeps them, from the oldest on."""
    since = time.time() - stream["RetentionPeriodHours"] * 3600
    for shard in stream["shards"].values():
        records, gone = shard["records"], 0
        while gone < len(records) and records[gone]["ApproximateArrivalTimestamp"] < since:
            gone += 1
        del records[:gone]


def _unkept(answer: Answer) -> Answer:
    """An answer whose iterator says by itself where it stands: after which record of its shard."""
    status, headers, body = answer
    if status != 200:
        return answer
    [(token, place)] = kinesis._shard_iterators.items()
    del kinesis._shard_iterators[token]
    position = place.pop("position")
    records = kinesis._streams[place["stream"]]["shards"][place["shard_id"]]["records"]
    place["after"] = records[position - 1]["SequenceNumber"] if position else ""
    iterator = base64.urlsafe_b64encode(json.dumps(place).encode())
    return status, headers, body.replace(token.encode(), iterator)


def _place(iterator: str) -> dict[str, Any] | None:
    """What MiniStack would have kept of an iterator, as of now; None where it is none, or its shard is gone."""
    try:
        place: dict[str, Any] = json.loads(base64.urlsafe_b64decode(iterator))
        after = place.pop("after")
        stream = kinesis._streams.get(place["stream"])
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    shard = stream and stream["shards"].get(place["shard_id"])
    records = shard["records"] if shard else []
    place["position"] = bisect_right(records, after, key=lambda one: one["SequenceNumber"])
    return place
