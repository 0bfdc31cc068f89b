"""The demonstration's drivers and customer, against a registry that is only a few rules long."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.geo import LngLat
from ops.local.client import ApiRefused, Client
from ops.local.demo import crowd, customer, hook, ways
from ops.local.demo import fleet as demo
from ops.local.demo.crowd import Crowd
from ops.local.demo.customer import Customer, Place
from ops.local.demo.hook import Drivers, Pace, Temper
from tests.eventually import eventually

QUICK = Pace(
    to_notice_s=0.01,
    to_decide_s=0.01,
    between_looks_s=0.01,
    to_arrive_s=0.05,
    to_ride_s=0.01,
    to_give_up_s=0.3,
    to_come_back_s=0.01,
)


@dataclass
class Registry:
    """Stands in for the API: hails as they were left, and what was asked of it."""

    hails: dict[str, dict[str, Any]] = field(default_factory=dict)
    puts: list[tuple[str, str]] = field(default_factory=list)
    reports: list[tuple[float, float]] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)
    free: int = 3
    on_hail: Callable[[str], None] = lambda _: None
    url: str = "http://registry"
    key: str = "key"

    def add(self, hail_id: str, status: str = "received_by_operator") -> dict[str, Any]:
        """A hail."""
        self.hails[hail_id] = {
            "id": hail_id,
            "status": status,
            "session_id": "s",
            "customer_lon": 2.36,
            "customer_lat": 48.86,
            "transitions": [],
            "taxi": {
                "id": f"taxi of {hail_id}",
                "position": {"lon": 2.35, "lat": 48.85},
                "crowfly_distance": 0.1,
            },
        }
        self.move(hail_id, status)
        return self.hails[hail_id]

    def move(self, hail_id: str, status: str) -> None:
        """A step, whoever takes it."""
        hail = self.hails[hail_id]
        hail["status"] = status
        at = datetime.now(UTC).isoformat()
        hail["transitions"].append({"to_status": status, "timestamp": at, "reason": None})

    def get(self, path: str, **_: object) -> list[Any]:
        """A search, or a hail."""
        if path == "/taxis":
            return [{"id": f"t{n}", "crowfly_distance": 100.0 * n} for n in range(self.free, 0, -1)]
        return [json.loads(json.dumps(self.hails[path.rpartition("/")[2]]))]

    def put(self, path: str, element: dict[str, Any]) -> list[Any]:
        """A step of a hail, or a taxi's status."""
        hail_id = path.rpartition("/")[2]
        if element["status"] in self.refuses:
            raise ApiRefused("no")
        self.puts.append((path, element["status"]))
        if hail_id in self.hails:
            self.move(hail_id, element["status"])
            return self.get(path)
        return []

    def post(self, path: str, element: dict[str, Any]) -> list[Any]:
        """A report, or a hail."""
        if path == "/geotaxi":
            self.reports += [(one["lon"], one["lat"]) for one in element["positions"]]
            return []
        hail_id = f"h{len(self.hails)}"
        hail = self.add(hail_id, "received")
        hail["asked"] = element
        answer = self.get(f"/hails/{hail_id}")
        self.on_hail(hail_id)
        return answer

    def client(self) -> Client:
        """Itself, where a client is wanted."""
        return self  # type: ignore[return-value]  # it answers the same calls


def drivers(registry: Registry, temper: Temper) -> Drivers:
    """Drivers of one temper."""
    return Drivers(registry.client(), QUICK, temper=lambda _: temper)


def live(registry: Registry, temper: Temper, *, then: str | None = None) -> list[str]:
    """What a driver of that temper does about one hail, `then` being the customer's or the registry's."""
    fleet = drivers(registry, temper)
    registry.add("h")
    fleet.take("h", "taxi")
    if then is not None:
        waits_in = "accepted_by_taxi" if temper is Temper.ACCEPTS else "received_by_taxi"
        eventually(lambda: registry.hails["h"]["status"] == waits_in)
        registry.move("h", then)
    eventually(lambda: not fleet.with_hail())
    return [status for _, status in registry.puts]


# --- drivers --------------------------------------------------------------------------------------


def test_a_driver_accepts_fetches_the_customer_and_is_free_again() -> None:
    registry = Registry()

    did = live(registry, Temper.ACCEPTS, then="accepted_by_customer")

    assert did == [
        "received_by_taxi",
        "accepted_by_taxi",
        "customer_on_board",
        "finished",
        "free",
    ]
    assert registry.reports[-1] == (2.36, 48.86)


