"""Import of taxis."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from chalicelib.taxis.registry import availability_change, registration, rules
from chalicelib.taxis.registry.rules import TaxiParts
from ops.cli.imports import bulk, forms
from ops.cli.imports.forms import Form
from ops.cli.imports.kinds import BATCH, Found, Key, Read, Verdict, Wrong
from ops.cli.imports.parts import Drivers, Licences, Vehicles


@dataclass
class Taxis:
    """The taxis, with the ids that partners know. One that is there is left as it is."""

    drivers: Drivers
    vehicles: Vehicles
    licences: Licences
    name: str = "taxis"
    form: Form = forms.TAXIS
    batch: int = BATCH
    _parts: dict[Key, str] = field(default_factory=dict)

    def key(self, read: Read) -> Key:
        """The id."""
        return (str(read.beside["id"]),)

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """Five units each."""
        there = bulk.taxis([read.beside["id"] for read in reads])
        numbers = bulk.numbers([read.body["vehicle"]["licence_plate"] for read in reads])
        owned = {
            index: (
                read.account.owner,
                numbers.get(read.body["vehicle"]["licence_plate"], 0),
                rules.ads_id(read.account.owner, **_of(read, "ads")),
                rules.driver_id(read.account.owner, *_of(read, "driver").values()),
            )
            for index, read in enumerate(reads)
            if read.account is not None
        }
        known_taxis = bulk.taxi_ids(owned.values())
        known = {
            *bulk.ads([ads for _, _, ads, _ in owned.values()]),
            *bulk.drivers([driver for *_, driver in owned.values()]),
            *bulk.stored_fields(
                [rules.description_id(owner, number) for owner, number, *_ in owned.values()]
            ),
        }
        return [
            self._compare(read, owned.get(index), there, known_taxis, known)
            for index, read in enumerate(reads)
        ]

    def _compare(
        self,
        read: Read,
        stored: tuple[str, int, str, str] | None,
        there: Mapping[str, rules.Taxi],
        known_taxis: Mapping[tuple[str, int, str, str], str],
        known: Collection[str],
    ) -> Found:
        taxi_id = read.beside["id"]
        if (taxi := there.get(taxi_id)) is not None:
            is_it = (taxi.owner, taxi.vehicle_id, taxi.ads_id, taxi.driver_id) == stored
            return Verdict.SAME if is_it else Wrong("id", "it is another taxi here")
        if stored is not None and stored in known_taxis:
            return Wrong(
                "id", f"its vehicle, ADS and driver make the taxi {known_taxis[stored]} here"
            )
        plate = read.body["vehicle"]["licence_plate"]
        ads, driver = _of(read, "ads"), _of(read, "driver")
        owner, number, ads_id, driver_id = stored or ("", 0, "", "")
        for is_there, at, what in (
            (
                ads_id in known
                or (read.operator, ads["insee"], ads["numero"]) in self.licences.coming,
                "ads.numero",
                "ADS not found with this INSEE/numero",
            ),
            (
                rules.description_id(owner, number) in known
                or (read.operator, plate) in self.vehicles.coming,
                "vehicle.licence_plate",
                "Invalid licence plate",
            ),
            (
                driver_id in known or (read.operator, *driver.values()) in self.drivers.coming,
                "driver.professional_licence",
                "Driver not found. Check the departement too.",
            ),
        ):
            if not is_there:
                return Wrong(at, what)
        parts = (read.operator, plate, *ads.values(), *driver.values())
        if self._parts.setdefault(parts, taxi_id) != taxi_id:
            return Wrong("id", f"its vehicle, ADS and driver make the taxi {self._parts[parts]}")
        return Verdict.NEW

    def prepare(self) -> None:
        """Nothing."""

    def write(self, read: Read, *, now: datetime) -> None:
        """As POST /taxis, and PUT where it has a status or a radius of its own."""
        assert read.account is not None  # noqa: S101  # accounts come first
        parts = TaxiParts(**read.body["ads"], **read.body["vehicle"], **read.body["driver"])
        taxi, _ = registration.register_taxi(
            read.account, parts, taxi_id=read.beside["id"], now=now
        )
        availability = rules.AvailabilityAsked()
        if "status" in read.body:
            availability["status"] = read.body["status"]
        if "radius" in read.body:
            availability["radius"] = read.body["radius"]
        availability_change.change_taxi(taxi, availability, now=now)


def _of(read: Read, part: str) -> dict[str, str]:
    """An ADS' town and number, or a driver's departement and licence, in this order."""
    fields = read.body[part]
    names = ("insee", "numero") if part == "ads" else ("departement", "professional_licence")
    return {name: fields[name] for name in names}
