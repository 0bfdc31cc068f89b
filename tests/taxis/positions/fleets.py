"""Taxis that report and are asked about, and a DynamoDB that can be interrupted at any call."""

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import E7, Circle, LngLat
from chalicelib.foundation.store import reads
from chalicelib.taxis.positions import codec, pointers, rules, service, store
from chalicelib.taxis.positions.codec import Entry, Report
from chalicelib.taxis.positions.rules import Availability, Found, Position
from chalicelib.taxis.vocabulary import TaxiStatus

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PARIS = LngLat(2.3522, 48.8566)

NEXT_CELL = LngLat(2.3650, 48.8566)  # another leaf of `split`, in the same square
NEXT_SQUARE = LngLat(2.4200, 48.8566)

FREE, OCCUPIED = TaxiStatus.FREE, TaxiStatus.OCCUPIED


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def taxi_id(number: int) -> str:
    """The id of the taxi of that number."""
    return codec.id_of(number)


def e7(point: LngLat) -> tuple[int, int]:
    """lng_e7 and lat_e7."""
    return round(point.lng * E7), round(point.lat * E7)


def a_report(*positions: tuple[int, LngLat], seen_at: datetime = NOON) -> Report:
    """A report of (taxi number, point)."""
    points = [e7(point) for _, point in positions]
    return Report(
        codec.tick(seen_at),
        [taxi for taxi, _ in positions],
        [lat_e7 for _, lat_e7 in points],
        [lng_e7 for lng_e7, _ in points],
    )


def an_entry(
    taxi: int = 1,
    point: LngLat = PARIS,
    *,
    seen_at: datetime = NOON,
    status: TaxiStatus = FREE,
    radius_m: int = 0,
    changed_at: datetime = NOON,
) -> Entry:
    """An entry of a cell."""
    lng_e7, lat_e7 = e7(point)
    return (
        codec.head(taxi, status, radius_m),
        lat_e7,
        lng_e7,
        codec.tick(seen_at),
        codec.tick(changed_at),
    )


@dataclass
class Registry:
    """What the registry says of its taxis: all numbers below `taxis` exist, free at first."""

    taxis: int = 1000
    said: dict[str, Availability] = field(default_factory=dict)
    asked: int = 0

    def availability_of(self, taxi_ids: Collection[str]) -> Mapping[str, Availability]:
        """For those that exist."""
        self.asked += 1
        free = Availability(FREE, None, at(-3600))
        return {
            one: self.said.get(one, free)
            for one in taxi_ids
            if (codec.number_of(one) or 0) < self.taxis
        }

    def change(self, taxi: int, status: TaxiStatus, *, changed_at: datetime) -> None:
        """Writes the authority only."""
        self.said[taxi_id(taxi)] = Availability(status, None, changed_at)

    def show(self, taxi: int, *, now: datetime) -> int:
        """Repeats what was written to the cells."""
        return service.show_availability({taxi_id(taxi): self.said[taxi_id(taxi)]}, now=now)


def stored(
    reports: Sequence[Report], *, now: datetime, registry: Registry | None = None
) -> service.WindowReport:
    """The reports stored as one window."""
    known = registry or Registry()
    return service.store_window(reports, availability_of=known.availability_of, now=now)


def searched(point: LngLat, *, now: datetime, radius_m: float = 500) -> list[Found]:
    """A search as the API makes it."""
    return reads.one(service.near(Circle(point, radius_m), now=now))


def found(point: LngLat = PARIS, *, now: datetime = NOON) -> list[str]:
    """The ids of the taxis that a search finds."""
    return [one.taxi_id for one in searched(point, now=now)]


retire = partial(service.retire_cells, availability_of=Registry().availability_of)


def entries() -> dict[int, list[Entry]]:
    """Every entry there is, by taxi."""
    found: dict[int, list[Entry]] = {}
    for _, cells in store.every_cell():
        for cell in cells.values():
            for taxi, entry in cell.entries.items():
                found.setdefault(taxi, []).append(entry)
    return found


def newest_known(taxi: int) -> Position | None:
    """The newest position of a taxi anywhere in the store."""
    known = [rules.position(entry) for entry in entries().get(taxi, [])]
    pointer = pointers.read([taxi]).get(taxi)
    if pointer is not None and pointer.last is not None:
        known.append(pointer.last)
    return max(known, default=None)


class Crash(BaseException):
    """The process ends here."""


@contextmanager
def hooked(event: str, hook: Callable[[str], object]) -> Iterator[None]:
    """Calls `hook` with the operation's name at `before-call` or `after-call` of every call."""

    def called(model: Any, **_: Any) -> None:
        hook(model.name)

    events = clients.dynamodb().meta.events
    events.register(f"{event}.dynamodb", called)
    try:
        yield
    finally:
        events.unregister(f"{event}.dynamodb", called)


@contextmanager
def counted() -> Iterator[list[str]]:
    """The names of the DynamoDB operations called meanwhile."""
    names: list[str] = []
    with hooked("before-call", names.append):
        yield names


WRITES = {"PutItem", "UpdateItem", "DeleteItem"}


def crashing(after: int, *, kinds: Collection[str] = WRITES) -> Callable[[str], None]:
    """A hook that ends the process at the write of that number, counted from 0."""
    left = [after]

    def hook(name: str) -> None:
        if name in kinds:
            if left[0] == 0:
                left[0] = -1
                raise Crash
            left[0] -= 1

    return hook


def interrupted(after: int, act: Callable[[], object]) -> Callable[[str], None]:
    """A hook that lets somebody else act before the call of that number, counted from 0."""
    left = [after]

    def hook(_: str) -> None:
        left[0] -= 1
        if left[0] == -1:
            act()

    return hook


def somewhere(rng: random.Random, round_: LngLat = PARIS, spread: float = 0.02) -> LngLat:
    """A random point in a square of so many degrees."""
    return LngLat(
        round(round_.lng + rng.uniform(-spread, spread), 7),
        round(round_.lat + rng.uniform(-spread, spread), 7),
    )
