"""DynamoDB queries that walk the items they answer instead of their whole partition.

MiniStack 1.5.33 sorts the partition at each Query and reads the key condition anew for each of its
items: an operator of 5,000 taxis has 10,000 items in one, which each `POST /taxis` asks for a page of. What
was found by the condition is not held against it again, save for one item, so that a condition which
DynamoDB refuses is refused: the journal counts thousands of entries for a page.
"""

import inspect
import re
import threading
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from ministack.services import dynamodb

from ops.errors import CannotGoOn

Item = dict[str, Any]

_WALK = 'candidates = list(table["items"].get(pk_val, {}).values())'
_OURS = "candidates = walked(table, pk_val, data)"
_HOLD = (
    "[it for it in candidates if "
    '_evaluate_condition(key_cond, it, eav, ean, slot="KeyConditionExpression")]'
)
_HELD = (
    "admitted(candidates, lambda it: "
    '_evaluate_condition(key_cond, it, eav, ean, slot="KeyConditionExpression"))'
)
_FEW = 16  # items of a partition that may as well be walked

# A condition as botocore's and PynamoDB's users write it: of the partition key, and of the sort key
_CONDITION = re.compile(
    r"""\(? \s* \#?\w+ \s* = \s* :\w+ (?: \s+ AND \s+ (?:
        (?P<compared> \#?\w+ ) \s* (?P<operator> [<>]=? | = ) \s* (?P<value> :\w+ )
        | (?P<between> \#?\w+ ) \s+ BETWEEN \s+ (?P<from> :\w+ ) \s+ AND \s+ (?P<to> :\w+ )
        | begins_with \s* \( \s* (?P<begins> \#?\w+ ) \s* , \s* (?P<prefix> :\w+ ) \s* \)
    ))? \s* \)?""",
    re.VERBOSE | re.IGNORECASE,
)
_COMPARED: dict[str, Callable[[list[str], str], tuple[int, int]]] = {
    "=": lambda keys, value: (bisect_left(keys, value), bisect_right(keys, value)),
    "<": lambda keys, value: (0, bisect_left(keys, value)),
    "<=": lambda keys, value: (0, bisect_right(keys, value)),
    ">": lambda keys, value: (bisect_right(keys, value), len(keys)),
    ">=": lambda keys, value: (bisect_left(keys, value), len(keys)),
}


class Changed(CannotGoOn):
    """MiniStack is another version than the one that is repaired."""


class Partition(dict[str, Item]):
    """The items of a partition by sort key, with its sort keys in order."""

    def __init__(self, items: dict[str, Item]) -> None:
        super().__init__(items)
        self.order = sorted(items)
        self._lock = threading.Lock()  # requests are one thread's, expiry is another's

    def __setitem__(self, key: str, item: Item) -> None:
        with self._lock:
            if key not in self:
                insort(self.order, key)
            super().__setitem__(key, item)

    def pop(self, key: str, default: Any = None) -> Any:  # noqa: ANN401  # as dict's
        """Takes an item out, as MiniStack does."""
        with self._lock:
            if key in self:
                del self.order[bisect_left(self.order, key)]
            return super().pop(key, default)

    def __deepcopy__(self, known: dict[int, Any]) -> dict[str, Item]:
        return {key: deepcopy(item, known) for key, item in self.items()}  # to be saved


class Admitted(list[Item]):
    """Items that a key condition admits, for it has found them."""


def repair() -> None:
    """Has MiniStack's Query ask `walked` and `admitted`. Raises Changed."""
    source = inspect.getsource(dynamodb._query)  # noqa: SLF001  # it has no other way in
    if (source.count(_WALK), source.count(_HOLD)) != (1, 1):
        raise Changed("MiniStack's Query is not the one of 1.5.33 that ops/local/emulator repairs.")
    dynamodb.walked, dynamodb.admitted = walked, admitted
    # The rest of its 300 lines checks and answers as DynamoDB does, and stays
    repaired = source.replace(_WALK, _OURS).replace(_HOLD, _HELD)
    exec(compile(repaired, inspect.getfile(dynamodb), "exec"), vars(dynamodb))  # noqa: S102  # its own source


def walked(table: dict[str, Any], partition: str, query: dict[str, Any]) -> list[Item]:
    """The items of a partition that a Query walks: those that its key condition admits, one page at most.

    All of them where the sort key is no text or the condition has another form: MiniStack sorts
    what it gets and applies condition, start and limit to it.
    """
    items = table["items"].get(partition, {})
    if len(items) <= _FEW or dynamodb._get_attr_type(table, table["sk_name"]) != "S":  # noqa: SLF001
        return list(items.values())
    if not isinstance(items, Partition):
        items = table["items"][partition] = Partition(items)
    span = _span(items.order, table, query)
    if span is None:
        return list(items.values())
    first, last = span
    forward = query.get("ScanIndexForward", True)
    if start := query.get("ExclusiveStartKey"):
        key = start[table["sk_name"]]["S"]
        if forward:
            first = max(first, bisect_right(items.order, key))
        else:
            last = min(last, bisect_left(items.order, key))
    page = int(query.get("Limit") or len(items))
    first, last = (first, min(last, first + page)) if forward else (max(first, last - page), last)
    return Admitted(
        items[key] for key in items.order[first:last] if key in items
    )  # expired meanwhile


def admitted(candidates: list[Item], holds: Callable[[Item], bool]) -> list[Item]:
    """Those of a Query's candidates for which its key condition holds. Raises as that does."""
    if isinstance(candidates, Admitted):
        for item in candidates[:1]:
            holds(item)
        return candidates
    return [item for item in candidates if holds(item)]


def _span(keys: list[str], table: dict[str, Any], query: dict[str, Any]) -> tuple[int, int] | None:
    """Where the sort keys stand that the key condition admits; None where it is of another form."""
    found = _CONDITION.fullmatch(query.get("KeyConditionExpression", ""))
    if found is None:
        return None
    names, values = query.get("ExpressionAttributeNames", {}), query["ExpressionAttributeValues"]
    sort_key = found["compared"] or found["between"] or found["begins"]
    if sort_key is None:
        return 0, len(keys)
    if names.get(sort_key, sort_key) != table["sk_name"]:
        return None
    if found["between"]:
        low, high = values[found["from"]]["S"], values[found["to"]]["S"]
        return bisect_left(keys, low), bisect_right(keys, high)
    if found["begins"]:
        prefix = values[found["prefix"]]["S"]
        last = bisect_right(keys, prefix, key=lambda key: key[: len(prefix)])
        return bisect_left(keys, prefix), last
    return _COMPARED[found["operator"]](keys, values[found["value"]]["S"])
