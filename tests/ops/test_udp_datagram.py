"""What datagrams say, and which signatures fit."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.ops.datagrams import FIELDS, NOW_S, a_datagram, a_signed_datagram, sha1_of, signature
from udp_gateway.datagram import LIMIT_BYTES, Drop, Unreadable, read


def refusal(sent: bytes) -> Drop:
    with pytest.raises(Unreadable) as caught:
        read(sent)
    return caught.value.reason


def with_text(field: str, text: str, *, signed: str | None = None) -> bytes:
    """A datagram in whose JSON the field is written exactly so, signed over that or another text."""
    there = signed if signed is not None else text
    written = a_datagram(**{field: "HERE"}, signed={field: there}).decode()
    return written.replace('"HERE"', text).encode()


# --- what it says --------------------------------------------------------------------------------


def test_a_datagram_says_who_where_and_when() -> None:
    found = read(a_datagram(battery=0.4, lat=48.86, lon=-2.35))

    assert (found.operator, found.taxi_id) == ("operator", "abcdefg")
    assert (found.lat_e7, found.lng_e7, found.sent_s) == (488600000, -23500000, NOW_S)


@pytest.mark.parametrize(
    ("lat", "lat_e7"),
    [
        ("48,86", 488600000),
        ("48.86", 488600000),
        ("17", 170000000),
        (17, 170000000),
        (-1e-3, -10000),
        (-1e-6, -10),
    ],
)
def test_a_coordinate_is_a_number_or_a_text_with_point_or_comma(lat: Any, lat_e7: int) -> None:
    for sent in (a_datagram(lat=lat, lon=-2.35), a_signed_datagram(lat=lat)):
        assert read(sent).lat_e7 == lat_e7


@pytest.mark.parametrize(
    ("changes", "is_taken"),
    [
        ({"lat": 85.05112878}, True),
        ({"lat": -85.05112878}, True),
        ({"lat": 85.0511288}, False),
        ({"lat": -90}, False),
        ({"lon": -180}, True),
        ({"lon": -180.0000001}, False),
        ({"lat": "nan"}, False),
        ({"lon": "inf"}, False),
        ({"lat": "1e999"}, False),
        ({"lat": ""}, False),
        ({"lat": "48°51"}, False),
        ({"lat": "1,234.5"}, False),
        ({"lat": "+48.86"}, False),
        ({"lat": "048.86"}, False),
        ({"lat": ".86"}, False),
        ({"lat": "48."}, False),
        ({"lat": " 48.86"}, False),
        ({"lat": "48.86\n"}, False),
        ({"lat": "4_8"}, False),
        ({"lat": "٤٨"}, False),
        ({"lat": "4.8e1"}, False),
        ({"lat": "12e-1"}, False),
    ],
)
def test_a_coordinate_is_on_the_globe_as_over_http(changes: dict[str, Any], is_taken: bool) -> None:  # noqa: FBT001  # a table
    for sent in (a_datagram(**{"lon": -2.35, **changes}), a_signed_datagram(**changes)):
        if is_taken:
            assert read(sent)
        else:
            assert refusal(sent) is Drop.BAD_FIELD


@pytest.mark.parametrize("field", [*FIELDS, "hash"])
def test_every_field_is_needed(field: str) -> None:
    fields = json.loads(a_datagram())
    del fields[field]

    assert refusal(json.dumps(fields).encode()) is Drop.BAD_FIELD


@pytest.mark.parametrize("field", [*FIELDS, "hash"])
@pytest.mark.parametrize("value", [None, True, [], {}])
def test_a_field_of_another_type_is_refused(field: str, value: object) -> None:
    changed: dict[str, Any] = {field: value}

    assert refusal(a_datagram(**changed)) is Drop.BAD_FIELD


@pytest.mark.parametrize("field", ["operator", "taxi", "device", "status", "hash"])
def test_a_name_is_no_number(field: str) -> None:
    changed: dict[str, Any] = {field: 7}

    assert refusal(a_datagram(**changed)) is Drop.BAD_FIELD


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"positions",
        a_datagram() + b"}",
        a_datagram(operator="Zoé").decode().encode("latin-1"),
        a_datagram(lat="é").decode().encode("latin-1"),
        a_datagram().replace(b"48.8601", b"NaN"),
        a_datagram().replace(b'"free"', b'"\\ud800"'),
        a_datagram()[:-1] + b',"x":' + b"[" * 1500 + b"]" * 1500 + b"}",
    ],
)
def test_what_is_no_json_is_refused(sent: bytes) -> None:
    assert refusal(sent) is Drop.NOT_JSON


def test_another_json_is_refused_for_its_fields() -> None:
    assert refusal(b"[]") is Drop.BAD_FIELD


def test_a_datagram_may_be_as_long_as_the_reference_reads() -> None:
    room = LIMIT_BYTES - len(a_datagram(more=""))

    assert read(a_datagram(more="x" * room))
    assert refusal(a_datagram(more="x" * (room + 1))) is Drop.TOO_LONG


@pytest.mark.parametrize(
    ("timestamp", "sent_s"),
    [
        (1_795_745_000, 1_795_745_000.0),
        ("1795745000.25", 1_795_745_000.25),
        (1_795_745_000_250, 1_795_745_000.25),
        ("yesterday", None),
        ("inf", None),
        ("1e9", None),
        ("-5", None),
        ("1_795_745_000", None),
        ("9" * 17, None),
    ],
)
def test_the_senders_clock_is_read_in_seconds_or_milliseconds(
    timestamp: Any, sent_s: float | None
) -> None:
    assert read(a_datagram(timestamp=timestamp)).sent_s == sent_s


@given(st.binary(max_size=LIMIT_BYTES + 10))
def test_whatever_bytes_come_nothing_else_is_raised(sent: bytes) -> None:
    with suppress(Unreadable):
        assert abs(read(sent).lat_e7) <= 850511288


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.fixed_dictionaries(dict.fromkeys([*FIELDS, "hash"], _JSON)))
@example(dict.fromkeys([*FIELDS, "hash"], "1"))
def test_whatever_the_fields_hold_nothing_else_is_raised(fields: dict[str, Any]) -> None:
    with suppress(Unreadable):
        found = read(json.dumps(fields).encode())
        assert abs(found.lat_e7) <= 850511288
        assert not found.is_signed_with(b"key")


# --- who signed it -------------------------------------------------------------------------------


@pytest.mark.parametrize("lat", [48.8601, 48, "48.860", "48,86", "17"])
@pytest.mark.parametrize("a_sent", [a_datagram, a_signed_datagram])
def test_who_signed_the_text_that_was_sent_is_right(a_sent: Callable[..., bytes], lat: Any) -> None:
    assert read(a_sent(lat=lat, lon="-2.350")).is_signed_with(b"key")


@pytest.mark.parametrize("field", ["lat", "lon"])
@pytest.mark.parametrize(
    ("text", "signed"),
    [
        ("-4.860", "-4.860"),  # the digits as they were sent, which the reference refused
        ("-17", "-17"),
        ("-0", "-0"),
        ("-4.860", "-4.86"),  # the shortest form, which the reference wanted
        ("-17", "-17.0"),
        ("-0.000010", "-1e-05"),
        ('"-4,86"', "-4,86"),
        ('"-4,86"', "-4.86"),
        (r'"-\u0034.86"', "-4.86"),
    ],
)
def test_a_coordinate_is_signed_as_it_was_sent_or_in_its_shortest_form(
    field: str, text: str, signed: str
) -> None:
    other = {"lat": "lon", "lon": "lat"}[field]
    changes: dict[str, Any] = {field: "HERE", other: -2.35}
    written = a_datagram(**changes, signed={field: signed}).decode()

    assert read(written.replace('"HERE"', text).encode()).is_signed_with(b"key")


@pytest.mark.parametrize(
    ("text", "signed"),
    [("1795745000.50", "1795745000.50"), ("1795745000.50", "1795745000.5"), ('"now"', "now")],
)
def test_a_timestamp_and_a_version_are_signed_likewise(text: str, signed: str) -> None:
    for field in ("timestamp", "version"):
        assert read(with_text(field, text, signed=signed)).is_signed_with(b"key")


def test_names_are_signed_as_they_are_spelled_not_as_they_are_escaped() -> None:
    sent = a_datagram(operator="zoé@société.fr", device="téléphone", signed={})
    escaped = json.dumps(json.loads(sent)).encode()

    assert b"\\u00e9" in escaped
    assert read(sent).is_signed_with(b"key")
    assert read(escaped).is_signed_with(b"key")


@pytest.mark.parametrize("field", ["lat", "lon"])
@pytest.mark.parametrize("text", ["1.860", '"1,860"', "17"])
def test_the_newer_signature_takes_a_number_only_as_it_was_sent(field: str, text: str) -> None:
    written = a_signed_datagram(**{field: "HERE"}, signed={field: text.strip('"')}).decode()
    short = a_signed_datagram(**{field: "HERE"}, signed={field: "1.86"}).decode()

    assert read(written.replace('"HERE"', text).encode()).is_signed_with(b"key")
    assert not read(short.replace('"HERE"', text).encode()).is_signed_with(b"key")


@pytest.mark.parametrize("field", FIELDS)
def test_no_field_can_be_changed_after_it_was_signed(field: str) -> None:
    fields = json.loads(a_datagram())
    fields[field] = {"lat": 48.8602, "lon": 2.3502, "timestamp": 1}.get(field, "other")

    assert not read(json.dumps(fields).encode()).is_signed_with(b"key")


@pytest.mark.parametrize("given_hash", ["", "0" * 40, "é" * 40, signature("other", "x")])
def test_another_hash_is_wrong(given_hash: str) -> None:
    assert not read(a_datagram(hash=given_hash)).is_signed_with(b"key")


def test_another_key_is_wrong() -> None:
    assert not read(a_datagram("key")).is_signed_with(b"kez")


@pytest.mark.parametrize("field", ["timestamp", "operator", "taxi", "lat", "lon"])
def test_no_field_that_counts_can_be_changed_after_it_was_signed_anew(field: str) -> None:
    fields = json.loads(a_signed_datagram())
    fields[field] = {"lat": 48.8602, "lon": 2.3502, "timestamp": 1}.get(field, "other")

    assert not read(json.dumps(fields).encode()).is_signed_with(b"key")


@pytest.mark.parametrize(
    "changes",
    [
        {"hash": "0" * 40},  # who takes the signature away must not be left with the older one
        {"timestamp": "yesterday"},
        {"timestamp": "inf"},
        {"operator": "operator\n"},
        {"taxi": "abcdefg\n48.8"},
        {"signature": 7},
    ],
)
def test_a_newer_datagram_is_strict(changes: dict[str, Any]) -> None:
    assert refusal(a_signed_datagram(**changes)) is Drop.BAD_FIELD


def test_a_newer_datagram_may_have_what_an_older_one_needs() -> None:
    sent = a_signed_datagram(device="3310", status="", version=3, battery=0.4, lon=120)

    assert read(sent).is_signed_with(b"key")


# --- what the older hash leaves open -------------------------------------------------------------


def partings(lat: str, lon: str, device: str) -> Iterator[tuple[str, str, str]]:
    """Every other way to part the same characters."""
    text = lat + lon + device
    for one in range(1, len(text) - 1):
        for two in range(one + 1, len(text)):
            if (one, two) != (len(lat), len(lat + lon)):
                yield text[:one], text[one:two], text[two:]


def place(sent: bytes) -> tuple[int, int] | None:
    """Where the datagram's taxi is, if it is taken."""
    try:
        found = read(sent)
    except Unreadable:
        return None
    assert found.is_signed_with(b"key")
    return found.lat_e7, found.lng_e7


