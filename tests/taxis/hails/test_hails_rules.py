"""The life of a hail, on values: each step by each party, deadlines, bans and sessions."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import lifecycle, rules
from chalicelib.taxis.hails.rules import (
    STEPS,
    Customer,
    FieldRefused,
    Hail,
    HailChange,
    Party,
    Status,
    StepRefused,
)
from chalicelib.taxis.vocabulary import Account, Role, TaxiStatus
from tests.taxis.hails.hail_factories import (
    ADMIN,
    MOTEUR,
    NOON,
    OPERATEUR,
    PHONE,
    STRANGER,
    WAITS,
    a_hail,
)

LATER = NOON + timedelta(seconds=3)

S = Status
MO, OP, NO = "moteur", "operateur", ""

# The contract's own table [contract: Steps of a hail], written down again by hand: what each party may make
# of a hail through PUT /hails.
TARGETS = (
    *(S.RECEIVED_BY_TAXI, S.ACCEPTED_BY_TAXI, S.DECLINED_BY_TAXI, S.INCIDENT_TAXI),
    *(S.ACCEPTED_BY_CUSTOMER, S.DECLINED_BY_CUSTOMER, S.INCIDENT_CUSTOMER),
    *(S.CUSTOMER_ON_BOARD, S.FINISHED),
)
TABLE = {
    S.RECEIVED: (NO, NO, NO, NO, NO, MO, NO, NO, NO),
    S.SENT_TO_OPERATOR: (NO, NO, NO, NO, NO, MO, NO, NO, NO),
    S.RECEIVED_BY_OPERATOR: (OP, NO, NO, NO, NO, MO, NO, NO, NO),
    S.RECEIVED_BY_TAXI: (NO, OP, OP, OP, NO, MO, MO, NO, NO),
    S.ACCEPTED_BY_TAXI: (NO, NO, NO, OP, MO, MO, MO, NO, NO),
    S.ACCEPTED_BY_CUSTOMER: (NO, NO, NO, OP, NO, NO, MO, OP, NO),
    S.CUSTOMER_ON_BOARD: (NO, NO, NO, OP, NO, NO, MO, NO, OP),
}

# An account with both roles that is only one party of the hail may only do what that party may.
BOTH = frozenset({Role.MOTEUR, Role.OPERATEUR})
PARTIES = {
    "moteur": MOTEUR,
    "moteur with both roles": replace(MOTEUR, roles=BOTH),
    "operateur": OPERATEUR,
    "operateur with both roles": replace(OPERATEUR, roles=BOTH),
    "admin": ADMIN,
    "stranger with both roles": STRANGER,
    "moteur without the role": replace(MOTEUR, roles=frozenset({Role.OPERATEUR})),
    "operateur without the role": replace(OPERATEUR, roles=frozenset({Role.MOTEUR})),
}


def allowed(status: Status, to: Status) -> str:
    return TABLE[status][TARGETS.index(to)] if status in TABLE and to in TARGETS else ""


def may(party: str, needed: str) -> bool:
    return party == "admin" or party in (needed, f"{needed} with both roles")


def put(hail: Hail, viewer: Account = ADMIN, now: datetime = LATER, **asked: Any) -> Hail:
    changes: HailChange = asked  # type: ignore[assignment]  # the names of its keys
    return lifecycle.apply_change(hail, changes, viewer=viewer, now=now, waits=WAITS)


@pytest.mark.parametrize("party", PARTIES)
@pytest.mark.parametrize("to", Status)
@pytest.mark.parametrize("status", Status)
def test_a_hail_moves_as_the_table_says_and_in_no_other_way(
    status: Status, to: Status, party: str
) -> None:
    hail, viewer = a_hail(status, taxi_phone_number=PHONE), PARTIES[party]
    needed = allowed(status, to)

    if to is status:
        assert put(hail, viewer, status=to) is hail
    elif needed and may(party, needed):
        moved = put(hail, viewer, status=to)
        assert moved.status is to
        assert moved.transitions[-1] == (status, to, LATER, viewer.id, None)
        assert moved.last_status_change == moved.last_update_at == LATER
    else:
        with pytest.raises(StepRefused) as refused:
            put(hail, viewer, status=to)
        assert [fault.steps for fault in refused.value.faults] == [("status",)]


def test_the_registry_alone_takes_what_is_left_of_the_steps() -> None:
    own = {(one, to) for one in STEPS for to, by in STEPS[one].items() if by is Party.REGISTRY}

    late = {(one, to) for one, to in rules.LATE.items()}
    webhook = {
        (one, to)
        for one in (S.RECEIVED, S.SENT_TO_OPERATOR)
        for to in (S.RECEIVED_BY_OPERATOR, S.FAILURE)
    }
    assert own == late | webhook


def test_the_statuses_stand_in_the_contracts_order() -> None:
    assert ", ".join(Status) == (
        "received, sent_to_operator, received_by_operator, received_by_taxi, accepted_by_taxi, "
        "accepted_by_customer, customer_on_board, failure, declined_by_taxi, incident_taxi, "
        "timeout_taxi, declined_by_customer, incident_customer, timeout_customer, "
        "timeout_accepted_by_customer, finished"
    )


def test_nothing_follows_a_step_that_is_not_in_the_table() -> None:
    with pytest.raises(ValueError, match="cannot become"):
        lifecycle.step(a_hail(S.FINISHED), S.RECEIVED, now=LATER, waits=WAITS)


# --- the order in which a change is judged -------------------------------------------------------


def refusal(hail: Hail, viewer: Account, **asked: Any) -> str:
    with pytest.raises(StepRefused) as refused:
        put(hail, viewer, **asked)
    return refused.value.faults[0].message


def test_that_a_hail_is_over_is_said_before_anything_else() -> None:
    said = refusal(a_hail(S.FINISHED), STRANGER, status=S.ACCEPTED_BY_TAXI)

    assert "final" in said
    assert "finished" in said
    assert "accepted_by_taxi" in said


@pytest.mark.parametrize("status", [S.RECEIVED, S.RECEIVED_BY_TAXI])
def test_a_missing_phone_number_is_said_before_an_impossible_step(status: Status) -> None:
    said = refusal(a_hail(status), STRANGER, status=S.ACCEPTED_BY_TAXI, taxi_phone_number="")

    assert said == "Phone number not provided"


def test_an_impossible_step_is_said_before_a_missing_role() -> None:
    said = refusal(a_hail(S.RECEIVED), STRANGER, status=S.FINISHED)

    assert said.startswith("Impossible")


def test_the_role_is_asked_for_last() -> None:
    said = refusal(a_hail(S.RECEIVED_BY_TAXI), MOTEUR, status=S.DECLINED_BY_TAXI)

    assert said.startswith("Permission operateur")


def test_a_phone_number_that_the_webhook_brought_is_enough_to_accept() -> None:
    hail = a_hail(S.RECEIVED_BY_TAXI, taxi_phone_number=PHONE)

    assert put(hail, OPERATEUR, status=S.ACCEPTED_BY_TAXI).taxi_phone_number == PHONE


def test_a_phone_number_sent_with_the_acceptance_replaces_the_one_there_was() -> None:
    hail = a_hail(S.RECEIVED_BY_TAXI, taxi_phone_number=PHONE)

    accepted = put(hail, OPERATEUR, status=S.ACCEPTED_BY_TAXI, taxi_phone_number="07")

    assert accepted.taxi_phone_number == "07"


@pytest.mark.parametrize("asked", [{}, {"status": S.RECEIVED_BY_TAXI}])
def test_a_phone_number_without_an_acceptance_is_ignored(asked: dict[str, Any]) -> None:
    hail = a_hail(S.RECEIVED_BY_OPERATOR)

    assert put(hail, OPERATEUR, taxi_phone_number=PHONE, **asked).taxi_phone_number == ""


def test_the_customers_phone_number_never_changes() -> None:
    hail = a_hail()

    assert put(hail, MOTEUR, customer_phone_number="07") is hail


# --- whose field it is ---------------------------------------------------------------------------

OPERATEURS = {
    "incident_taxi_reason": "traffic",
    "reporting_customer": True,
    "reporting_customer_reason": "late",
}
MOTEURS = {
    "customer_lon": 2.1,
    "customer_lat": 48.1,
    "customer_address": "elsewhere",
    "incident_customer_reason": "no_show",
    "rating_ride": 3,
    "rating_ride_reason": "late",
}


@pytest.mark.parametrize("status", [S.RECEIVED, S.FINISHED])
@pytest.mark.parametrize(("field", "value"), [*OPERATEURS.items(), *MOTEURS.items()])
def test_a_field_is_its_partys_and_the_admins(field: str, value: Any, status: Status) -> None:
    owner, other = (OPERATEUR, MOTEUR) if field in OPERATEURS else (MOTEUR, OPERATEUR)
    hail = a_hail(status)

    for viewer in (owner, ADMIN):
        changed = put(hail, viewer, **{field: value})
        assert getattr(changed, field) == value
        assert (changed.last_update_at, changed.last_status_change) == (LATER, NOON)
    for viewer in (other, STRANGER):
        with pytest.raises(FieldRefused) as refused:
            put(hail, viewer, **{field: value})
        assert refused.value.faults[0].steps == (field,)


@pytest.mark.parametrize("field", [*OPERATEURS, *MOTEURS])
def test_anybody_may_send_a_field_as_it_is(field: str) -> None:
    hail = a_hail()

    assert put(hail, STRANGER, **{field: getattr(hail, field)}) is hail


def test_the_step_is_judged_before_the_fields_and_the_operateurs_before_the_moteurs() -> None:
    with pytest.raises(StepRefused):
        put(a_hail(), MOTEUR, status=S.FINISHED, incident_taxi_reason="traffic")
    with pytest.raises(FieldRefused) as refused:
        put(a_hail(), STRANGER, rating_ride=3, incident_taxi_reason="traffic")

    assert refused.value.faults[0].steps[-1] == "incident_taxi_reason"


def test_a_forbidden_field_takes_the_step_with_it() -> None:
    with pytest.raises(FieldRefused):
        put(a_hail(), MOTEUR, status=S.DECLINED_BY_CUSTOMER, incident_taxi_reason="traffic")


# --- deadlines -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "seconds", "becomes", "taxi"),
    [
        (S.RECEIVED, 30, S.FAILURE, TaxiStatus.FREE),
        (S.RECEIVED_BY_OPERATOR, 10, S.FAILURE, TaxiStatus.FREE),
        (S.RECEIVED_BY_TAXI, 30, S.TIMEOUT_TAXI, TaxiStatus.OFF),
        (S.ACCEPTED_BY_TAXI, 30, S.TIMEOUT_CUSTOMER, TaxiStatus.FREE),
        (S.ACCEPTED_BY_CUSTOMER, 1800, S.TIMEOUT_ACCEPTED_BY_CUSTOMER, TaxiStatus.OCCUPIED),
        (S.CUSTOMER_ON_BOARD, 7200, S.TIMEOUT_TAXI, TaxiStatus.OFF),
    ],
)
def test_silence_ends_a_hail_when_its_wait_is_over_and_not_before(
    status: Status, seconds: int, becomes: Status, taxi: TaxiStatus
) -> None:
    hail = a_hail(status)
    due = NOON + timedelta(seconds=seconds)

    before = lifecycle.apply_deadline(hail, now=due - timedelta(microseconds=1), waits=WAITS)
    after = lifecycle.apply_deadline(hail, now=due, waits=WAITS)

    assert before is hail
    assert (after.status, after.deadline) == (becomes, None)
    assert after.transitions[-1] == (status, becomes, due, None, "timeout")
    assert rules.TAXI[becomes] is taxi


@pytest.mark.parametrize("status", [status for status in Status if status.is_over])
def test_a_hail_that_is_over_has_no_deadline(status: Status) -> None:
    hail = a_hail(status)

    assert hail.deadline is None
    assert lifecycle.apply_deadline(hail, now=NOON + timedelta(days=9), waits=WAITS) is hail


def test_a_hails_log_never_runs_backwards() -> None:
    hail = a_hail(S.RECEIVED_BY_OPERATOR)

    moved = put(hail, OPERATEUR, now=NOON - timedelta(seconds=1), status=S.RECEIVED_BY_TAXI)

    assert moved.transitions[-1].at == moved.last_status_change == NOON


# --- the webhook ---------------------------------------------------------------------------------


@pytest.mark.parametrize("phone", [None, ""])
def test_an_operator_takes_a_hail_without_a_phone_number(phone: str | None) -> None:
    taken = lifecycle.deliver(a_hail(), taxi_phone_number=phone, now=LATER, waits=WAITS)

    assert (taken.status, taken.taxi_phone_number) == (S.RECEIVED_BY_OPERATOR, "")
    assert taken.transitions[-1].user is None


@pytest.mark.parametrize("status", [status for status in Status if status is not S.RECEIVED])
def test_the_webhook_changes_nothing_of_a_hail_that_has_moved_on(status: Status) -> None:
    hail = a_hail(status)

    assert lifecycle.deliver(hail, taxi_phone_number=PHONE, now=LATER, waits=WAITS) is hail
    assert lifecycle.fail(hail, reason="gone", now=LATER, waits=WAITS) is hail


def test_the_cause_of_a_failure_is_in_the_log() -> None:
    failed = lifecycle.fail(a_hail(), reason="it does not answer", now=LATER, waits=WAITS)

    assert failed.transitions[-1] == (S.RECEIVED, S.FAILURE, LATER, None, "it does not answer")


# --- bans ----------------------------------------------------------------------------------------

DAY = timedelta(days=1)


def reports(*times: datetime) -> Customer:
    customer = Customer(1, "somebody")
    for now in times:
        customer = customer.reported(now=now)
    return customer


def test_each_report_while_a_ban_runs_doubles_it() -> None:
    for count, days in [(1, 1), (2, 2), (3, 4), (4, 8)]:
        customer = reports(*[NOON] * count)
        assert (customer.ban_begin, customer.ban_end) == (NOON, NOON + days * DAY)


def test_a_report_after_the_ban_begins_anew() -> None:
    later = NOON + 2 * DAY

    customer = reports(NOON, later)

    assert (customer.ban_begin, customer.ban_end) == (later, later + DAY)


def test_doubling_ends_before_the_calendar_does() -> None:
    customer = reports(*[NOON] * 64)

    assert customer.ban_end == NOON + rules.LONGEST_BAN


def test_a_longer_ban_is_not_shortened_by_a_report() -> None:
    end = datetime(9999, 12, 31, tzinfo=UTC)

    assert replace(reports(NOON), ban_end=end).reported(now=NOON).ban_end == end


@pytest.mark.parametrize(
    ("begin", "end", "banned"),
    [
        (None, None, False),
        (NOON, None, False),
        (None, NOON, True),
        (NOON, NOON, True),
        (NOON - DAY, NOON - timedelta(microseconds=1), False),
        (NOON + timedelta(microseconds=1), NOON + DAY, False),
    ],
)
def test_a_ban_holds_from_its_begin_to_its_end(
    begin: datetime | None, end: datetime | None, *, banned: bool
) -> None:
    assert Customer(1, "x", ban_begin=begin, ban_end=end).is_banned(NOON) is banned


@pytest.mark.parametrize(
    ("before", "after", "ends"),
    [
        (None, True, NOON + DAY),
        (False, True, NOON + DAY),
        (True, True, "unchanged"),
        (True, False, None),
        (True, None, None),
        (False, False, "unchanged"),
        (None, False, None),
    ],
)
def test_only_a_change_of_the_report_counts(
    before: bool | None,  # noqa: FBT001  # a parameter
    after: bool | None,  # noqa: FBT001
    ends: object,
) -> None:
    known = Customer(1, "x", ban_begin=NOON - 9 * DAY, ban_end=NOON - 8 * DAY)

    customer = lifecycle.apply_report(
        a_hail(reporting_customer=before), a_hail(reporting_customer=after), known, now=NOON
    )

    assert customer.ban_end == (known.ban_end if ends == "unchanged" else ends)


# --- sessions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since", "goes_on"),
    [(timedelta(0), True), (timedelta(seconds=299.9), True), (timedelta(seconds=300), False)],
)
def test_a_session_goes_on_for_five_minutes_after_its_last_step(
    since: timedelta, *, goes_on: bool
) -> None:
    customer = Customer(1, "x", session_id="one", session_moved_at=NOON)

    found = customer.session(now=NOON + since, good_for=timedelta(minutes=5))

    assert found == ("one" if goes_on else None)


# --- what partners may still see -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("viewer", "age", "sees"),
    [
        (MOTEUR, 60 * DAY - timedelta(milliseconds=1), True),
        (MOTEUR, 60 * DAY, False),
        (ADMIN, 600 * DAY, True),
    ],
)
def test_only_admins_see_a_hail_whose_time_is_over(
    viewer: Account, age: timedelta, *, sees: bool
) -> None:
    assert rules.is_visible(NOON - age, viewer, now=NOON, kept=60 * DAY) is sees
