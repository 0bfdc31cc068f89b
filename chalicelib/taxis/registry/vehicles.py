"""Vehicles' numbers, and what each owner says of a vehicle, in DynamoDB.

| question                    | table         | key                | cost               | asked by         |
| --------------------------- | ------------- | ------------------ | ------------------ | ---------------- |
| the number of a plate       | vehicles      | licence_plate      | 1 unit, strong; 2  | POST /vehicles   |
|                             |               |                    | write units if new |                  |
| a description, or a new one | descriptions  | owner#vehicle_id   | 1 write unit, and  | POST /vehicles   |
|                             |               |                    | 1 a taxi of it     |                  |
| who else describes it       | vehicles,     | their keys         | 1 write unit once; | POST /vehicles   |
|                             | descriptions  |                    | 1 more an owner    | of a new one     |
| a description               | descriptions  | owner#vehicle_id   | 1 unit, strong     | POST /ads        |
| another status or radius    | descriptions  | owner#vehicle_id   | 1 write unit       | PUT /taxis/{id}  |
| a hail's step               | descriptions  | owner#vehicle_id   | 2 write units      | hails            |

A vehicle's number is everybody's, its description each owner's own. A taxi carries a copy of what
searches show of its description; `details_version` rises with the description, and no older copy
wins over a newer one.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

from pynamodb.transactions import TransactWrite

from chalicelib.foundation.store import documents, reads
from chalicelib.foundation.store.writes import Moved, run_write, setting
from chalicelib.foundation.values import replace
from chalicelib.taxis.registry import rows, rules, store
from chalicelib.taxis.registry.rows import DescriptionRow, TaxiRow, VehicleRow
from chalicelib.taxis.registry.rules import Description
from chalicelib.taxis.vocabulary import TaxiStatus


def number_of(licence_plate: str, *, otherwise: int | None = None) -> int:
    """The vehicle's number: the one that the plate has, or else the one given, or else the next."""
    try:
        return int(VehicleRow.get(licence_plate, consistent_read=True).vehicle_id)
    except VehicleRow.DoesNotExist:
        vehicle_id = documents.next_number("vehicle") if otherwise is None else otherwise
        row = VehicleRow(licence_plate, vehicle_id=vehicle_id)
    try:
        run_write(partial(row.save, VehicleRow.licence_plate.does_not_exist()))
    except Moved:  # another has given it one, and nobody takes that away
        row.refresh(consistent_read=True)
    return int(row.vehicle_id)


def describe(
    owner: str, vehicle_id: int, given: Mapping[str, Any], *, now: datetime
) -> tuple[Description, bool]:
    """The owner's description, with what is given written over it, and whether it is new.

    A new one is `off`. The write itself tells: the first version is 1.
    """
    row = DescriptionRow(rules.description_id(owner, vehicle_id))
    actions = [
        *setting(DescriptionRow, {"owner": owner, "vehicle_id": vehicle_id, **given}),
        DescriptionRow.status.set(DescriptionRow.status | TaxiStatus.OFF.value),
        DescriptionRow.availability_changed_at.set(DescriptionRow.availability_changed_at | now),
        DescriptionRow.details_version.add(1),
        DescriptionRow.added_at.set(DescriptionRow.added_at | now),
    ]
    run_write(partial(row.update, actions))
    return rows.description(row), row.details_version == 1


def join_others(description: Description) -> Description:
    """The description, once it and those that other owners have of its vehicle know of each other.

    It is stored by then. So of two owners at once, each stored before it is entered here, the later
    one finds both.
    """
    me = description.description_id
    vehicle = VehicleRow(description.vehicle.licence_plate)
    run_write(partial(vehicle.update, [VehicleRow.owners.add({description.owner})]))
    others = {
        rules.description_id(owner, description.vehicle.vehicle_id)
        for owner in vehicle.owners or ()
        if owner != description.owner
    }
    for known_to, found in [(me, others), *((other, {me}) for other in sorted(others))]:
        if found:
            there = DescriptionRow.description_id.exists()
            with suppress(Moved):  # the night has deleted it
                run_write(
                    partial(
                        DescriptionRow(known_to).update, [DescriptionRow.others.add(found)], there
                    )
                )
    return replace(description, others=frozenset(others))


def renew_copies(description: Description) -> None:
    """Writes what searches show into the taxis of a description, except over a newer copy."""
    older = TaxiRow.details_version < description.details_version
    for taxi_id in sorted(description.taxis):
        try:
            actions = setting(TaxiRow, rows.copy(description))
            run_write(partial(TaxiRow(taxi_id).update, actions, older))
        except Moved:
            continue


def description(owner: str, vehicle_id: int) -> Description | None:
    """The owner's description of a vehicle."""
    key = rules.description_id(owner, vehicle_id)
    return reads.one(store.descriptions([key])).get(key)


def change_availability(before: Description, after: Description) -> None:
    """Writes status, radius and their times. Raises Moved where another change came first."""
    values = {
        "status": after.status.value,
        "radius": after.radius_m,
        "availability_changed_at": after.availability_changed_at,
        "status_changed_at": after.status_changed_at,
    }
    as_read = (DescriptionRow.status == before.status.value) & (
        DescriptionRow.availability_changed_at == before.availability_changed_at
    )
    row = DescriptionRow(after.description_id)
    run_write(partial(row.update, setting(DescriptionRow, values), as_read))


def add_hail_step(transaction: TransactWrite, before: Description, after: Description) -> None:
    """Adds the taxi's part of a hail's step to the transaction that writes the hail.

    The condition is that status, time of change and open hail are as they were read.
    """
    as_read = (DescriptionRow.status == before.status.value) & (
        DescriptionRow.availability_changed_at == before.availability_changed_at
    )
    if before.open_hail is None:
        as_read &= DescriptionRow.open_hail.does_not_exist()
    else:
        as_read &= DescriptionRow.open_hail == before.open_hail
    values = {
        "status": after.status.value,
        "availability_changed_at": after.availability_changed_at,
        "open_hail": after.open_hail,
    }
    row = DescriptionRow(after.description_id)
    transaction.update(row, actions=setting(DescriptionRow, values), condition=as_read)