def test_a_driver_who_declines_comes_back() -> None:
    assert live(Registry(), Temper.DECLINES) == ["received_by_taxi", "declined_by_taxi", "free"]


def test_a_driver_who_says_nothing_comes_back_when_the_registry_has_ended_it() -> None:
    did = live(Registry(), Temper.SILENT, then="timeout_taxi")

    assert did == ["received_by_taxi", "free"]


def test_at_the_console_s_simulator_a_person_answers_what_has_arrived_and_frees_the_taxi() -> None:
    registry = Registry()
    fleet = drivers(registry, Temper.BY_HAND)
    registry.add("h")

    fleet.take("h", "taxi")

    eventually(lambda: not fleet.with_hail())
    assert registry.puts == [("/hails/h", "received_by_taxi")]


def test_a_driver_does_not_drive_to_a_customer_who_has_withdrawn() -> None:
    registry = Registry()

    did = live(registry, Temper.ACCEPTS, then="declined_by_customer")

    assert did == ["received_by_taxi", "accepted_by_taxi", "free"]
    assert registry.reports == []


def test_a_first_step_that_came_too_early_is_taken_again() -> None:
    registry = Registry(refuses={"received_by_taxi"})
    fleet = drivers(registry, Temper.DECLINES)
    registry.add("h", "received")

    fleet.take("h", "taxi")
    time.sleep(0.05)
    registry.refuses.clear()
    registry.move("h", "received_by_operator")

    eventually(lambda: not fleet.with_hail())
    assert registry.puts[0][1] == "received_by_taxi"


def test_a_first_step_is_taken_again_though_it_has_become_possible_by_the_look() -> None:
    class Overtaken(Registry):
        def put(self, path: str, element: dict[str, Any]) -> list[Any]:
            if self.hails["h"]["status"] == "received":
                self.move("h", "received_by_operator")  # between the refusal and the look
                raise ApiRefused("Impossible to change status from received to received_by_taxi")
            return super().put(path, element)

    registry = Overtaken()
    fleet = drivers(registry, Temper.DECLINES)
    registry.add("h", "received")

    fleet.take("h", "taxi")

    eventually(lambda: ("/hails/h", "received_by_taxi") in registry.puts)
    eventually(lambda: not fleet.with_hail())


def test_a_hail_that_comes_twice_is_shown_once() -> None:
    registry = Registry()
    fleet = drivers(registry, Temper.DECLINES)
    registry.add("h")

    fleet.take("h", "taxi")
    fleet.take("h", "taxi")

    eventually(lambda: not fleet.with_hail())
    assert [status for _, status in registry.puts].count("received_by_taxi") == 1


def test_drivers_are_of_all_tempers_and_most_accept() -> None:
    met = [hook.temper(f"h{number}") for number in range(300)]

    assert set(met) == {Temper.ACCEPTS, Temper.DECLINES, Temper.SILENT}
    assert met.count(Temper.ACCEPTS) > 150


# --- their server ---------------------------------------------------------------------------------


def post(address: str, body: bytes) -> tuple[int, bytes]:
    """What the server answers."""
    where = urlsplit(address)
    connection = http.client.HTTPConnection(where.hostname or "", where.port, timeout=30)
    connection.request("POST", where.path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    read = answer.read()
    connection.close()
    return answer.status, read


def test_the_server_answers_at_once_and_shows_the_hail_to_its_driver() -> None:
    registry = Registry()
    registry.add("h")
    fleet = drivers(registry, Temper.SILENT)

    with hook.serving(fleet) as address:
        answer = post(address, b'{"data":[{"id":"h","taxi":{"id":"t1"}}]}')

    assert answer == (200, b"{}")
    assert fleet.with_hail() == {"t1"}
    eventually(
        lambda: registry.hails["h"]["status"] == "received_by_taxi"
    )  # or that step comes last
    registry.move("h", "timeout_taxi")
    eventually(lambda: not fleet.with_hail())


def test_an_example_is_answered_and_shown_to_no_driver() -> None:
    fleet = drivers(Registry(), Temper.ACCEPTS)

    with hook.serving(fleet) as address:
        answer = post(address, b'{"data":[{"id":"test0a1","taxi":{"id":"test"}}]}')

    assert answer == (200, b"{}")
    assert fleet.with_hail() == frozenset()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"data":[]}', b'{"data":[{"id":"h"}]}'])
def test_the_server_refuses_what_is_no_hail(body: bytes) -> None:
    fleet = drivers(Registry(), Temper.ACCEPTS)

    with hook.serving(fleet) as address:
        assert post(address, body)[0] == 400

    assert fleet.with_hail() == frozenset()


