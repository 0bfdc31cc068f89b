"""DynamoDB items of hails, customers, lists and request logs, and their values."""

import json
from datetime import datetime
from typing import Any, TypeVar

from msgspec.structs import asdict
from pynamodb.attributes import (
    Attribute,
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.constants import STRING
from pynamodb.models import Model

from chalicelib.foundation.settings import table
from chalicelib.foundation.store.attributes import MomentAttribute
from chalicelib.foundation.store.models import Place
from chalicelib.taxis.hails.lines import Line
from chalicelib.taxis.hails.rules import Customer, Hail, Status, Transition


class TransitionsAttribute(Attribute[tuple[Transition, ...]]):
    """A hail's log, as JSON."""

    attr_type = STRING

    def serialize(self, value: tuple[Transition, ...]) -> str:
        """To DynamoDB."""
        return json.dumps([[*entry._replace(at=entry.at.isoformat())] for entry in value])  # type: ignore[arg-type]

    def deserialize(self, value: str) -> tuple[Transition, ...]:
        """From DynamoDB."""
        return tuple(
            Transition(
                None if before is None else Status(before),
                Status(after),
                datetime.fromisoformat(at),
                user,
                reason,
            )
            for before, after, at, user, reason in json.loads(value)
        )


class StatusAttribute(Attribute[Status]):
    """A hail's status."""

    attr_type = STRING

    def serialize(self, value: Status) -> str:
        """To DynamoDB."""
        return value.value

    def deserialize(self, value: str) -> Status:
        """From DynamoDB."""
        return Status(value)


class HailRow(Model):
    """A hail."""

    class Meta(Place):
        table_name = table("hails")

    hail_id = UnicodeAttribute(hash_key=True)
    version = NumberAttribute()
    status = StatusAttribute()
    created_at = UTCDateTimeAttribute()
    last_status_change = UTCDateTimeAttribute()
    last_update_at = UTCDateTimeAttribute()
    deadline = MomentAttribute(null=True)
    transitions = TransitionsAttribute()
    session_id = UnicodeAttribute()
    moteur_id = NumberAttribute()
    moteur = UnicodeAttribute()
    operateur_id = NumberAttribute()
    operateur = UnicodeAttribute()
    customer_id = UnicodeAttribute()
    customer_lon = NumberAttribute()
    customer_lat = NumberAttribute()
    customer_address = UnicodeAttribute()
    customer_phone_number = UnicodeAttribute()
    taxi_id = UnicodeAttribute()
    shown_taxi_id = UnicodeAttribute()
    description_id = UnicodeAttribute()
    initial_taxi_lon = NumberAttribute()
    initial_taxi_lat = NumberAttribute()
    licence_plate = UnicodeAttribute()
    color = UnicodeAttribute()
    nb_seats = NumberAttribute(null=True)
    characteristics: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute)
    first_name = UnicodeAttribute()
    last_name = UnicodeAttribute()
    taxi_phone_number = UnicodeAttribute()
    incident_taxi_reason = UnicodeAttribute(null=True)
    incident_customer_reason = UnicodeAttribute(null=True)
    reporting_customer = BooleanAttribute(null=True)
    reporting_customer_reason = UnicodeAttribute(null=True)
    rating_ride = NumberAttribute(null=True)
    rating_ride_reason = UnicodeAttribute(null=True)
    blurred = BooleanAttribute()


class CustomerRow(Model):
    """A customer of one moteur; forgotten a year after the last hail."""

    class Meta(Place):
        table_name = table("customers")

    customer = UnicodeAttribute(hash_key=True)
    moteur_id = NumberAttribute()
    customer_id = UnicodeAttribute()
    ban_begin = UTCDateTimeAttribute(null=True)
    ban_end = UTCDateTimeAttribute(null=True)
    reprieve_begin = UTCDateTimeAttribute(null=True)
    reprieve_end = UTCDateTimeAttribute(null=True)
    session_id = UnicodeAttribute(null=True)
    session_moved_at = UTCDateTimeAttribute(null=True)
    changes = NumberAttribute(default=0)
    ttl = NumberAttribute(null=True)


class ListRow(Model):
    """A line of a list (`lists.py`), or another item found by its owner."""

    class Meta(Place):
        table_name = table("hail-lists")

    owner = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)

    hail_id = UnicodeAttribute(null=True)
    status = StatusAttribute(null=True)
    created_at = UTCDateTimeAttribute(null=True)
    deadline = MomentAttribute(null=True)
    moteur_id = NumberAttribute(null=True)
    moteur = UnicodeAttribute(null=True)
    operateur_id = NumberAttribute(null=True)
    operateur = UnicodeAttribute(null=True)
    customer_id = UnicodeAttribute(null=True)
    taxi_id = UnicodeAttribute(null=True)
    shown_taxi_id = UnicodeAttribute(null=True)

    session_id = UnicodeAttribute(null=True)
    hails = UnicodeSetAttribute(null=True)

    digest = UnicodeAttribute(null=True)
    ttl = NumberAttribute(null=True)

    hail_count = NumberAttribute(null=True)
    session_count = NumberAttribute(null=True)
    # What an earlier build called `blurred` had the customers' ids in clear.
    blurred = BooleanAttribute(null=True, attr_name="customers_blurred")
    in_statistics = BooleanAttribute(null=True)


class LogRow(Model):
    """An entry of a hail's request log."""

    class Meta(Place):
        table_name = table("hail-log")

    hail_id = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    at = UTCDateTimeAttribute()
    method = UnicodeAttribute()
    user = UnicodeAttribute(null=True)
    payload = UnicodeAttribute()
    code = NumberAttribute(null=True)
    answer = UnicodeAttribute(null=True)
    initial_status = UnicodeAttribute(null=True)
    final_status = UnicodeAttribute(null=True)
    ttl = NumberAttribute()


T = TypeVar("T", Hail, Line, Customer)

_WHOLE = ("version", "moteur_id", "operateur_id", "nb_seats", "rating_ride", "changes")
_FRACTIONS = ("customer_lon", "customer_lat", "initial_taxi_lon", "initial_taxi_lat")


def _value(kind: type[T], row: Model) -> T:
    """A struct from the attributes that a row has under its fields' names."""
    values = {name: getattr(row, name) for name in kind.__struct_fields__}
    for name in values.keys() & {*_WHOLE}:
        values[name] = None if values[name] is None else int(values[name])
    for name in values.keys() & {*_FRACTIONS}:
        values[name] = float(values[name])
    if "characteristics" in values:
        values["characteristics"] = tuple(values["characteristics"])
    return kind(**values)


def hail(row: HailRow) -> Hail:
    """The hail of an item."""
    return _value(Hail, row)


def hail_row(hail: Hail) -> HailRow:
    """The item of a hail."""
    return HailRow(**{**asdict(hail), "characteristics": list(hail.characteristics)})


def line(row: ListRow) -> Line:
    """The line of an item."""
    return _value(Line, row)


def line_row(owner: str, line: Line) -> ListRow:
    """The item of a line in an owner's list."""
    return ListRow(owner, line.entry, **asdict(line))


def customer_key(moteur_id: int, customer_id: str) -> str:
    """The key of a moteur's customer."""
    return f"{moteur_id}#{customer_id}"


def customer(row: CustomerRow) -> Customer:
    """The customer of an item; one that a hail has just made has no count of changes yet."""
    row.changes = row.changes or 0
    return _value(Customer, row)
