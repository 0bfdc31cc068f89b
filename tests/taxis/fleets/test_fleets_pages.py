"""Fleet pages, their races, and the operator's list."""

from datetime import UTC, datetime, timedelta

import pytest

from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.fleets.store import Fleet, FleetRow
from chalicelib.taxis.positions import codec
from chalicelib.taxis.registry.rules import Taxi
from tests.taxis.registry.races import client_of, just_before

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)

pytestmark = pytest.mark.usefixtures("store")


def filled(page: str, *, up_to: int = fleet.PAGE, first: int = 0) -> frozenset[str]:
    ids = {codec.id_of(number) for number in range(first, first + up_to)}
    FleetRow("7", page).update([FleetRow.ids.add(ids)])
    return frozenset(ids)


def test_the_256th_id_still_has_room_and_the_257th_opens_a_page() -> None:
    filled("page#000000", up_to=255)

    assert [fleet.admit("7", taxi_id) for taxi_id in ("aaaaaaa", "bbbbbbb", "ccccccc")] == [0, 1, 1]
    assert len(FleetRow.get("7", "page#000000").ids) == 256


def test_who_finds_the_page_just_filled_takes_the_next() -> None:
    filled("page#000000", up_to=255)

    with just_before(client_of(FleetRow), "UpdateItem", lambda: fleet.admit("7", "aaaaaaa")):
        page = fleet.admit("7", "bbbbbbb")

    assert page == 1
    assert fleet.load("7").ids >= {"aaaaaaa", "bbbbbbb"}


def test_a_fleet_is_all_of_its_pages_and_no_other_owner_s() -> None:
    ids = filled("page#000000") | filled("page#000001", up_to=3, first=1000)
    fleet.admit("8", "zzzzzzz")

    assert fleet.load("7") == Fleet(ids, 1)
    assert fleet.load("9") == Fleet(frozenset(), 0)


def test_what_was_added_since_is_found_on_the_newest_known_page_and_those_after_it() -> None:
    filled("page#000000", up_to=255)
    known = fleet.load("7")

    fleet.admit("7", "aaaaaaa")
    second = filled("page#000001", first=1000)
    fleet.admit("7", "bbbbbbb")

    assert fleet.grown("7", known) == Fleet(known.ids | second | {"aaaaaaa", "bbbbbbb"}, 2)


def test_the_pages_before_are_not_read_again() -> None:
    filled("page#000000", up_to=1)
    filled("page#000001", up_to=1, first=10)
    filled("page#000002", up_to=1, first=20)

    assert len(fleet.grown("7", Fleet(frozenset(), 2)).ids) == 2


def test_an_id_that_took_the_room_of_a_withdrawn_one_is_found() -> None:
    filled("page#000000", up_to=255)
    fleet.admit("7", "aaaaaaa")

    def withdraw() -> None:
        fleet.admit("7", "bbbbbbb")  # opens page 1
        fleet.withdraw("7", "aaaaaaa", page=0)

    # It found page 0 to be the newest; when it writes, page 1 is, and page 0 has room again.
    with just_before(client_of(FleetRow), "UpdateItem", withdraw):
        page = fleet.admit("7", "ccccccc")

    known = Fleet(fleet.load("7").ids - {"ccccccc"}, 1)
    assert page == 0
    assert "ccccccc" in fleet.grown("7", known).ids


def test_a_withdrawn_id_is_gone_and_the_others_stay() -> None:
    pages = [fleet.admit("7", taxi_id) for taxi_id in ("aaaaaaa", "bbbbbbb")]

    fleet.withdraw("7", "aaaaaaa", page=pages[0])

    assert fleet.load("7").ids == {"bbbbbbb"}


def test_an_empty_page_takes_ids_again() -> None:
    fleet.withdraw("7", "aaaaaaa", page=fleet.admit("7", "aaaaaaa"))

    assert fleet.admit("7", "bbbbbbb") == 0


def test_the_list_is_read_newest_first_and_no_further_than_asked() -> None:
    for place, taxi_id in enumerate(["aaaaaaa", "bbbbbbb", "ccccccc"]):
        added_at = NOON + timedelta(milliseconds=place)
        taxi = Taxi(taxi_id, "7", "operator", 1, "7#75056#1", "7#75#1", "75056", added_at)
        fleet.list_row(taxi, f"PLATE-{place}").save()

    assert list(fleet.newest("7", limit=2)) == [("ccccccc", "PLATE-2"), ("bbbbbbb", "PLATE-1")]


def test_no_two_taxis_have_the_same_unique_key() -> None:
    keys = {
        fleet.key(1, "7#75056#1", "7#75#1"),
        fleet.key(2, "7#75056#1", "7#75#1"),
        fleet.key(1, "7#75056#1 7#75#2", "7#75#1"),
        fleet.key(1, "7#75056#1", "7#75#2 7#75#1"),
    }

    assert len(keys) == 4
    assert max(map(len, keys)) < 1024
