"""What a call of DynamoDB costs: the items and queries in it, with their units (`bench/units.py`).

Worked out from what it asks and from the items that were there before and after, for emulators are wrong
about consumed capacity. What is not counted here fails: writes of indexes (the registry has none), PartiQL.

[units]  amazondynamodb/latest/developerguide/read-write-operations.html
[failed] amazondynamodb/latest/developerguide/WorkingWithItems.html, conditional writes
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from bench.units import NotCounted, item_bytes, read_units, write_units
from chalicelib.foundation.store.reads import Item
from ops import apps
from ops.templates import resources

TRANSACTION = 2  # a transaction prepares, and then commits [units]

READS = frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
FREE = frozenset({"DescribeTable", "ListTables", "CreateTable", "UpdateTimeToLive"})

# The refusals that cost; a throttled or malformed call costs nothing.
CHARGED = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})

# The item that a table holds under a key, if there is one.
Held = Callable[[str, Item], Item | None]


class Charge(NamedTuple):
    """What one item, or one query, of a call cost."""

    table: str
    key: str
    reads: float = 0.0
    writes: int = 0


Schema = Mapping[str, Sequence[str]]  # the names of each table's key


def schema(
    stage: str, declared: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, tuple[str, ...]]:
    """The keys of all services' tables, or of the tables of these resources.

    Raises NotCounted for a table with an index, whose writes cost more.
    """
    found = {}
    every = [declared] if declared else [resources(app) for app in apps.every().values()]
    for resource in (one for each in every for one in each.values()):
        if resource["Type"] != "AWS::DynamoDB::Table":
            continue
        properties = resource["Properties"]
        name = properties["TableName"]["Fn::Sub"].replace("${Stage}", stage)
        if properties.get("GlobalSecondaryIndexes") or properties.get("LocalSecondaryIndexes"):
            raise NotCounted(f"{name} has an index")
        found[name] = tuple(part["AttributeName"] for part in properties["KeySchema"])
    return found


class Write(NamedTuple):
    """One item that a call writes."""

    table: str
    key: Item
    new: Item | None  # of a put
    kind: str


def _key(schema: Schema, table: str, item: Mapping[str, Any]) -> Item:
    return {name: item[name] for name in schema[table]}


def _text(key: Item) -> str:
    return "/".join(str(next(iter(value.values()))) for value in key.values())


def writes(operation: str, parameters: Mapping[str, Any], keys: Schema) -> Iterator[Write]:
    """The items that a call writes, or checks within a transaction."""
    match operation:
        case "PutItem":
            table, item = parameters["TableName"], parameters["Item"]
            yield Write(table, _key(keys, table, item), item, operation)
        case "UpdateItem" | "DeleteItem":
            yield Write(parameters["TableName"], parameters["Key"], None, operation)
        case "BatchWriteItem":
            for table, requests in parameters["RequestItems"].items():
                for request in requests:
                    ((kind, one),) = request.items()
                    inner = "PutItem" if kind == "PutRequest" else "DeleteItem"
                    yield from writes(inner, {"TableName": table, **one}, keys)
        case "TransactWriteItems":
            for request in parameters["TransactItems"]:
                ((kind, one),) = request.items()
                if kind == "ConditionCheck":
                    yield Write(one["TableName"], one["Key"], None, kind)
                else:
                    yield from writes(f"{kind}Item", one, keys)


READS = frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
FREE = frozenset({"DescribeTable", "ListTables", "CreateTable", "UpdateTimeToLive"})


def of_reads(
    operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any], held: Held
) -> Iterator[Charge]:
    """What each item of a reading call cost, or its whole query. Raises NotCounted."""
    if operation in ("Query", "Scan"):
        yield _searched(operation, parameters, answer)
        return
    for table, key, times in _gets(operation, parameters, answer):
        # Each item is rounded up before they are added up; what is projected away is read all the
        # same; an absent item costs as much as the smallest
        size = item_bytes(held(table, key) or {})
        yield Charge(table, _text(key), times * read_units(size, consistent=True))


def _gets(
    operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]
) -> Iterator[tuple[str, Item, float]]:
    """The keys that were read, and by how much each costs more than a strong read, or less."""
    if operation == "TransactGetItems":
        for request in parameters["TransactItems"]:
            yield request["Get"]["TableName"], request["Get"]["Key"], TRANSACTION
        return
    tables = (
        parameters["RequestItems"]
        if operation == "BatchGetItem"
        else {parameters["TableName"]: parameters}
    )
    left = answer.get("UnprocessedKeys") or {}
    for table, of_table in tables.items():
        unprocessed = [_text(key) for key in left.get(table, {}).get("Keys", ())]
        times = 1.0 if of_table.get("ConsistentRead", False) else 0.5
        for key in of_table.get("Keys") or [of_table["Key"]]:
            if _text(key) not in unprocessed:
                yield table, key, times


def _searched(operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> Charge:
    hiding = ("ProjectionExpression", "FilterExpression", "IndexName", "AttributesToGet")
    if any(name in parameters for name in hiding) or parameters.get("Select", "") == "COUNT":
        raise NotCounted(f"a {operation} that does not answer all that it reads")
    # All items are added up before they are rounded up
    size = sum(map(item_bytes, answer["Items"]))
    units = read_units(size, consistent=parameters.get("ConsistentRead", False))
    values = parameters.get("ExpressionAttributeValues") or {"": {"S": ""}}
    return Charge(parameters["TableName"], _text({"": next(iter(values.values()))}), units)


def of_writes(
    operation: str,
    asked: Iterable[tuple[Write, int]],
    answer: Mapping[str, Any],
    held: Held,
    keys: Schema,
    *,
    failed: bool,
) -> Iterator[Charge]:
    """What each item of a writing call cost; `asked` has the bytes that were there before."""
    times = TRANSACTION if operation == "TransactWriteItems" else 1
    left = [
        _text(next(writes("BatchWriteItem", {"RequestItems": {table: [one]}}, keys)).key)
        for table, requests in (answer.get("UnprocessedItems") or {}).items()
        for one in requests
    ]
    for write, before in asked:
        if _text(write.key) in left:
            continue
        # A refused one costs what is there [failed]; one that is done the larger of before
        # and after, which for a deletion is what it deleted [units]
        size = before
        if not failed and write.kind == "PutItem":
            size = max(before, item_bytes(write.new or {}))
        elif not failed and write.kind == "UpdateItem":
            size = max(before, item_bytes(held(write.table, write.key) or {}))
        yield Charge(write.table, _text(write.key), writes=times * write_units(size))