def moved(lat: str, lon: str, device: str = "phone") -> set[tuple[int, int]]:
    """Where the taxi of a datagram can be put by parting the same digits elsewhere."""
    right = place(a_datagram(lat=lat, lon=lon, device=device))
    assert right is not None
    hash_ = sha1_of(lat=lat, lon=lon, device=device)
    there = {
        place(a_datagram(lat=one, lon=two, device=rest, hash=hash_))
        for one, two, rest in partings(lat, lon, device)
    }
    return {at for at in there if at is not None and at != right}


@pytest.mark.parametrize(
    ("lat", "lon", "device"),
    [
        ("48.8601", "2.35", "phone"),
        ("48.8601", "2,35", ""),
        ("48.861", "0.35", "phone"),
        ("48.86", "1e-05", "phone"),
        ("48", "2", "ephone"),
        ("-21.15", "55.5", "phone"),
        ("-12.78", "45.2", "phone"),
        ("-22.27", "166.4", "phone"),
        ("16.24", "-61.53", "phone"),
    ],
)
def test_no_digit_can_be_moved_from_one_field_to_another(lat: str, lon: str, device: str) -> None:
    assert moved(lat, lon, device) == set()


_AREAS = {"metropolis": (0, 41.3, 9.7, 51.2), "mayotte": (45, -13.1, 45.4, -12.6)} | {
    "reunion": (55.2, -21.5, 55.9, -20.8),
    "caledonia": (163.5, -22.8, 168.2, -19.5),
    "west": (-70, -60, 0, 60),
}


