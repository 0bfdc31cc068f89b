"""Monthly costs from counted units and prices: pure. Its constants are what is assumed."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log
from typing import Any

from ops.errors import CannotGoOn

GATEWAY_STEP = 300e6  # requests a month of an HTTP API at the full price

MONTH_S, MONTH_H, MONTH_DAYS = 2_628_000, 730, 30.4
PERIODS_S = (5, 10)  # that were measured; what is between lies on a line

# Assumed: neither counted nor in a price list.
VCPU = (
    1024 / 1769
)  # of a function of 1,024 MB; a whole one is as fast as the core that was measured
REQUEST_CPU_MS = 2.0  # of Chalice, the key and the answer, in each request
WAIT_MS = 6  # for a call of DynamoDB, and twice as long for one of Kinesis
GB = 1.0  # memory of the functions
LOG_BYTES = 1_300  # of a request: its line of metrics, Lambda's own three, the gateway's
ANSWER_BYTES = 6_000  # of a search: ten taxis
KB_A_TAXI = 4  # that are kept: registration, page, entry, pointer
HAIL_REQUESTS, HAIL_MESSAGES = 7, 8  # of a hail that comes to its end; SQS: sent, received, deleted
HAIL_CHANGES = 4  # of its requests, by PUT: accepted by both, on board, finished
ENTRY_UNITS = 2  # to write an entry of the journal (chalicelib/taxis/activity/store.py)
SHARDS, WINDOW_S = 4, 5
STREAMS, METRICS, SECRETS = 2, 300, 2
ALARMS = 70  # metrics that alarms read, each of which is paid for: infra/taxis/alarms.yaml

ASSUMED = (
    f"a month is {MONTH_H} hours; every taxi reports all the time; no free tier, no tax, no discount",
    (
        "searches are a mean of the month, of 500 m, nationally, and no process has the details of a taxi "
        "at hand that another one has read"
    ),
    (
        f"a function of 1,024 MB has {VCPU:.2f} of a core like the measured one; a request takes "
        f"{REQUEST_CPU_MS:.0f} ms of processor besides what was measured; a call of DynamoDB takes {WAIT_MS} ms, "
        f"one of Kinesis {2 * WAIT_MS} ms"
    ),
    (
        f"{LOG_BYTES:,} bytes of logs a request, {ANSWER_BYTES:,} of an answer with taxis, "
        f"{KB_A_TAXI} KB kept of a taxi, {METRICS} metrics, {ALARMS} of them read by alarms"
    ),
    "a change of status is read once more by the stream of descriptions, which finds it shown",
    "nothing for jobs and statistics, lists and other reads of partners, retries, support and the UDP door, which were not counted",
)


HAILS_DAY = 100_000  # where nobody says how many, but of a small fleet no more than
HAILS_A_TAXI = 10  # a day


class PriceMissing(CannotGoOn):
    """The price file has no such price."""


class OutOfRange(CannotGoOn):
    """The estimate is outside of what was measured."""


@dataclass(frozen=True, slots=True)
class Load:
    """The load to estimate: fleet, reporting period, requests a day or second."""

    taxis: int
    period_s: float = 5
    searches_s: float = 1000
    hails_day: float = HAILS_DAY
    changes_day: float = 10  # of status, of each taxi


@dataclass(frozen=True, slots=True)
class Line:
    """The monthly cost of one cause at one service."""

    cause: str
    service: str
    usd: float


def price(prices: Mapping[str, Any], name: str) -> float:
    """USD of one unit of a price. Raises PriceMissing."""
    try:
        of = prices["prices"][name]
        return float(of["usd"]) / float(str(of["each"]).split()[0].replace("_", ""))
    except KeyError:
        raise PriceMissing(f"infra/prices.yaml has no price {name!r}.") from None


def interpolated(fleets: Sequence[Mapping[str, float]], taxis: int, name: str) -> float:
    """A figure of a fleet of another size: linear in the logarithm of its size. Raises OutOfRange."""
    least, most = int(fleets[0]["taxis"]), int(fleets[-1]["taxis"])
    if not least <= taxis <= most:
        raise OutOfRange(f"--taxis must be from {least:,} to {most:,}, which were measured.")
    below, above = next(pair for pair in itertools.pairwise(fleets) if taxis <= pair[1]["taxis"])
    share = log(taxis / below["taxis"]) / log(above["taxis"] / below["taxis"])
    return below[name] + share * (above[name] - below[name])


def lines(load: Load, figures: Mapping[str, Any], prices: Mapping[str, Any]) -> list[Line]:
    """The lines of the monthly estimate. Raises OutOfRange and PriceMissing."""
    if not PERIODS_S[0] <= load.period_s <= PERIODS_S[1]:
        raise OutOfRange("--period must be from 5 to 10 seconds, which were measured.")
    for name in ("searches_s", "hails_day", "changes_day"):
        if getattr(load, name) < 0:
            raise OutOfRange(f"{name} must be 0 or more.")

    def usd(name: str, count: float) -> float:
        return count * price(prices, name)

    fleets, cpu, change, hail = (figures[name] for name in ("fleets", "cpu", "change", "hail"))
    towards_5_s = (PERIODS_S[1] - load.period_s) / (PERIODS_S[1] - PERIODS_S[0])

    def a_position(name: str) -> float:
        """Units of a position: counted at 10 s for each size, and at 5 s for one."""
        at_10_s = interpolated(fleets, load.taxis, f"{name}_per_1000") / 1000
        return at_10_s * (1 + towards_5_s * (float(figures["of_5_s_to_10_s"][name]) - 1))

    positions = load.taxis / load.period_s * MONTH_S
    posts = positions / figures["post"]["positions"]
    records = posts * figures["post"]["records"]
    stream_gb = records * ceil(figures["post"]["record_bytes"] / 1024) / 1024**2
    searches = load.searches_s * MONTH_S
    search_reads = interpolated(fleets, load.taxis, "search_units") + 0.5 * interpolated(
        fleets, load.taxis, "taxis_found"
    )
    hails = load.hails_day * MONTH_DAYS
    changes = load.changes_day * load.taxis * MONTH_DAYS
    requests = {
        "positions": posts,
        "searches": searches,
        "hails": hails * HAIL_REQUESTS,
        "status": changes,
    }
    writes = {
        "positions": positions * a_position("write_units"),
        "hails": hails * (hail["write_units"] + HAIL_CHANGES * ENTRY_UNITS),
        # In the journal stand the request and what it changed
        "status": changes * (change["write_units"] + 2 * ENTRY_UNITS),
    }
    reads = {
        "positions": positions * a_position("read_units"),
        "searches": searches * search_reads,
        "hails": hails * hail["read_units"],
        "status": changes * 2 * change["read_units"],
    }
    windows = SHARDS / WINDOW_S * MONTH_S
    calls = positions * cpu["ingest_calls_per_position"]
    ingest_ms = (positions * cpu["ingest_us_per_position"] + calls * cpu["sdk_us_per_call"]) / 1000
    post_ms = REQUEST_CPU_MS + figures["post"]["positions"] * cpu["api_us_per_position"] / 1000
    search_ms = REQUEST_CPU_MS + cpu["search_ms"]
    busy_ms = {
        "positions": posts * (post_ms / VCPU + 2 * WAIT_MS) + ingest_ms / VCPU,
        "searches": searches * (search_ms / VCPU + 2 * WAIT_MS),
        "hails": hails * HAIL_REQUESTS * 2 * (REQUEST_CPU_MS / VCPU + 4 * WAIT_MS),
        "status": changes * 2 * (REQUEST_CPU_MS / VCPU + 4 * WAIT_MS),
    }
    also_invoked = {"positions": windows, "hails": hails * 2, "status": changes}
    gateway = _gateway(prices, sum(requests.values()))
    return [
        *(
            Line(
                cause,
                "DynamoDB",
                usd("dynamodb_write", writes.get(cause, 0)) + usd("dynamodb_read", reads[cause]),
            )
            for cause in requests
        ),
        *(Line(cause, "API Gateway", count * gateway) for cause, count in requests.items()),
        *(
            Line(
                cause,
                "Lambda",
                usd("lambda_request", count + also_invoked.get(cause, 0))
                + usd("lambda_duration", busy_ms[cause] / 1000 * GB),
            )
            for cause, count in requests.items()
        ),
        *(
            Line(cause, "CloudWatch", usd("logs_in", count * LOG_BYTES / 1024**3))
            for cause, count in requests.items()
        ),
        Line("positions", "Kinesis", usd("kinesis_in", stream_gb) + usd("kinesis_out", stream_gb)),
        Line("searches", "Transfer", usd("transfer_out", searches * ANSWER_BYTES / 1024**3)),
        Line("hails", "SQS", usd("sqs_request", hails * HAIL_MESSAGES)),
        *standing(load.taxis, prices),
    ]


def standing(taxis: int, prices: Mapping[str, Any]) -> list[Line]:
    """The lines of what costs the same whether or not it is used; of no taxis, the price of the floor.

    Raises PriceMissing.
    """
    kept_gb = taxis * KB_A_TAXI / 1024**2
    priced: dict[str, dict[str, float]] = {
        "Kinesis": {"kinesis_stream": STREAMS * MONTH_H},
        "DynamoDB": {"dynamodb_storage": kept_gb, "dynamodb_recovery": kept_gb},
        "CloudWatch": {"metric": METRICS, "alarm": ALARMS, "dashboard": 1},
        "Secrets Manager": {"secret": SECRETS},
    }
    return [
        Line("standing", service, sum(count * price(prices, name) for name, count in of.items()))
        for service, of in priced.items()
    ]


def _gateway(prices: Mapping[str, Any], requests: float) -> float:
    """USD of a request, on average over the gateway's two steps."""
    first = min(requests, GATEWAY_STEP)
    usd = first * price(prices, "gateway_request")
    usd += (requests - first) * price(prices, "gateway_request_300m")
    return usd / requests


def total(some: Iterable[Line]) -> float:
    """USD a month of some lines."""
    return sum(line.usd for line in some)
