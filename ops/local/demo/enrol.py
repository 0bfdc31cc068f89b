"""Registration of the demonstration's taxis at times of the past, so that the fleet has a history.

An operator's own way is the public API, which knows no other time than now; these are the functions behind it.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.registry import availability_change, registration
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Ads, AvailabilityAsked, TaxiParts
from chalicelib.taxis.vocabulary import Account
from ops.local.fleet import Car

MOST = 10_000  # taxis of an operator that are looked at


def known(account: Account) -> Mapping[str, str]:
    """The taxis that an operator has already: their ids by plate."""
    return {plate: taxi_id for taxi_id, plate in fleets.newest(account.owner, limit=MOST)}


def statuses(taxi_ids: Collection[str]) -> Mapping[str, str]:
    """The status of each of these taxis."""
    taxis = registry.taxis(taxi_ids)
    described = registry.descriptions({taxi.description_id for taxi in taxis.values()})
    return {
        taxi_id: described[taxi.description_id].status.value
        for taxi_id, taxi in taxis.items()
        if taxi.description_id in described
    }


def register_parts(account: Account, car: Car, *, at: datetime) -> None:
    """Registers a car's driver, vehicle and licence."""
    registration.register_driver(
        account,
        departement={"numero": car.departement},
        professional_licence=car.professional_licence,
        first_name=car.first_name,
        last_name=car.last_name,
        now=at,
    )
    vehicle, _ = registration.register_vehicle(
        account,
        {
            "licence_plate": car.plate,
            "model": car.model,
            "constructor": car.constructor,
            "color": car.colour,
            "nb_seats": car.seats,
            "vasp_handicap": car.wheelchair,
            "bank_check_accepted": True,
        },
        now=at,
    )
    ads = Ads(car.insee, str(car.number), vehicle_id=vehicle.vehicle.vehicle_id)
    registration.register_ads(account, ads, now=at)


def add(account: Account, car: Car, *, at: datetime, radius_m: int | None = None) -> str:
    """Registers a car as a free taxi that was added `at` a time; its id."""
    register_parts(account, car, at=at)
    parts = TaxiParts(
        insee=car.insee,
        numero=str(car.number),
        licence_plate=car.plate,
        departement=car.departement,
        professional_licence=car.professional_licence,
    )
    found, _ = registration.register_taxi(account, parts, now=at)
    asked: AvailabilityAsked = {"status": "free"}
    if radius_m is not None:
        asked["radius"] = radius_m
    return availability_change.change_taxi(found, asked, now=at).taxi.taxi_id
