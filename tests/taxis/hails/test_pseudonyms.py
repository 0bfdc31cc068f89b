"""Customers of old hails: nothing that is kept tells whose a blurred hail was."""

import re
from datetime import timedelta
from typing import Any

import boto3
import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.settings import BadSetting, read, table
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import customers, lists, retention, rows, store
from chalicelib.taxis.hails.lines import Filter
from chalicelib.taxis.hails.rows import CustomerRow, HailRow, ListRow
from chalicelib.taxis.hails.rules import Customer, Hail, Status
from chalicelib.taxis.settings import Settings
from chalicelib.taxis.vocabulary import Role
from tests.taxis.hails.hail_factories import Scene, refused

S = Status
DAY = timedelta(days=1)
WHO = "dupont-at-home"


def kept(at_s: float) -> dict[str, str]:
    """All that the tables hold at a time, as text, by the table's name: what has run out is gone."""
    client = boto3.client("dynamodb")
    names = [name for name in client.list_tables()["TableNames"] if name.startswith(table(""))]
    items: Any = {name: client.scan(TableName=name)["Items"] for name in names}
    return {
        name.removeprefix(table("")): str(
            [item for item in there if float(item.get("ttl", {"N": "inf"})["N"]) > at_s]
        )
        for name, there in items.items()
    }


def blur(scene: Scene, days: int) -> None:
    retention.blur(now=scene.now + days * DAY)


def seen(scene: Scene) -> set[str]:
    """The customers' ids in all lists and sessions."""
    owners = (
        f"{Role.MOTEUR}#{scene.moteur.id}",
        f"{Role.OPERATEUR}#{scene.operateur.id}",
    )
    lines = [line for owner in owners for line in lists.lines(owner)]
    days = [line for day in lists.days() for line in lists.lines_of_days([day.day])]
    sessions = lists.sessions(scene.moteur.id)
    return {
        *(line.customer_id for line in (*lines, *days)),
        *(session.customer_id for session in store.sessions(sessions)),
        *(str(line.customer_id) for line in sessions),
    }


def test_what_is_kept_of_an_old_hail_does_not_tell_whose_it_was(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED, customer_id=WHO)
    at = scene.now + 61 * DAY

    blur(scene, 61)

    told = {name for name, text in kept(at.timestamp()).items() if WHO in text}
    assert told == {"customers"}  # for the ban
    assert hail.hail_id not in kept(at.timestamp())["customers"]
    assert hail.session_id not in kept(at.timestamp())["customers"]
    assert re.fullmatch("blurred-[0-9a-f]{32}", scene.read(hail).customer_id)
    assert seen(scene) == {scene.read(hail).customer_id}


def test_a_customer_has_one_pseudonym_with_a_moteur_and_others_have_others(scene: Scene) -> None:
    twice = [scene.hail(S.FINISHED, customer_id=WHO, after=n * DAY / 4) for n in (-2, -1)]
    other = scene.hail(S.FINISHED, customer_id="somebody-else")
    scene.moteur = scene.caller("another", Role.MOTEUR)[0]
    elsewhere = scene.hail(S.FINISHED, customer_id=WHO)

    blur(scene, 61)

    first, second, third, fourth = (
        scene.read(hail).customer_id for hail in (*twice, other, elsewhere)
    )
    assert first == second
    assert len({first, third, fourth}) == 3


def test_a_session_keeps_its_customer_until_its_last_hail_is_blurred(scene: Scene) -> None:
    first = scene.hail(S.FINISHED, customer_id=WHO)
    second = scene.hail(
        S.FINISHED, customer_id=WHO, session_id=first.session_id, after=timedelta(minutes=1)
    )
    assert first.session_id == second.session_id

    retention.blur(now=scene.now + 60 * DAY + timedelta(seconds=30))
    assert scene.read(first).blurred
    assert not scene.read(second).blurred
    session = store.session(scene.moteur.id, first.session_id)
    assert session is not None
    assert session.customer_id == WHO
    blur(scene, 61)

    assert seen(scene) == {scene.read(first).customer_id}