# --- the customer ---------------------------------------------------------------------------------


def ride(registry: Registry, *tempers: Temper, **customers: Any) -> list[str]:
    """What the customer is told, the drivers being of these tempers one after the other."""
    left = list(tempers)
    fleet = Drivers(registry.client(), QUICK, temper=lambda _: left.pop(0))
    told: list[str] = []

    def on_hail(hail_id: str) -> None:
        registry.move(hail_id, "received_by_operator")
        if left[0] is Temper.SILENT:

            def give_up() -> None:
                with suppress(AssertionError):
                    eventually(lambda: registry.hails[hail_id]["status"] == "received_by_taxi")
                registry.move(hail_id, "timeout_taxi")

            threading.Thread(target=give_up).start()
        fleet.take(hail_id, "taxi")

    registry.on_hail = on_hail
    try:
        customers |= {"look_s": 0.01, "again_s": 0.01, "patience_s": 0.05}
        Customer(registry.client(), told.append, **customers).ride()
    finally:
        eventually(lambda: not fleet.with_hail())
    return told


def test_the_customer_is_told_each_step_until_the_end_of_the_ride() -> None:
    told = ride(Registry(), Temper.ACCEPTS)

    steps = [line.split(": ")[1] for line in told if " after " in line]
    assert steps == [
        *("received", "received_by_operator", "received_by_taxi", "accepted_by_taxi"),
        *("accepted_by_customer", "customer_on_board", "finished"),
    ]
    assert "hails the one at 100 m" in told[0]
    assert any("the taxi is 100 m away" in line for line in told)


def test_after_a_refusal_and_a_silence_the_customer_hails_another_in_the_same_session() -> None:
    registry = Registry()

    told = ride(registry, Temper.DECLINES, Temper.SILENT, Temper.ACCEPTS)

    assert [hail["asked"]["session_id"] for hail in registry.hails.values()] == [None, "s", "s"]
    assert told[-1].endswith("finished")


def test_a_customer_whom_nobody_takes_says_so() -> None:
    with pytest.raises(customer.NoTaxi, match="None of 5 taxis"):
        ride(Registry(), *[Temper.DECLINES] * 5)


def test_without_a_free_taxi_there_is_no_hail() -> None:
    with pytest.raises(customer.NoTaxi, match="No free taxi reaches Place de l'Hôtel"):
        ride(Registry(free=0))


def test_a_customer_stands_where_they_say() -> None:
    registry = Registry()

    ride(registry, Temper.ACCEPTS, place=Place(2.4, 48.8, "9 rue Scribe"), customer_id="c")

    [hail] = registry.hails.values()
    asked = {name: hail["asked"][name] for name in ("customer_lon", "customer_lat", "customer_id")}
    assert asked == {"customer_lon": 2.4, "customer_lat": 48.8, "customer_id": "c"}
    assert hail["asked"]["customer_address"] == "9 rue Scribe"


@pytest.mark.parametrize(
    ("habits", "ending"),
    [
        (crowd.WITHDRAWS, "declined_by_customer"),
        (crowd.AWAY, "incident_customer"),
    ],
)
def test_customers_in_the_background_end_their_hails_in_ways_of_their_own(
    habits: dict[str, str], ending: str
) -> None:
    registry = Registry()

    with pytest.raises(customer.NoTaxi, match="None of 1 taxis"):
        ride(registry, Temper.ACCEPTS, answers=habits, tries=1)

    [hail] = registry.hails.values()
    assert hail["status"] == ending


def test_the_places_of_the_background_are_out_of_reach_of_the_square_s_taxis() -> None:
    square = LngLat(*demo.CENTRE)

    away_m = [geo.distance_m(square, LngLat(place.lon, place.lat)) for place in crowd.PLACES]

    # A taxi of the square waits 420 m from it at most, and reaches 500 m.
    assert min(away_m) > ways.STAND_M[1] + 500


def test_a_customer_whom_the_registry_refuses_is_followed_by_the_next(
    caplog: pytest.LogCaptureFixture,
) -> None:
    registry = Registry(free=0)
    registry.get = refused  # type: ignore[method-assign]  # what a registry that is started again does

    Crowd(registry.client()).hail(customer.CONFIRMS, crowd.PLACES[0], number=7)

    assert "customer 7" in caplog.text


def refused(path: str, **_: object) -> list[Any]:
    raise ApiRefused(f"GET {path} was answered 503")
