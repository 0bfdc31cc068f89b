"""Places that look wrong: swapped coordinates, another departement, the sea: pure.

Nothing is refused for it: a load says at its end what looks misplaced, and whoever runs it decides. Places
are measured against the territory itself: towns' borders, and the departement in a town's code.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from math import cos, radians
from typing import NamedTuple

from chalicelib.foundation.geo import E7, METRES_A_DEGREE, Box, LngLat, distance_m
from chalicelib.taxis.territory.borders import Shape
from chalicelib.taxis.territory.rules import departement_of

TownsAt = Callable[[LngLat], Sequence[str]]  # the codes of the towns that cover a point

SWAPPED, ELSEWHERE, NOWHERE = (
    "looks swapped: latitude first",
    "looks to be outside its departement",
    "looks to be in no town: at sea, abroad, or where none is loaded",
)
FAR = "looks far from the others"

# A station on a quay, or across the border of its departement, is no mistake; public maps' borders are
# some 200 m off. Two rings, so that a quay of an island finds its land.
_NEAR_M = (500, 2_000)

# How far a town may be from the next one of its departement or zone, middle to middle. On the map of 2026 the
# most are 23 km (Île-d'Yeu), in the published zones 15 km (Metz-Nancy). Guyane's towns, up to 125 km apart, are
# not measured so.
_APART_M, _GUYANE = 50_000, "973"

# The parts of France by the departements' numbers, in tenths of a degree round them: for towns, of
# which nothing is known before they are loaded. All others are in the first.
_METROPOLE = Box(-5.3, 41.2, 9.7, 51.2)
_OVERSEAS = {
    "971": Box(-61.9, 15.7, -60.9, 16.6),
    "972": Box(-61.3, 14.3, -60.7, 15.0),
    "973": Box(-54.7, 2.0, -51.5, 5.9),
    "974": Box(55.1, -21.5, 55.9, -20.8),
    "975": Box(-56.6, 46.6, -56.0, 47.2),
    "976": Box(44.9, -13.1, 45.4, -12.5),
    "977": Box(-63.0, 17.8, -62.7, 18.0),
    "978": Box(-63.2, 18.0, -62.9, 18.2),
    "986": Box(-178.3, -14.5, -176.0, -13.1),
    "987": Box(-155.0, -28.1, -134.3, -7.7),
    "988": Box(157.9, -23.0, 172.2, -17.9),
}


class Misplaced(NamedTuple):
    """One thing of a file: where it stands there, what it is, and what it looks like."""

    place: str
    name: str
    looks: str


def sentence(found: Collection[Misplaced]) -> str:
    """How many things look misplaced, and which are the first three."""
    first = [f"{one.place} ({one.name}) {one.looks}" for one in [*found][:3]]
    return "; ".join([f"looks misplaced: {len(found)}", *first])


# --- points ---------------------------------------------------------------------------------------


def of_point(point: LngLat, towns_at: TownsAt, *, insee: str = "", known: bool = True) -> str:
    """What a misplaced point looks like; empty where it is well placed.

    `insee` is the town that it belongs to; without one it may be in any. Of a town that is not `known` the
    map may lack the neighbours too: then it is well placed wherever its part of France is, but in no town of
    another departement.
    """
    numero = departement_of(insee)

    def fits(at: LngLat) -> bool:
        if insee and not known and not towns_at(at):
            return _in_its_part(at, numero)
        return any(
            not insee or departement_of(town) == numero
            for near in _round(at)
            for town in towns_at(near)
        )

    if fits(point):
        return ""
    if _is_on_earth(swapped := _swapped(point)) and fits(swapped):
        return SWAPPED
    return ELSEWHERE if towns_at(point) else NOWHERE


def _swapped(point: LngLat) -> LngLat:
    return LngLat(point.lat, point.lng)


def _is_on_earth(point: LngLat) -> bool:
    return abs(point.lat) <= 90


def _round(point: LngLat) -> Iterator[LngLat]:
    """The point, then eight round it at each distance."""
    yield point
    for metres in _NEAR_M:
        north = metres / METRES_A_DEGREE
        east = north / max(cos(radians(point.lat)), 0.01)
        for across, along in (
            *((1, 0), (0, 1), (-1, 0), (0, -1)),
            *((0.7, 0.7), (-0.7, 0.7), (-0.7, -0.7), (0.7, -0.7)),
        ):
            lat = point.lat + along * north
            lng = point.lng + across * east
            if abs(lng) <= 180 and abs(lat) <= 90:
                yield LngLat(lng, lat)


# --- towns ----------------------------------------------------------------------------------------


def middle(shape: Shape) -> LngLat:
    """The middle of the rectangle round a town."""
    paths = [outline.paths[0] for outline in shape]
    xs = [end for path in paths for end in (min(path.xs), max(path.xs))]
    ys = [end for path in paths for end in (min(path.ys), max(path.ys))]
    return LngLat((min(xs) + max(xs)) / 2 / E7, (min(ys) + max(ys)) / 2 / E7)


def of_towns(drawn: Mapping[str, LngLat], known: Mapping[str, LngLat]) -> dict[str, str]:
    """What each misplaced town looks like, by its code.

    By its part of France, and by the towns of its departement: those that are `known`, itself too, and the
    others that are drawn.
    """
    departements: dict[str, dict[str, LngLat]] = {}
    for insee, point in {**drawn, **known}.items():
        if _in_its_part(point, departement_of(insee)):
            departements.setdefault(departement_of(insee), {})[insee] = point

    def fits(at: LngLat, insee: str) -> bool:
        numero = departement_of(insee)
        others = (
            point
            for code, point in departements.get(numero, {}).items()
            if code != insee or code in known
        )
        return _in_its_part(at, numero) and _is_near_any(at, others, numero)

    found = {}
    for insee, point in drawn.items():
        if not fits(point, insee):
            is_swapped = _is_on_earth(_swapped(point)) and fits(_swapped(point), insee)
            found[insee] = SWAPPED if is_swapped else ELSEWHERE
    return found


def strays(members: Collection[str], shapes: Mapping[str, Shape]) -> list[str]:
    """The codes of those of the towns with borders that none of the others is near, in their order."""
    drawn = {insee: middle(shapes[insee]) for insee in sorted(members) if insee in shapes}
    return [
        insee
        for insee, point in drawn.items()
        if not _is_near_any(
            point,
            (other for code, other in drawn.items() if code != insee),
            departement_of(insee),
        )
    ]


def _is_near_any(at: LngLat, others: Iterable[LngLat], numero: str) -> bool:
    """Whether a town of a departement may be there, by the others; without any it may."""
    is_alone = True
    for other in others:
        if numero == _GUYANE or distance_m(at, other) <= _APART_M:
            return True
        is_alone = False
    return is_alone


def _in_its_part(at: LngLat, numero: str) -> bool:
    part = _OVERSEAS.get(numero, _METROPOLE)
    return part.west <= at.lng <= part.east and part.south <= at.lat <= part.north
