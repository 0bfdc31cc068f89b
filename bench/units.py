"""Read and write units of DynamoDB, counted at botocore's edge by the rules that AWS publishes.

Emulators are wrong about consumed capacity, so what a call costs is worked out from what it asks and
from the items that were there before and after. The rules, and where each is written:

[sizes]  amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
[units]  amazondynamodb/latest/developerguide/read-write-operations.html
[failed] amazondynamodb/latest/developerguide/WorkingWithItems.html, conditional writes

The two things that AWS calls approximate: a number is 1 byte for two significant digits and 1 more;
the sign of a negative one is taken to be a byte, as others have measured.

What is not counted here fails: writes of indexes (the registry has none), PartiQL.
"""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from chalicelib.foundation.store.reads import Item
from ops import apps
from ops.templates import resources

READ_STEP, WRITE_STEP = 4096, 1024  # bytes of a unit [units]
TRANSACTION = 2  # a transaction prepares, and then commits [units]

# The item that a table holds under a key, if there is one.
Held = Callable[[str, Item], Item | None]


class NotCounted(Exception):
    """A call whose units this counter does not know."""


# --- sizes [sizes] --------------------------------------------------------------------------------


def item_bytes(item: Mapping[str, Any]) -> int:
    """The size of an item: its names and its values. The 100 bytes of storage an item are no units."""
    return sum(len(name.encode()) + value_bytes(value) for name, value in item.items())


def value_bytes(value: Mapping[str, Any]) -> int:
    """The size of `{"S": "..."}` and the like; binary as bytes, or as the base64 of a request."""
    ((kind, held),) = value.items()
    match kind:
        case "S":
            return len(held.encode())
        case "N":
            return number_bytes(held)
        case "B":
            return _binary_bytes(held)
        case "NULL" | "BOOL":
            return 1
        case "SS":
            return sum(len(one.encode()) for one in held)
        case "NS":
            return sum(map(number_bytes, held))
        case "BS":
            return sum(map(_binary_bytes, held))
        case "L":
            return 3 + sum(1 + value_bytes(one) for one in held)
        case "M":
            return 3 + sum(1 + len(name.encode()) + value_bytes(one) for name, one in held.items())
    raise NotCounted(f"a value of kind {kind}")


def number_bytes(text: str) -> int:
    """The size of a number: zeros before and after it are trimmed."""
    number = Decimal(text)
    if not number:
        return 1
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    return (digits + 1) // 2 + 1 + (number < 0)


def _binary_bytes(held: str | bytes) -> int:
    if isinstance(held, str):
        return len(held) * 3 // 4 - held.count("=", -2)
    return len(bytes(held))


# --- units [units] --------------------------------------------------------------------------------


