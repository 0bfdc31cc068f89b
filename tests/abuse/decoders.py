"""The decoders of bytes that anybody may send or a broken writer may leave, as those who attack them see them."""

import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from chalicelib.foundation import geo
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.foundation.observe.tracing import TRACE_BYTES
from chalicelib.foundation.store.reads import Item
from chalicelib.taxis.positions import codec, rules, store
from chalicelib.taxis.search import rules as searches
from chalicelib.taxis.vocabulary import TaxiStatus
from tests.ops.datagrams import a_datagram, a_signed_datagram
from tests.taxis.stats.searching import a_search
from udp_gateway import datagram

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
PARIS = Circle(LngLat(2.35, 48.86), 500)
_LAT_E7, _LNG_E7 = 488_600_000, 23_500_000


@dataclass(frozen=True)
class Decoder:
    """What reads bytes, some that it reads, and the one thing that it may raise for others."""

    decode: Callable[[bytes], object]
    good: tuple[bytes, ...]
    refusal: type[Exception]


def _datagram(sent: bytes) -> bool:
    return datagram.read(sent).is_signed_with(b"key")


def _report(packed: bytes) -> None:
    report = codec.unpack_report(packed)
    positions = zip(report.taxis, report.lats_e7, report.lngs_e7, strict=True)
    assert codec.with_trace(codec.pack_report(report.seen, positions), report.trace) == packed


def _cell(packed: bytes) -> None:
    """From DynamoDB's item to what a window, a search and the nightly job make of its entries."""
    item: Item = {
        "cell": {"S": geo.key(geo.ancestor(geo.finest_cell(_LNG_E7, _LAT_E7), 6))},
        "version": {"N": "1"},
        "taxis": {"B": packed},
    }
    ((_, cell),) = store.cells(()).parse([item]).items()
    entries = cell.entries
    assert len(entries.packed()) == codec.ENTRY.size * len(entries)
    assert set(entries.older(1)) <= set(entries.doubtful(1)) <= entries.keys()
    rules.near(PARIS, [packed, packed], oldest=0, default_radius_m=500)
    for head, _, _, seen, _ in entries.values():
        codec.moment(seen)
        codec.id_of(head & codec.ID)
        with suppress(codec.Unreadable):
            codec.status_of(head)


def _searches_inside(text: bytes) -> None:
    """Behind the compression, which nobody's chance gets through."""
    searches.unpack(zlib.compress(text, 0))


DECODERS: Mapping[str, Decoder] = {
    "datagram": Decoder(
        _datagram,
        (
            a_datagram(),
            a_datagram(lat="48.860", lon="2,35"),
            a_datagram(lat=-1e-7, lon=-2),
            a_signed_datagram(),
            a_signed_datagram(lat=-1e-7, lon="2,35"),
        ),
        datagram.Unreadable,
    ),
    "report of positions": Decoder(
        _report,
        (
            codec.pack_report(codec.tick(NOON), [(7, _LAT_E7, _LNG_E7), (8, -1, 1)]),
            codec.with_trace(codec.pack_report(1, [(7, 1, 1)]), bytes(range(TRACE_BYTES))),
            codec.pack_report(0, []),
        ),
        codec.Unreadable,
    ),
    "cell": Decoder(
        _cell,
        (
            codec.pack_entries(
                [
                    (codec.head(taxi, status, 150), _LAT_E7, _LNG_E7 + taxi, 5, 4)
                    for taxi, status in enumerate(TaxiStatus, start=7)
                ]
            ),
            codec.pack_entries([(7, _LAT_E7, _LNG_E7, 5, 4), (7, _LAT_E7, _LNG_E7, 6, 4)]),
            codec.pack_entries([(codec.IDS - 1 | codec.LEAVING, _LAT_E7, _LNG_E7, 5, 4)]),
        ),
        codec.Unreadable,
    ),
    "report of searches": Decoder(
        searches.unpack,
        (
            searches.pack([a_search()]),
            searches.pack([]),
        ),
        searches.Unreadable,
    ),
    "searches inside": Decoder(
        _searches_inside,
        (zlib.decompress(searches.pack([a_search()])), b"[1,[]]"),
        searches.Unreadable,
    ),
}
