"""Fleets in DynamoDB: items of one table under the account that owns the taxis.

| question                       | entry                   | order         | cost               | asked by      |
| ------------------------------ | ----------------------- | ------------- | ------------------ | ------------- |
| the taxi of this vehicle, ADS  | taxi#vehicle#digest     | one item      | 1 unit, strong     | POST /taxis   |
| and driver                     |                         |               |                    |               |
| an operator's taxis            | list#milliseconds#taxi  | newest first  | 1 unit per 4 KB,   | GET           |
|                                |                         |               | some 40 taxis      | /taxis/all    |
| all ids of an operator         | page#number             | by number     | 0.5 unit a page,   | POST /geotaxi |
|                                |                         |               | each 30 s          | and UDP       |
| the ids added meanwhile        | page#number, from one   | by number     | 1 unit for two     | POST /geotaxi |
|                                | before the newest known |               | pages, strong      | of a new      |
|                                |                         |               |                    | taxi; GET     |
|                                |                         |               |                    | /taxis of an  |
|                                |                         |               |                    | operator      |
| which page an id is on         | page#number             | by number     | 1 unit for two     | the night     |
|                                |                         |               | pages, strong      |               |
| room for one more id           | page#number             | newest page   | 1 unit, strong; 2  | POST /taxis   |
|                                |                         |               | write units        |               |

A page holds at most `PAGE` ids, 2 KB. An id is on a page before its taxi is there: an id without a
taxi harms nobody, a taxi without its id could not be positioned.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Protocol

from msgspec import Struct
from pynamodb.attributes import UnicodeAttribute, UnicodeSetAttribute
from pynamodb.expressions.condition import size
from pynamodb.models import Model
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.settings import table
from chalicelib.foundation.store.models import Place
from chalicelib.foundation.store.reads import Read
from chalicelib.foundation.store.writes import Moved, run_write
from chalicelib.foundation.values import milliseconds

PAGE = 256


class FleetRow(Model):
    """An item of an operator's fleet: a unique key, a line of the list, or a page of ids."""

    class Meta(Place):
        table_name = table("fleets")

    owner = UnicodeAttribute(hash_key=True)
    entry = UnicodeAttribute(range_key=True)
    taxi_id = UnicodeAttribute(null=True)
    licence_plate = UnicodeAttribute(null=True)
    ids = UnicodeSetAttribute(null=True)


class Member(Protocol):
    """A taxi, as far as its fleet knows it."""

    @property
    def taxi_id(self) -> str: ...
    @property
    def owner(self) -> str: ...
    @property
    def vehicle_id(self) -> int: ...
    @property
    def ads_id(self) -> str: ...
    @property
    def driver_id(self) -> str: ...
    @property
    def added_at(self) -> datetime: ...


class Fleet(Struct, frozen=True):
    """The ids of an operator's taxis, and the newest page that was read of them."""

    ids: frozenset[str]
    newest: int


def key(vehicle_id: int, ads_id: str, driver_id: str) -> str:
    """The entry of a taxi by its parts; a digest, for an entry may have 1,024 bytes at most."""
    parts = f"{len(ads_id)} {ads_id} {driver_id}".encode()
    return f"taxi#{vehicle_id}#{hashlib.sha256(parts).hexdigest()}"


def taxi_of(owner: str, vehicle_id: int, ads_id: str, driver_id: str) -> Read[str | None]:
    """The id of the taxi that these make, if there is one."""
    entry = key(vehicle_id, ads_id, driver_id)
    return Read(
        FleetRow.Meta.table_name,
        [{"owner": {"S": owner}, "entry": {"S": entry}}],
        lambda items: next((item["taxi_id"]["S"] for item in items), None),
    )


def key_row(taxi: Member) -> FleetRow:
    """The item that only one taxi of a vehicle, ADS and driver can have."""
    entry = key(taxi.vehicle_id, taxi.ads_id, taxi.driver_id)
    return FleetRow(taxi.owner, entry, taxi_id=taxi.taxi_id)


