"""Registration of drivers, ADS, vehicles, and of the taxis that they make."""

import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, datetime
from typing import Any

from chalicelib.foundation.errors import Fault, Unknown, in_body, in_request
from chalicelib.foundation.observe import metrics
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.writes import Moved
from chalicelib.foundation.values import replace
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.registry import departements, rules, store, vehicles
from chalicelib.taxis.registry.departements import Departement
from chalicelib.taxis.registry.rules import (
    Ads,
    Busy,
    Description,
    Driver,
    Registered,
    Taxi,
    TaxiParts,
)
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import TAXI_ID_ALPHABET, TAXI_ID_LENGTH, Account

RETRY = Retry(tries=8)  # of a new taxi whose parts others change: about 1 s in all


class TownUnknown(Unknown):
    """No town has this code."""


class VehicleUnknown(Unknown):
    """The account has described no vehicle of this number."""


class PartsUnknown(Unknown):
    """A part of the taxi does not exist, or is not this account's."""


def register_driver(
    viewer: Account,
    *,
    departement: Mapping[str, str],
    professional_licence: str,
    first_name: str,
    last_name: str,
    birth_date: date | None = None,
    now: datetime,
) -> tuple[Driver, Departement, bool]:
    """The driver, replaced as a whole, with their departement, and whether they are new.

    Raises DepartementUnknown, DepartementAmbiguous.
    """
    where = departements.find(**departement)
    driver = Driver(where.numero, professional_licence, first_name, last_name, birth_date)
    return driver, where, store.put_driver(viewer.owner, driver, now=now)


def register_ads(viewer: Account, ads: Ads, *, now: datetime) -> tuple[Ads, bool]:
    """The ADS, replaced as a whole, and whether it is new; that of a merged town is the new town's.

    Raises VehicleUnknown, TownUnknown.
    """
    ads = replace(ads, insee=territory.present_code(ads.insee))
    if ads.vehicle_id is not None and vehicles.description(viewer.owner, ads.vehicle_id) is None:
        raise VehicleUnknown(in_body("vehicle_id", "Vehicle not found"))
    if not territory.town_exists(ads.insee):
        raise TownUnknown(in_body("insee", "Town not found with this INSEE"))
    return ads, store.put_ads(viewer.owner, ads, now=now)


def register_vehicle(
    viewer: Account, given: Mapping[str, Any], *, vehicle_id: int | None = None, now: datetime
) -> tuple[Description, bool]:
    """The viewer's description of the vehicle with this plate, and whether it is new.

    Only the keys that are given are written; None takes away what was there. An import says which
    `vehicle_id` a plate gets that has none; the caller knows that no other plate has it.
    """
    vehicle_id = vehicles.number_of(given["licence_plate"], otherwise=vehicle_id)
    description, is_new = vehicles.describe(viewer.owner, vehicle_id, given, now=now)
    vehicles.renew_copies(description)
    if is_new:
        description = vehicles.join_others(description)
        if description.others:
            metrics.emit(
                {},
                counts={"vehicles_of_several_operators": 1},
                about={"vehicle": vehicle_id, "descriptions": sorted(description.others)},
            )
    return description, is_new


def register_taxi(
    viewer: Account, named: TaxiParts, *, taxi_id: str | None = None, now: datetime
) -> tuple[Registered, bool]:
    """The taxi that the viewer's vehicle, ADS and driver make, and whether it is new.

    An import says which `taxi_id` a new one gets. Raises PartsUnknown, and Busy, also where another
    taxi has that id.
    """
    named = replace(named, insee=territory.present_code(named.insee))
    for _ in RETRY.attempts():
        ads, driver, description, taxi_id_found = _parts(viewer.owner, named)
        town = territory.town_names([ads.insee]).get(ads.insee, "")
        if taxi_id_found is not None:
            there = reads.one(store.taxi_by_id(taxi_id_found))
            if there is None:  # the night has just deleted it: the next reading finds no key of it
                continue
            return Registered(there, ads, driver, description, town), False
        taxi = Taxi(
            taxi_id=taxi_id or _new_taxi_id(),
            owner=viewer.owner,
            operator=viewer.email,
            vehicle_id=description.vehicle.vehicle_id,
            ads_id=rules.ads_id(viewer.owner, ads.insee, ads.numero),
            driver_id=rules.driver_id(
                viewer.owner, driver.departement, driver.professional_licence
            ),
            insee=ads.insee,
            added_at=now,
        )
        with suppress(Moved):  # another has added it, or changed a part: what is there now decides
            _add(taxi, description)
            return Registered(taxi, ads, driver, description, town), True
    raise Busy(in_request("The taxi's parts keep changing. Please try again."))


def _new_taxi_id() -> str:
    return "".join(secrets.choice(TAXI_ID_ALPHABET) for _ in range(TAXI_ID_LENGTH))


def _add(taxi: Taxi, description: Description) -> None:
    """Stores a new taxi, once its id is on a page of the fleet. Raises Moved."""
    page = fleets.admit(taxi.owner, taxi.taxi_id)
    try:
        store.add_taxi(taxi, description)
    except Moved:
        # By a chance in a million million the id is a taxi already, and this fleet's own.
        there = reads.one(store.taxi_by_id(taxi.taxi_id))
        if there is None or there.owner != taxi.owner:
            fleets.withdraw(taxi.owner, taxi.taxi_id, page=page)
        raise


def _parts(owner: str, named: TaxiParts) -> tuple[Ads, Driver, Description, str | None]:
    """The parts, and the taxi that they make already. Raises PartsUnknown with all that is missing."""
    found = store.parts(
        owner,
        insee=named.insee,
        numero=named.numero,
        licence_plate=named.licence_plate,
        departement=named.departement,
        licence=named.professional_licence,
    )
    description, taxi_id = None, None
    if found.vehicle_id is not None:
        description, taxi_id = store.made_already(
            owner,
            found.vehicle_id,
            rules.ads_id(owner, named.insee, named.numero),
            rules.driver_id(owner, named.departement, named.professional_licence),
        )
    faults: list[Fault] = []
    if found.ads is None:
        faults += [
            in_body(field, "ADS not found with this INSEE/numero")
            for field in ("ads.insee", "ads.numero")
        ]
    if found.vehicle_id is None:
        faults.append(in_body("vehicle.licence_plate", "Invalid licence plate"))
    elif description is None:
        faults.append(
            in_body(
                "vehicle.licence_plate",
                "Vehicle exists but has not been created by the user making the request",
            )
        )
    if named.departement not in territory.departement_names():
        faults.append(in_body("driver.departement", "Departement not found"))
    if found.driver is None:
        faults.append(
            in_body("driver.professional_licence", "Driver not found. Check the departement too.")
        )
    if found.ads is None or found.driver is None or description is None:
        raise PartsUnknown(*faults)
    return found.ads, found.driver, description, taxi_id
