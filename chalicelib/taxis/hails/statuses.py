"""The statuses of a hail, who may bring about which, and what they make of its taxi: pure.

`STEPS` is the one table of truth. Partners and the registry itself (webhook answers, deadlines) move
a hail along it and in no other way [contract: Steps of a hail] [contract: Deadlines of a hail]; `lifecycle` applies it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from chalicelib.taxis.vocabulary import TaxiStatus


class Status(StrEnum):
    """The statuses of a hail, in the contract's order [contract: The hail object]."""

    RECEIVED = "received"
    SENT_TO_OPERATOR = "sent_to_operator"  # never produced, old records may hold it
    RECEIVED_BY_OPERATOR = "received_by_operator"
    RECEIVED_BY_TAXI = "received_by_taxi"
    ACCEPTED_BY_TAXI = "accepted_by_taxi"
    ACCEPTED_BY_CUSTOMER = "accepted_by_customer"
    CUSTOMER_ON_BOARD = "customer_on_board"
    FAILURE = "failure"
    DECLINED_BY_TAXI = "declined_by_taxi"
    INCIDENT_TAXI = "incident_taxi"
    TIMEOUT_TAXI = "timeout_taxi"
    DECLINED_BY_CUSTOMER = "declined_by_customer"
    INCIDENT_CUSTOMER = "incident_customer"
    TIMEOUT_CUSTOMER = "timeout_customer"
    TIMEOUT_ACCEPTED_BY_CUSTOMER = "timeout_accepted_by_customer"
    FINISHED = "finished"

    @property
    def is_over(self) -> bool:
        """Whether nothing can follow."""
        return not STEPS.get(self)


class Party(StrEnum):
    """The party that takes a step."""

    MOTEUR = "moteur"
    OPERATEUR = "operateur"
    REGISTRY = "registry"


_M, _O, _R = Party

_UNANSWERED = {
    Status.DECLINED_BY_CUSTOMER: _M,
    Status.RECEIVED_BY_OPERATOR: _R,
    Status.FAILURE: _R,
}

STEPS: Mapping[Status, Mapping[Status, Party]] = {
    Status.RECEIVED: _UNANSWERED,
    Status.SENT_TO_OPERATOR: _UNANSWERED,
    Status.RECEIVED_BY_OPERATOR: {
        Status.RECEIVED_BY_TAXI: _O,
        Status.DECLINED_BY_CUSTOMER: _M,
        Status.FAILURE: _R,
    },
    Status.RECEIVED_BY_TAXI: {
        Status.ACCEPTED_BY_TAXI: _O,
        Status.DECLINED_BY_TAXI: _O,
        Status.INCIDENT_TAXI: _O,
        Status.DECLINED_BY_CUSTOMER: _M,
        Status.INCIDENT_CUSTOMER: _M,
        Status.TIMEOUT_TAXI: _R,
    },
    Status.ACCEPTED_BY_TAXI: {
        Status.INCIDENT_TAXI: _O,
        Status.ACCEPTED_BY_CUSTOMER: _M,
        Status.DECLINED_BY_CUSTOMER: _M,
        Status.INCIDENT_CUSTOMER: _M,
        Status.TIMEOUT_CUSTOMER: _R,
    },
    Status.ACCEPTED_BY_CUSTOMER: {
        Status.INCIDENT_TAXI: _O,
        Status.INCIDENT_CUSTOMER: _M,
        Status.CUSTOMER_ON_BOARD: _O,
        Status.TIMEOUT_ACCEPTED_BY_CUSTOMER: _R,
    },
    Status.CUSTOMER_ON_BOARD: {
        Status.INCIDENT_TAXI: _O,
        Status.INCIDENT_CUSTOMER: _M,
        Status.FINISHED: _O,
        Status.TIMEOUT_TAXI: _R,
    },
}

# The status of a hail after its deadline.
LATE: Mapping[Status, Status] = {
    Status.RECEIVED: Status.FAILURE,
    Status.SENT_TO_OPERATOR: Status.FAILURE,
    Status.RECEIVED_BY_OPERATOR: Status.FAILURE,
    Status.RECEIVED_BY_TAXI: Status.TIMEOUT_TAXI,
    Status.ACCEPTED_BY_TAXI: Status.TIMEOUT_CUSTOMER,
    Status.ACCEPTED_BY_CUSTOMER: Status.TIMEOUT_ACCEPTED_BY_CUSTOMER,
    Status.CUSTOMER_ON_BOARD: Status.TIMEOUT_TAXI,
}

# Steps that need the taxi: no other hail may hold it.
TOWARDS_A_RIDE = (
    Status.RECEIVED_BY_TAXI,
    Status.ACCEPTED_BY_TAXI,
    Status.ACCEPTED_BY_CUSTOMER,
    Status.CUSTOMER_ON_BOARD,
)

# The taxi's status while its hail is so, and after it [contract: The taxi during a hail].
TAXI: Mapping[Status, TaxiStatus] = {
    Status.RECEIVED: TaxiStatus.ANSWERING,
    Status.SENT_TO_OPERATOR: TaxiStatus.ANSWERING,
    Status.RECEIVED_BY_OPERATOR: TaxiStatus.ANSWERING,
    Status.RECEIVED_BY_TAXI: TaxiStatus.ANSWERING,
    Status.ACCEPTED_BY_TAXI: TaxiStatus.ANSWERING,
    Status.ACCEPTED_BY_CUSTOMER: TaxiStatus.ONCOMING,
    Status.CUSTOMER_ON_BOARD: TaxiStatus.OCCUPIED,
    Status.FAILURE: TaxiStatus.FREE,
    Status.DECLINED_BY_TAXI: TaxiStatus.OFF,
    Status.INCIDENT_TAXI: TaxiStatus.FREE,
    Status.TIMEOUT_TAXI: TaxiStatus.OFF,
    Status.DECLINED_BY_CUSTOMER: TaxiStatus.FREE,
    Status.INCIDENT_CUSTOMER: TaxiStatus.FREE,
    Status.TIMEOUT_CUSTOMER: TaxiStatus.FREE,
    Status.TIMEOUT_ACCEPTED_BY_CUSTOMER: TaxiStatus.OCCUPIED,
    Status.FINISHED: TaxiStatus.FREE,
}


def taxi_after(
    taxi: TaxiStatus, before: Status, after: Status, *, is_hailed: bool = True
) -> TaxiStatus:
    """The taxi's status after a step of the hail that holds it.

    Only what the hail itself has set changes: a driver who went off or occupied meanwhile stays so.
    Where another operator describes the same vehicle (not `is_hailed`), it does not go off with the
    driver who declined or kept silent.
    """
    if taxi is not TAXI[before]:
        return taxi
    return TAXI[after] if is_hailed or TAXI[after] is not TaxiStatus.OFF else TaxiStatus.FREE


Waits = Mapping[Status, timedelta]  # how long a hail may stay as it is


def deadline(status: Status, since: datetime, waits: Waits) -> datetime | None:
    """The deadline of a hail's status, in whole milliseconds; None where the hail is over."""
    if status.is_over:
        return None
    due = since + waits[status]
    return due.replace(microsecond=due.microsecond // 1000 * 1000)
