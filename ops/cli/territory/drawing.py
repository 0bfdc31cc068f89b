"""Unions of towns: the shape of a zone, a point inside each departement."""

from collections.abc import Iterable, Mapping

import shapely

from chalicelib.foundation.geo import E7, E7Point
from chalicelib.taxis.territory.borders import Shape
from chalicelib.taxis.territory.rules import Zone, departement_of


def departement_points(shapes: Mapping[str, Shape]) -> dict[str, E7Point]:
    """A point inside the union of each departement's towns, by its number."""
    parts: dict[str, list[Shape]] = {}
    for insee, shape in sorted(shapes.items()):
        parts.setdefault(departement_of(insee), []).append(shape)
    points = {}
    for numero, some in parts.items():
        ((x, y),) = shapely.get_coordinates(shapely.point_on_surface(_union(some)))
        points[numero] = E7Point(round(x), round(y))
    return points


def _union(shapes: Iterable[Shape]) -> shapely.Geometry:
    """The union of towns, in 1e-7 degree."""
    return shapely.union_all(
        [
            # A border that crosses itself is put right first: a union would stumble over it.
            shapely.make_valid(
                shapely.Polygon(
                    [*zip(outline.paths[0].xs, outline.paths[0].ys, strict=True)],
                    [[*zip(hole.xs, hole.ys, strict=True)] for hole in outline.paths[1:]],
                )
            )
            for shape in shapes
            for outline in shape
        ]
    )


def drawn_zone(zone: Zone, shapes: Mapping[str, Shape]) -> dict[str, object]:
    """A zone as a GeoJSON MultiPolygon."""
    whole = _union(shapes[insee] for insee in sorted(zone.members & shapes.keys()))
    return {
        "type": "MultiPolygon",
        "coordinates": [
            [
                [[round(x) / E7, round(y) / E7] for x, y in ring.coords]
                for ring in (part.exterior, *part.interiors)
            ]
            for part in shapely.get_parts(whole)
            if isinstance(part, shapely.Polygon)
        ],
    }
