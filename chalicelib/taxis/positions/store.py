"""Cells and last positions in DynamoDB (`night.py` has how last positions go).

| question                       | table          | key         | cost                   | asked by            |
| ------------------------------ | -------------- | ----------- | ---------------------- | ------------------- |
| the taxis of these cells       | cells          | cell        | 1 unit per 4 KB of a   | searches, ingest,   |
|                                |                |             | cell, strong; one call | changes of status   |
| every cell                     | cells          | scan        | half a unit per 4 KB   | the nightly job and |
|                                |                |             |                        | the desk            |
| where to look for these taxis, | last-positions | taxi_id     | 1 unit each, strong;   | ingest, changes of  |
| and where they were last seen  |                |             | one call               | status, GET /taxis  |
| a page of last positions       | last-positions | scan        | half a unit per 4 KB   | nightly jobs        |
| a last position without where  | last-positions | taxi_id     | 1 write unit           | the nightly job     |
| it was                         |                |             |                        |                     |
| which cells there are          | config         | `leaf_map`  | with the other         | everyone            |
|                                |                |             | documents              |                     |

Every write of a cell is conditioned on the version that was read. A new cell's first version is the
time, so that a cell that was retired and made again never meets an old condition.

A pointer says in which geohash-5 square a taxi's cell lies (`square`), since which position
(`since`), and in which one it was before (`before`): for a while after a move an older copy may be
there. It is written before the cells are, so that whoever follows it finds the taxi at any moment.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from botocore.exceptions import ClientError

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.cell_tree import CellTree
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.reads import Item, Want
from chalicelib.taxis.positions import codec, leaf_map
from chalicelib.taxis.positions.codec import TICKS_A_SECOND
from chalicelib.taxis.positions.entries import Entries
from chalicelib.taxis.positions.leaf_map import LeafMap, Maps
from chalicelib.taxis.positions.rules import Position
from chalicelib.taxis.positions.window import Cell

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.type_defs import AttributeValueTypeDef

CELL_KEPT_S = 3 * 86_400  # an abandoned cell that the nightly job has missed
LAST_POSITION_KEPT_S = 365 * 86_400
_CALLS_AT_ONCE = 8
TRIES = 8  # of a change that others keep overtaking

T = TypeVar("T")
R = TypeVar("R")


class Pointer(NamedTuple):
    """Where to look for a taxi: squares of `leaf_map`, and its last position once that is too old for a cell."""

    square: int
    since: int  # tick of the position that brought it there
    before: int | None
    last: Position | None

    @property
    def seen(self) -> int:
        """Tick of the newest position that it tells of."""
        return max(self.since, self.last[0]) if self.last else self.since


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max_workers=_CALLS_AT_ONCE, thread_name_prefix="positions")


def at_once(function: Callable[[T], R], things: Collection[T]) -> list[R]:
    """The function's answers, in order, from a few calls at a time.

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


def pause(attempt: int) -> None:
    """Waits a little before another try, longer each time, so that rivals fall out of step."""
    time.sleep(random.uniform(0.2, 1) * 0.01 * 2**attempt)  # noqa: S311  # jitter, no secret


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


def cells_wanted(cells: Iterable[int]) -> Want:
    """A strong read of cells, which may share a call with others."""
    return Want(table("cells"), [{"cell": {"S": geo.key(cell)}} for cell in cells])


def packed_taxis(item: Item) -> bytes:
    """The packed entries of a cell's item."""
    return bytes(item["taxis"]["B"])


def read_cells(cells: Iterable[int]) -> dict[int, Cell]:
    """Each of the cells, strongly; one that there is not as an empty one."""
    names = set(cells)
    return cells_read(names, reads.fetch(cells_wanted(names))[0] if names else ())


def cells_read(cells: Iterable[int], items: Iterable[Item]) -> dict[int, Cell]:
    """The same from what `cells_wanted` brought."""
    found = {cell: Cell(0, Entries()) for cell in cells}
    found |= map(_cell, items)
    return found


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
    entries = Entries(packed_taxis(item))
    return geo.from_key(item["cell"]["S"]), Cell(int(item["version"]["N"]), entries)


def write_cell(name: int, version: int, packed: bytes, *, map_version: int, now_tick: int) -> bool:
    """Replaces a cell that is still at `version` (0: there is none); False where it is not."""
    now_s = _seconds(now_tick)
    item: dict[str, AttributeValueTypeDef] = {
        "cell": {"S": geo.key(name)},
        "version": {"N": str(version + 1 if version else now_tick)},
        "written_at": {"N": str(now_s)},
        "map_version": {"N": str(map_version)},
        "ttl": {"N": str(now_s + CELL_KEPT_S)},
        "taxis": {"B": packed},
    }
    if version == 0:
        return _happened(
            lambda: clients.dynamodb().put_item(
                TableName=table("cells"),
                Item=item,
                ConditionExpression="attribute_not_exists(cell)",
            )
        )
    return _happened(
        lambda: clients.dynamodb().put_item(
            TableName=table("cells"),
            Item=item,
            ConditionExpression="version = :read",
            ExpressionAttributeValues={":read": {"N": str(version)}},
        )
    )


def delete_cell(name: int, version: int) -> bool:
    """Removes a cell that is still at `version`; False where it is not."""
    return _happened(
        lambda: clients.dynamodb().delete_item(
            TableName=table("cells"),
            Key={"cell": {"S": geo.key(name)}},
            ConditionExpression="version = :read",
            ExpressionAttributeValues={":read": {"N": str(version)}},
        )
    )


