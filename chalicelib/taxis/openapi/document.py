"""OpenAPI 3.1 document, generated from the routes of an application.

What is read is described by the schemas that read it, what is answered by the shapes that the tests
hold every answer against, and a refusal by the docstring of its class. The examples are one story,
`examples.json`, which a test plays.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from marshmallow import RAISE

from chalicelib.foundation.errors import Refusal
from chalicelib.foundation.http.json_schema import ERRORS, TEXT, WHOLE, Sent, Shape
from chalicelib.foundation.http.refusals import (
    BodyTooLarge,
    BodyUnreadable,
    Invalid,
    RoleMissing,
    status_of,
)
from chalicelib.foundation.http.replies import JSON
from chalicelib.foundation.http.routes import WITH_BODY, Route
from chalicelib.foundation.rate_limit.sources import TooManyOfAddress
from chalicelib.foundation.rate_limit.store import TooManyRequests
from chalicelib.foundation.version import VERSION
from chalicelib.taxis.access import service as access
from chalicelib.taxis.openapi import words
from chalicelib.taxis.openapi.story import Json, example_of_refusal, story
from chalicelib.taxis.openapi.texts import TAGS, first_line, summary, tag

Table = Mapping[str, Mapping[str, Route]]

_DONE = {200: "As asked.", 201: "As asked; it is new.", 302: "It is at `Location`."}

_LOGAS = {
    "name": "X-Logas",
    "in": "header",
    "description": "The e-mail of an account that the key's owner manages, to act as that account.",
    "schema": TEXT,
}


class _Converter(OpenAPIConverter):
    """Marshmallow's schemas as ours are read: an unknown field is refused unless it is dropped."""

    def schema2jsonschema(self, schema: Any) -> Json:  # noqa: ANN401  # as it is above
        schema_json: Json = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]  # apispec says no types
        if schema.unknown == RAISE:
            schema_json["additionalProperties"] = False
        if schema.__doc__:
            schema_json["description"] = first_line(type(schema))
        return schema_json


class _Plugin(MarshmallowPlugin):
    Converter = _Converter


def _name(schema: Any) -> str:  # noqa: ANN401  # a schema, its class or its name
    kind = schema if isinstance(schema, type) else type(schema)
    return f"{kind.__name__.removesuffix('Schema')}Sent"


