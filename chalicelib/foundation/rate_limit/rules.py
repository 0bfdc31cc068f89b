"""Rate limit of an account or an address, and when a process reports its count: pure.

Every process counts for itself, and adds to a sum that all share when it has `Limit.report` requests
to tell of; what it has not told yet when a window ends it tells in the next. So whatever the requests of
one caller are spread over, a window lets in `Limit.a_window` of them and at most `Limit.report` more for
each process that serves it.
"""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from msgspec import Struct

from chalicelib.foundation.values import replace

WINDOW_S = 10
REPORTS = 200  # in a window, of who asks as often as it may
_SHOWN_BITS = {4: 24, 6: 48}  # of an address, in logs: a street's or a site's, and no household's


class Limit(Struct, frozen=True):
    """The limit of one account or address."""

    requests_a_second: int
    reports: int = REPORTS

    @property
    def a_window(self) -> int:
        """Requests in a window, in whichever part of it they come."""
        return self.requests_a_second * WINDOW_S

    @property
    def report(self) -> int:
        """The number of requests after which a process reports them."""
        return max(1, self.a_window // self.reports)


class Count(Struct, frozen=True):
    """A process's count of one caller's requests in a window.

    `reported` is how many all processes together had reported of the window when this one last reported;
    `waiting` are those that it has seen since, of this window or the one before.
    """

    window: int
    reported: int = 0
    waiting: int = 0

    def at(self, window: int) -> "Count":
        """The count in a window: of a new one nothing is reported yet."""
        return self if window == self.window else Count(window, waiting=self.waiting)

    def is_over(self, limit: Limit) -> bool:
        """Whether the caller has used up its limit in this window."""
        return self.reported > limit.a_window

    def with_more(self, limit: Limit, requests: int = 1) -> tuple["Count", int]:
        """The count after more requests, and how many are to be reported now: mostly none."""
        waiting = self.waiting + requests
        if waiting < limit.report:
            return replace(self, waiting=waiting), 0
        return replace(self, waiting=0), waiting


def window_of(now: datetime) -> int:
    """The window that a moment is in. Windows are aligned to the clock, the same for all processes."""
    return int(now.timestamp()) // WINDOW_S


def ends_at(window: int) -> int:
    """The end of a window, in Unix seconds."""
    return (window + 1) * WINDOW_S


def network_of(source: str) -> str:
    """The network that is counted for an address: of IPv6 its /64, which is one household."""
    address = _address(source)
    if address is None:
        return source
    return _network(address, 64 if address.version == 6 else 32)


def shown(source: str) -> str:
    """An address as a log may have it: cut short, so that it is nobody's in particular."""
    address = _address(source)
    return "unknown" if address is None else _network(address, _SHOWN_BITS[address.version])


def _address(source: str) -> IPv4Address | IPv6Address | None:
    """An address; of IPv4 also where it is written as one of IPv6, whose /64 all of them would share."""
    try:
        address = ip_address(source)
    except ValueError:
        return None
    return (address.version == 6 and address.ipv4_mapped) or address


def _network(address: IPv4Address | IPv6Address, bits: int) -> str:
    # Of its number, for an address may name an interface, which no network has.
    return str(ip_network((type(address)(int(address)), bits), strict=False))
