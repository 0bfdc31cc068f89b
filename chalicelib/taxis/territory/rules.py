"""Towns, pick-up zones, exclusions and stations, and which licences may pick up where: pure."""

import fnmatch
import re
import unicodedata
from collections.abc import Iterable
from functools import cached_property
from typing import NamedTuple

from msgspec import Struct

from chalicelib.foundation.geo import E7Point
from chalicelib.taxis.territory import borders
from chalicelib.taxis.territory.borders import Shape


class Town(NamedTuple):
    """A commune; `insee` is its code of five characters."""

    insee: str
    name: str


def departement_of(insee: str) -> str:
    """The number of a town's departement: two characters, three overseas (`97105` is of `971`)."""
    return insee[:3] if insee.startswith(("97", "98")) else insee[:2]


class Zone(Struct, frozen=True):
    """A common pick-up zone (ZUPC). `number` is the order in which zones became known."""

    zone_id: str
    number: int
    nom: str
    members: frozenset[str]


class Zones(Struct, frozen=True, dict=True):
    """All zones, by number."""

    zones: tuple[Zone, ...]

    @cached_property
    def _by_town(self) -> dict[str, list[Zone]]:
        found: dict[str, list[Zone]] = {}
        for zone in self.zones:
            for insee in zone.members:
                found.setdefault(insee, []).append(zone)
        return found

    def of(self, towns: Iterable[str]) -> list[Zone]:
        """The zones that hold any of the towns, by number."""
        found = {zone.number: zone for insee in towns for zone in self._by_town.get(insee, ())}
        return [found[number] for number in sorted(found)]

    def allowed_in(self, insee: str) -> frozenset[str]:
        """The towns whose licences may pick up in a town: itself, and all that share a zone with it."""
        return frozenset([insee]).union(*(zone.members for zone in self._by_town.get(insee, ())))


NO_ZONES = Zones(())


class Conurbation(Struct, frozen=True):
    """Towns that statistics take together. `declared_ads` is the number of licences that they declare."""

    conurbation_id: str
    name: str
    declared_ads: int | None
    members: frozenset[str]


class Place(Struct, frozen=True):
    """The place of a customer: the towns that cover the point, lowest code first, and the towns
    whose licences may pick up there. Where towns overlap, the first one counts [contract: Rules of territory]."""

    towns: tuple[str, ...]
    allowed: frozenset[str]


NOWHERE = Place((), frozenset())


class Tile(Struct, frozen=True):
    """The borders round one cell: a polygon and its town at the same place of the two lists."""

    towns: tuple[str, ...]
    outlines: Shape

    def towns_at(self, point: E7Point) -> tuple[str, ...]:
        """The towns that cover a point of the tile, lowest code first."""
        covering = {
            insee
            for insee, outline in zip(self.towns, self.outlines, strict=True)
            if outline.covers(point)
        }
        return tuple(sorted(covering))


class Exclusion(Struct, frozen=True):
    """An area where nobody may pick up. `exclusion_id` is OpenStreetMap's (`way/231093392`)."""

    exclusion_id: str
    name: str
    shape: Shape


NULL_ISLAND = E7Point(
    0, 0
)  # what a phone without a fix sends; never excluded [contract: Rules of territory]


def is_excluded(point: E7Point, exclusions: Iterable[Exclusion]) -> bool:
    """Whether the point is inside an exclusion or on its border."""
    return point != NULL_ISLAND and any(
        borders.covers(exclusion.shape, point) for exclusion in exclusions
    )


class Station(Struct, frozen=True):
    """A taxi station, for information only. `places` is 0 where it is not known.

    One that is drawn has `polygons`, with a point inside them; one that is a point has none.
    """

    station_id: str
    name: str
    insee: str
    lng: float
    lat: float
    address: str = ""
    places: int = 0
    call_number: str = ""
    info: str = ""
    polygons: Shape = ()


_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae"})


def folded(name: str) -> str:
    """A name in small letters without accents, as `search` compares it."""
    letters = unicodedata.normalize("NFD", name.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter)).translate(
        _LIGATURES
    )


# SQL's wildcards in a glob's terms, and in brackets what a glob would take for its own.
_WILD = {"%": "*", "_": "?"}
_PLAIN = {"*": "[*]", "?": "[?]", "[": "[[]"}


def _glob(search: str) -> str:
    """A SQL pattern as a glob; a backslash takes the next character's meaning from it."""
    parts: list[str] = re.findall(r"\\?.", search, re.DOTALL)
    return "".join(
        _PLAIN.get(part[-1], part[-1]) if len(part) == 2 else (_WILD | _PLAIN).get(part, part)
        for part in parts
    )


class Gazetteer(Struct, frozen=True, dict=True):
    """All towns by name: in the order of their folded names, then of their codes."""

    towns: tuple[Town, ...]

    @classmethod
    def of(cls, towns: Iterable[Town]) -> "Gazetteer":
        """The towns, put in order."""
        return cls(tuple(sorted(towns, key=lambda town: (folded(town.name), town.insee))))

    @cached_property
    def _folded(self) -> list[str]:
        return [folded(town.name) for town in self.towns]

    def beginning(self, search: str) -> list[Town]:
        """The towns whose names begin with `search`, whatever its case and accents.

        `%` stands for any letters and `_` for any one, as in SQL [contract: Territory pages]. A glob's
        expression never backtracks, so no pattern is slow.
        """
        begins = re.compile(fnmatch.translate(_glob(folded(search)) + "*")).match
        return [
            town
            for town, name in zip(self.towns, self._folded, strict=True)
            if begins(name) is not None
        ]
