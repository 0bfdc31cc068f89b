"""Pointers and last positions of taxis in DynamoDB (`retention` deletes them).

| question                       | table          | key     | cost                   | asked by            |
| ------------------------------ | -------------- | ------- | ---------------------- | ------------------- |
| where to look for these taxis, | last-positions | taxi_id | 1 unit each, strong;   | ingest, changes of  |
| and where they were last seen  |                |         | one call               | status, GET /taxis  |
| a page of last positions       | last-positions | scan    | half a unit per 4 KB   | nightly jobs        |
| a last position without where  | last-positions | taxi_id | 1 write unit           | the nightly job     |
| it was                         |                |         |                        |                     |

A pointer says in which geohash-5 square a taxi's cell lies (`square`), since which position
(`since`), and in which one it was before (`before`): for a while after a move an older copy may be
there. It is written before the cells are, so that whoever follows it finds the taxi at any moment.
"""

from collections.abc import Iterable
from datetime import datetime

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Item, Read
from chalicelib.taxis.positions import codec, leaf_map
from chalicelib.taxis.positions.entries import Rewrite
from chalicelib.taxis.positions.rules import Pointer, Position
from chalicelib.taxis.positions.store import at_once, happened, seconds_of

LAST_POSITION_KEPT_S = 365 * 86_400


def of(taxis: Iterable[int]) -> Read[dict[int, Pointer]]:
    """The pointers there are, strongly, by taxi."""
    keys = reads.keys("taxi_id", map(codec.id_of, taxis))
    return Read(table("last-positions"), keys, _parse)


def read(taxis: Iterable[int]) -> dict[int, Pointer]:
    """The same, read alone."""
    return reads.one(of(taxis))


def _parse(items: Iterable[Item]) -> dict[int, Pointer]:
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


def move(taxi: int, at: Position, *, now_tick: int) -> bool:
    """Moves a pointer to the square of a position; False where it is there, or a newer position came."""
    seen, lat_e7, lng_e7 = at
    square = {"S": leaf_map.square_name(leaf_map.square_of(lng_e7, lat_e7))}
    return happened(
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
                ":ttl": {"N": str(seconds_of(now_tick) + LAST_POSITION_KEPT_S)},
            },
        )
    )


def keep_last(taxi: int, at: Position, *, now_tick: int) -> bool:
    """Stores a position that is too old for its cell; False where a newer one is stored."""
    seen, lat_e7, lng_e7 = at
    square = {"S": leaf_map.square_name(leaf_map.square_of(lng_e7, lat_e7))}
    return happened(
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
                ":ttl": {"N": str(seconds_of(now_tick) + LAST_POSITION_KEPT_S)},
            },
        )
    )


def keep(rewrites: Iterable[Rewrite], *, now: datetime) -> None:
    """Keeps what is too old for cells that are about to be rewritten."""
    retired = [one for rewrite in rewrites for one in rewrite.retired.items()]
    now_tick = codec.tick(now)
    at_once(lambda one: keep_last(*one, now_tick=now_tick), retired)


def page(after: str | None, *, size: int) -> tuple[dict[int, Pointer], str | None]:
    """So many pointers behind that of the taxi `after`, and the last one's taxi where more follow."""
    items, last = reads.scanned(table("last-positions"), "taxi_id", after, size=size)
    return _parse(items), last


def blur(taxi: int, read: Pointer, last: Position) -> bool:
    """Replaces the last position of a pointer by zeros; False where it has changed.

    The square before the last goes too. The last one, some 5 km wide, is what a taxi that comes back
    to it is found by, and stays.
    """
    return happened(
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
