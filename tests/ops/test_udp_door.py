"""What the door does with datagrams: who waits, what is sent, how each one is counted once."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.ops.datagrams import NOW_S, a_datagram, a_signed_datagram
from udp_gateway import door, order
from udp_gateway.door import Door
from udp_gateway.senders import Sender

SENDER = Sender((b"key",), frozenset({"abcdefg", "bcdefgh"}))


def a_door(**changes: Any) -> Door:
    return Door(**{"renew_s": 30, "stale_s": 300, "late_s": 120, "now_s": NOW_S, **changes})


def a_door_that_knows(sender: Sender = SENDER, **changes: Any) -> Door:
    made = a_door(**changes)
    made.settle("operator", sender, now_s=NOW_S)
    return made


def at(after_s: float, **changes: Any) -> bytes:
    """A datagram that says it is of so many seconds later."""
    return a_datagram(timestamp=NOW_S + after_s, **changes)


def asked(opened: Door, *, now_s: float) -> list[str]:
    return [question.operator for question in opened.questions(now_s=now_s)]


def counted(opened: Door) -> dict[str, int]:
    """What is not nought."""
    return {name: number for name, number in opened.counts().items() if number}


def outgoing(opened: Door, *, now_s: float = NOW_S + 1) -> list[tuple[float, str, int]]:
    """Moment, taxi and latitude of what is to be sent."""
    return [
        (batch.at.timestamp(), taxi_id, lat_e7)
        for batch in opened.batches(now_s=now_s)
        for taxi_id, _, lat_e7 in batch.positions
    ]


# --- at once -------------------------------------------------------------------------------------


def test_a_datagram_of_a_known_operator_is_settled_at_once() -> None:
    opened = a_door_that_knows()

    opened.take(a_datagram(), now_s=NOW_S)

    assert outgoing(opened) == [(NOW_S, "abcdefg", 488601000)]
    assert asked(opened, now_s=NOW_S + 10) == []


@pytest.mark.parametrize(
    ("sent_after_s", "came_after_s", "held_after_s"),
    [(7.2, 7.9, 7), (7.9, 8.1, 7), (3, 200, 3), (40, 7.9, 7), (7.9, 7.9, 7)],
)
def test_a_position_is_of_the_second_of_the_earlier_clock(
    sent_after_s: float, came_after_s: float, held_after_s: float
) -> None:
    opened = a_door()
    opened.settle("operator", SENDER, now_s=NOW_S + came_after_s)

    opened.take(at(sent_after_s), now_s=NOW_S + came_after_s)

    assert outgoing(opened, now_s=NOW_S + 300)[0][0] == NOW_S + held_after_s


def test_the_newest_position_of_a_taxi_is_sent_and_the_older_is_counted() -> None:
    opened = a_door_that_knows()

    for step, lat in enumerate((48.1, 48.2)):
        opened.take(at(step / 2, lat=lat), now_s=NOW_S + 1)
    opened.take(a_datagram(taxi="bcdefgh", lat=48.3), now_s=NOW_S)

    assert outgoing(opened) == [(NOW_S, "abcdefg", 482000000), (NOW_S, "bcdefgh", 483000000)]
    assert counted(opened) == {"received": 3, "superseded": 1}


def test_what_cannot_be_read_is_counted_by_its_reason() -> None:
    opened = a_door_that_knows()

    for sent in (b"{", b"[]", a_datagram(lat=86), b" " * 5000):
        opened.take(sent, now_s=NOW_S)

    assert counted(opened) == {
        "received": 4,
        "dropped_not_json": 1,
        "dropped_bad_field": 2,
        "dropped_too_long": 1,
    }


@pytest.mark.parametrize(
    ("timestamp", "counted_as"),
    [
        (NOW_S - 300, "waiting"),
        (NOW_S - 300.1, "dropped_stale"),
        ("yesterday", "dropped_stale"),
        ("inf", "dropped_stale"),
        ("nan", "dropped_stale"),
        (NOW_S + 60, "waiting"),
        (NOW_S + 60.1, "dropped_ahead"),
        ("9" * 16, "dropped_ahead"),
    ],
)
def test_a_datagram_whose_clock_is_far_off_is_refused(timestamp: Any, counted_as: str) -> None:
    opened = a_door_that_knows()

    opened.take(a_datagram(timestamp=timestamp), now_s=NOW_S)

    assert counted(opened) == {"received": 1, counted_as: 1}


def test_any_clock_is_right_where_the_limit_is_off() -> None:
    opened = a_door_that_knows(stale_s=0)

    for timestamp in (1, "yesterday"):
        opened.take(a_datagram(timestamp=timestamp), now_s=NOW_S)

    assert counted(opened) == {"received": 2, "superseded": 1, "waiting": 1}


def test_an_older_datagram_takes_no_taxi_back() -> None:
    opened = a_door()
    opened.settle("operator", SENDER, now_s=NOW_S + 290)
    opened.take(a_datagram(timestamp=NOW_S + 290, lat=48.2), now_s=NOW_S + 290)
    opened.batches(now_s=NOW_S + 300)

    opened.take(a_datagram(timestamp=NOW_S + 289, lat=48.1), now_s=NOW_S + 310)
    opened.take(a_datagram(timestamp=NOW_S + 289, taxi="bcdefgh"), now_s=NOW_S + 310)

    assert [taxi_id for _, taxi_id, _ in outgoing(opened, now_s=NOW_S + 311)] == ["bcdefgh"]
    assert counted(opened) == {"received": 3, "dropped_out_of_order": 1}


@pytest.mark.parametrize("sent", [a_datagram(), a_signed_datagram()])
def test_the_same_datagram_counts_once(sent: bytes) -> None:
    opened = a_door_that_knows()
    opened.take(sent, now_s=NOW_S)
    assert len(outgoing(opened)) == 1

    opened.take(sent, now_s=NOW_S + 5)

    assert outgoing(opened, now_s=NOW_S + 6) == []
    assert counted(opened) == {"received": 2, "dropped_duplicate": 1}


def test_the_same_datagram_in_another_form_counts_once() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(), now_s=NOW_S)

    opened.take(a_signed_datagram(), now_s=NOW_S)

    assert counted(opened) == {"received": 2, "dropped_duplicate": 1, "waiting": 1}


@pytest.mark.parametrize("ahead_s", [60, 3600, 86_400])
def test_a_clock_that_is_ahead_silences_no_right_one(ahead_s: float) -> None:
    opened = a_door_that_knows()
    opened.take(at(ahead_s, lat=48.1), now_s=NOW_S)

    opened.take(at(1, lat=48.2), now_s=NOW_S + 1)

    assert [lat_e7 for _, _, lat_e7 in outgoing(opened, now_s=NOW_S + 2)] == [482000000]


@pytest.mark.parametrize("later_s", [6, 30, 44])
def test_a_datagram_of_a_clock_that_is_ahead_takes_no_taxi_back(later_s: float) -> None:
    opened = a_door_that_knows()
    for step in (0, 5):
        opened.take(at(step + 45, lat=48 + step / 10), now_s=NOW_S + step)
    assert len(outgoing(opened)) == 1

    opened.take(at(45, lat=48.0), now_s=NOW_S + later_s)

    assert outgoing(opened) == []
    assert counted(opened)["dropped_out_of_order"] == 1


@pytest.mark.parametrize("later_s", [2, 20, 44, 46, 90])
@pytest.mark.parametrize("sign", [a_datagram, a_signed_datagram])
def test_a_datagram_of_a_clock_that_is_ahead_counts_once_though_a_right_one_came_since(
    sign: Callable[..., bytes], later_s: float
) -> None:
    opened = a_door()
    opened.settle("operator", SENDER, now_s=NOW_S + 60)
    ahead = [sign(timestamp=NOW_S + after_s, lat=48.1) for after_s in (45, 50)]
    for sent in ahead:
        opened.take(sent, now_s=NOW_S)
    opened.take(sign(timestamp=NOW_S + 1, lat=48.2), now_s=NOW_S + 1)
    assert len(outgoing(opened)) == 1

    for sent in ahead:
        opened.take(sent, now_s=NOW_S + later_s)

    assert outgoing(opened) == []
    assert counted(opened)["dropped_duplicate"] == 2


def test_right_datagrams_count_at_seconds_that_a_clock_ahead_has_named_before() -> None:
    opened = a_door_that_knows()
    for after_s in range(30):
        opened.take(at(after_s + 30, device="ahead"), now_s=NOW_S + after_s)
    opened.settle("operator", SENDER, now_s=NOW_S + 30)
    opened.counts()
    outgoing(opened)

    for after_s in range(30, 60):
        opened.take(at(after_s, device="right"), now_s=NOW_S + after_s + 0.1)
        assert len(outgoing(opened, now_s=NOW_S + after_s + 0.2)) == 1


def test_what_a_door_remembers_of_a_clock_that_is_ahead_is_bounded() -> None:
    opened = a_door_that_knows()

    for step in range(1000):
        opened.take(at(50 + step / 1000), now_s=NOW_S)

    [newest] = opened._order._newest.values()
    assert len(newest.ahead) == order.AHEAD_KEPT


def test_datagrams_of_a_clock_that_is_ahead_are_ordered_by_it_where_they_come_at_once() -> None:
    opened = a_door_that_knows()

    for after_s in (30, 35, 33):
        opened.take(at(after_s, lat=48 + after_s / 100), now_s=NOW_S)

    assert outgoing(opened) == [(NOW_S, "abcdefg", 483500000)]
    assert counted(opened) == {"received": 3, "superseded": 1, "dropped_out_of_order": 1}


@pytest.mark.parametrize("later_s", [1, 299, 301, 359])
def test_no_datagram_is_forgotten_while_it_could_be_sent_again(later_s: float) -> None:
    opened = a_door_that_knows()
    for turn in range(300):
        opened.batches(now_s=NOW_S + turn)
    sent = at(299 + 60)
    opened.settle("operator", SENDER, now_s=NOW_S + 299)
    opened.take(sent, now_s=NOW_S + 299)
    for turn in range(1 + int(later_s)):
        opened.batches(now_s=NOW_S + 299 + turn)
    opened.settle("operator", SENDER, now_s=NOW_S + 299 + later_s)
    assert counted(opened) == {"received": 1}

    opened.take(sent, now_s=NOW_S + 299 + later_s)

    assert counted(opened) == {"received": 1, "dropped_duplicate": 1}


# --- look-ups ------------------------------------------------------------------------------------


def test_the_first_datagrams_of_an_operator_wait_until_it_is_looked_up() -> None:
    opened = a_door()
    opened.take(a_datagram(), now_s=NOW_S)
    opened.take(a_datagram(taxi="bcdefgh"), now_s=NOW_S)

    [question] = opened.questions(now_s=NOW_S)
    assert (question.operator, len(question.waiting)) == ("operator", 2)
    assert asked(opened, now_s=NOW_S) == []
    opened.settle("operator", SENDER, now_s=NOW_S)

    assert [taxi_id for _, taxi_id, _ in outgoing(opened)] == ["abcdefg", "bcdefgh"]


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (a_datagram("other key"), "bad_hash"),
        (a_datagram(taxi="zzzzzzz"), "not_owner"),
        (a_datagram("other key", taxi="zzzzzzz"), "bad_hash"),
    ],
)
def test_what_does_not_fit_waits_for_one_more_look_up_and_is_then_judged(
    sent: bytes, reason: str
) -> None:
    opened = a_door_that_knows()

    opened.take(sent, now_s=NOW_S)
    assert asked(opened, now_s=NOW_S + door.AGAIN_S - 0.1) == []
    assert asked(opened, now_s=NOW_S + door.AGAIN_S) == ["operator"]
    opened.settle("operator", SENDER, now_s=NOW_S + 1)

    assert counted(opened) == {"received": 1, f"dropped_{reason}": 1}
    assert [(name, str(why), n) for name, why, n in opened.refused(limit=5)] == [
        ("operator", reason, 1)
    ]


@pytest.mark.parametrize(
    ("sent", "found"),
    [
        (a_datagram("new key"), Sender((b"new key",), SENDER.taxi_ids)),
        (a_datagram(taxi="new0000"), Sender((b"key",), SENDER.taxi_ids | {"new0000"})),
    ],
)
def test_a_new_key_and_a_new_taxi_are_known_within_a_second(sent: bytes, found: Sender) -> None:
    opened = a_door_that_knows()

    opened.take(sent, now_s=NOW_S + 0.2)
    [question] = opened.questions(now_s=NOW_S + door.AGAIN_S)
    opened.settle(question.operator, found, now_s=NOW_S + 1.1)

    assert len(outgoing(opened)) == 1


def test_what_came_during_a_look_up_waits_for_the_next() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(taxi="1111111"), now_s=NOW_S)
    opened.questions(now_s=NOW_S + 1)
    opened.take(a_datagram(taxi="2222222"), now_s=NOW_S + 1)

    opened.settle("operator", SENDER, now_s=NOW_S + 1)
    assert counted(opened) == {"received": 2, "dropped_not_owner": 1, "waiting": 1}
    assert asked(opened, now_s=NOW_S + 2) == ["operator"]
    opened.settle("operator", Sender((b"key",), frozenset({"2222222"})), now_s=NOW_S + 2)

    assert [taxi_id for _, taxi_id, _ in outgoing(opened)] == ["2222222"]


def test_an_operator_that_sends_is_looked_up_again_and_trusted_meanwhile() -> None:
    opened = a_door_that_knows()

    opened.take(a_datagram(), now_s=NOW_S + 29)
    assert asked(opened, now_s=NOW_S + 29) == []
    opened.take(a_datagram(), now_s=NOW_S + 31)
    assert asked(opened, now_s=NOW_S + 31) == ["operator"]

    assert len(outgoing(opened)) == 1


def test_a_suspension_bites_within_a_minute() -> None:
    opened = a_door_that_knows()

    opened.take(a_datagram(), now_s=NOW_S + door.TRUSTED_S)
    assert outgoing(opened) == []
    opened.questions(now_s=NOW_S + door.TRUSTED_S)
    opened.settle("operator", None, now_s=NOW_S + door.TRUSTED_S)
    opened.take(a_datagram(), now_s=NOW_S + door.TRUSTED_S + 1)

    assert counted(opened) == {"received": 2, "dropped_unknown_operator": 2}


def test_an_unknown_email_is_looked_up_once_in_a_while() -> None:
    opened = a_door()
    opened.take(a_datagram(), now_s=NOW_S)
    opened.questions(now_s=NOW_S)
    opened.settle("operator", None, now_s=NOW_S)

    opened.take(a_datagram(), now_s=NOW_S + door.STRANGE_S - 0.1)
    assert asked(opened, now_s=NOW_S + door.STRANGE_S - 0.1) == []
    opened.take(a_datagram(), now_s=NOW_S + door.STRANGE_S)
    assert asked(opened, now_s=NOW_S + door.STRANGE_S) == ["operator"]


def test_a_registry_that_cannot_be_asked_drops_what_waits_and_leaves_what_is_known() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(taxi="zzzzzzz"), now_s=NOW_S)
    opened.questions(now_s=NOW_S + 1)

    opened.fail("operator", now_s=NOW_S + 1)
    opened.take(a_datagram(), now_s=NOW_S + 2)

    assert counted(opened) == {"received": 2, "dropped_look_up_failed": 1, "waiting": 1}
    assert len(outgoing(opened)) == 1


def test_a_failing_registry_is_not_asked_more_often_than_another() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(taxi="zzzzzzz"), now_s=NOW_S)
    opened.questions(now_s=NOW_S + 1)
    opened.fail("operator", now_s=NOW_S + 1)

    opened.take(a_datagram(taxi="zzzzzzz"), now_s=NOW_S + 1.1)

    assert asked(opened, now_s=NOW_S + 1.9) == []
    assert asked(opened, now_s=NOW_S + 2) == ["operator"]


# --- floods --------------------------------------------------------------------------------------


def test_a_flood_of_unknown_taxis_costs_one_look_up_a_second() -> None:
    opened = a_door_that_knows()
    looked_up = 0

    for step in range(100):
        now_s = NOW_S + step / 10
        for number in range(20):
            opened.take(a_datagram(taxi=f"{step:03}{number:04}"), now_s=now_s)
        for question in opened.questions(now_s=now_s):
            looked_up += 1
            opened.settle(question.operator, SENDER, now_s=now_s)

    assert looked_up <= 10
    assert opened.waiting <= 220


def test_a_flood_of_strange_emails_keeps_no_known_operator_waiting() -> None:
    opened = a_door_that_knows()
    for number in range(door.STRANGERS + 50):
        opened.take(a_datagram(operator=f"nobody {number}"), now_s=NOW_S + 1)

    opened.take(a_datagram(taxi="new0000"), now_s=NOW_S + 1)
    opened.take(a_datagram(), now_s=NOW_S + 1)

    names = asked(opened, now_s=NOW_S + 1)
    assert (names[0], len(names)) == ("operator", door.OPERATORS_AT_ONCE)
    assert asked(opened, now_s=NOW_S + 1) == []
    assert len(outgoing(opened)) == 1
    assert counted(opened)["dropped_overflow"] == 50


@pytest.mark.parametrize("knows", [a_door, a_door_that_knows])
def test_what_waits_of_one_operator_is_bounded_and_the_rest_is_counted(
    knows: Callable[[], Door],
) -> None:
    opened = knows()
    sent = a_datagram(taxi="zzzzzzz")

    for _ in range(door.WAITING_EACH + 3):
        opened.take(sent, now_s=NOW_S)

    assert opened.waiting == door.WAITING_EACH
    assert opened.counts()["dropped_overflow"] == 3


def test_what_waits_in_all_is_bounded_and_the_rest_is_counted() -> None:
    opened = a_door()
    operators = [a_datagram(operator=f"operator {number}") for number in range(100)]

    for _ in range(door.WAITING // 100 + 1):
        for sent in operators:
            opened.take(sent, now_s=NOW_S)

    assert opened.waiting == door.WAITING
    assert opened.counts()["dropped_overflow"] == 100


def test_strange_emails_are_remembered_up_to_a_number() -> None:
    opened = a_door()

    for number in range(door.STRANGE + 10):
        opened.settle(f"nobody {number}", None, now_s=NOW_S)

    assert len(opened._strange) == door.STRANGE
    opened.take(a_datagram(operator="nobody 0"), now_s=NOW_S)
    assert asked(opened, now_s=NOW_S) == ["nobody 0"]


def test_the_positions_that_wait_for_the_stream_are_bounded() -> None:
    opened = a_door_that_knows(taxis=1)

    for step, taxi in enumerate(("abcdefg", "bcdefgh", "abcdefg")):
        opened.take(at(step / 10, taxi=taxi), now_s=NOW_S + 1)

    assert counted(opened) == {"received": 3, "superseded": 1, "dropped_overflow": 1, "waiting": 1}


# --- the stream ----------------------------------------------------------------------------------


def test_what_the_stream_did_not_take_is_sent_later_with_its_own_moment() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(), now_s=NOW_S)
    opened.put_back(opened.batches(now_s=NOW_S + 1), now_s=NOW_S + 1)

    opened.take(at(1, taxi="bcdefgh"), now_s=NOW_S + 1.5)

    assert [(moment, taxi_id) for moment, taxi_id, _ in outgoing(opened)] == [
        (NOW_S, "abcdefg"),
        (NOW_S + 1, "bcdefgh"),
    ]


def test_what_is_put_back_wins_over_nothing_that_came_since() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(lat=48.1), now_s=NOW_S)
    failed = opened.batches(now_s=NOW_S + 1)
    opened.take(at(1, lat=48.2), now_s=NOW_S + 1)

    opened.put_back(failed, now_s=NOW_S + 2)

    assert outgoing(opened, now_s=NOW_S + 2) == [(NOW_S + 1, "abcdefg", 482000000)]
    assert counted(opened) == {"received": 2, "superseded": 1}


def test_what_waited_for_a_look_up_wins_over_nothing_newer() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram("new key", lat=48.1), now_s=NOW_S)
    opened.batches(now_s=NOW_S + 1)
    opened.take(at(1, lat=48.2), now_s=NOW_S + 1)

    opened.questions(now_s=NOW_S + 1)
    opened.settle("operator", Sender((b"new key",), SENDER.taxi_ids), now_s=NOW_S + 1)

    assert outgoing(opened) == [(NOW_S + 1, "abcdefg", 482000000)]


def test_a_position_that_nobody_would_be_shown_is_given_up() -> None:
    opened = a_door_that_knows()
    opened.take(a_datagram(), now_s=NOW_S)
    failed = opened.batches(now_s=NOW_S + 1)

    opened.put_back(failed, now_s=NOW_S + 120)

    assert counted(opened) == {"received": 1, "dropped_stream_unavailable": 1}


def test_every_datagram_is_counted_once() -> None:
    opened = a_door_that_knows()
    kinds = [
        a_datagram(),
        a_datagram("wrong"),
        a_datagram(taxi="zzzzzzz"),
        a_datagram(operator="nobody"),
        a_datagram(timestamp=1),
        b"{",
    ]
    totals: dict[str, int] = {}
    for step in range(50):
        now_s = NOW_S + step
        for sent in kinds:
            opened.take(sent, now_s=now_s)
        for question in opened.questions(now_s=now_s):
            known = question.operator == "operator"
            opened.settle(question.operator, SENDER if known else None, now_s=now_s)
        for batch in opened.batches(now_s=now_s):
            opened.sent(batch)
        for name, number in opened.counts().items():
            totals[name] = totals.get(name, 0) + number * (name != "waiting")

    received = totals.pop("received")
    assert received == 50 * len(kinds)
    assert received == sum(totals.values()) + opened.waiting, json.dumps(totals)
