"""Drivers, ADS, vehicles and taxis as partners see them [contract: Registration]."""

from msgspec.structs import asdict

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import (
    CLAIM,
    DATE,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    always,
    list_of,
    nullable,
    record,
)
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.registry.departements import Departement
from chalicelib.taxis.registry.rules import Ads, Description, Driver, Registered
from chalicelib.taxis.vocabulary import CHARACTERISTICS, TaxiStatus

DRIVER = record(
    "Driver",
    {
        "first_name": TEXT,
        "last_name": TEXT,
        "birth_date": nullable(DATE),
        "professional_licence": TEXT,
        "departement": record("Departement", {"nom": TEXT, "numero": TEXT}),
    },
)

_ADS = {
    "numero": TEXT,
    "insee": TEXT,
    "vehicle_id": nullable(WHOLE),
    "owner_name": TEXT,
    "owner_type": nullable(json_schema.one_of(["individual", "company"])),
    "doublage": nullable(CLAIM),
    "category": TEXT,
}
ADS = record("Ads", _ADS)

VEHICLE = record(
    "Vehicle",
    {
        "id": WHOLE,
        "licence_plate": TEXT,
        "model": nullable(TEXT),
        "constructor": nullable(TEXT),
        "engine": TEXT,
        "color": TEXT,
        "nb_seats": nullable(WHOLE),
        "relais": nullable(CLAIM),
        **{name: nullable(CLAIM) for name in CHARACTERISTICS},
    },
)

TAXI = record(
    "Taxi",
    {
        "id": TEXT,
        "added_at": MOMENT,
        "operator": TEXT,
        "status": json_schema.one_of(TaxiStatus),
        "radius": nullable(WHOLE),
        "rating": always(None),
        "last_update": nullable(WHOLE),
        "position": record("TaxiPosition", {"lon": nullable(NUMBER), "lat": nullable(NUMBER)}),
        "crowfly_distance": always(None),
        "ads": record("TaxiAds", {**_ADS, "town": record("TaxiTown", {"name": TEXT})}),
        "driver": record(
            "TaxiDriver",
            {
                "professional_licence": TEXT,
                "departement": TEXT,
                "first_name": TEXT,
                "last_name": TEXT,
            },
        ),
        "vehicle": record(
            "TaxiVehicle",
            {
                "licence_plate": TEXT,
                "model": nullable(TEXT),
                "constructor": nullable(TEXT),
                "color": TEXT,
                "nb_seats": nullable(WHOLE),
                "engine": TEXT,
                "characteristics": list_of(json_schema.one_of(CHARACTERISTICS)),
                "type": nullable(TEXT),
                "cpam_conventionne": nullable(CLAIM),
            },
        ),
    },
)


def driver_object(driver: Driver, departement: Departement) -> dict[str, object]:
    """A driver as POST /drivers shows them."""
    return {
        "first_name": driver.first_name,
        "last_name": driver.last_name,
        "birth_date": driver.birth_date.isoformat() if driver.birth_date else None,
        "professional_licence": driver.professional_licence,
        "departement": {"nom": departement.nom, "numero": departement.numero},
    }


def ads_object(ads: Ads) -> dict[str, object]:
    """An ADS as POST /ads shows it."""
    return asdict(ads)


def vehicle_object(description: Description) -> dict[str, object]:
    """A vehicle as POST /vehicles shows it."""
    vehicle = description.vehicle
    return {
        "id": vehicle.vehicle_id,
        "licence_plate": vehicle.licence_plate,
        "model": vehicle.model or None,
        "constructor": vehicle.constructor or None,
        "engine": vehicle.engine or "",
        "color": vehicle.color or "",
        "nb_seats": vehicle.nb_seats,
        "relais": vehicle.relais,
        **{name: getattr(vehicle, name) for name in CHARACTERISTICS},
    }


def taxi_object(found: Registered, last: LastPosition | None) -> dict[str, object]:
    """A taxi as its operator sees it [contract: The taxi object]."""
    ads, driver, vehicle = found.ads, found.driver, found.description.vehicle
    return {
        "id": found.taxi.taxi_id,
        "added_at": found.taxi.added_at.replace(tzinfo=None).isoformat(),
        "operator": found.taxi.operator,
        "status": found.description.status.value,
        "radius": found.description.radius_m,
        "rating": None,
        "last_update": None if last is None else int(last.seen_at.timestamp()),
        "position": {
            "lon": None if last is None else last.point.lng,
            "lat": None if last is None else last.point.lat,
        },
        "crowfly_distance": None,
        "ads": {**asdict(ads), "town": {"name": found.town}, "category": ""},
        "driver": {
            "professional_licence": driver.professional_licence,
            "departement": driver.departement,
            "first_name": driver.first_name,
            "last_name": driver.last_name,
        },
        "vehicle": {
            "licence_plate": vehicle.licence_plate,
            "model": vehicle.model or None,
            "constructor": vehicle.constructor or None,
            "color": vehicle.color or "",
            "nb_seats": vehicle.nb_seats,
            "engine": vehicle.engine or "",
            "characteristics": list(vehicle.characteristics),
            "type": vehicle.type_,
            "cpam_conventionne": vehicle.cpam_conventionne,
        },
    }
