"""Writes and deletions of many items of the territory."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from chalicelib.foundation.aws import clients
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.territory.editions import Edition
from ops.cli.territory.items import divided

_ITEMS_A_CALL = 25  # BatchWriteItem's limit


_UNPROCESSED = Retry(tries=8, pause_s=0.05)  # of what DynamoDB leaves: some 6 s in all


def put_all(items: Iterable[Item], *, done: Callable[[int], None] = lambda _: None) -> int:
    """Writes items of the territory, divided where they must be, and returns how many that made.

    `done` hears the count as it grows.
    """
    return _write_all(
        ({"PutRequest": {"Item": part}} for item in items for part in divided(item)), done
    )


def _write_all(requests: Iterable[Mapping[str, object]], done: Callable[[int], None]) -> int:
    batch: list[Mapping[str, object]] = []
    written = 0
    with ThreadPoolExecutor(4) as pool:
        waiting = []
        for request in requests:
            batch.append(request)
            if len(batch) == _ITEMS_A_CALL:
                waiting.append(pool.submit(_write, batch))
                batch = []
            # Neither more in memory than the threads can write, nor a thread without work.
            while len(waiting) > 8 or (waiting and waiting[0].done()):
                written += waiting.pop(0).result()
                done(written)
        if batch:
            waiting.append(pool.submit(_write, batch))
        for left in waiting:
            written += left.result()
            done(written)
    return written


def _write(batch: Sequence[Mapping[str, object]]) -> int:
    """One BatchWriteItem, and again for what was left unprocessed. Raises StoreBusy."""
    left: object = list(batch)
    for _ in _UNPROCESSED.attempts():
        answer = clients.dynamodb().batch_write_item(RequestItems={table("territory"): left})  # type: ignore[dict-item]
        left = answer.get("UnprocessedItems", {}).get(table("territory"))
        if not left:
            return len(batch)
    raise reads.StoreBusy(f"DynamoDB left writes unprocessed {_UNPROCESSED.tries} times")


def clear(kinds: Collection[str], *, but: Collection[str]) -> int:
    """Deletes the items of every generation of some kinds except those named; a scan, for the desk.

    Returns how many they were.
    """
    pages = (
        clients.dynamodb()
        .get_paginator("scan")
        .paginate(TableName=table("territory"), ProjectionExpression="entry", ConsistentRead=True)
    )
    dead = [
        entry
        for page in pages
        for item in page["Items"]
        if (entry := item["entry"]["S"]).split("/")[0] in kinds and entry.split("/")[1] not in but
    ]
    return _write_all(
        ({"DeleteRequest": {"Key": {"entry": {"S": entry}}}} for entry in dead), lambda _: None
    )


def clear_territory(before: Edition, after: Edition) -> int:
    """Deletes what neither edition names: leftovers of loads that were interrupted, and older ones."""
    return clear(
        {"tile", "names", "points", "outlines", "zone"},
        but={before.generation, before.shapes, after.generation, after.shapes},
    )
