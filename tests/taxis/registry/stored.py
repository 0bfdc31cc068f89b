"""Drivers, ADS, vehicles and taxis of operator 7, stored as requests store them."""

from datetime import UTC, datetime
from typing import Any

from chalicelib.foundation.values import replace
from chalicelib.taxis.registry import (
    registration,
    rules,
    store,
    vehicles,
)
from chalicelib.taxis.registry.rules import (
    Ads,
    Description,
    Driver,
    Registered,
    Taxi,
    TaxiParts,
)
from chalicelib.taxis.vocabulary import Account, Role
from tests.factories import PARIS

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
OPERATOR = Account(7, "operator", frozenset({Role.OPERATEUR}))
PLATE = "AB-123-CD"
PARTS = TaxiParts(PARIS, "1", PLATE, "75", "75-0001")


def described(owner: str = "7", licence_plate: str = PLATE, **given: Any) -> Description:
    values = {"licence_plate": licence_plate, **given}
    return vehicles.describe(owner, vehicles.number_of(licence_plate), values, now=NOON)[0]


def with_parts(owner: str = "7", numero: str = "1", licence: str = "75-0001") -> Description:
    store.put_ads(owner, Ads(PARIS, numero), now=NOON)
    store.put_driver(owner, Driver("75", licence, "Anne", "Lescaut"), now=NOON)
    return described(owner)


def also(**changes: str) -> TaxiParts:
    """The same parts but for one, which is registered too."""
    parts = replace(PARTS, **changes)
    store.put_ads("7", Ads(parts.insee, parts.numero), now=NOON)
    store.put_driver("7", Driver(parts.departement, parts.professional_licence, "", ""), now=NOON)
    return parts


def registered(parts: TaxiParts = PARTS, *, now: datetime = NOON) -> Registered:
    return registration.register_taxi(OPERATOR, parts, now=now)[0]


def a_taxi(taxi_id: str = "aaaaaaa", **changes: Any) -> Taxi:
    taxi = Taxi(
        taxi_id=taxi_id,
        owner="7",
        operator="operator",
        vehicle_id=1,
        ads_id=rules.ads_id("7", PARIS, "1"),
        driver_id=rules.driver_id("7", "75", "75-0001"),
        insee=PARIS,
        added_at=NOON,
    )
    return replace(taxi, **changes)
