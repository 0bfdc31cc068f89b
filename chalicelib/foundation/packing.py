"""Compressed MessagePack of typed values, in which tables lie by column: pure.

Columns of like values compress to half of what rows do where names repeat (towns, accounts), and to
three quarters of it in the worst case measured.
"""

import zlib
from array import array
from collections import UserList
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, fields

if TYPE_CHECKING:
    Numbers = array[int]
else:
    Numbers = array  # cannot be subscripted before Python 3.12

R = TypeVar("R")
T = TypeVar("T")


class Table(UserList[R]):
    """Rows of one Struct type."""


def compact(numbers: Iterable[int]) -> Numbers:
    """Whole numbers, in as few bytes each as the largest one takes."""
    values = list(numbers)
    most = max(map(abs, values), default=0)
    return array(next(code for code in "bhiq" if most < 256 ** array(code).itemsize // 2), values)


def pack(value: object) -> bytes:
    """The bytes of a Struct, a Table, or a container of such; Numbers go as a list."""
    return zlib.compress(msgspec.msgpack.encode(value, enc_hook=_plain))


def unpack(packed: bytes, kind: type[T]) -> T:
    """The value that was packed. Raises zlib.error, or msgspec.DecodeError where it is no such value."""
    return msgspec.msgpack.decode(zlib.decompress(packed), type=kind, dec_hook=_typed)


def _plain(value: Any) -> object:  # noqa: ANN401  # what msgspec does not know
    if isinstance(value, array):
        return value.tolist()
    if isinstance(value, Table):
        columns = zip(*map(astuple, value), strict=True)
        return [Table(column) if isinstance(column[0], Struct) else column for column in columns]
    raise NotImplementedError(f"{type(value)} is neither a Table nor an array")


def _typed(kind: Any, plain: Any) -> object:  # noqa: ANN401  # of any type
    if kind is array:
        return compact(plain)
    (row,) = get_args(kind)
    if not plain:
        return Table()
    return Table(map(row, *msgspec.convert(plain, _columns(row), dec_hook=_typed)))


@cache
def _columns(row: type[Struct]) -> Any:  # noqa: ANN401  # the type of a tuple
    columns: Any = tuple(_column(field.type) for field in fields(row))
    return tuple[columns]


def _column(kind: Any) -> Any:  # noqa: ANN401  # of any type
    is_struct = isinstance(kind, type) and issubclass(kind, Struct)
    return Table[kind] if is_struct else list[kind]
