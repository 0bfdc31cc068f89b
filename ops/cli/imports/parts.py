"""Import of what taxis are made of: drivers, vehicles, licences."""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chalicelib.foundation.errors import Conflict, Refusal, in_body
from chalicelib.foundation.store import documents
from chalicelib.taxis.registry import departements, registration, rules
from chalicelib.taxis.registry.rules import Ads
from chalicelib.taxis.territory import service as territory
from ops.cli.imports import bulk, forms
from ops.cli.imports.forms import Form
from ops.cli.imports.kinds import BATCH, Found, Key, Read, Verdict, Wrong, verdict, wrong


class NumberTaken(Conflict):
    """The registry has given the number to another vehicle meanwhile."""


@dataclass
class Drivers:
    """The drivers; a line replaces what was there."""

    name: str = "drivers"
    form: Form = forms.DRIVERS
    batch: int = BATCH
    coming: set[Hashable] = field(default_factory=set)

    def key(self, read: Read) -> Key:
        """Operator, departement and licence."""
        try:
            where = departements.find(**read.body["departement"]).numero
        except Refusal:
            where = ""
        return read.operator, where, read.body["professional_licence"]

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """One unit each."""
        there = bulk.drivers([self._stored(read) for read in reads if read.account is not None])
        return [self._compare(read, there) for read in reads]

    def _stored(self, read: Read) -> str:
        _, where, licence = self.key(read)
        assert read.account is not None  # noqa: S101  # only those that are there have a key
        return rules.driver_id(read.account.owner, where, licence)

    def _compare(self, read: Read, there: Mapping[str, rules.Driver]) -> Found:
        fields = read.body
        try:
            where = departements.find(**fields["departement"])
        except Refusal as refusal:
            return wrong(refusal)
        self.coming.add(self.key(read))
        driver = rules.Driver(
            where.numero,
            fields["professional_licence"],
            fields["first_name"],
            fields["last_name"],
            fields["birth_date"],
        )
        before = None if read.account is None else there.get(self._stored(read))
        return verdict(before, driver)

    def prepare(self) -> None:
        """Nothing."""

    def write(self, read: Read, *, now: datetime) -> None:
        """As POST /drivers."""
        assert read.account is not None  # noqa: S101  # accounts come first
        registration.register_driver(read.account, **read.body, now=now)


@dataclass
class Vehicles:
    """The vehicles as each operator describes them; a line adds to what was said."""

    name: str = "vehicles"
    form: Form = forms.VEHICLES
    batch: int = BATCH
    coming: set[Hashable] = field(default_factory=set)  # (operator, plate), (operator, number)
    highest: int = 0
    _plates: dict[int, str] | None = None

    def key(self, read: Read) -> Key:
        """Operator and plate."""
        return read.operator, read.body["licence_plate"]

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """Two units each, and once a scan of all plates."""
        if self._plates is None:
            self._plates = {number: plate for plate, number in bulk.every_number()}
        numbers = bulk.numbers([read.body["licence_plate"] for read in reads])
        stored_fields = bulk.stored_fields(
            [
                rules.description_id(read.account.owner, numbers[read.body["licence_plate"]])
                for read in reads
                if read.account is not None and read.body["licence_plate"] in numbers
            ]
        )
        return [self._compare(read, numbers, stored_fields, self._plates) for read in reads]

    def _compare(
        self,
        read: Read,
        numbers: Mapping[str, int],
        stored_fields: Mapping[str, Mapping[str, Any]],
        plates: dict[int, str],
    ) -> Found:
        plate, partner_number = read.body["licence_plate"], read.beside["id"]
        number = numbers.get(plate)
        if partner_number is not None:
            if number is not None and number != partner_number:
                return Wrong("id", f"this plate has the number {number} here")
            if plates.setdefault(partner_number, plate) != plate:
                return Wrong("id", f"it is the vehicle {plates[partner_number]!r}")
            self.highest = max(self.highest, partner_number)
        self.coming |= {(read.operator, plate), (read.operator, partner_number or number)}
        if number is None or read.account is None:
            return Verdict.NEW
        before = stored_fields.get(rules.description_id(read.account.owner, number))
        if before is None:
            return Verdict.NEW
        is_same = all(before[name] == value for name, value in read.body.items())
        return Verdict.SAME if is_same else Verdict.CHANGED

    def prepare(self) -> None:
        """Gives none of the numbers of the file to anybody else, and sees which were given meanwhile."""
        if self.highest:
            documents.pass_numbers("vehicle", self.highest)
        self._plates = {number: plate for plate, number in bulk.every_number()}

    def write(self, read: Read, *, now: datetime) -> None:
        """As POST /vehicles, with the number that partners know."""
        assert read.account is not None  # noqa: S101  # accounts come first
        plate = read.body["licence_plate"]
        if (self._plates or {}).get(read.beside["id"], plate) != plate:
            raise NumberTaken(in_body("id", "another vehicle has it by now"))
        registration.register_vehicle(
            read.account, read.body, vehicle_id=read.beside["id"], now=now
        )


@dataclass
class Licences:
    """The parking licences (ADS); a line replaces what was there."""

    vehicles: Vehicles
    name: str = "ads"
    form: Form = forms.ADS
    batch: int = BATCH
    coming: set[Hashable] = field(default_factory=set)

    def key(self, read: Read) -> Key:
        """Operator, town and number."""
        return read.operator, read.body.insee, read.body.numero

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """One unit each, one more with a vehicle."""
        towns = territory.town_names({read.body.insee for read in reads})
        there = bulk.ads(
            [
                rules.ads_id(read.account.owner, read.body.insee, read.body.numero)
                for read in reads
                if read.account is not None
            ]
        )
        described = bulk.descriptions(
            {
                rules.description_id(read.account.owner, read.body.vehicle_id)
                for read in reads
                if read.account is not None and read.body.vehicle_id is not None
            }
        )
        return [self._compare(read, towns, there, described) for read in reads]

    def _compare(
        self,
        read: Read,
        towns: Mapping[str, str],
        there: Mapping[str, Ads],
        described: Collection[str],
    ) -> Found:
        ads: Ads = read.body
        owner = None if read.account is None else read.account.owner
        if (
            ads.vehicle_id is not None
            and (read.operator, ads.vehicle_id) not in self.vehicles.coming
            and (owner is None or rules.description_id(owner, ads.vehicle_id) not in described)
        ):
            return Wrong("vehicle_id", "Vehicle not found")
        if ads.insee not in towns:
            return Wrong("insee", "Town not found with this INSEE")
        self.coming.add(self.key(read))
        if owner is None:
            return Verdict.NEW
        return verdict(there.get(rules.ads_id(owner, ads.insee, ads.numero)), ads)

    def prepare(self) -> None:
        """Nothing."""

    def write(self, read: Read, *, now: datetime) -> None:
        """As POST /ads."""
        assert read.account is not None  # noqa: S101  # accounts come first
        registration.register_ads(read.account, read.body, now=now)
