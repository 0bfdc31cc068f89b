"""Rate limiter of addresses, for requests that no key of a known account vouches for.

The address is the one that the gateway had the request from. `store.py` says what a count costs: nothing
but memory for an address that asks less than `1 / REPORTS` of what it may. Many customers may stand
behind one address, so the limit is far above what people do (docs/evidence/abuse.md has the figures).
"""

import hashlib
import json
import logging
from datetime import datetime

from chalicelib.foundation import cache
from chalicelib.foundation.errors import TooMany, in_request
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.rate_limit import rules
from chalicelib.foundation.rate_limit.rules import Limit
from chalicelib.foundation.rate_limit.store import REMEMBERED, Add, Tally, add, retry_after_s
from chalicelib.foundation.settings import settings

REPORTS = 20  # in a window, of an address that asks as often as it may
LONG = 100_000  # characters, of which a body or an answer counts as another request: they take time, and are paid for

log = logging.getLogger("maraude.http")


class TooManyOfAddress(TooMany):
    """The address is used too often: more requests without the key of a known account came from it than its limit allows."""


class Sources:
    """The limit of addresses in one process; thread-safe. Created once, at import."""

    def __init__(self, add: Add = add) -> None:
        self._tally = Tally(add)
        # The window in which a network was last logged: one line, however many requests are refused.
        self._logged: cache.Memory[str, int] = cache.Memory(
            lambda: REMEMBERED, lambda: float(2 * rules.WINDOW_S)
        )

    def take(self, source: str, characters: int = 0, *, now: datetime) -> None:
        """Counts a request from an address, of which the body has so many characters. Raises TooManyOfAddress."""
        limit, requests = _limit(), 1 + characters // LONG
        if limit is None or not self._tally.is_over(
            _whose(source), limit, now=now, requests=requests
        ):
            return
        metrics.emit({}, counts={"requests_throttled_by_address": 1})
        shown, window = rules.shown(source), rules.window_of(now)
        if self._logged.get(shown) != window:
            self._logged.put(shown, window)
            log.warning("%s", json.dumps({"event": "address_throttled", "network": shown}))
        raise TooManyOfAddress(
            in_request(
                f"More than {limit.requests_a_second} requests a second came from this address "
                "without a valid key. Please try again later."
            ),
            retry_after_s=retry_after_s(now),
        )

    def charge(self, source: str, characters: int, *, now: datetime) -> None:
        """Counts what an answer had beside its request, if it was a long one."""
        limit, requests = _limit(), characters // LONG
        if limit is not None and requests:
            self._tally.is_over(_whose(source), limit, now=now, requests=requests)


def _limit() -> Limit | None:
    a_second = settings().keyless_requests_a_second
    return Limit(a_second, REPORTS) if a_second else None


def _whose(source: str) -> str:
    """The key of an address's count, in the table too: no address can be read from it at sight."""
    return f"source#{hashlib.sha256(rules.network_of(source).encode()).hexdigest()}"


sources = Sources()
