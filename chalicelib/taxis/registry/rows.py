"""Items of the registry in DynamoDB, and their conversion to objects and back."""

from typing import Any

from msgspec import Struct
from msgspec.structs import asdict
from pynamodb.attributes import (
    BooleanAttribute,
    ListAttribute,
    NumberAttribute,
    UnicodeAttribute,
    UnicodeSetAttribute,
    UTCDateTimeAttribute,
)
from pynamodb.models import Model

from chalicelib.foundation.settings import table
from chalicelib.foundation.store.attributes import DateAttribute, MomentAttribute
from chalicelib.foundation.store.models import Place
from chalicelib.taxis.registry import rules
from chalicelib.taxis.registry.rules import Ads, Description, Driver, Taxi, TaxiDetails, Vehicle
from chalicelib.taxis.vocabulary import TaxiStatus


class DriverRow(Model):
    """A driver of one owner; `used_at` is when they last became part of a new taxi."""

    class Meta(Place):
        table_name = table("drivers")

    driver_id = UnicodeAttribute(hash_key=True)
    departement = UnicodeAttribute()
    professional_licence = UnicodeAttribute()
    first_name = UnicodeAttribute()
    last_name = UnicodeAttribute()
    birth_date = DateAttribute(null=True)
    added_at = MomentAttribute(null=True)
    used_at = MomentAttribute(null=True)


class AdsRow(Model):
    """An ADS of one owner; `used_at` is when it last became part of a new taxi."""

    class Meta(Place):
        table_name = table("ads")

    ads_id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    insee = UnicodeAttribute()
    numero = UnicodeAttribute()
    vehicle_id = NumberAttribute(null=True)
    owner_name = UnicodeAttribute()
    owner_type = UnicodeAttribute(null=True)
    doublage = BooleanAttribute(null=True)
    category = UnicodeAttribute()
    added_at = MomentAttribute(null=True)
    used_at = MomentAttribute(null=True)


class VehicleRow(Model):
    """The number of a plate, the same for everybody, and the owners who describe its vehicle."""

    class Meta(Place):
        table_name = table("vehicles")

    licence_plate = UnicodeAttribute(hash_key=True)
    vehicle_id = NumberAttribute()
    owners = UnicodeSetAttribute(null=True)


class DescriptionRow(Model):
    """A vehicle as one owner describes it, with its status and radius."""

    class Meta(Place):
        table_name = table("descriptions")

    description_id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    vehicle_id = NumberAttribute()
    licence_plate = UnicodeAttribute()
    details_version = NumberAttribute()
    taxis = UnicodeSetAttribute(null=True)
    others = UnicodeSetAttribute(null=True)
    added_at = MomentAttribute(null=True)

    status = UnicodeAttribute()
    radius = NumberAttribute(null=True)
    availability_changed_at = MomentAttribute()
    status_changed_at = MomentAttribute(null=True)
    open_hail = UnicodeAttribute(null=True)

    model = UnicodeAttribute(null=True)
    constructor = UnicodeAttribute(null=True)
    engine = UnicodeAttribute(null=True)
    color = UnicodeAttribute(null=True)
    nb_seats = NumberAttribute(null=True)
    relais = BooleanAttribute(null=True)
    pet_accepted = BooleanAttribute(null=True)
    bike_accepted = BooleanAttribute(null=True)
    baby_seat = BooleanAttribute(null=True)
    wifi = BooleanAttribute(null=True)
    vasp_handicap = BooleanAttribute(null=True)
    amex_accepted = BooleanAttribute(null=True)
    bank_check_accepted = BooleanAttribute(null=True)
    type_ = UnicodeAttribute(null=True)
    cpam_conventionne = BooleanAttribute(null=True)

    # Kept because the contract takes them, and shown nowhere [contract: Vehicles].
    air_con = BooleanAttribute(null=True)
    credit_card_accepted = BooleanAttribute(null=True)
    electronic_toll = BooleanAttribute(null=True)
    fresh_drink = BooleanAttribute(null=True)
    tablet = BooleanAttribute(null=True)
    dvd_player = BooleanAttribute(null=True)
    every_destination = BooleanAttribute(null=True)
    nfc_cc_accepted = BooleanAttribute(null=True)
    special_need_vehicle = BooleanAttribute(null=True)
    gps = BooleanAttribute(null=True)
    luxury = BooleanAttribute(null=True)
    horodateur = UnicodeAttribute(null=True)
    taximetre = UnicodeAttribute(null=True)
    date_dernier_ct = DateAttribute(null=True)
    date_validite_ct = DateAttribute(null=True)
    horse_power = NumberAttribute(null=True)
    model_year = NumberAttribute(null=True)


