"""Kinds of imported things: comparison of a line with the registry, and writing it.

Each kind is asked in batches. What an earlier line or file will have brought counts as there, so that
a dry run says what the import would do. Of each good line its keys stay in memory, some 400 bytes.
"""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from typing import Any, Protocol

from chalicelib.foundation import sealing
from chalicelib.foundation.errors import Conflict, Refusal, in_body
from chalicelib.foundation.store import documents
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import store as accounts_store
from chalicelib.taxis.access.rules import implied
from chalicelib.taxis.access.store import Record
from chalicelib.taxis.registry import availability_change, departements, registration, rules
from chalicelib.taxis.registry.rules import Ads, TaxiParts
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from ops.cli.imports import bulk, forms
from ops.cli.imports.forms import Form


class Verdict(IntEnum):
    """The verdict on a line: new, changed, unchanged, faulty ..."""

    FAULTY = 0
    SAME = 1
    CHANGED = 2
    NEW = 3


@dataclass(frozen=True, slots=True)
class Wrong:
    """Why a line cannot be taken; `at` is the field, dotted."""

    at: str
    what: str


@dataclass(frozen=True, slots=True)
class Read:
    """A line as its form has read it; `account` is None while its operator is to be imported too."""

    line: int
    operator: str
    account: Account | None
    beside: Mapping[str, Any]
    body: Any


Found = Verdict | Wrong
Key = tuple[str, ...]


class Kind(Protocol):
    """One kind of thing."""

    @property
    def name(self) -> str:
        """Of its file."""

    @property
    def form(self) -> Form:
        """What a line holds."""

    @property
    def batch(self) -> int:
        """How many are compared at once."""

    def key(self, read: Read) -> Key:
        """The natural key: a file has it once."""

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """The verdict on each, by the registry and by what the import brings."""

    def prepare(self) -> None:
        """Preparation before the first is written."""

    def write(self, read: Read, *, now: datetime) -> None:
        """Brings one that is new or changed. Raises Refusal, RecordMoved."""


BATCH = 100  # as many keys as a call of DynamoDB carries


class NumberTaken(Conflict):
    """The registry has given the number to another vehicle meanwhile."""


def wrong(refusal: Refusal) -> Wrong:
    """A refusal of the registry, as the first thing that is wrong with a line."""
    fault = refusal.faults[0]
    return Wrong(".".join(fault.steps), fault.message)


@dataclass
class Accounts:
    """The accounts; those that are there are changed where the file says so, never taken away."""

    known: Mapping[str, Account]
    tell: Callable[[str, str], None]  # hears of an e-mail and the key that was made for it
    name: str = "accounts"
    form: Form = forms.ACCOUNTS
    batch: int = 1_000_000  # all of them, for a manager may stand below those whom they manage
    coming: set[str] = field(default_factory=set)  # e-mails
    managers: dict[str, str] = field(default_factory=dict)  # by account, both by their e-mails
    needs_keys: bool = False
    highest: int = 0
    _digests: dict[str, str] = field(default_factory=dict)
    _ids: dict[int, str] = field(default_factory=dict)

    def key(self, read: Read) -> Key:
        """The e-mail."""
        return (str(read.beside["email"]),)

    def compare(self, reads: Sequence[Read]) -> list[Found]:
        """Three units each: accounts are few."""
        there = {*self.known, *(read.beside["email"] for read in reads)}
        return [self._compare(read, there) for read in reads]

    def _compare(self, read: Read, there: Collection[str]) -> Found:
        fields, email = read.beside, read.beside["email"]
        before = accounts_store.by_email(email)
        manager = fields.get("manager")
        if manager and manager not in there:
            return Wrong("manager", f"there is no account {manager!r}")
        if (taken := self._taken(read, before)) is not None:
            return taken
        self.coming.add(email)
        if manager and (
            before is None
            or manager not in self.known
            or self.known[manager].id != before.account.manager_id
        ):
            self.managers[email] = manager
        if before is None:
            self.needs_keys |= "apikey" not in fields
            return Verdict.NEW
        is_same = self._target(before, read, now=None) == before and email not in self.managers
        return Verdict.SAME if is_same else Verdict.CHANGED

    def _taken(self, read: Read, before: Record | None) -> Wrong | None:
        """Whether its id or its key is another account's, here or in the file."""
        email, account_id = read.beside["email"], read.beside["id"]
        if account_id is not None:
            if before is not None and before.account.id != account_id:
                return Wrong("id", f"this account has the id {before.account.id} here")
            holder = accounts_store.by_id(account_id)
            other = holder.account.email if holder else self._ids.setdefault(account_id, email)
            if other != email:
                return Wrong("id", f"it is the account {other!r}")
            self.highest = max(self.highest, account_id)
        if "apikey" in read.beside:
            digest = sealing.digest(read.beside["apikey"])
            owner = accounts_store.by_key(digest)
            other = owner.account.email if owner else self._digests.setdefault(digest, email)
            if other != email:
                return Wrong("apikey", f"the account {other!r} has this key")
        return None

    def _target(self, before: Record, read: Read, *, now: datetime | None) -> Record:
        """The account as the line has it, but for its manager."""
        fields = read.beside
        account = before.account
        changed = replace(
            before,
            **read.body,
            account=replace(
                account,
                roles=implied(Role(role) for role in fields["roles"])
                if "roles" in fields
                else account.roles,
                active=fields.get("active", account.active),
            ),
            fleet_size=fields.get("fleet_size", before.fleet_size),
        )
        key = fields.get("apikey")
        if key is None or sealing.digest(key) == before.key_digest:
            return changed
        return administration.with_key(changed, key, now)

    def prepare(self) -> None:
        """Reserves the ids of the file."""
        if self.highest:
            documents.pass_numbers("account", self.highest)

    def write(self, read: Read, *, now: datetime) -> None:
        """Stores it; its manager comes when all are there (`set_managers`)."""
        email = read.beside["email"]
        before = accounts_store.by_email(email)
        if before is None:
            key = read.beside.get("apikey") or administration.new_key()
            if "apikey" not in read.beside:
                self.tell(email, key)  # first: a key that nobody was told is lost
            account_id = read.beside["id"] or documents.next_number("account")
            base = administration.new_record(email, account_id=account_id, key=key, now=now)
        else:
            base = before
        target = self._target(base, read, now=now)
        if target != before:
            accounts_store.put(target, before=before)

    def set_managers(self) -> None:
        """Sets the managers, once all accounts exist."""
        for email, manager in self.managers.items():
            administration.set_manager(email, manager)


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
        return _verdict(before, driver)

    def prepare(self) -> None:
        """Nothing."""

    def write(self, read: Read, *, now: datetime) -> None:
        """As POST /drivers."""
        assert read.account is not None  # noqa: S101  # accounts come first
        registration.register_driver(read.account, **read.body, now=now)


def _verdict(before: object, target: object) -> Verdict:
    if before is None:
        return Verdict.NEW
    return Verdict.SAME if before == target else Verdict.CHANGED


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
        return _verdict(there.get(rules.ads_id(owner, ads.insee, ads.numero)), ads)

    def prepare(self) -> None:
        """Nothing."""

    def write(self, read: Read, *, now: datetime) -> None:
        """As POST /ads."""
        assert read.account is not None  # noqa: S101  # accounts come first
        registration.register_ads(read.account, read.body, now=now)


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
