"""Positions on their way in: from a request or a datagram into the stream.

Reports are grouped by region, so that a window of the stream touches few cells.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation.aws import kinesis
from chalicelib.foundation.errors import (
    Malformed,
    Unavailable,
    Unknown,
    in_body,
    in_request,
    in_url,
)
from chalicelib.foundation.observe import metrics, tracing
from chalicelib.foundation.settings import table
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.positions import codec, regions
from chalicelib.taxis.vocabulary import Account

# A report stays far below 1 MB, the limit of a record, and a call below 5 MB and 500 records.
POSITIONS_A_REPORT = 10_000  # 140 kB
REPORTS_A_CALL = 35


class TaxiUnknown(Unknown):
    """A position has a taxi id that cannot exist."""


class TaxisUnknown(Malformed):
    """Positions of taxis that this account has not added."""


class StreamUnavailable(Unavailable):
    """The stream did not take every position. Sending all of them again is harmless."""


_NOT_STORED = in_request("The positions could not be stored, send them again")


def report(viewer: Account, reported: Sequence[tuple[str, int, int]], *, now: datetime) -> None:
    """Takes in positions (taxi id, lng_e7, lat_e7) of an operator's own taxis, all or none.

    Raises TaxisUnknown, and StreamUnavailable: these positions are counted as dropped, for it is the
    operator who may send them again.
    """
    if not reported:
        return
    taxi_ids = [taxi_id for taxi_id, _, _ in reported]
    known = fleets.taxi_ids_of(viewer.owner, expecting=taxi_ids)
    if not known.issuperset(taxi_ids):
        metrics.emit({}, counts={"positions_rejected": len(reported)})
        raise TaxisUnknown(
            *(
                in_body(f"positions.{place}.taxi_id", "Identifiant de taxi inconnu")
                for place, taxi_id in enumerate(taxi_ids)
                if taxi_id not in known
            )
        )
    try:
        accept(reported, now=now)
    except StreamUnavailable:
        metrics.emit({}, counts={"positions_dropped": len(reported)})
        raise
    metrics.emit({}, counts={"positions_accepted": len(reported)})


def accept(positions: Iterable[tuple[str, int, int]], *, now: datetime) -> None:
    """Puts positions (taxi id, lng_e7, lat_e7), received now, into the stream.

    The last one of a taxi counts. Raises TaxiUnknown before anything is sent, and StreamUnavailable
    where the stream did not take all of them.
    """
    positions = list(positions)
    number_of, region_at = codec.number_of, regions.region_at
    newest = {number_of(taxi_id): (lat_e7, lng_e7) for taxi_id, lng_e7, lat_e7 in positions}
    by_region: dict[str, list[tuple[int, int, int]]] = {}
    for taxi, (lat_e7, lng_e7) in newest.items():
        if taxi is None:
            unknown = next(taxi_id for taxi_id, _, _ in positions if number_of(taxi_id) is None)
            raise TaxiUnknown(in_url(f"Taxi {unknown} not found"))
        region = region_at(lng_e7, lat_e7)
        if region not in by_region:
            by_region[region] = []
        by_region[region].append((taxi, lat_e7, lng_e7))
    seen = codec.tick(now)
    size = POSITIONS_A_REPORT
    trace = tracing.current()
    send(
        [
            (region, codec.with_trace(codec.pack_report(seen, inside[start : start + size]), trace))
            for region, inside in by_region.items()
            for start in range(0, len(inside), size)
        ]
    )


def send(reports: Sequence[tuple[str, bytes]]) -> None:
    """Puts reports (region, bytes) into the stream: one call, and one for each time some were refused.

    Raises StreamUnavailable.
    """
    for start in range(0, len(reports), REPORTS_A_CALL):
        try:
            refused = kinesis.put(table("positions"), reports[start : start + REPORTS_A_CALL])
        except (BotoCoreError, ClientError) as error:
            raise StreamUnavailable(_NOT_STORED) from error
        if refused:
            raise StreamUnavailable(_NOT_STORED)
