"""Cells in DynamoDB, and the map of which there are (`pointers` has where to look for a taxi).

| question                       | table          | key         | cost                   | asked by            |
| ------------------------------ | -------------- | ----------- | ---------------------- | ------------------- |
| the taxis of these cells       | cells          | cell        | 1 unit per 4 KB of a   | searches, ingest,   |
|                                |                |             | cell, strong; one call | changes of status   |
| every cell                     | cells          | scan        | half a unit per 4 KB   | the nightly job and |
|                                |                |             |                        | the desk            |
| which cells there are          | config         | `leaf_map`  | with the other         | everyone            |
|                                |                |             | documents              |                     |

Every write of a cell is conditioned on the version that was read. A new cell's first version is the
time, so that a cell that was retired and made again never meets an old condition.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.cell_tree import CellTree
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.taxis.positions import codec, leaf_map
from chalicelib.taxis.positions.codec import TICKS_A_SECOND
from chalicelib.taxis.positions.entries import Cell, Entries, Rewrite
from chalicelib.taxis.positions.leaf_map import LeafMap, Maps

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

CELL_KEPT_S = 3 * 86_400  # an abandoned cell that the nightly job has missed
_CALLS_AT_ONCE = 8

T = TypeVar("T")
R = TypeVar("R")


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_CALLS_AT_ONCE, thread_name_prefix="positions")


def at_once(function: Callable[[T], R], things: Collection[T]) -> list[R]:
    """Calls the function for each thing, a few calls at a time; the results in order.

    Each thread takes the next thing as soon as it has time. After an error nothing more is begun.
    """
    if len(things) < 2:
        return [function(thing) for thing in things]
    waiting = enumerate(things)  # whose `next` no two threads are in at once
    answers: dict[int, R] = {}

    def work(_thread: int) -> None:
        try:
            for place, thing in waiting:
                answers[place] = function(thing)
        except BaseException:
            deque(waiting, maxlen=0)
            raise

    list(_threads().map(work, range(min(_CALLS_AT_ONCE, len(things)))))
    return [answers[place] for place in range(len(things))]


# --- the leaf map -------------------------------------------------------------------------------


def _parse_maps(item: Item | None) -> Maps:
    if item is None:
        return [leaf_map.FIRST]
    return [
        LeafMap(
            int(one["M"]["version"]["N"]),
            int(one["M"]["from"]["N"]),
            _parse_tree(one["M"]),
        )
        for one in item["maps"]["L"]
    ]


def _parse_tree(one: Item) -> CellTree:
    # A registry whose splits made four wrote `tree`, and fails on `halves` rather than miss taxis
    if "tree" in one:
        return CellTree.from_bytes(bytes(one["tree"]["B"]), in_four=True)
    return CellTree.from_bytes(bytes(one["halves"]["B"]))


_maps: documents.Document[Maps] = documents.Document("leaf_map", _parse_maps)


def leaf_maps() -> Maps:
    """The leaf maps in use and to come, oldest first."""
    return _maps.current()


def replace_leaf_maps(maps: Maps) -> None:
    """Puts these in place of what there was."""
    _maps.replace(
        {
            "maps": {
                "L": [
                    {
                        "M": {
                            "version": {"N": str(one.version)},
                            "from": {"N": str(one.starts_s)},
                            "halves": {"B": one.tree.to_bytes()},
                        }
                    }
                    for one in maps
                ]
            }
        }
    )


# --- cells --------------------------------------------------------------------------------------


def _keys(cells: Iterable[int]) -> list[Item]:
    return reads.keys("cell", map(geo.key, cells))


def _taxis(item: Item) -> bytes:
    return bytes(item["taxis"]["B"])


def entries(cells: Iterable[int]) -> Read[list[bytes]]:
    """The packed entries of those of the cells that there are, strongly."""
    return Read(table("cells"), _keys(cells), lambda items: list(map(_taxis, items)))


def cells(names: Collection[int]) -> Read[dict[int, Cell]]:
    """Each of the cells, strongly; one that there is not as an empty one."""

    def each(items: Iterable[Item]) -> dict[int, Cell]:
        return {name: Cell(0, Entries()) for name in names} | dict(map(_cell, items))

    return Read(table("cells"), _keys(names), each)


def read_cells(names: Iterable[int]) -> dict[int, Cell]:
    """The same, read alone."""
    return reads.one(cells(set(names)))


def every_cell(after: str | None = None) -> Iterator[tuple[str, dict[int, Cell]]]:
    """All cells, page by page, each page beside the key that a later scan goes on after."""
    start: Item | None = {"cell": {"S": after}} if after else None
    while True:
        answer = (
            clients.dynamodb().scan(TableName=table("cells"), ExclusiveStartKey=start)
            if start
            else clients.dynamodb().scan(TableName=table("cells"))
        )
        start = answer.get("LastEvaluatedKey")
        yield start["cell"]["S"] if start else "", dict(map(_cell, answer["Items"]))
        if not start:
            return


def _cell(item: Item) -> tuple[int, Cell]:
    return geo.from_key(item["cell"]["S"]), Cell(int(item["version"]["N"]), Entries(_taxis(item)))


def write_cell(name: int, version: int, packed: bytes, *, map_version: int, now_tick: int) -> bool:
    """Replaces a cell that is still at `version` (0: there is none); False where it is not."""
    now_s = seconds_of(now_tick)
    item: dict[str, AttributeValueTypeDef] = {
        "cell": {"S": geo.key(name)},
        "version": {"N": str(version + 1 if version else now_tick)},
        "written_at": {"N": str(now_s)},
        "map_version": {"N": str(map_version)},
        "ttl": {"N": str(now_s + CELL_KEPT_S)},
        "taxis": {"B": packed},
    }
    if version == 0:
        return happened(
            lambda: clients.dynamodb().put_item(
                TableName=table("cells"),
                Item=item,
                ConditionExpression="attribute_not_exists(cell)",
            )
        )
    return happened(
        lambda: clients.dynamodb().put_item(
            TableName=table("cells"),
            Item=item,
            ConditionExpression="version = :read",
            ExpressionAttributeValues={":read": {"N": str(version)}},
        )
    )


def rewrite(cells: Mapping[int, Rewrite], *, now: datetime) -> set[int]:
    """Writes cells over the version that was read; returns those that others changed first."""
    using = leaf_map.for_writers(leaf_maps(), now_s=now.timestamp())
    now_tick = codec.tick(now)
    kept = at_once(
        lambda name: write_cell(
            name,
            cells[name].version,
            cells[name].packed,
            map_version=using.version,
            now_tick=now_tick,
        ),
        cells,
    )
    return {name for name, was_kept in zip(cells, kept, strict=True) if not was_kept}


def delete_cell(name: int, version: int) -> bool:
    """Removes a cell that is still at `version`; False where it is not."""
    return happened(
        lambda: clients.dynamodb().delete_item(
            TableName=table("cells"),
            Key={"cell": {"S": geo.key(name)}},
            ConditionExpression="version = :read",
            ExpressionAttributeValues={":read": {"N": str(version)}},
        )
    )


def happened(write: Callable[[], object]) -> bool:
    """Whether the condition of a write held."""
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def seconds_of(tick: int) -> int:
    """Unix seconds."""
    return int(codec.EPOCH.timestamp()) + tick // TICKS_A_SECOND
