"""Text files, tables and values that commands read: each fault with its line."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, TextIO

from chalicelib.foundation.geo import LngLat
from ops.errors import CannotGoOn

if TYPE_CHECKING:
    from _csv import Reader


class FileRefused(CannotGoOn):
    """A file is not what the command reads. It names the line and the reason; nothing has changed."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}. Nothing was changed.")


_FAULTS_SHOWN = 50
_GZIP = b"\x1f\x8b"


class FileFaulty(CannotGoOn):
    """Elements of a file are not what the command reads. It names every fault, or the first 50."""

    def __init__(self, path: Path, faults: Sequence[str]) -> None:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        more = len(faults) - _FAULTS_SHOWN
        super().__init__(
            "\n".join(
                [
                    f"{path}: {count}. Nothing was changed.",
                    *(f"  {fault}" for fault in faults[:_FAULTS_SHOWN]),
                    *([f"  and {more} more"] if more > 0 else []),
                ]
            )
        )


class Fault(Exception):
    """What is wrong with one element of a file; whoever knows the line makes it a FileRefused."""


def text_of(path: Path) -> str:
    """The text of a file, packed with gzip or not. Raises FileRefused, CannotGoOn."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CannotGoOn(f"{path} cannot be read: {error.strerror}.") from error
    if raw[:2] == _GZIP:
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise FileRefused(path, 1, f"the gzip file is damaged ({error})") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileRefused(path, line, "the text is not UTF-8") from error


# A recorded day on one line has more characters than the 131,072 that Python's csv takes unasked.
_LONGEST = 2**24


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """A text file, packed with gzip or not, with or without a mark of its order of bytes.

    Raises CannotGoOn.
    """
    try:
        raw = path.open("rb")
    except OSError as error:
        raise CannotGoOn(f"{path} cannot be read: {error.strerror}.") from error
    with raw:
        is_packed = raw.peek(2)[:2] == _GZIP
        whole: BinaryIO = gzip.GzipFile(fileobj=raw) if is_packed else raw  # type: ignore[assignment]
        with io.TextIOWrapper(whole, encoding="utf-8-sig", newline="") as text:
            yield text


def separator_of(header: str) -> str:
    """What stands between the columns of a CSV file: commas or semicolons."""
    return ";" if header.count(";") > header.count(",") else ","


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a CSV file that has these columns, each with the line that it begins on.

    Columns are asked for in small letters, and found in any. Raises FileRefused, at a row too.
    """
    given, found = table(path)
    names = [name.strip().lower() for name in given]
    for column in columns:
        if column not in names:
            raise FileRefused(path, 1, f"the column {column} is missing")
        if names.count(column) > 1:
            raise FileRefused(path, 1, f"the column {column} is there more than once")
    for line, row in found:
        if len(row) != len(names):
            raise FileRefused(path, line, f"{len(row)} values for {len(names)} columns")
        yield line, dict(zip(names, row, strict=True))


def table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The columns of a CSV file, and its rows with their lines, one in memory at a time.

    A row may have more or fewer values than there are columns. Raises FileRefused, at a row too.
    """
    lines = _lines_of_csv(path)
    return next(lines, (1, []))[1], ((line, row) for line, row in lines if row)


def _lines_of_csv(path: Path) -> Iterator[tuple[int, list[str]]]:
    with opened(path) as text:
        try:
            header = text.readline()
            reader = csv_reader(chain([header], text), header)
            line = 1
            for row in reader:
                yield line, row
                line = reader.line_num + 1
        except csv.Error as error:
            raise FileRefused(path, reader.line_num, f"not CSV: {error}") from error
        except (UnicodeDecodeError, OSError, EOFError, zlib.error):
            text_of(path)  # which says where
            raise


def csv_reader(lines: Iterable[str], header: str) -> "Reader":
    """The rows of a CSV file with this header."""
    csv.field_size_limit(_LONGEST)
    return csv.reader(lines, delimiter=separator_of(header), strict=True)


# --- values ---------------------------------------------------------------------------------------


def text(value: object, named: str, *, longest: int = 255) -> str:
    """A text that can be kept, without the blanks round it; it may be empty. Raises Fault."""
    if not isinstance(value, str):
        raise Fault(f"{named} is not a text")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise Fault(f"{named} is no text: {error.reason}") from error
    if "\0" in value:
        raise Fault(f"{named} has a NUL character")
    if len(value) > longest:
        raise Fault(f"{named} is longer than {longest} characters")
    return value.strip()


def lng_lat(value: object) -> LngLat:
    """A longitude and a latitude on earth, and whatever stands behind them. Raises Fault."""
    # More numbers than two are a height and whatever a producer adds (RFC 7946, 3.1.1).
    if (
        not isinstance(value, list)
        or len(value) < 2
        or any(type(number) not in (int, float) for number in value[:2])
    ):
        raise Fault(f"{value!r} is not a longitude and a latitude")
    lng, lat = value[:2]
    if not (abs(lng) <= 180 and abs(lat) <= 90):  # so for NaN, too
        raise Fault(f"{lng}, {lat} is not a longitude within ±180 and a latitude within ±90")
    return LngLat(float(lng), float(lat))