# --- pointers and last positions ----------------------------------------------------------------


def pointers_wanted(taxis: Iterable[int]) -> Want:
    """A strong read of pointers, which may share a call with others."""
    return Want(table("last-positions"), [{"taxi_id": {"S": codec.id_of(taxi)}} for taxi in taxis])


def read_pointers(taxis: Iterable[int]) -> dict[int, Pointer]:
    """The pointers there are, strongly, by taxi."""
    wanted = pointers_wanted(taxis)
    return pointers_read(reads.fetch(wanted)[0]) if wanted.keys else {}


def pointers_read(items: Iterable[Item]) -> dict[int, Pointer]:
    """The same from what `pointers_wanted` brought."""
    found = {}
    for item in items:
        taxi = codec.number_of(item["taxi_id"]["S"])
        if taxi is not None:
            found[taxi] = Pointer(
                square=leaf_map.square_from_name(item["square"]["S"]),
                since=int(item["since"]["N"]),
                before=leaf_map.square_from_name(item["before"]["S"]) if "before" in item else None,
                last=(
                    int(item["seen"]["N"]),
                    int(item["lat_e7"]["N"]),
                    int(item["lng_e7"]["N"]),
                )
                if "seen" in item
                else None,
            )
    return found


def move_pointer(taxi: int, at: Position, *, now_tick: int) -> bool:
    """Points to the square of a position; False where it does already, or a newer one has spoken."""
    seen, lat_e7, lng_e7 = at
    square = {"S": leaf_map.square_name(leaf_map.square_of(lng_e7, lat_e7))}
    return _happened(
        lambda: clients.dynamodb().update_item(
            TableName=table("last-positions"),
            Key={"taxi_id": {"S": codec.id_of(taxi)}},
            # What stands on the right of a SET is the item as it was
            UpdateExpression="SET #before = if_not_exists(#square, :square), #square = :square, "
            "#since = :since, #ttl = :ttl",
            ConditionExpression="attribute_not_exists(#since) OR "
            "(#since < :since AND #square <> :square)",
            ExpressionAttributeNames=_names("before", "square", "since", "ttl"),
            ExpressionAttributeValues={
                ":square": square,
                ":since": {"N": str(seen)},
                ":ttl": {"N": str(_seconds(now_tick) + LAST_POSITION_KEPT_S)},
            },
        )
    )


def keep_last(taxi: int, at: Position, *, now_tick: int) -> bool:
    """Keeps a position that is leaving its cell for good; False where a newer one is kept."""
    seen, lat_e7, lng_e7 = at
    square = {"S": leaf_map.square_name(leaf_map.square_of(lng_e7, lat_e7))}
    return _happened(
        lambda: clients.dynamodb().update_item(
            TableName=table("last-positions"),
            Key={"taxi_id": {"S": codec.id_of(taxi)}},
            UpdateExpression="SET #seen = :seen, #lat_e7 = :lat_e7, #lng_e7 = :lng_e7, #ttl = :ttl, "
            "#square = if_not_exists(#square, :square), #since = if_not_exists(#since, :seen)",
            ConditionExpression="attribute_not_exists(#seen) OR #seen < :seen",
            ExpressionAttributeNames=_names("seen", "lat_e7", "lng_e7", "ttl", "square", "since"),
            ExpressionAttributeValues={
                ":seen": {"N": str(seen)},
                ":lat_e7": {"N": str(lat_e7)},
                ":lng_e7": {"N": str(lng_e7)},
                ":square": square,
                ":ttl": {"N": str(_seconds(now_tick) + LAST_POSITION_KEPT_S)},
            },
        )
    )


def page_of_pointers(after: str | None, *, size: int) -> tuple[dict[int, Pointer], str | None]:
    """So many pointers behind that of the taxi `after`, and the last one's taxi where more follow."""
    items, last = reads.scanned(table("last-positions"), "taxi_id", after, size=size)
    return pointers_read(items), last


def blur(taxi: int, read: Pointer, last: Position) -> bool:
    """Puts the zero point in place of the last position of a pointer; False where it has changed.

    The square before the last goes too. The last one, some 5 km wide, is what a taxi that comes back
    to it is found by, and stays.
    """
    return _happened(
        lambda: clients.dynamodb().update_item(
            TableName=table("last-positions"),
            Key={"taxi_id": {"S": codec.id_of(taxi)}},
            UpdateExpression="SET #lat_e7 = :zero, #lng_e7 = :zero REMOVE #before",
            ConditionExpression="#seen = :seen AND #since = :since",
            ExpressionAttributeNames=_names("lat_e7", "lng_e7", "before", "seen", "since"),
            ExpressionAttributeValues={
                ":zero": {"N": "0"},
                ":seen": {"N": str(last[0])},
                ":since": {"N": str(read.since)},
            },
        )
    )


def _names(*attributes: str) -> dict[str, str]:
    """`#name` for each attribute: DynamoDB reserves `before`, `ttl` and many a word to come."""
    return {f"#{name}": name for name in attributes}


def _happened(write: Callable[[], object]) -> bool:
    try:
        write()
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def _seconds(tick: int) -> int:
    return int(codec.EPOCH.timestamp()) + tick // TICKS_A_SECOND
