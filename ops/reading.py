"""Text files and tables that commands read: each fault with its line."""

import csv
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ops.errors import CannotGoOn


class FileRefused(CannotGoOn):
    """A file is not what the command reads. It names the line and the reason; nothing has changed."""

    def __init__(self, path: Path, line: int, reason: str) -> None:
        super().__init__(f"{path}, line {line}: {reason}. Nothing was changed.")


_FAULTS_SHOWN = 50


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
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise FileRefused(path, 1, f"the gzip file is damaged ({error})") from error
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise FileRefused(path, line, "the text is not UTF-8") from error


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[int, Mapping[str, str]]]:
    """The rows of a CSV file that has these columns, each with the line that it begins on."""
    names, rows = table(path)
    missing = [column for column in columns if column not in names]
    if missing:
        raise FileRefused(path, 1, f"the column {missing[0]} is missing")
    for line, row in rows:
        if len(row) != len(names):
            raise FileRefused(path, line, f"{len(row)} values for {len(names)} columns")
        yield line, dict(zip(names, row, strict=True))


def table(path: Path) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The columns of a CSV file, between commas or semicolons, and its rows with their lines.

    A row may have more or fewer values than there are columns. Raises FileRefused, at a row too.
    """
    text = text_of(path)
    head = text.partition("\n")[0]
    separator = ";" if head.count(";") > head.count(",") else ","
    rows = _lines_of_csv(path, text, separator)
    return next(rows, (1, []))[1], ((line, row) for line, row in rows if row)


def _lines_of_csv(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        line = 1
        for row in reader:
            yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise FileRefused(path, reader.line_num, f"not CSV: {error}") from error
