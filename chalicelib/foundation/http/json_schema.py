"""JSON Schema of responses: small functions that the domains' `schemas` describe them with.

A record is a name for people too: the API document keeps it once, under its title. Nothing here is
asked while a request is served; the tests hold every answer against these shapes.
"""

from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from msgspec import Struct

Shape = Mapping[str, object]

ANYTHING: Shape = {}
TEXT: Shape = {"type": "string"}
WHOLE: Shape = {"type": "integer"}
NUMBER: Shape = {"type": "number"}
CLAIM: Shape = {"type": "boolean"}
UUID: Shape = {"type": "string", "format": "uuid"}
DATE: Shape = {"type": "string", "format": "date"}

_TIME = r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?"

# Most times of the contract are in UTC without saying so [contract: Times on the wire].
MOMENT: Shape = {"type": "string", "pattern": f"{_TIME}$", "description": "UTC, without an offset"}
OFFSET_MOMENT: Shape = {"type": "string", "pattern": rf"{_TIME}\+00:00$"}
EITHER_MOMENT: Shape = {
    "type": "string",
    "pattern": rf"{_TIME}([+-]\d\d:\d\d(:\d\d)?)?$",
    "description": "UTC where it has no offset",
}


def nullable(shape: Shape) -> Shape:
    """The shape, or null."""
    return {"anyOf": [shape, {"type": "null"}]}


def one_of(values: Iterable[str]) -> Shape:
    """One of these texts."""
    return {"type": "string", "enum": [str(value) for value in values]}


def always(value: object) -> Shape:
    """A constant: a field that nothing fills any more, and all of an object's where it is one.

    Generators of clients take no object for a constant, and no null.
    """
    if isinstance(value, Mapping):
        return _closed({name: always(inner) for name, inner in value.items()}, value)
    return {"type": "null"} if value is None else {"const": value}


def list_of(shape: Shape) -> Shape:
    """A list of them."""
    return {"type": "array", "items": shape}


def map_of(shape: Shape) -> Shape:
    """An object whose names are not known beforehand."""
    return {"type": "object", "additionalProperties": shape}


def record(
    title: str, fields: Mapping[str, Shape], *, optional: Mapping[str, Shape] | None = None
) -> Shape:
    """An object that has all of `fields`, perhaps some `optional` ones, and no others."""
    return {"title": title, **_closed({**fields, **(optional or {})}, fields)}


def _closed(fields: Mapping[str, Shape], required: Iterable[str]) -> Shape:
    return {
        "type": "object",
        "properties": fields,
        "required": sorted(required),
        "additionalProperties": False,
    }


def shape_of(kind: Any) -> Shape:  # noqa: ANN401  # any type
    """The shape of plain values, lists and maps of a type, and of Structs, which are records by name.

    Where a type does not say it all, `Annotated[str, MOMENT]` does.
    """
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        shape: Shape = args[1]
        return shape
    if origin is UnionType:
        return nullable(shape_of(args[0]))
    if args:
        return list_of(shape_of(args[0])) if len(args) == 1 else map_of(shape_of(args[1]))
    if kind in _PLAIN:
        return _PLAIN[kind]
    hints = get_type_hints(kind, include_extras=True)
    return record(kind.__name__, {name: shape_of(hint) for name, hint in hints.items()})


_PLAIN = {str: TEXT, int: WHOLE, float: NUMBER, bool: CLAIM}

MULTI_POLYGON = record(
    "MultiPolygon", {"type": always("MultiPolygon"), "coordinates": list_of(list_of(ANYTHING))}
)

META = record(
    "Meta",
    {
        "next_page": nullable(WHOLE),
        "prev_page": nullable(WHOLE),
        "per_page": WHOLE,
        "pages": WHOLE,
        "total": WHOLE,
    },
)


class Sent(Struct, frozen=True):
    """The schema of a response: of its JSON, or the media type of something else."""

    shape: Shape | None
    media_type: str = "application/json"


def _envelope(data: Shape, **beside: Shape) -> Shape:
    return {
        "type": "object",
        "properties": {"data": data, **beside},
        "required": ["data"],
        "additionalProperties": False,
    }


def one(shape: Shape) -> Sent:
    """The contract's envelope round one element."""
    return Sent(_envelope({**list_of(shape), "minItems": 1, "maxItems": 1}))


def several(shape: Shape, **beside: Shape) -> Sent:
    """The envelope round a whole list; `beside` may stand next to it."""
    return Sent(_envelope(list_of(shape), **beside))


def page_of(shape: Shape) -> Sent:
    """The envelope round a page of a list."""
    paged = _envelope(list_of(shape), meta=META)
    return Sent({**paged, "required": ["data", "meta"]})


ERRORS = record(
    "Errors",
    {
        "errors": {
            "type": "object",
            "description": "The fields at fault, nested as they were sent; at the end of each branch"
            " a list of messages. `url` and the empty name are of the request as a whole.",
        }
    },
)

Answers = Mapping[int, Sent]