def read_units(size: int, *, consistent: bool) -> float:
    """Units of a read of so many bytes, rounded up; of nothing as of one byte."""
    return -(-max(size, 1) // READ_STEP) * (1.0 if consistent else 0.5)


def write_units(size: int) -> int:
    """Units of a write of an item of so many bytes, rounded up; of nothing as of one byte."""
    return -(-max(size, 1) // WRITE_STEP)


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


class _Write(NamedTuple):
    table: str
    key: Item
    new: Item | None  # of a put
    kind: str


def _key(schema: Schema, table: str, item: Mapping[str, Any]) -> Item:
    return {name: item[name] for name in schema[table]}


def _text(key: Item) -> str:
    return "/".join(str(next(iter(value.values()))) for value in key.values())


def _writes(operation: str, parameters: Mapping[str, Any], keys: Schema) -> Iterator[_Write]:
    match operation:
        case "PutItem":
            table, item = parameters["TableName"], parameters["Item"]
            yield _Write(table, _key(keys, table, item), item, operation)
        case "UpdateItem" | "DeleteItem":
            yield _Write(parameters["TableName"], parameters["Key"], None, operation)
        case "BatchWriteItem":
            for table, requests in parameters["RequestItems"].items():
                for request in requests:
                    ((kind, one),) = request.items()
                    inner = "PutItem" if kind == "PutRequest" else "DeleteItem"
                    yield from _writes(inner, {"TableName": table, **one}, keys)
        case "TransactWriteItems":
            for request in parameters["TransactItems"]:
                ((kind, one),) = request.items()
                if kind == "ConditionCheck":
                    yield _Write(one["TableName"], one["Key"], None, kind)
                else:
                    yield from _writes(f"{kind}Item", one, keys)


READS = frozenset({"GetItem", "BatchGetItem", "TransactGetItems", "Query", "Scan"})
WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem", "TransactWriteItems"})
FREE = frozenset({"DescribeTable", "ListTables", "CreateTable", "UpdateTimeToLive"})


def _reads(
    operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any], held: Held
) -> Iterator[Charge]:
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


@dataclass(slots=True)
class Bill:
    """What was counted."""

    reads: Counter[str] = field(default_factory=Counter)  # units, by table
    writes: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # by operation
    read_keys: int = 0
    refused: int = 0  # writes whose condition failed
    of_key: Counter[tuple[str, str]] = field(default_factory=Counter)  # write units
    read_of_key: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def read_units(self) -> float:
        """Of all tables."""
        return float(sum(self.reads.values()))

    @property
    def write_units(self) -> int:
        """Of all tables."""
        return sum(self.writes.values())


class Meter:
    """Counts every call of DynamoDB whose events it is attached to, from any thread."""

    def __init__(self, held: Held, keys: Schema) -> None:
        self._held = held
        self._keys = keys
        self._lock = threading.Lock()
        self._bills: list[Bill] = []

    def attach(self, events: Any) -> None:  # noqa: ANN401  # botocore's emitter, of a client or a session
        """Counts the calls of a client, or of the clients that a session will make."""
        events.register_first("before-call.dynamodb", self._before)
        events.register("after-call.dynamodb", self._after)

    @contextmanager
    def counting(self) -> Iterator[Bill]:
        """A bill of the calls that are made meanwhile."""
        bill = Bill()
        self._bills.append(bill)
        try:
            yield bill
        finally:
            self._bills.remove(bill)

    def _before(self, *, model: Any, params: Any, context: Any, **_: Any) -> None:  # noqa: ANN401  # botocore's
        operation = model.name
        if operation in FREE:
            return
        if operation not in READS | WRITES:
            raise NotCounted(operation)
        parameters = json.loads(params["body"])
        writes = [
            (write, item_bytes(self._held(write.table, write.key) or {}))
            for write in _writes(operation, parameters, self._keys)
        ]
        context["units"] = parameters, writes

    def _after(self, *, model: Any, parsed: Any, context: Any, **_: Any) -> None:  # noqa: ANN401
        if "units" not in context:
            return
        parameters, writes = context.pop("units")
        operation, failed = model.name, "Error" in parsed
        if failed and parsed["Error"]["Code"] not in _CHARGED:
            charges: list[Charge] = []
        elif operation in WRITES:
            charges = list(self._charges(operation, writes, parsed, failed=failed))
        else:
            charges = list(_reads(operation, parameters, parsed, self._held))
        with self._lock:
            for bill in self._bills:
                _enter(bill, operation, charges, refused=failed)

    def _charges(
        self,
        operation: str,
        writes: Iterable[tuple[_Write, int]],
        answer: Mapping[str, Any],
        *,
        failed: bool,
    ) -> Iterator[Charge]:
        times = TRANSACTION if operation == "TransactWriteItems" else 1
        left = [
            _text(
                next(
                    iter(_writes("BatchWriteItem", {"RequestItems": {table: [one]}}, self._keys))
                ).key
            )
            for table, requests in (answer.get("UnprocessedItems") or {}).items()
            for one in requests
        ]
        for write, before in writes:
            if _text(write.key) in left:
                continue
            # A refused one costs what is there [failed]; one that is done the larger of before
            # and after, which for a deletion is what it deleted [units]
            size = before
            if not failed and write.kind == "PutItem":
                size = max(before, item_bytes(write.new or {}))
            elif not failed and write.kind == "UpdateItem":
                size = max(before, item_bytes(self._held(write.table, write.key) or {}))
            yield Charge(write.table, _text(write.key), writes=times * write_units(size))


# The refusals that cost; a throttled or malformed call costs nothing.
_CHARGED = frozenset({"ConditionalCheckFailedException", "TransactionCanceledException"})


def _enter(bill: Bill, operation: str, charges: Sequence[Charge], *, refused: bool) -> None:
    bill.calls[operation] += 1
    bill.refused += refused
    for table, key, reads, writes in charges:
        if operation in READS:
            bill.reads[table] += reads  # type: ignore[assignment]  # a Counter may count halves
            bill.read_of_key[table, key] += reads  # type: ignore[assignment]
            bill.read_keys += 1
        else:
            bill.writes[table] += writes
            bill.of_key[table, key] += writes
