"""Drivers, licences (ADS), vehicles, descriptions and taxis: pure."""

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from fnmatch import translate
from typing import NamedTuple, TypedDict

from msgspec import Struct

from chalicelib.foundation.errors import Unavailable
from chalicelib.foundation.values import replace
from chalicelib.taxis.vocabulary import CHARACTERISTICS, TaxiStatus

# What an operator may set; the other two belong to hails.
SETTABLE = (TaxiStatus.FREE, TaxiStatus.OCCUPIED, TaxiStatus.OFF)


class Busy(Unavailable):
    """Concurrent changes; the request may be sent again."""


class Driver(Struct, frozen=True):
    """A driver as one operator registered them; `departement` is its number."""

    departement: str
    professional_licence: str
    first_name: str
    last_name: str
    birth_date: date | None = None


class Ads(Struct, frozen=True):
    """A parking licence (autorisation de stationnement) as one operator registered it."""

    insee: str
    numero: str
    vehicle_id: int | None = None
    owner_name: str = ""
    owner_type: str | None = None
    doublage: bool | None = None
    category: str = ""


class Vehicle(Struct, frozen=True):
    """A vehicle as one operator describes it, as far as it is ever shown; None is unset."""

    vehicle_id: int
    licence_plate: str
    model: str | None = None
    constructor: str | None = None
    engine: str | None = None
    color: str | None = None
    nb_seats: int | None = None
    relais: bool | None = None
    pet_accepted: bool | None = None
    bike_accepted: bool | None = None
    baby_seat: bool | None = None
    wifi: bool | None = None
    vasp_handicap: bool | None = None
    amex_accepted: bool | None = None
    bank_check_accepted: bool | None = None
    type_: str | None = None
    cpam_conventionne: bool | None = None

    @property
    def characteristics(self) -> tuple[str, ...]:
        """The names of the characteristics that it has."""
        return tuple(name for name in CHARACTERISTICS if getattr(self, name))


class AvailabilityAsked(TypedDict, total=False):
    """Changes of PUT /taxis: a key that is absent changes nothing, a radius of None resets it."""

    status: str
    radius: int | None


# The index of positions tells changes apart by tenths of a second.
STEP = timedelta(milliseconds=100)


