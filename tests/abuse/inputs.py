"""Bad inputs for every operation: good ones of the API document's story, with something done to them."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from app import app
from chalicelib.openapi.document import _story
from chalicelib.web import WITH_BODY, Route

OPERATIONS: Mapping[str, Route] = {
    f"{verb} {path}": route
    for path, verbs in app.table.items()
    for verb, route in verbs.items()
    if verb != "HEAD"
}

# What has broken other services, or would break the stores behind this one.
TEXTS = (
    *("", " ", "\0", "\n", "\t", "a\r\nX-Evil: 1", "\x7f", "\ufeff", "\u2028", "\ufdd0", "é" * 400),
    *("../../etc/passwd", "..%2f..", "%2e%2e%2f", "//evil.example/", "%00", "%", "%zz", "a/b", "~"),
    *("' OR 1=1 --", "${7*7}", "{{7*7}}", "<script>alert(1)</script>", "$ne", "__proto__", "-"),
    *(
        "all",
        "null",
        "None",
        "true",
        "nan",
        "Infinity",
        "1e999",
        "-0",
        "0x10",
        "１２",
        "٣",
        "²",
        "½",
    ),
    *(
        "9" * 40,
        "-" + "9" * 25,
        "1" * 5000,
        "#",
        "id#1",
        "key#",
        "email#admin",
        "taxis/",
        "2024-02-30",
    ),
    *("2024-01-01T00:00:00+99:99", "0001-01-01", "9999-12-31T23:59:59.999999+00:00", "x" * 3000),
    *(
        "x" * 70_000,
        "\U0001f695",
        "e\u0301",
        "\u202e",
        "ß",
        "İ",
        "operateur",
        "somebody",
        "AA-001-BB",
    ),
)
NUMBERS = (
    *(
        0,
        -0.0,
        -1,
        1,
        2**31,
        2**53 + 1,
        2**63,
        2**64,
        10**30,
        10**37,
        10**38,
        10**39,
        -(10**40),
        0.1,
    ),
    *(1e-7, 1e-131, 5e-324, 1e308, 179.99999999, 180, -180, 90.0000001, 1e16, float("nan")),
    *(float("inf"), float("-inf")),
)
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"$gt": ""},
    [{}, {}],
)

scalars = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from(NUMBERS),
    st.sampled_from(OTHERS),
    st.text(max_size=40),
    st.integers(),
    st.floats(),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=6,
)
bodies = st.one_of(
    values,
    st.binary(max_size=60),
    st.sampled_from(
        [
            b"",
            b"{",
            b"\xff\xfe{}",
            b"[" * 50_000,
            b'{"data":' * 5000,
            b'{"data":[' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"]}",
            b'{"data":[{"a":1,"a":2}],"data":[{}]}',
            b'{"data":[{"x":"\\ud800"}]}',
            b'{"data":[{"x":1e400}]}',
            b'{"data":[{"x":' + b"9" * 5000 + b"}]}",
            b" " * 1_048_577,
        ]
    ),
)
headers = st.dictionaries(
    st.sampled_from(
        [
            *("Content-Type", "X-Logas", "X-Request-Id", "Idempotency-Key", "Origin", "Accept"),
            *(
                "x-api-key",
                "X-API-KEY",
                "X-Forwarded-For",
                "Access-Control-Request-Headers",
                "Host",
            ),
        ]
    ),
    st.sampled_from(["application/json", "APPLICATION/JSON; charset=x", "text/xml", "operateur"])
    | st.sampled_from([text for text in TEXTS if len(text) < 5000])
    | st.text(max_size=30),
    max_size=3,
)


@dataclass(frozen=True)
class Input:
    """One request. `body` None: none is sent."""

    verb: str
    path: str
    body: bytes | None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str:
        """All that it says, so that what an answer repeats of it is known."""
        body = "" if self.body is None else self.body.decode(errors="replace")
        return f"{self.path} {body} {' '.join(self.headers.values())}"


def _good(operation: str) -> Sequence[Mapping[str, Any]]:
    return [one for one in _story() if one["operation"] == operation and one["status"] < 400]


def _spoilt(draw: Callable[[Any], Any], thing: Any) -> Any:
    """The thing with one place of it changed, taken away, or added."""
    if isinstance(thing, dict) and thing:
        name = draw(st.sampled_from(sorted(thing)))
        deed = draw(st.sampled_from(["within", "within", "gone", "more"]))
        rest = {key: value for key, value in thing.items() if key != name}
        if deed == "gone":
            return rest
        if deed == "more":
            return {
                **thing,
                draw(st.sampled_from(["id", "owner", "status", "roles"])): draw(values),
            }
        return {**rest, name: _spoilt(draw, thing[name])}
    if isinstance(thing, list) and thing and draw(st.booleans()):
        place = draw(st.integers(0, len(thing) - 1))
        return [*thing[:place], _spoilt(draw, thing[place]), *thing[place + 1 :]]
    return draw(values)


def _element(draw: Callable[[Any], Any], operation: str, named: Mapping[str, str]) -> Any:
    """A body's element of the story, or of any field that the schema has."""
    good = [one["body"]["data"][0] for one in _good(operation) if "body" in one]
    schema = OPERATIONS[operation].body
    known = sorted(schema.fields) if schema is not None else ["id"]
    any_fields = st.dictionaries(st.sampled_from(known), values, max_size=4)
    element = draw(st.sampled_from(good) | any_fields if good else any_fields)
    if "taxi_id" in element:  # the one that there is
        element = {**element, "taxi_id": named["taxi_id"]}
    return element


@st.composite
def inputs(draw: Callable[[Any], Any], operation: str, named: Mapping[str, str]) -> Input:
    """Requests of one operation that something is wrong with; `named` are ids that there are."""
    verb, path = operation.split()
    for name, real in named.items():
        # Mostly a real one, for behind it is more to break.
        text = draw(st.just(real) | st.sampled_from(TEXTS)) if f"{{{name}}}" in path else ""
        path = path.replace(f"{{{name}}}", quote(text, safe="") or "%20")
    route = OPERATIONS[operation]
    parameters = sorted(route.query.fields) if route.query is not None else ["p"]
    asked = draw(
        st.lists(st.tuples(st.sampled_from([*parameters, "p"]), scalars), max_size=4)
        if verb == "GET"
        else st.just([])
    )
    good = [one["query"] for one in _good(operation) if "query" in one]
    if good and draw(st.booleans()):
        asked += [(name, value) for name, value in good[0].items()]
    if asked:
        path += "?" + urlencode([(name, str(value)) for name, value in asked], errors="replace")
    body = None
    if verb in WITH_BODY:
        raw = draw(bodies) if draw(st.integers(0, 4)) == 0 else None
        if raw is None:
            raw = {"data": [_spoilt(draw, _element(draw, operation, named))]}
        body = raw if isinstance(raw, bytes) else json.dumps(raw).encode()
    return Input(verb, path, body, draw(headers))
