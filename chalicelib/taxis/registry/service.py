"""Registration and look-up of drivers, ADS, vehicles and taxis, and changes of availability."""

import logging
import os
import secrets
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct
from pynamodb.transactions import TransactWrite

from chalicelib.foundation import cache, sealing
from chalicelib.foundation.errors import (
    Fault,
    Unavailable,
    Unknown,
    in_body,
    in_request,
    in_url,
)
from chalicelib.foundation.observe import logs
from chalicelib.foundation.store import reads
from chalicelib.foundation.store.reads import Read
from chalicelib.foundation.store.writes import TRIES, Moved, pause
from chalicelib.foundation.values import replace
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import Availability, CellContended, LastPosition
from chalicelib.taxis.positions.service import Sighting
from chalicelib.taxis.registry import availability, departements, rules, store, temporary_ids
from chalicelib.taxis.registry.departements import Departement
from chalicelib.taxis.registry.rules import (
    Ads,
    AvailabilityAsked,
    Description,
    Driver,
    Licence,
    Registered,
    SurveyedTaxi,
    Taxi,
    TaxiDetails,
    TaxiParts,
)
from chalicelib.taxis.settings import settings
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import TAXI_ID_ALPHABET, TAXI_ID_LENGTH, Account, is_taxi_id

log = logging.getLogger("maraude.registry")

LISTED = 10_000  # lines of an operator's list that a request reads at most


class TownUnknown(Unknown):
    """No town has this code."""


class VehicleUnknown(Unknown):
    """The account has described no vehicle of this number."""


class PartsUnknown(Unknown):
    """A part of the taxi does not exist, or is not this account's."""


class TaxiUnknown(Unknown):
    """There is no such taxi, or another account added it."""


class Busy(Unavailable):
    """Concurrent changes; the request may be sent again."""


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


def register_ads(viewer: Account, ads: Ads, *, now: datetime) -> bool:
    """Stores an ADS, replaced as a whole; whether it is new. Raises VehicleUnknown, TownUnknown."""
    if ads.vehicle_id is not None and store.description(viewer.owner, ads.vehicle_id) is None:
        raise VehicleUnknown(in_body("vehicle_id", "Vehicle not found"))
    if not territory.town_exists(ads.insee):
        raise TownUnknown(in_body("insee", "Town not found with this INSEE"))
    return store.put_ads(viewer.owner, ads, now=now)


def register_vehicle(
    viewer: Account, given: Mapping[str, Any], *, vehicle_id: int | None = None, now: datetime
) -> tuple[Description, bool]:
    """The viewer's description of the vehicle with this plate, and whether it is new.

    Only the keys that are given are written; None takes away what was there. An import says which
    `vehicle_id` a plate gets that has none; the caller knows that no other plate has it.
    """
    vehicle_id = store.number_of(given["licence_plate"], otherwise=vehicle_id)
    description, is_new = store.describe(viewer.owner, vehicle_id, given, now=now)
    store.renew_copies(description)
    return description, is_new


def register_taxi(
    viewer: Account, named: TaxiParts, *, taxi_id: str | None = None, now: datetime
) -> tuple[Registered, bool]:
    """The taxi that the viewer's vehicle, ADS and driver make, and whether it is new.

    An import says which `taxi_id` a new one gets. Raises PartsUnknown, and Busy, also where another
    taxi has that id.
    """
    for tries in range(TRIES):
        ads, driver, description, taxi_id_found = _parts(viewer.owner, named)
        town = territory.town_names([ads.insee]).get(ads.insee, "")
        if taxi_id_found is not None:
            there = reads.one(taxi_by_id(taxi_id_found))
            if there is None:  # the night has just deleted it: the next reading finds no key of it
                pause(tries)
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
        try:
            _add(taxi, description)
        except Moved:
            # Another request has added it, or changed a part: what is there now decides.
            pause(tries)
        else:
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
        there = reads.one(taxi_by_id(taxi.taxi_id))
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


# --- one taxi ------------------------------------------------------------------------------------


def find_taxi(viewer: Account, taxi_id: str) -> Registered:
    """The viewer's taxi, read strongly. Raises TaxiUnknown."""
    unknown = TaxiUnknown(
        in_url(f"Unknown taxi {taxi_id}, or taxi exists but you are not the owner.")
    )
    taxi = reads.one(taxi_by_id(taxi_id)) if is_taxi_id(taxi_id) else None
    if taxi is None or taxi.owner != viewer.owner:
        raise unknown
    found = _registered([taxi])
    if not found:
        raise unknown
    return found[0]