@st.composite
def _in_an_area(draw: st.DrawFn) -> tuple[str, str]:
    west, south, east, north = _AREAS[draw(st.sampled_from([*_AREAS]))]
    form = draw(st.sampled_from([repr, "{:.0f}".format, "{:.1f}".format, "{:.6f}".format]))
    lat = draw(st.floats(south, north).map(lambda at: round(at, draw(st.integers(0, 7)))))
    lon = draw(st.floats(west, east).map(lambda at: round(at, draw(st.integers(0, 7)))))
    return form(lat), form(lon)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(_in_an_area())
def test_wherever_a_taxi_is_no_digit_can_be_moved(at: tuple[str, str]) -> None:
    lat, lon = at
    if place(a_datagram(lat=lat, lon=lon)) is not None:  # rounding may lead out of the area
        assert moved(lat, lon) == set()


@pytest.mark.parametrize(
    "changes",
    [
        {"lon": 13.4, "lat": 52.5},
        {"lon": 12.3501},
        {"device": "3310"},
        {"device": ",5"},
        {"device": "", "status": ""},  # the version follows then
        {"device": "e5"},
    ],
)
def test_the_older_hash_is_refused_where_it_would_fit_another_place(
    changes: dict[str, Any],
) -> None:
    assert refusal(a_datagram(**changes)) is Drop.AMBIGUOUS


def test_the_newer_formula_is_the_pages() -> None:
    """By hand: `printf 'maraude-udp-2\\n1795745000\\noperator\\nabcdefg\\n48.8601\\n2.3501' | openssl dgst -sha256 -hmac key`."""
    assert (
        json.loads(a_signed_datagram())["signature"]
        == "d93b18d987bfe298b0fe3a21b41be2b25fd6d8c44daa54eaef15c369671b49b3"
    )


def test_the_formula_is_the_dossiers() -> None:
    """By hand: `printf '1795745000operatorabcdefg48.86012.3501phonefree2key' | sha1sum`."""
    assert json.loads(a_datagram())["hash"] == "e29077e8532f516482649e0c7ce81b9242298932"