class _Document:
    """An OpenAPI document under construction; `closed` as in `document`."""

    def __init__(self, *, closed: bool) -> None:
        self._closed = closed
        self._plugin = _Plugin(schema_name_resolver=_name)
        self.spec = APISpec(
            "Maraude",
            VERSION,
            "3.1.0",
            plugins=[self._plugin],
            info={
                "description": "The registry of available taxis. Times are in UTC, lengths in metres"
                " unless said otherwise. Every body is `data` with a list of one element.",
                "license": {
                    "name": "AGPL-3.0-or-later",
                    "identifier": "AGPL-3.0-or-later",
                },
            },
            servers=[{"url": "/"}],
            tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        )
        self._converter.add_attribute_function(_field_keywords)
        self.spec.components.security_scheme(
            "ApiKeyAuth", {"type": "apiKey", "in": "header", "name": "X-API-Key"}
        )
        self._shapes: dict[str, Shape] = {}

    @property
    def _converter(self) -> OpenAPIConverter:
        converter: OpenAPIConverter | None = self._plugin.converter
        assert converter is not None  # noqa: S101  # `APISpec` has made it
        return converter

    def add(self, path: str, verb: str, route: Route) -> None:
        """Adds one operation."""
        exchanges = [one for one in story() if one["operation"] == f"{verb} {path}"]
        shown = next((one for one in exchanges if one["status"] < 400), {})
        operation: Json = {
            "operationId": route.view.__name__,
            **summary(route),
            "tags": [tag(route)],
            "security": [] if route.roles is None else [{"ApiKeyAuth": []}],
            "parameters": self._parameters(path, route, shown),
            "responses": {
                **{
                    str(status): self._answer(status, sent, exchanges)
                    for status, sent in (route.answers or {}).items()
                },
                **dict(self._refusals(verb, route, exchanges)),
            },
        }
        if route.body is not None:
            operation["requestBody"] = self._body(route, shown)
        self.spec.path(path, operations={verb.lower(): operation})

    def _parameters(self, path: str, route: Route, shown: Json) -> list[Json]:
        named = [part[1:-1] for part in path.split("/") if part.startswith("{")]
        parameters: list[Json] = [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": WHOLE if name == "user_id" else TEXT,
            }
            for name in named
        ]
        if route.query is not None:
            parameters += self._converter.schema2parameters(route.query, location="query")
        parameters += [
            {"name": name, "in": "header", "description": text, "schema": TEXT}
            for name, text in route.headers.items()
        ]
        given = {**shown.get("path", {}), **shown.get("query", {}), **shown.get("headers", {})}
        for parameter in parameters:
            if parameter["name"] in given:
                parameter["example"] = given[parameter["name"]]
        return parameters if route.roles is None else [*parameters, dict(_LOGAS)]

    def _body(self, route: Route, shown: Json) -> Json:
        element = self._converter.resolve_nested_schema(route.body)
        schema: Json = {
            "type": "object",
            "properties": {
                "data": {"type": "array", "items": element, "minItems": 1, "maxItems": 1}
            },
            "additionalProperties": False,
        }
        if route.body_required:
            schema["required"] = ["data"]
        content: Json = {"schema": schema}
        if "body" in shown:
            content["example"] = shown["body"]
        return {"required": True, "content": {JSON: content}}

    def _answer(self, status: int, sent: Sent, exchanges: Sequence[Json]) -> Json:
        media: Json = {"schema": TEXT if sent.shape is None else self._shape(sent.shape)}
        found = next((one for one in exchanges if one["status"] == status), None)
        if found is not None:
            media["example"] = found["answer"]
        answer: Json = {"description": _DONE[status], "content": {sent.media_type: media}}
        if status == 302:
            answer["headers"] = {"Location": {"schema": TEXT, "required": True}}
        return answer

    def _refusals(
        self, verb: str, route: Route, exchanges: Sequence[Json]
    ) -> Iterator[tuple[str, Json]]:
        by_status: dict[int, list[str]] = defaultdict(list)
        for refusal in _refused_by(verb, route):
            by_status[status_of(refusal)].append(first_line(refusal))
        by_status[500].append("A fault of ours; the message names the request's id.")
        for status, texts in sorted(by_status.items()):
            answer: Json = {
                "description": " ".join(texts),
                "content": {
                    JSON: {
                        "schema": self._shape(ERRORS),
                        "example": example_of_refusal(status, exchanges, texts[0]),
                    }
                },
            }
            if status == 429:
                answer["headers"] = {"Retry-After": {"schema": WHOLE, "required": True}}
            yield str(status), answer

    def _shape(self, shape: Any) -> Any:  # noqa: ANN401  # JSON Schema, or a part of it
        """The schema with each record kept once, as a component under its title."""
        if isinstance(shape, list):
            return [self._shape(part) for part in shape]
        if not isinstance(shape, Mapping):
            return shape
        title = shape.get("title")
        if not isinstance(title, str) or shape.get("type") != "object":
            return self._parts(shape)
        if title not in self._shapes:
            self._shapes[title] = shape
            whole = self._parts(shape)
            self.spec.components.schema(title, whole)
        elif self._shapes[title] != shape:
            raise ValueError(f"two different shapes are called {title}")
        return {"$ref": f"#/components/schemas/{title}"}

    def _parts(self, shape: Shape) -> Json:
        return {
            name: self._shape(part)
            for name, part in shape.items()
            if self._closed or (name, part) != ("additionalProperties", False)
        }


def _field_keywords(_: OpenAPIConverter, field: Any, *, ret: Json, **__: Any) -> Json:  # noqa: ANN401
    """The JSON Schema keywords of a field of ours, its limits for instance; None removes a keyword."""
    described: Json = field.described() if hasattr(field, "described") else {}
    for name, value in described.items():
        if value is None:
            ret.pop(name, None)
    return {name: value for name, value in described.items() if value is not None}


def _refused_by(verb: str, route: Route) -> list[type[Refusal]]:
    """The refusals of an operation, in the order of its checks [contract: Order of checks]."""
    found: list[type[Refusal]] = [TooManyOfAddress]
    if verb in WITH_BODY:
        found += [BodyUnreadable, BodyTooLarge]
    if route.roles is not None:
        found += [access.KeyMissing, access.KeyUnknown, TooManyRequests]
    if route.roles:
        found.append(RoleMissing)
    if route.body is not None or route.query is not None:
        found.append(Invalid)
    return [*found, *route.refuses]


def document(table: Table, *, closed: bool = False) -> Json:
    """The OpenAPI document of these routes.

    A client must take answers with fields that are not there yet, so their schemas are open; `closed` ones
    are for tests, which hold each answer against them.
    """
    draft = _Document(closed=closed)
    for path, verbs in sorted(table.items()):
        for verb, route in verbs.items():
            if verb != "HEAD" and route.answers is not None:
                draft.add(path, verb, route)
    openapi: Json = draft.spec.to_dict()
    words.describe(openapi)
    return openapi
