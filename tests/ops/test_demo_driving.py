"""The demonstration's taxis on the road: batches, statuses, and the taxis that are kept in sight."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from ops.local.client import ApiRefused, Client
from ops.local.demo import driving
from ops.local.demo import fleet as demo
from ops.local.demo.__main__ import REPEATS_S
from ops.local.demo.driving import Operator, Traffic
from ops.local.demo.hook import Drivers
from ops.local.demo.operator_command import LOOK_S
from tests.ops.udp_gateways import records
from tests.taxis.positions.fleets import NOON, PARIS, Registry, a_report, e7, taxi_id


@dataclass
class Api:
    """Takes reports and statuses; refuses what it is told to."""

    reports: list[list[str]] = field(default_factory=list)
    puts: list[tuple[str, str]] = field(default_factory=list)
    refuses: bool = False

    def post(self, _: str, element: dict[str, Any]) -> list[Any]:
        if self.refuses:
            raise ApiRefused("no")
        self.reports.append([one["taxi_id"] for one in element["positions"]])
        return []

    def put(self, path: str, element: dict[str, Any]) -> list[Any]:
        self.puts.append((path, element["status"]))
        return []

    def client(self) -> Client:
        """Itself, where a client is wanted."""
        return self  # type: ignore[return-value]  # it answers the same calls


def an_operator(api: Api) -> Operator:
    return Operator(api.client(), Drivers(api.client()))


def traffic(api: Api, *, left: str = "free") -> Traffic:
    """The whole fleet, in the hands of two operators."""
    found = Traffic((an_operator(api), an_operator(api)))
    own = len(demo.STAND) + len(demo.CRUISING)
    for place in range(len(demo.DRIVEN)):
        found.add(found.operators[place >= own], place, f"t{place}", left=left)
    return found


def test_all_taxis_have_reported_before_a_minute_is_over() -> None:
    api = Api()
    found = traffic(api)

    for turn in range(int(60 / driving.TICK_S)):
        found.tick(turn * driving.TICK_S)

    assert {taxi for batch in api.reports for taxi in batch} == {
        f"t{n}" for n in range(len(demo.DRIVEN))
    }
    assert max(map(len, api.reports)) <= 50


def test_a_status_is_sent_where_it_has_changed_only() -> None:
    api = Api()
    found = traffic(api)

    for _ in range(14):
        found.tick(0)

    sent = Counter(path for path, _ in api.puts)
    assert set(sent.values()) == {1}
    assert {status for _, status in api.puts} == {"occupied"}
    assert 40 < len(sent) < 110


def test_a_taxi_that_was_left_off_is_freed() -> None:
    api = Api()

    traffic(api, left="off").tick(0)

    assert ("/taxis/t0", "free") in api.puts


def test_a_taxi_with_a_hail_is_left_to_its_driver() -> None:
    api = Api()
    found = traffic(api, left="off")
    found.operators[0].drivers._hails["h"] = "t0"  # without the thread that ends it

    found.tick(0)

    assert "t0" not in api.reports[0]
    assert ("/taxis/t0", "free") not in api.puts


def test_what_the_api_refuses_is_logged_and_the_next_batch_has_its_turn(
    caplog: pytest.LogCaptureFixture,
) -> None:
    api = Api(refuses=True)
    found = traffic(api)

    found.tick(0)
    api.refuses = False
    found.tick(5)

    assert "sent again" in caplog.text
    assert len(api.reports) == 1


def test_before_a_taxi_is_registered_nothing_is_records() -> None:
    api = Api()

    Traffic((an_operator(api),)).tick(0)

    assert api.reports == []


# --- taxis of somebody who reports nothing ----------------------------------------------------------


def seen(*, ago_s: float) -> None:
    """A position that was stored so long ago."""
    at = NOON - timedelta(seconds=ago_s)
    report = a_report((1, PARIS), seen_at=at)
    positions.store_window([report], availability_of=Registry().availability_of, now=at)


@pytest.mark.usefixtures("store")
def test_a_taxi_that_has_been_silent_is_repeated_where_it_was_at_a_time_that_has_passed() -> None:
    seen(ago_s=70)

    assert driving.repeat([taxi_id(1)], now=NOON) == 1

    [report] = records()
    assert (report.lngs_e7[0], report.lats_e7[0]) == e7(PARIS)
    assert report.seen == codec.tick(NOON - driving.BEFORE)


@pytest.mark.usefixtures("store")
def test_a_taxi_that_reports_by_itself_is_not_repeated() -> None:
    seen(ago_s=20)

    assert driving.repeat([taxi_id(1), taxi_id(2)], now=NOON) == 0
    assert records() == []


def test_a_repeated_taxi_is_in_sight_until_it_is_repeated_again() -> None:
    """By its age when it may be looked at last before the next look, of the 120 s that count."""
    for look_s in (REPEATS_S, LOOK_S):
        oldest_s = driving.REPEATED_AFTER.total_seconds() + look_s
        assert oldest_s < 100
    assert driving.BEFORE < driving.REPEATED_AFTER