class TaxiRow(Model):
    """A taxi, and its copy of what searches show of the description."""

    class Meta(Place):
        table_name = table("taxis")

    taxi_id = UnicodeAttribute(hash_key=True)
    owner = UnicodeAttribute()
    operator = UnicodeAttribute()
    vehicle_id = NumberAttribute()
    ads_id = UnicodeAttribute()
    driver_id = UnicodeAttribute()
    insee = UnicodeAttribute()
    added_at = UTCDateTimeAttribute()

    details_version = NumberAttribute()
    licence_plate = UnicodeAttribute()
    model = UnicodeAttribute(null=True)
    constructor = UnicodeAttribute(null=True)
    engine = UnicodeAttribute(null=True)
    color = UnicodeAttribute(null=True)
    nb_seats = NumberAttribute(null=True)
    characteristics: ListAttribute[Any] = ListAttribute(of=UnicodeAttribute)
    type_ = UnicodeAttribute(null=True)
    cpam_conventionne = BooleanAttribute(null=True)


def _shared(kind: type[Struct], row: Model) -> dict[str, Any]:
    """The attributes of a row that a kind of thing has under the same names."""
    names = row.get_attributes()
    return {name: getattr(row, name) for name in kind.__struct_fields__ if name in names}


def driver(row: DriverRow) -> Driver:
    """The driver of an item."""
    return Driver(**_shared(Driver, row))


def driver_row(owner: str, driver: Driver) -> DriverRow:
    """The item of an owner's driver."""
    key = rules.driver_id(owner, driver.departement, driver.professional_licence)
    return DriverRow(key, **asdict(driver))


def ads(row: AdsRow) -> Ads:
    """The ADS of an item."""
    return Ads(**_shared(Ads, row))


def ads_row(owner: str, ads: Ads) -> AdsRow:
    """The item of an owner's ADS."""
    return AdsRow(rules.ads_id(owner, ads.insee, ads.numero), owner=owner, **asdict(ads))


def description(row: DescriptionRow) -> Description:
    """The description of an item."""
    return Description(
        owner=row.owner,
        vehicle=Vehicle(**_shared(Vehicle, row)),
        status=TaxiStatus(row.status),
        radius_m=None if row.radius is None else int(row.radius),
        availability_changed_at=row.availability_changed_at,
        status_changed_at=row.status_changed_at,
        taxis=frozenset(row.taxis or ()),
        details_version=int(row.details_version),
        open_hail=row.open_hail,
        others=frozenset(row.others or ()),
    )


def taxi(row: TaxiRow) -> Taxi:
    """The taxi of an item."""
    return Taxi(**_shared(Taxi, row))


def taxi_row(taxi: Taxi, description: Description) -> TaxiRow:
    """The item of a taxi, its copy included."""
    return TaxiRow(**asdict(taxi), **copy(description))


def copy(description: Description) -> dict[str, Any]:
    """The attributes of a taxi that repeat its description."""
    vehicle = description.vehicle
    return {
        "details_version": description.details_version,
        "licence_plate": vehicle.licence_plate,
        "model": vehicle.model,
        "constructor": vehicle.constructor,
        "engine": vehicle.engine,
        "color": vehicle.color,
        "nb_seats": vehicle.nb_seats,
        "characteristics": list(vehicle.characteristics),
        "type_": vehicle.type_,
        "cpam_conventionne": vehicle.cpam_conventionne,
    }


def details(row: TaxiRow) -> TaxiDetails:
    """What a search shows of the taxi of an item."""
    texts = {"engine": row.engine or "", "color": row.color or ""}
    shown = {**_shared(TaxiDetails, row), **texts, "characteristics": tuple(row.characteristics)}
    return TaxiDetails(**shown)