def test_a_session_that_nobody_knows_the_customer_of_is_not_continued(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED, customer_id=WHO)
    blur(scene, 61)

    answer = scene.post(customer_id=WHO, session_id=hail.session_id)

    assert refused(answer) == (400, ["data.0.session_id"])


def test_a_customer_of_old_hails_stays_banned_and_hails_anew(scene: Scene) -> None:
    old = scene.hail(S.FINISHED, customer_id=WHO)
    blur(scene, 61)

    banned_until = scene.now + 100 * DAY
    customers.change_customer(scene.moteur, WHO, {"ban_end": banned_until})
    assert scene.post(customer_id=WHO).status == 403
    customers.change_customer(scene.moteur, WHO, {"ban_end": None})
    answer = scene.post(customer_id=WHO)

    assert answer.status == 201
    assert answer.data[0]["session_id"] != old.session_id


def test_a_report_on_a_blurred_hail_bans_nobody(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED, customer_id=WHO)
    blur(scene, 61)
    admin = scene.caller("admin", Role.ADMIN)[1]

    answer = admin.put(f"/hails/{hail.hail_id}", {"reporting_customer": True})

    assert (answer.status, scene.read(hail).reporting_customer) == (200, True)
    assert [row.customer_id for row in CustomerRow.scan()] == [WHO]
    assert store.customer(scene.moteur.id, WHO) == Customer(scene.moteur.id, WHO)


def left_by_an_earlier_build(hail: Hail) -> None:
    """Blurs a hail, and enters its day as blurred, as was done while customers' ids were kept."""
    blurred = replace(
        hail, customer_lon=2.4, customer_lat=48.9, customer_phone_number="[REDACTED]", blurred=True
    )
    rows.hail_row(blurred).save()
    days: Any = boto3.resource("dynamodb").Table(ListRow.Meta.table_name)
    days.update_item(
        Key={"owner": "days", "entry": hail.created_at.date().isoformat()},
        UpdateExpression="SET blurred = :yes REMOVE customers_blurred",
        ExpressionAttributeValues={":yes": True},
    )


def test_a_hail_that_was_blurred_while_ids_were_kept_gets_its_pseudonym_by_night(
    scene: Scene,
) -> None:
    hail = scene.hail(S.FINISHED, customer_id=WHO)
    left_by_an_earlier_build(hail)

    page = retention.blur(now=scene.now + 90 * DAY)

    assert page.done == {"blurred": 1}
    assert seen(scene) == {scene.read(hail).customer_id} != {WHO}
    assert retention.blur(now=scene.now + 91 * DAY).done == {"blurred": 0}


def test_a_hail_that_joins_an_old_session_meanwhile_is_not_lost(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = scene.hail(S.FINISHED, customer_id=WHO)
    read_both = store.session_and_customer

    def joined(hail: Hail) -> Any:
        found = read_both(hail)
        monkeypatch.undo()
        scene.report(scene.taxi_id, at=clock.now())
        scene.hail(customer_id=WHO, session_id=first.session_id, after=timedelta(seconds=1))
        return found

    monkeypatch.setattr(store, "session_and_customer", joined)
    blur(scene, 61)
    assert not scene.read(first).blurred  # the next night

    blur(scene, 62)
    assert len(seen(scene)) == 1


@pytest.mark.parametrize("variable", ["MARAUDE_HAIL_LOG_DAYS", "MARAUDE_ACTIVITY_DAYS"])
def test_nothing_that_names_a_hails_customer_is_kept_for_longer_than_the_hail_does(
    variable: str,
) -> None:
    with pytest.raises(BadSetting, match=f"{variable} may be at most MARAUDE_HAIL_VISIBLE_DAYS"):
        read(Settings, {variable: "61"})


def test_support_finds_an_old_hail_by_its_pseudonym(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED, customer_id=WHO)
    blur(scene, 61)
    [line] = lists.lines(f"{Role.MOTEUR}#{scene.moteur.id}")

    whole = scene.read(hail).customer_id
    assert Filter(customer_ids=[whole]).accepts(line, scene.moteur)
    assert not Filter(customer_ids=[WHO]).accepts(line, scene.moteur)
    assert HailRow.get(hail.hail_id).customer_id == whole
