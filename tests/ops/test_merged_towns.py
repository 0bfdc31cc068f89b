"""Licences of towns that merged: they and their taxis get the new town together, or stay."""

import pytest

from chalicelib.foundation.store import reads
from chalicelib.taxis.fleets.store import FleetRow
from chalicelib.taxis.positions import codec
from chalicelib.taxis.registry import (
    own_taxis,
    registration,
    rules,
    store,
)
from chalicelib.taxis.registry.rows import (
    AdsRow,
)
from chalicelib.taxis.registry.rules import (
    Ads,
    TaxiParts,
)
from ops.cli.territory import licences
from tests import factories
from tests.factories import BORDEAUX, CHARENTON, PARIS
from tests.taxis.registry.stored import NOON, OPERATOR, PLATE, a_taxi, registered, with_parts


@pytest.fixture(autouse=True)
def _towns(store: None) -> None:  # noqa: ARG001  # where they are known
    factories.known_towns()


def test_the_ads_of_a_merged_town_and_their_taxis_move_together() -> None:
    with_parts()
    taxi = registered().taxi
    store.put_ads("7", Ads(BORDEAUX, "1"), now=NOON)

    moved = licences.move_ads({PARIS: CHARENTON})

    new_id = rules.ads_id("7", CHARENTON, "1")
    assert moved == licences.MovedAds(moved=1, taxis=1, left=0)
    assert reads.one(store.taxis([taxi.taxi_id]))[taxi.taxi_id] == a_taxi(
        taxi.taxi_id, ads_id=new_id, insee=CHARENTON
    )
    assert sorted(row.ads_id for row in AdsRow.scan()) == [rules.ads_id("7", BORDEAUX, "1"), new_id]
    found = own_taxis.find_taxi(OPERATOR, taxi.taxi_id)
    assert (found.ads.insee, found.town) == (CHARENTON, "Charenton-le-Pont")


def test_the_moved_parts_still_make_the_same_taxi() -> None:
    with_parts()
    taxi = registered().taxi
    licences.move_ads({PARIS: CHARENTON})

    there, is_new = registration.register_taxi(
        OPERATOR, TaxiParts(CHARENTON, "1", PLATE, "75", "75-0001"), now=NOON
    )

    assert (there.taxi.taxi_id, is_new) == (taxi.taxi_id, False)
    assert len([row for row in FleetRow.scan() if row.entry.startswith("taxi#")]) == 1


def test_an_ads_whose_number_its_owner_has_in_the_new_town_is_left() -> None:
    with_parts()
    taxi = registered().taxi
    store.put_ads("7", Ads(CHARENTON, "1"), now=NOON)

    moved = licences.move_ads({PARIS: CHARENTON})

    assert moved == licences.MovedAds(moved=0, taxis=0, left=1)
    assert reads.one(store.taxis([taxi.taxi_id])) == {taxi.taxi_id: taxi}


def test_moving_again_moves_nothing_more() -> None:
    with_parts()
    registered()
    licences.move_ads({PARIS: CHARENTON})

    assert licences.move_ads({PARIS: CHARENTON}) == licences.MovedAds(0, 0, 0)


def test_an_ads_with_more_taxis_than_a_transaction_takes_is_left() -> None:
    for number in range(licences.TAXIS_A_MOVE + 1):
        description = with_parts(licence=str(number))
        store.add_taxi(a_taxi(codec.id_of(number), driver_id=f"7#75#{number}"), description)

    assert licences.move_ads({PARIS: CHARENTON}) == licences.MovedAds(0, 0, 1)


def test_an_ads_moves_with_as_many_taxis_as_a_transaction_takes() -> None:
    for number in range(licences.TAXIS_A_MOVE):
        description = with_parts(licence=str(number))
        store.add_taxi(a_taxi(codec.id_of(number), driver_id=f"7#75#{number}"), description)

    assert licences.move_ads({PARIS: CHARENTON}) == licences.MovedAds(1, licences.TAXIS_A_MOVE, 0)
