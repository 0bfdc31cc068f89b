"""Bans of customers by reports, and how long customers are kept."""

from datetime import timedelta

import pytest

from chalicelib.taxis.hails import (
    change,
    create,
    store,
)
from chalicelib.taxis.hails.create import (
    CustomerBanned,
)
from chalicelib.taxis.hails.rows import CustomerRow
from chalicelib.taxis.hails.rules import Hail, HailRequest, Status
from chalicelib.taxis.vocabulary import Role
from tests.taxis.hails.hail_factories import Scene, a_wish
from tests.taxis.registry.races import just_before, transactions

S = Status
DAY = timedelta(days=1)


def test_a_report_bans_the_customer_with_this_moteur_only(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    change.change_hail(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)
    other, _ = scene.caller("other", Role.MOTEUR)

    with pytest.raises(CustomerBanned):
        scene.hail()
    create.create_hail(other, HailRequest(**a_wish(scene.taxi_id)), now=scene.now)


def test_reports_of_several_hails_double_the_ban_and_one_that_is_taken_back_ends_it(
    scene: Scene,
) -> None:
    hails = [scene.hail(S.FINISHED) for _ in range(3)]
    for hail in hails:
        change.change_hail(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)
    customer = store.customer(scene.moteur.id, "somebody")
    assert customer is not None
    assert customer.ban_end == scene.now + 4 * DAY

    change.change_hail(
        scene.operateur, scene.read(hails[0]), {"reporting_customer": None}, now=scene.now
    )

    customer = store.customer(scene.moteur.id, "somebody")
    assert customer is not None
    assert (customer.ban_begin, customer.ban_end) == (None, None)


def test_two_reports_at_once_both_count(scene: Scene) -> None:
    one, other = scene.hail(S.FINISHED), scene.hail(S.FINISHED)

    def report(hail: Hail) -> None:
        change.change_hail(scene.operateur, hail, {"reporting_customer": True}, now=scene.now)

    with just_before(transactions(), "TransactWriteItems", lambda: report(other)):
        report(one)

    customer = store.customer(scene.moteur.id, "somebody")
    assert customer is not None
    assert customer.ban_end == scene.now + 2 * DAY


def test_a_customer_is_forgotten_a_year_after_the_last_hail(scene: Scene) -> None:
    scene.hail()

    [row] = CustomerRow.scan()

    assert row.ttl == int((scene.now + 366 * DAY).timestamp())