def _registered(taxis: Sequence[Taxi]) -> list[Registered]:
    """The taxis with their parts, in the same order; one without a description is left out."""
    made_of = store.made_of(taxis)
    names = territory.town_names({taxi.insee for taxi in taxis})
    return [
        Registered(taxi, *made_of[taxi.taxi_id], names.get(taxi.insee, ""))
        for taxi in taxis
        if taxi.taxi_id in made_of
    ]


def last_position(taxi: Taxi, *, now: datetime) -> LastPosition | None:
    """Where the taxi was last, however long ago."""
    return positions.where_is([taxi.taxi_id], now=now).get(taxi.taxi_id)


def change_taxi(found: Registered, changes: AvailabilityAsked, *, now: datetime) -> Registered:
    """Changes status or radius of a taxi, which its vehicle's other taxis share [contract: Status of a taxi].

    The next search sees it. A hail that is open goes on as it was. Raises Busy.
    """
    description = found.description
    changed = description.changed(changes, now=now)
    if changed is description:
        return found
    for tries in range(TRIES):
        try:
            store.change_availability(description, changed)
            break
        except Moved:
            pause(tries)
        read = store.description(description.owner, description.vehicle.vehicle_id)
        description = read or description
        changed = description.changed(changes, now=now)
        if changed is description:
            # Somebody wrote the same; or we did, and the answer was lost: it may not be shown yet.
            break
    else:
        raise Busy(in_request("The taxi's status keeps changing. Please try again."))
    show(changed, now=now)
    return replace(found, description=changed)


def show(description: Description, *, now: datetime, sighting: Sighting | None = None) -> None:
    """Shows a description's availability in the cells of its taxis, for the very next search.

    Called after the description is written, so that a request which won is not refused for it: where
    others keep writing the same cells, the stream of descriptions shows it a moment later.
    """
    shown = _availability(description)
    try:
        positions.show_availability(
            dict.fromkeys(description.taxis, shown), now=now, sighting=sighting
        )
    except CellContended as error:
        logs.fault(log, error, "shown_later", taxis=sorted(description.taxis))


def _availability(description: Description) -> Availability:
    return Availability(
        description.status, description.radius_m, description.availability_changed_at
    )


# --- an operator's taxis -------------------------------------------------------------------------


def list_taxis(
    viewer: Account, *, ids: Sequence[str], licence_plates: Sequence[str], page: int, per_page: int
) -> tuple[list[Registered], int]:
    """A page of the viewer's taxis, newest first, and how many there are.

    Each filter keeps what any of its values asks for (`rules.pattern`). Beyond the newest `LISTED`
    taxis none is looked at, and the count is a lower bound.
    """
    by_id, by_plate = rules.pattern(ids), rules.pattern(licence_plates)
    found = [
        taxi_id
        for taxi_id, licence_plate in fleets.newest(viewer.owner, limit=LISTED)
        if (not ids or by_id.match(taxi_id))
        and (not licence_plates or by_plate.match(licence_plate))
    ]
    shown = found[(page - 1) * per_page : page * per_page]
    taxis = reads.one(store.taxis(shown))
    return _registered([taxis[taxi_id] for taxi_id in shown if taxi_id in taxis]), len(found)


# --- what the other domains ask ------------------------------------------------------------------


def taxi_by_id(taxi_id: str) -> Read[Taxi | None]:
    """The taxi of an id, if there is one."""
    return store.taxis([taxi_id]).then(lambda found: found.get(taxi_id))


def description_of(taxi: Taxi) -> Read[Description | None]:
    """The description of a taxi's vehicle, as the last write left it."""
    key = taxi.description_id
    return store.descriptions([key]).then(lambda found: found.get(key))


def driver_of(taxi: Taxi) -> Read[Driver | None]:
    """The driver of a taxi, as the last write left them."""
    return store.drivers([taxi.driver_id]).then(lambda found: found.get(taxi.driver_id))