class Description(Struct, frozen=True):
    """A vehicle as one operator has it: the authority for status and radius of its taxis.

    `details_version` counts the changes of `vehicle`. `availability_changed_at` is when status or
    radius last changed, in whole milliseconds; `status_changed_at` only the operator's own changes
    of status move [contract: Status of a taxi]. `open_hail` is the id of the hail that holds the taxi: it took
    it last and is not over. `others` are the keys of other operators' descriptions of the same vehicle.
    """

    owner: str
    vehicle: Vehicle
    status: TaxiStatus
    radius_m: int | None
    availability_changed_at: datetime
    status_changed_at: datetime | None
    taxis: frozenset[str]
    details_version: int
    open_hail: str | None = None
    others: frozenset[str] = frozenset()

    @property
    def description_id(self) -> str:
        """Its key."""
        return description_id(self.owner, self.vehicle.vehicle_id)

    def changed(self, changes: AvailabilityAsked, *, now: datetime) -> "Description":
        """The description after a change by its operator; itself where nothing differs.

        A taxi that a hail holds does not become free: a driver's app may repeat its status, and the
        taxi would be sold twice [contract: Status of a taxi].
        """
        status = TaxiStatus(changes.get("status", self.status))
        if status is TaxiStatus.FREE and self.open_hail is not None:
            status = self.status
        return self._with(status, changes.get("radius", self.radius_m), now=now)

    def _with(self, status: TaxiStatus, radius_m: int | None, *, now: datetime) -> "Description":
        """The description with a status and a radius; itself where nothing differs.

        Its time of change always rises, whatever the clocks of two processes say, so that the order
        of the writes here is the order in which the index takes them.
        """
        if (status, radius_m) == (self.status, self.radius_m):
            return self
        whole = now.replace(microsecond=now.microsecond // 1000 * 1000)
        changed_at = max(whole, self.availability_changed_at + STEP)
        return replace(
            self,
            status=status,
            radius_m=radius_m,
            availability_changed_at=changed_at,
            status_changed_at=changed_at if status != self.status else self.status_changed_at,
        )

    def hailed(self, status: TaxiStatus, *, open_hail: str | None, now: datetime) -> "Description":
        """The description after a step of a hail, which is no change of the operator's own."""
        changed = self._with(status, self.radius_m, now=now)
        return replace(changed, open_hail=open_hail, status_changed_at=self.status_changed_at)


class Taxi(Struct, frozen=True):
    """A vehicle, an ADS and a driver together. `owner` is the account, `operator` its e-mail."""

    taxi_id: str
    owner: str
    operator: str
    vehicle_id: int
    ads_id: str
    driver_id: str
    insee: str
    added_at: datetime

    @property
    def description_id(self) -> str:
        """The key of its vehicle's description."""
        return description_id(self.owner, self.vehicle_id)


class Licence(NamedTuple):
    """Owner and town of a taxi, and the key of its vehicle's description."""

    owner: str
    insee: str
    description_id: str


class Usage(NamedTuple):
    """When an operator last set the status of a vehicle, None where it never did, and its radius."""

    status_changed_at: datetime | None
    radius_m: int | None


NEVER_USED = Usage(None, None)


class SurveyedTaxi(NamedTuple):
    """A taxi as the survey of all taxis counts it."""

    owner: str
    insee: str
    added_at: datetime
    usage: Usage


class TaxiParts(Struct, frozen=True):
    """The parts of a new taxi, as an operator names them; `departement` is a number."""

    insee: str
    numero: str
    licence_plate: str
    departement: str
    professional_licence: str


class TaxiDetails(Struct, frozen=True):
    """Details of a taxi for searches: what is shown of it, its owner and its licence's town."""

    taxi_id: str
    owner: str
    operator: str
    insee: str
    licence_plate: str
    model: str | None
    constructor: str | None
    engine: str
    color: str
    nb_seats: int | None
    characteristics: tuple[str, ...]
    type_: str | None
    cpam_conventionne: bool | None


class Registered(Struct, frozen=True):
    """A taxi with all its parts. `town` is the name of the ADS' town."""

    taxi: Taxi
    ads: Ads
    driver: Driver
    description: Description
    town: str


def driver_id(owner: str, departement: str, professional_licence: str) -> str:
    """The key of an owner's driver; a departement's number holds no `#`."""
    return f"{owner}#{departement}#{professional_licence}"


def ads_id(owner: str, insee: str, numero: str) -> str:
    """The key of an owner's ADS; a town's code holds no `#`."""
    return f"{owner}#{insee}#{numero}"


def description_id(owner: str, vehicle_id: int) -> str:
    """The key of an owner's description of a vehicle."""
    return f"{owner}#{vehicle_id}"


# Possessive, for no character can go to two of the parts: a long value is read once.
_PLATE_LIKE = re.compile(r"([a-z]*+)[ -]*+([0-9]*+)[ -]*+([a-z]*+)", re.IGNORECASE | re.ASCII)
_SQL_TO_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})


def pattern(values: Iterable[str]) -> re.Pattern[str]:
    """The pattern of a list's filter, from its values, whatever the case [contract: An operator's taxis].

    Letters, digits, letters: what begins like this, with anything between. Any other value: exactly
    this, `%` standing for any text and `_` for any character.
    """
    globs = []
    for value in values:
        plate = _PLATE_LIKE.fullmatch(value)
        globs.append(
            "".join(f"{group}*" for group in plate.groups() if group) or "*"
            if plate
            else value.translate(_SQL_TO_GLOB)
        )
    # `translate` takes the shortest match of each part for good: no pattern runs for long.
    return re.compile("|".join(map(translate, globs)), re.IGNORECASE)
