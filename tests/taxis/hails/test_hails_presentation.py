"""What each viewer sees of a hail in each status [contract: What of a hail is shown]."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from chalicelib.taxis.hails import presentation
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.vocabulary import Account
from tests.taxis.hails.hail_factories import ADMIN, MOTEUR, NOON, OPERATEUR, PHONE, TAXI, a_hail

LAST = LastPosition(TAXI, NOON - timedelta(seconds=7))
MASKED = "0600000000"
NEUTRAL = "chauffeur professionnel"

VIEWERS = {"moteur": MOTEUR, "operateur": OPERATEUR, "admin": ADMIN, "webhook": None}
ON_THE_WAY = {Status.ACCEPTED_BY_TAXI, Status.ACCEPTED_BY_CUSTOMER, Status.CUSTOMER_ON_BOARD}
GOING_ON = {
    *ON_THE_WAY,
    *(Status.RECEIVED, Status.SENT_TO_OPERATOR, Status.RECEIVED_BY_OPERATOR),
    Status.RECEIVED_BY_TAXI,
}


def seen(status: Status, viewer: Account | None, **options: bool) -> dict[str, object]:
    hail = a_hail(status, taxi_phone_number=PHONE)
    return presentation.hail_object(hail, viewer=viewer, last=LAST, **options)


@pytest.mark.parametrize("viewer", VIEWERS)
@pytest.mark.parametrize("status", Status)
def test_a_viewer_sees_what_the_status_lets_them(status: Status, viewer: str) -> None:
    hail = seen(status, VIEWERS[viewer])
    phones = status is Status.ACCEPTED_BY_CUSTOMER or viewer == "admin"
    where = status in GOING_ON and viewer != "webhook"
    met = status in ON_THE_WAY
    knows = viewer != "moteur"

    assert hail["customer_phone_number"] == ("0799887766" if phones else MASKED)
    assert hail["taxi_phone_number"] == (PHONE if phones else MASKED)
    assert hail["operateur"] == ("operateur" if knows else NEUTRAL)
    assert hail["taxi"] == {
        "id": "aaaaaaa" if knows else "temporary",
        "position": {"lon": 2.352, "lat": 48.861} if where else {"lon": None, "lat": None},
        "crowfly_distance": 0.183768 if where else None,
        "last_update": int(NOON.timestamp()) - 7 if where else None,
        "vehicle": {
            "licence_plate": "AB-123-CD" if met else "",
            "color": "blue" if met else "",
        },
        "driver": {
            "first_name": "Anne" if met else "",
            "last_name": "Lescaut" if met else "",
        },
    }


def test_seats_and_characteristics_are_for_those_who_are_listed() -> None:
    taxi = seen(Status.RECEIVED, MOTEUR, details=True)["taxi"]

    assert taxi["vehicle"] == {  # type: ignore[index]  # an object
        "licence_plate": "",
        "color": "",
        "nb_seats": 4,
        "characteristics": ["wifi"],
    }


def test_a_taxi_without_a_position_is_nowhere() -> None:
    hail = presentation.hail_object(a_hail(), viewer=ADMIN, last=None)

    assert hail["taxi"]["position"] == {"lon": None, "lat": None}  # type: ignore[index]


def test_times_say_their_offset_only_where_the_contract_does() -> None:
    hail = seen(Status.RECEIVED, MOTEUR)
    moved = seen(Status.RECEIVED, MOTEUR, just_changed=True)

    assert hail["creation_datetime"] == moved["creation_datetime"] == "2026-03-02T12:00:00"
    assert hail["last_status_change"] == "2026-03-02T12:00:00"
    assert moved["last_status_change"] == "2026-03-02T12:00:00+00:00"
    assert hail["transitions"] == [
        {
            "from_status": None,
            "to_status": "received",
            "timestamp": "2026-03-02T12:00:00+00:00",
            "user": MOTEUR.id,
            "reason": None,
        }
    ]


def test_a_time_is_shown_in_utc_with_its_microseconds() -> None:
    at = datetime(2026, 3, 2, 14, 0, 0, 17, tzinfo=timezone(timedelta(hours=2)))

    assert presentation.naive(at) == "2026-03-02T12:00:00.000017"
    assert presentation.naive(at.astimezone(UTC)) == presentation.naive(at)


@pytest.mark.parametrize(
    "sent",
    [
        {"data": [{"customer_phone_number": "0799887766", "status": "received"}]},
        json.dumps({"taxi_phone_number": "0799887766"}),
        '{"taxi_phone_number" : "0799887766',
        json.dumps({"taxi_phone_number": 'a"0799887766'}),
    ],
)
def test_the_request_log_has_no_telephone_numbers(sent: object) -> None:
    text = presentation.log_text(sent)

    assert MASKED in text
    assert "0799887766" not in text


def test_the_request_log_keeps_no_more_than_it_must() -> None:
    assert len(presentation.log_text("x" * 1_000_000)) == presentation.LOGGED
