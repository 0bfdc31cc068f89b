"""Export files: one a kind, CSV with a header or JSON lines, read line by line."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from marshmallow import fields

from ops import reading
from ops.cli.imports.forms import Form
from ops.errors import CannotGoOn


class FileRefused(CannotGoOn):
    """The file cannot be read at all. It names the file."""

    exit_code = 2


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line; `field` is dotted, empty for the line as a whole."""

    file: str
    line: int
    field: str
    what: str

    def __str__(self) -> str:
        where = f"{self.file}, line {self.line}"
        return f"{where}, {self.field}: {self.what}" if self.field else f"{where}: {self.what}"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of a file; `number` is that of its first line, from 1."""

    number: int
    fields: dict[str, Any]


def find(folder: Path, kind: str) -> Path | None:
    """The file of a kind, if the folder has one. Raises FileRefused where it has both forms."""
    found = [path for end in ("csv", "jsonl") if (path := folder / f"{kind}.{end}").is_file()]
    if len(found) > 1:
        raise FileRefused(f"{folder} has {kind}.csv and {kind}.jsonl; leave one of them.")
    return found[0] if found else None


def lines(path: Path, form: Form) -> Iterator[Line | Fault]:
    """What a file holds, one line in memory at a time. Raises FileRefused.

    `form` tells which texts may be empty, and which columns a CSV file may have.
    """
    read = _csv if path.suffix == ".csv" else _json
    try:
        with reading.opened(path) as file:
            yield from read(path.name, file, form)
    except OSError as error:
        raise FileRefused(f"{path}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise FileRefused(f"{path} is not in UTF-8.") from None


def _json(name: str, file: Iterator[str], _: Form) -> Iterator[Line | Fault]:
    for number, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            fields = json.loads(text)
        except (ValueError, RecursionError) as error:
            yield Fault(name, number, "", f"This is no JSON: {error}.")
            continue
        if isinstance(fields, dict):
            yield Line(number, fields)
        else:
            yield Fault(name, number, "", "This is no JSON object.")


def _csv(name: str, file: Iterator[str], form: Form) -> Iterator[Line | Fault]:
    header = next(file, "")
    columns = next(reading.csv_reader([header], header), [])
    kept = {column for column in columns if _may_be_empty(form.fields, column.split("."))}
    if not columns or "" in columns or len(set(columns)) < len(columns):
        raise FileRefused(f"{name}: its first line must name each column, once.")
    strangers = {column.split(".")[0] for column in columns} - form.fields.keys() - form.dropped
    if strangers and not form.takes_others:
        raise FileRefused(f"{name}: there is no field {', '.join(sorted(strangers))}.")
    rows = reading.csv_reader(file, header)
    while True:
        number = rows.line_num + 2  # the header is read already
        try:
            row = next(rows, None)
        except csv.Error as error:
            yield Fault(name, number, "", f"This is no CSV: {error}.")
            continue
        if row is None:
            return
        if len(row) == len(columns):
            cells = zip(columns, row, strict=True)
            yield Line(number, _nested({c: text for c, text in cells if text or c in kept}))
        elif row:
            yield Fault(
                name, number, "", f"It has {len(row)} cells; there are {len(columns)} columns."
            )


def _may_be_empty(known: Mapping[str, fields.Field], path: list[str]) -> bool:
    """Whether an empty cell is the empty text; any other empty cell says nothing."""
    field = known.get(path[0])
    if len(path) > 1:
        return isinstance(field, fields.Nested) and _may_be_empty(field.schema.fields, path[1:])
    return isinstance(field, fields.String) and field.required


def _nested(cells: Mapping[str, str]) -> dict[str, Any]:
    """`{"ads.insee": "75056"}` as `{"ads": {"insee": "75056"}}`; an inner name beside its whole wins."""
    fields: dict[str, Any] = {}
    for column, text in cells.items():
        *outer, last = column.split(".")
        place = fields
        for name in outer:
            inner = place.get(name)
            if not isinstance(inner, dict):
                inner = place[name] = {}
            place = inner
        place[last] = text
    return fields