def add_hail_step(transaction: TransactWrite, before: Description, after: Description) -> None:
    """Adds the taxi's part of a hail's step to the transaction that writes the hail.

    The condition is that status, time of change and open hail are as they were read.
    """
    store.hail_step(transaction, before, after)


def described(description_id: str) -> Description | None:
    """A description, read strongly."""
    return reads.one(store.descriptions([description_id])).get(description_id)


def temporary_ids_of(taxi_ids: Sequence[str], *, viewer: Account, now: datetime) -> list[str]:
    """A new temporary id for each taxi, in the same order, for this account only."""
    key = sealing.derived_keys("temporary taxi ids")[0]
    issued_s = int(now.timestamp())
    size = temporary_ids.NONCE_BYTES
    nonces = os.urandom(size * len(taxi_ids))
    return [
        temporary_ids.issue(
            taxi_id,
            key=key,
            account_id=viewer.id,
            issued_s=issued_s,
            nonce=nonces[size * place : size * (place + 1)],
        )
        for place, taxi_id in enumerate(taxi_ids)
    ]


def real_id(taxi_id: str, *, viewer: Account, now: datetime) -> str:
    """The taxi behind an id that was shown to this account; any other id stands for itself."""
    resolved = temporary_ids.resolve(
        taxi_id,
        keys=sealing.derived_keys("temporary taxi ids"),
        account_id=viewer.id,
        now_s=int(now.timestamp()),
        good_for_s=settings().temporary_id_s,
    )
    return resolved or taxi_id


_details: cache.Memory[str, TaxiDetails] = cache.Memory(
    lambda: 65_536, lambda: float(settings().details_cache_s)
)


def details(taxi_ids: Collection[str]) -> Mapping[str, TaxiDetails]:
    """Details of the taxis that exist, for searches, at most `details_cache_s` old."""
    return _details.completed(taxi_ids, lambda missing: reads.one(store.details(missing)))


def licences(taxi_ids: Collection[str]) -> Mapping[str, Licence]:
    """Owner and town of the taxis that exist, at most an hour old."""
    return availability.licences(taxi_ids)


def availability_of(taxi_ids: Collection[str]) -> Mapping[str, Availability]:
    """Status and radius of the taxis that exist, read strongly."""
    return availability.availability_of(taxi_ids)


def taxis(taxi_ids: Collection[str]) -> Mapping[str, Taxi]:
    """Those of the taxis that there are, by id."""
    return reads.one(store.taxis(taxi_ids))


def descriptions(description_ids: Collection[str]) -> Mapping[str, Description]:
    """Those of the descriptions that there are, by their keys."""
    return reads.one(store.descriptions(description_ids))


def every_taxi() -> Iterator[SurveyedTaxi]:
    """All taxis with how they are used: two scans, for jobs only.

    The taxis of a double-shift car share its description. One that has lost its description while
    this reads, or got it just now, was never used.
    """
    usages = dict(store.every_usage())
    for licence, added_at in store.every_licence():
        usage = usages.get(licence.description_id, rules.NEVER_USED)
        yield SurveyedTaxi(licence.owner, licence.insee, added_at, usage)


class MovedAds(Struct, frozen=True):
    """Counts of moved licences of merged towns."""

    moved: int  # ADS that are their new town's
    taxis: int  # with such an ADS
    left: int  # ADS whose owner has the same number in the new town, and others that could not be moved


def move_ads(new_towns: Mapping[str, str]) -> MovedAds:
    """Moves the ADS of merged towns, and their taxis, to the new towns [contract: Merged towns].

    `new_towns` maps each old code to the new one. May be broken off and repeated; for the desk only.
    """
    taxis: dict[str, list[Taxi]] = {}
    for taxi in store.taxis_of_towns(new_towns.keys()):
        taxis.setdefault(taxi.ads_id, []).append(taxi)
    moved = moved_taxis = left = 0
    for owner, ads in list(store.ads_of_towns(new_towns.keys())):
        its_taxis = taxis.get(rules.ads_id(owner, ads.insee, ads.numero), [])
        try:
            if len(its_taxis) > store.TAXIS_A_MOVE:
                raise Moved
            store.move_ads(owner, ads, new_towns[ads.insee], its_taxis)
        except Moved:
            left += 1
        else:
            moved, moved_taxis = moved + 1, moved_taxis + len(its_taxis)
    return MovedAds(moved, moved_taxis, left)
