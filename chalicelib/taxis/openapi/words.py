"""Words for each field and parameter of the API document, from `fields.json`: pure but for that file.

A key there is a field's name; `Record.field`, where one record needs other words; or `VERB /path name`,
where one operation's parameter does. Its value is JSON Schema: a description, with the unit, and examples.
"""

import json
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]  # a piece of the document


@cache
def known() -> Mapping[str, Json]:
    """What is said of each field, by key."""
    words: Mapping[str, Json] = json.loads(
        Path(__file__).with_name("fields.json").read_text("utf-8")
    )
    return words


def describe(document: Json) -> set[str]:
    """Adds the words to the fields and parameters of a document; which keys it has used."""
    used = set()
    for keys, field in fields_of(document):
        key = next((key for key in keys if key in known()), None)
        if key is None:
            continue
        used.add(key)
        said = known()[key]
        # What the shape itself says is of its form: the zone of a time, the order of a list.
        form = field.get("description")
        field["description"] = said["description"] + (f". {form}" if form else "")
        if "schema" in field:  # a parameter, whose example is the story's where that has one
            for example in said.get("examples", ()):
                field.setdefault("example", example)
        elif "examples" in said and "$ref" not in field:
            field["examples"] = said["examples"]
    return used


def fields_of(document: Json) -> Iterator[tuple[tuple[str, ...], Json]]:
    """Each field and parameter, with the keys of its words, the most particular first."""
    for title, record in document.get("components", {}).get("schemas", {}).items():
        yield from _fields(record, title)
    for path, verbs in document["paths"].items():
        for verb, operation in verbs.items():
            for parameter in operation.get("parameters", ()):
                name = parameter["name"]
                yield (f"{verb.upper()} {path} {name}", name), parameter
            media = [*operation["responses"].values(), operation.get("requestBody", {})]
            for one in media:
                for content in one.get("content", {}).values():
                    yield from _fields(content["schema"], "")


def _fields(schema: object, title: str) -> Iterator[tuple[tuple[str, ...], Json]]:
    """The fields of a schema and of what is in it, except for what it only refers to."""
    if isinstance(schema, list):
        for part in schema:
            yield from _fields(part, "")
    elif isinstance(schema, dict):
        for name, field in schema.get("properties", {}).items():
            yield (f"{title}.{name}", name), field
            yield from _fields(field, "")
        for keyword in ("items", "additionalProperties", "anyOf"):
            yield from _fields(schema.get(keyword), "")