def list_row(taxi: Member, licence_plate: str) -> FleetRow:
    """The item of a taxi in its owner's list."""
    entry = f"list#{milliseconds(taxi.added_at):015}#{taxi.taxi_id}"
    return FleetRow(taxi.owner, entry, taxi_id=taxi.taxi_id, licence_plate=licence_plate)


def newest(owner: str, *, limit: int) -> Iterator[tuple[str, str]]:
    """Id and licence plate of an operator's taxis, newest first, at most `limit`; read strongly."""
    lines = FleetRow.query(
        owner,
        FleetRow.entry.startswith("list#"),
        consistent_read=True,
        scan_index_forward=False,
        limit=limit,
    )
    for line in lines:
        yield line.taxi_id, line.licence_plate


def _page(number: int) -> str:
    return f"page#{number:06}"


def load(owner: str) -> Fleet:
    """All ids; those of the last second may be missing."""
    return _union(FleetRow.query(owner, FleetRow.entry.startswith("page#")), Fleet(frozenset(), 0))


def grown(owner: str, known: Fleet) -> Fleet:
    """The fleet with what was added since it was loaded, read strongly.

    From one page before the newest known: an id that is withdrawn makes room on a full page for
    another that was on its way to it.
    """
    since = _page(max(known.newest - 1, 0))
    pages = FleetRow.query(owner, FleetRow.entry.between(since, "page#~"), consistent_read=True)
    return _union(pages, known)


def _union(pages: Iterator[FleetRow], known: Fleet) -> Fleet:
    ids, last = set(known.ids), known.newest
    for page in pages:
        ids |= page.ids or set()
        last = max(last, int(page.entry.removeprefix("page#")))
    return Fleet(frozenset(ids), last)


def admit(owner: str, taxi_id: str) -> int:
    """Adds an id to the newest page, or to the next where that is full; the page's number."""
    pages = FleetRow.query(
        owner,
        FleetRow.entry.startswith("page#"),
        consistent_read=True,
        scan_index_forward=False,
        limit=1,
    )
    number = max((int(page.entry.removeprefix("page#")) for page in pages), default=0)
    room = FleetRow.ids.does_not_exist() | (size(FleetRow.ids) < PAGE)
    while True:
        page = FleetRow(owner, _page(number))
        try:
            run_write(partial(page.update, [FleetRow.ids.add({taxi_id})], room))
        except Moved:
            number += 1
        else:
            return number


def pages_of(owner: str) -> dict[str, int]:
    """The number of the page that each id is on, read strongly."""
    pages = FleetRow.query(owner, FleetRow.entry.startswith("page#"), consistent_read=True)
    return {
        taxi_id: int(page.entry.removeprefix("page#"))
        for page in pages
        for taxi_id in page.ids or ()
    }


def enter(transaction: TransactWrite, taxi: Member, licence_plate: str) -> None:
    """Adds a new taxi's line and key to a transaction, on condition that no taxi has the key."""
    transaction.save(key_row(taxi), condition=FleetRow.entry.does_not_exist())
    transaction.save(list_row(taxi, licence_plate))


def change_key(transaction: TransactWrite, before: Member, after: Member) -> None:
    """Adds to a transaction that a taxi is made of other parts."""
    transaction.delete(key_row(before))
    transaction.save(key_row(after))


def leave(transaction: TransactWrite, taxi: Member, *, page: int | None) -> None:
    """Adds the deletion of a taxi's key, its line and its id on a page to a transaction."""
    transaction.delete(key_row(taxi))
    transaction.delete(list_row(taxi, ""))
    if page is not None:
        transaction.update(
            FleetRow(taxi.owner, _page(page)), actions=[FleetRow.ids.delete({taxi.taxi_id})]
        )


def withdraw(owner: str, taxi_id: str, *, page: int) -> None:
    """Removes an id from the page that `admit` added it to."""
    run_write(partial(FleetRow(owner, _page(page)).update, [FleetRow.ids.delete({taxi_id})]))
