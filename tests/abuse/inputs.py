"""Bad inputs for every operation: good ones of the API document's story, with something done to them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from hypothesis import strategies as st

from app import app
from chalicelib.foundation.http.routes import WITH_BODY, Route
from chalicelib.taxis.openapi.story import story

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
    values.map(lambda value: json.dumps(value).encode()),
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


class Odd(NamedTuple):
    """What hypothesis made to stand where something else belongs."""

    values: Sequence[Any]
    bodies: Sequence[bytes]
    headers: Sequence[Mapping[str, str]]


# Hypothesis makes the oddities, and plain chance puts them in their places: two milliseconds for some
# dozens of inputs, and not for each.
A_BATCH = 25
_odd = st.builds(
    Odd,
    st.lists(values, min_size=8, max_size=8).map(lambda drawn: [*drawn, *TEXTS, *NUMBERS, *OTHERS]),
    st.lists(bodies, min_size=2, max_size=2),
    st.lists(headers, min_size=3, max_size=3),
)


class _Spoiler:
    """Makes the requests of one operation; `named` are ids that there are."""

    def __init__(self, operation: str, named: Mapping[str, str]) -> None:
        self._verb, self._path = operation.split()
        self._named = named
        self._route = OPERATIONS[operation]
        good = [one for one in story() if one["operation"] == operation and one["status"] < 400]
        self._queries = [one["query"] for one in good if "query" in one]
        self._elements = [one["body"]["data"][0] for one in good if "body" in one]

    def made(self, chance: Random, odd: Odd) -> Input:
        """One request that something is wrong with."""
        path = self._path
        for name, real in self._named.items():
            # Mostly a real one, for behind it is more to break.
            text = real if chance.random() < 0.7 else chance.choice(TEXTS)
            path = path.replace(f"{{{name}}}", quote(text, safe="") or "%20")
        asked = self._asked(chance, odd) if self._verb == "GET" else []
        if asked:
            path += "?" + urlencode([(name, str(value)) for name, value in asked], errors="replace")
        body = self._body(chance, odd) if self._verb in WITH_BODY else None
        return Input(self._verb, path, body, chance.choice([{}, *odd.headers]))

    def _asked(self, chance: Random, odd: Odd) -> list[tuple[str, Any]]:
        known = ["p", *(self._route.query.fields if self._route.query is not None else ())]
        asked = [
            (chance.choice(known), chance.choice(odd.values)) for _ in range(chance.randrange(4))
        ]
        if self._queries and chance.random() < 0.5:
            asked += chance.choice(self._queries).items()
        return asked

    def _body(self, chance: Random, odd: Odd) -> bytes:
        if chance.random() < 0.2:
            return chance.choice(odd.bodies)
        return json.dumps({"data": [_spoilt(chance, odd, self._element(chance, odd))]}).encode()

    def _element(self, chance: Random, odd: Odd) -> Any:
        """A body's element of the story, or of any field that the schema has."""
        if self._elements and chance.random() < 0.7:
            element = chance.choice(self._elements)
        else:
            schema = self._route.body
            known = sorted(schema.fields) if schema is not None else ["id"]
            wanted = chance.sample(known, min(len(known), chance.randrange(5)))
            element = {name: chance.choice(odd.values) for name in wanted}
        if "taxi_id" in element:  # the one that there is
            element = {**element, "taxi_id": self._named["taxi_id"]}
        return element


def _spoilt(chance: Random, odd: Odd, thing: Any) -> Any:
    """The thing with one place of it changed, taken away, or added."""
    if isinstance(thing, dict) and thing:
        name = chance.choice(sorted(thing))
        deed = chance.choice(["within", "within", "gone", "more"])
        rest = {key: value for key, value in thing.items() if key != name}
        if deed == "gone":
            return rest
        if deed == "more":
            more = chance.choice(["id", "owner", "status", "roles"])
            return {**thing, more: chance.choice(odd.values)}
        return {**rest, name: _spoilt(chance, odd, thing[name])}
    if isinstance(thing, list) and thing and chance.random() < 0.5:
        place = chance.randrange(len(thing))
        return [*thing[:place], _spoilt(chance, odd, thing[place]), *thing[place + 1 :]]
    return chance.choice(odd.values)


def batches(operation: str, named: Mapping[str, str]) -> st.SearchStrategy[list[Input]]:
    """Some requests of one operation that something is wrong with; `named` are ids that there are."""
    spoiler = _Spoiler(operation, named)

    def made(odd: Odd, seed: int) -> list[Input]:
        chance = Random(seed)
        return [spoiler.made(chance, odd) for _ in range(A_BATCH)]

    return st.builds(made, _odd, st.integers(0, 2**64))
