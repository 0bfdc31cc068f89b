"""When a count is told and when an account has had its share: the rule alone."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib.foundation.rate_limit import rules
from chalicelib.foundation.rate_limit.rules import Count, Limit

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)  # a window begins
LIMIT = Limit(200)


def test_a_count_is_told_when_there_is_a_twentieth_of_a_second_s_share_of_it() -> None:
    count = Count(7)

    due = []
    for _ in range(25):
        count, requests = count.with_more(LIMIT)
        due.append(requests)

    assert [place for place, requests in enumerate(due, 1) if requests] == [10, 20]
    assert (sum(due), count.waiting) == (20, 5)


def test_what_is_not_told_when_a_window_ends_is_told_in_the_next() -> None:
    count = Count(7, reported=2001, waiting=9)

    later = count.at(8)

    assert not later.is_over(LIMIT)
    assert later.with_more(LIMIT) == (Count(8), 10)


@pytest.mark.parametrize(("reported", "is_over"), [(2000, False), (2001, True)])
def test_ten_seconds_share_may_be_used_in_any_part_of_a_window(
    reported: int, *, is_over: bool
) -> None:
    assert Count(7, reported=reported).is_over(LIMIT) is is_over


def test_a_small_limit_is_told_of_each_request() -> None:
    assert Count(7).with_more(Limit(1)) == (Count(7), 1)


def test_windows_stand_on_the_clock() -> None:
    window = rules.window_of(NOON)

    assert rules.window_of(NOON + timedelta(seconds=9.999)) == window
    assert rules.window_of(NOON + timedelta(seconds=10)) == window + 1
    assert rules.ends_at(window) == int(NOON.timestamp()) + 10


def test_an_address_tells_of_a_twentieth_of_a_window_s_share() -> None:
    limit = Limit(100, reports=20)

    assert (limit.a_window, limit.report) == (1000, 50)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::2"),
    ],
)
def test_addresses_of_one_network_are_counted_together(one: str, other: str) -> None:
    assert rules.network_of(one) == rules.network_of(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("192.0.2.1", "192.0.2.2"),
        ("2001:db8:0:1::1", "2001:db8:0:2::1"),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2"),
        ("::1", "192.0.2.1"),
        ("no address", "nor this"),
    ],
)
def test_addresses_of_two_networks_are_counted_apart(one: str, other: str) -> None:
    assert rules.network_of(one) != rules.network_of(other)


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("192.0.2.77", "192.0.2.0/24"),
        ("::ffff:192.0.2.77", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("::1", "::/48"),
        ("whatever else", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_log_has_an_address_cut_short(source: str, shown: str) -> None:
    assert rules.shown(source) == shown


@dataclass
class Processes:
    """Some processes that serve one account, and the sum that they share."""

    number: int
    limit: Limit
    sums: Counter[int] = field(default_factory=Counter)
    reports: int = 0

    def __post_init__(self) -> None:
        self.counts = [Count(0)] * self.number

    def let_in(self, process: int, window: int) -> bool:
        """What becomes of a request that comes to a process."""
        count = self.counts[process].at(window)
        if not count.is_over(self.limit):
            count, due = count.with_more(self.limit)
            if due:
                self.reports += 1
                self.sums[window] += due
                count = Count(window, self.sums[window], count.waiting)
        self.counts[process] = count
        return not count.is_over(self.limit)


@given(
    a_second=st.integers(1, 60),
    number=st.integers(1, 12),
    floods=st.lists(st.tuples(st.integers(0, 2000), st.randoms()), min_size=1, max_size=3),
)
def test_however_a_flood_is_spread_a_window_lets_in_the_limit_and_a_report_a_process_more(
    a_second: int, number: int, floods: list[tuple[int, Random]]
) -> None:
    limit = Limit(a_second)
    processes = Processes(number, limit)

    for window, (requests, random) in enumerate(floods):
        came = [processes.let_in(random.randrange(number), window) for _ in range(requests)]

        assert sum(came) <= limit.a_window + limit.report * number
        if requests <= limit.a_window - limit.report * number:
            assert all(came)
    reported = sum(processes.sums.values())
    assert processes.reports * limit.report == reported
    assert reported <= len(floods) * (limit.a_window + limit.report * number)
