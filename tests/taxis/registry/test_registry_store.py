"""Each question of the registry's tables, what it costs in calls, and each race that can be lost."""

import secrets
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from pynamodb.exceptions import TransactWriteError, UpdateError

from chalicelib.foundation.store import reads, writes
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.fleets.store import FleetRow
from chalicelib.taxis.positions.rules import Availability
from chalicelib.taxis.registry import (
    availability,
    availability_change,
    own_taxis,
    registration,
    rules,
    service,
    store,
    vehicles,
)
from chalicelib.taxis.registry.rows import (
    AdsRow,
    DescriptionRow,
    DriverRow,
    TaxiRow,
    VehicleRow,
)
from chalicelib.taxis.registry.rules import (
    Ads,
    Driver,
    Licence,
    Registered,
)
from chalicelib.taxis.vocabulary import TaxiStatus
from tests import factories
from tests.factories import PARIS
from tests.taxis.registry.races import client_of, just_before, plain, refusing, transactions
from tests.taxis.registry.stored import (
    NOON,
    OPERATOR,
    PARTS,
    PLATE,
    a_taxi,
    also,
    described,
    registered,
    with_parts,
)


@pytest.fixture(autouse=True)
def _towns(store: None) -> None:  # noqa: ARG001  # where they are known
    factories.known_towns()


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The operations called from here on, by anyone."""
    made: list[str] = []

    def count(model: Any, **_: object) -> None:
        made.append(model.name)

    clients = [plain(), transactions()]
    clients += [
        client_of(model)
        for model in (AdsRow, DescriptionRow, DriverRow, FleetRow, TaxiRow, VehicleRow)
    ]
    for client in clients:
        client.meta.events.register("before-call.dynamodb", count)
    yield made
    for client in clients:
        client.meta.events.unregister("before-call.dynamodb", count)


# --- drivers, ADS, vehicles, descriptions --------------------------------------------------------


def test_a_driver_is_new_once_and_keeps_nothing_of_what_it_replaces() -> None:
    driver = Driver("75", "1", "Anne", "Lescaut", datetime(1978, 1, 5, tzinfo=UTC).date())

    assert store.put_driver("7", driver, now=NOON)
    assert not store.put_driver("7", Driver("75", "1", "", ""), now=NOON)
    assert DriverRow.get("7#75#1").birth_date is None


def test_an_ads_is_new_once() -> None:
    assert store.put_ads("7", Ads(PARIS, "1", vehicle_id=3), now=NOON)
    assert not store.put_ads("7", Ads(PARIS, "1"), now=NOON)
    assert AdsRow.get(rules.ads_id("7", PARIS, "1")).vehicle_id is None


def test_a_driver_is_stored_though_a_transaction_holds_it_for_a_moment() -> None:
    with refusing(plain(), "UpdateItem", "TransactionConflictException", times=2):
        assert store.put_driver("7", Driver("75", "1", "", ""), now=NOON)


def test_a_plate_keeps_its_number() -> None:
    assert [vehicles.number_of(plate) for plate in ("AAAAAAA", "BBBBBBB", "AAAAAAA")] == [1, 2, 1]


def test_who_numbers_a_plate_second_gets_the_first_one_s_number() -> None:
    with just_before(client_of(VehicleRow), "PutItem", lambda: vehicles.number_of(PLATE)):
        number = vehicles.number_of(PLATE)

    assert number == VehicleRow.get(PLATE).vehicle_id == 2


def test_a_description_is_new_once_and_off() -> None:
    first, is_new = vehicles.describe("7", 1, {"licence_plate": PLATE, "wifi": True}, now=NOON)
    second, is_new_again = vehicles.describe("7", 1, {"color": "red", "wifi": None}, now=NOON)

    assert (is_new, is_new_again) == (True, False)
    assert (first.status, first.radius_m, first.taxis) == (TaxiStatus.OFF, None, frozenset())
    assert (second.vehicle.wifi, second.vehicle.color) == (None, "red")
    assert (first.details_version, second.details_version) == (1, 2)


def test_of_two_first_descriptions_only_one_is_new() -> None:
    made = []

    def describe() -> None:
        made.append(vehicles.describe("7", 1, {"licence_plate": PLATE}, now=NOON)[1])

    with just_before(client_of(DescriptionRow), "UpdateItem", describe):
        describe()

    assert made == [True, False]


def test_a_description_keeps_its_status_when_it_is_described_again() -> None:
    before = described()
    vehicles.change_availability(before, before.changed({"status": "free"}, now=NOON))

    after = described(color="red")

    assert after.status is TaxiStatus.FREE
    assert after.availability_changed_at > before.availability_changed_at


def test_an_unknown_description_is_none() -> None:
    assert vehicles.description("7", 1) is None


def test_status_and_radius_are_written_with_their_times() -> None:
    before = described()
    after = before.changed({"status": "free", "radius": 200}, now=NOON + timedelta(hours=1))

    vehicles.change_availability(before, after)

    assert vehicles.description("7", 1) == after


@pytest.mark.parametrize("theirs", [{"status": "occupied"}, {"radius": 300}])
def test_a_change_computed_from_an_older_state_is_not_written(theirs: Any) -> None:
    before = described()
    vehicles.change_availability(before, before.changed(theirs, now=NOON))

    with pytest.raises(writes.Moved):
        vehicles.change_availability(before, before.changed({"status": "free"}, now=NOON))

    now_there = vehicles.description("7", 1)
    assert now_there is not None
    assert now_there.status is not TaxiStatus.FREE


def test_a_change_waits_while_a_transaction_holds_the_description() -> None:
    before = described()
    after = before.changed({"status": "free"}, now=NOON)

    with refusing(client_of(DescriptionRow), "UpdateItem", "TransactionConflictException", times=3):
        vehicles.change_availability(before, after)

    assert vehicles.description("7", 1) == after


def test_a_write_gives_up_after_some_tries_and_at_once_on_any_other_error() -> None:
    before = described()
    change = partial(
        vehicles.change_availability, before, before.changed({"status": "free"}, now=NOON)
    )
    client = client_of(DescriptionRow)

    with (
        refusing(
            client, "UpdateItem", "TransactionConflictException", times=writes.CONFLICTS.tries
        ),
        pytest.raises(UpdateError),
    ):
        change()
    with (
        refusing(client, "UpdateItem", "AccessDeniedException"),
        pytest.raises(UpdateError),
    ):
        change()

    assert vehicles.description("7", 1) == before


# --- a new taxi ----------------------------------------------------------------------------------


def test_a_taxi_is_everywhere_that_it_should_be_at_once() -> None:
    with_parts()

    taxi = registered().taxi

    assert reads.one(store.taxis([taxi.taxi_id, "2222222"])) == {taxi.taxi_id: taxi}
    assert store.made_already("7", 1, taxi.ads_id, taxi.driver_id)[1] == taxi.taxi_id
    assert list(fleet.newest("7", limit=10)) == [(taxi.taxi_id, PLATE)]
    assert fleet.load("7").ids == {taxi.taxi_id}
    description = vehicles.description("7", 1)
    assert description is not None
    assert description.taxis == {taxi.taxi_id}


def test_a_new_taxi_takes_five_calls(calls: list[str]) -> None:
    with_parts()
    registered()
    parts = also(numero="2")
    calls.clear()

    registered(parts)

    assert calls == [
        "BatchGetItem",  # ADS, driver, plate
        "BatchGetItem",  # description, unique key
        "Query",  # the newest page
        "UpdateItem",  # the id on it
        "TransactWriteItems",
    ]


def test_a_taxi_whose_parts_are_gone_or_changed_is_not_stored() -> None:
    description = with_parts()
    described(color="red")
    with pytest.raises(writes.Moved):
        store.add_taxi(a_taxi(), description)

    with pytest.raises(writes.Moved):
        store.add_taxi(a_taxi(ads_id="7#gone#1"), described())

    assert reads.one(store.taxis(["aaaaaaa"])) == {}
    assert list(fleet.newest("7", limit=10)) == []


@pytest.mark.parametrize(
    "taken",
    [
        {"taxi_id": "bbbbbbb"},  # the same parts
        {"driver_id": "7#75#2"},  # the same id
    ],
)
def test_neither_an_id_nor_the_parts_are_given_to_two_taxis(taken: Any) -> None:
    with_parts(licence="2")
    description = with_parts()
    store.add_taxi(a_taxi(), description)

    with pytest.raises(writes.Moved):
        store.add_taxi(a_taxi(**taken), description)

    assert len(list(fleet.newest("7", limit=10))) == 1


def test_who_adds_a_taxi_second_is_given_the_first_one_s() -> None:
    with_parts()
    first: list[Registered] = []

    with just_before(transactions(), "TransactWriteItems", lambda: first.append(registered())):
        second, is_new = registration.register_taxi(OPERATOR, PARTS, now=NOON)

    assert not is_new
    assert second.taxi == first[0].taxi
    assert fleet.load("7").ids == {second.taxi.taxi_id}


def test_a_taxi_added_while_its_vehicle_is_described_shows_what_was_said_last() -> None:
    with_parts()

    with just_before(transactions(), "TransactWriteItems", lambda: described(model="new")):
        taxi_id = registered().taxi.taxi_id

    assert reads.one(store.details([taxi_id]))[taxi_id].model == "new"


def test_a_taxi_whose_ads_goes_while_it_is_added_is_refused() -> None:
    with_parts()
    ads = AdsRow(rules.ads_id("7", PARIS, "1"))

    with (
        just_before(transactions(), "TransactWriteItems", ads.delete),
        pytest.raises(registration.PartsUnknown),
    ):
        registered()

    assert fleet.load("7").ids == frozenset()


def test_a_conflict_of_transactions_is_tried_again() -> None:
    with_parts()
    conflict = [{"Code": "None"}, {"Code": "TransactionConflict", "Message": "busy"}]

    with refusing(
        transactions(),
        "TransactWriteItems",
        "TransactionCanceledException",
        times=2,
        CancellationReasons=conflict,
    ):
        _, is_new = registration.register_taxi(OPERATOR, PARTS, now=NOON)

    assert is_new


def test_an_id_that_is_another_owner_s_taxi_is_taken_off_the_page_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with_parts()
    with_parts("8")
    store.add_taxi(
        a_taxi("2222222", owner="8", ads_id=rules.ads_id("8", PARIS, "1")), described("8")
    )
    drawn = iter("2222222" + "3333333")
    monkeypatch.setattr(secrets, "choice", lambda _: next(drawn))

    assert registered().taxi.taxi_id == "3333333"
    assert fleet.load("7").ids == {"3333333"}


def test_an_id_that_is_one_s_own_taxi_stays_on_the_page(monkeypatch: pytest.MonkeyPatch) -> None:
    with_parts()
    drawn = iter("2222222" * 2 + "3333333")
    monkeypatch.setattr(secrets, "choice", lambda _: next(drawn))

    registered()
    registered(also(numero="2"))

    assert fleet.load("7").ids == {"2222222", "3333333"}


def test_a_taxi_that_never_comes_to_rest_is_refused_for_now() -> None:
    with_parts()
    moved = [{"Code": "ConditionalCheckFailed", "Message": "moved"}]

    with (
        refusing(
            transactions(),
            "TransactWriteItems",
            "TransactionCanceledException",
            times=registration.RETRY.tries,
            CancellationReasons=moved,
        ),
        pytest.raises(rules.Busy),
    ):
        registered()


def test_any_other_failure_of_a_transaction_stays_what_it_is() -> None:
    with_parts()

    with (
        refusing(transactions(), "TransactWriteItems", "ValidationException"),
        pytest.raises(TransactWriteError),
    ):
        registered()


# --- copies --------------------------------------------------------------------------------------


def test_what_searches_show_follows_the_description() -> None:
    with_parts()
    taxi_id = registered().taxi.taxi_id

    registration.register_vehicle(
        OPERATOR,
        {"licence_plate": PLATE, "model": "3008", "wifi": True, "nb_seats": 6, "type_": "mpv"},
        now=NOON,
    )

    shown = reads.one(store.details([taxi_id]))[taxi_id]
    assert (shown.model, shown.nb_seats, shown.type_) == ("3008", 6, "mpv")
    assert shown.characteristics == ("wifi",)
    assert (shown.owner, shown.operator, shown.insee) == ("7", "operator", PARIS)
    assert (shown.licence_plate, shown.engine, shown.color) == (PLATE, "", "")


def test_an_older_copy_never_wins() -> None:
    with_parts()
    taxi_id = registered().taxi.taxi_id
    older, newer = described(model="older"), described(model="newer")

    vehicles.renew_copies(newer)
    vehicles.renew_copies(older)

    assert reads.one(store.details([taxi_id]))[taxi_id].model == "newer"


def test_a_copy_is_renewed_past_a_taxi_that_is_gone() -> None:
    with_parts()
    gone, kept = sorted(registered(also(numero=numero)).taxi.taxi_id for numero in ("1", "2"))
    TaxiRow(gone).delete()

    vehicles.renew_copies(described(model="new"))

    assert reads.one(store.details([gone, kept])).keys() == {kept}
    assert reads.one(store.details([kept]))[kept].model == "new"


# --- what the other domains ask ------------------------------------------------------------------


def test_details_come_from_memory_the_second_time(calls: list[str]) -> None:
    with_parts()
    taxi_id = registered().taxi.taxi_id
    calls.clear()

    first = service.details([taxi_id, "2222222"])
    second = service.details([taxi_id])

    assert first == second
    assert calls == ["BatchGetItem"]


def test_availability_is_what_the_last_write_left(calls: list[str]) -> None:
    with_parts()
    found = registered()
    taxi_id = found.taxi.taxi_id
    availability.availability_of([taxi_id])
    later = NOON + timedelta(seconds=1)
    availability_change.change_taxi(found, {"status": "free", "radius": 200}, now=later)
    calls.clear()

    said = availability.availability_of([taxi_id, "2222222"])

    assert said == {taxi_id: Availability(TaxiStatus.FREE, 200, later)}
    assert calls == ["BatchGetItem", "BatchGetItem"]  # the unknown taxi, and the description


def test_the_status_is_changed_from_what_is_there_when_another_change_came_first() -> None:
    with_parts()
    found = registered()

    def occupy() -> None:
        availability_change.change_taxi(found, {"status": "occupied", "radius": 300}, now=NOON)

    with just_before(client_of(DescriptionRow), "UpdateItem", occupy):
        changed = availability_change.change_taxi(found, {"status": "free"}, now=NOON)

    assert (changed.description.status, changed.description.radius_m) == (TaxiStatus.FREE, 300)
    assert vehicles.description("7", 1) == changed.description


def test_a_change_that_another_made_too_is_answered_as_it_stands() -> None:
    with_parts()
    found = registered()

    def free() -> None:
        availability_change.change_taxi(found, {"status": "free"}, now=NOON)

    with just_before(client_of(DescriptionRow), "UpdateItem", free):
        changed = availability_change.change_taxi(
            found, {"status": "free"}, now=NOON + timedelta(hours=1)
        )

    assert changed.description == vehicles.description("7", 1)
    assert changed.description.status_changed_at == NOON + rules.STEP


def test_a_status_that_never_comes_to_rest_is_refused_for_now() -> None:
    with_parts()
    found = registered()

    with (
        refusing(
            client_of(DescriptionRow),
            "UpdateItem",
            "ConditionalCheckFailedException",
            times=availability_change.RETRY.tries,
        ),
        pytest.raises(rules.Busy),
    ):
        availability_change.change_taxi(found, {"status": "free"}, now=NOON)


def test_setting_a_status_leaves_the_open_hail_alone() -> None:
    with_parts()
    found = registered()
    DescriptionRow(found.taxi.description_id).update([DescriptionRow.open_hail.set("a1b2c3d")])

    availability_change.change_taxi(found, {"status": "free"}, now=NOON)

    assert DescriptionRow.get(found.taxi.description_id).open_hail == "a1b2c3d"


def test_a_taxi_without_a_description_is_not_found() -> None:
    with_parts()
    found = registered()
    DescriptionRow(found.taxi.description_id).delete()

    with pytest.raises(own_taxis.TaxiUnknown):
        own_taxis.find_taxi(OPERATOR, found.taxi.taxi_id)
    assert availability.availability_of([found.taxi.taxi_id]) == {}


@pytest.mark.parametrize("text", ["all", "x" * 3000, "aaaaaa\0"])
def test_an_id_that_no_taxi_can_have_is_not_looked_up(text: str, calls: list[str]) -> None:
    with pytest.raises(own_taxis.TaxiUnknown):
        own_taxis.find_taxi(OPERATOR, text)

    assert calls == []


def test_what_ingest_asks_loads_no_web_framework() -> None:
    script = (
        "import sys, chalicelib.taxis.registry.service;"
        "print(*{'chalice', 'marshmallow', 'chalicelib.foundation.http.application'} & sys.modules.keys())"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == ""


def test_licences_say_whose_taxis_are_and_of_which_town(calls: list[str]) -> None:
    with_parts()
    taxi_id = registered().taxi.taxi_id
    calls.clear()

    first = availability.licences([taxi_id, "2222222"])
    second = availability.licences([taxi_id])

    assert first == second == {taxi_id: Licence("7", PARIS, "7#1")}
    assert calls == ["BatchGetItem"]
