"""Interior point of a town, which replaces blurred places: pure."""

from chalicelib.foundation.geo import E7Point
from chalicelib.taxis.territory.borders import Outline, Shape

_PARALLELS = (1 / 2, 1 / 3, 2 / 3, 1 / 4, 3 / 4, 1 / 8, 7 / 8)  # looked along, south to north


def interior_point(shape: Shape) -> E7Point | None:
    """The middle of the widest stretch found inside the polygons; None where there is no inside.

    For whole outlines, not for those of a tile.
    """
    stretches = [
        stretch
        for outline in shape
        for part in _PARALLELS
        for stretch in _stretches(outline, _parallel(outline, part))
    ]
    for _, point in sorted(stretches, reverse=True):
        if any(outline.covers(point) for outline in shape):
            return point
    return None


def _parallel(outline: Outline, part: float) -> int:
    south = min(min(path.ys) for path in outline.paths)
    north = max(max(path.ys) for path in outline.paths)
    return south + int((north - south) * part)


def _stretches(outline: Outline, y: int) -> list[tuple[float, E7Point]]:
    """Width and middle of each stretch of a parallel, a little north of y, inside the rings."""
    level = y + 0.5  # no corner is there
    crossings = sorted(
        xa + (xb - xa) * (level - ya) / (yb - ya)
        for path in outline.paths
        for xa, ya, xb, yb in zip(path.xs, path.ys, path.xs[1:], path.ys[1:], strict=False)
        if (ya > level) != (yb > level)
    )
    return [
        (east - west, E7Point(round((west + east) / 2), y))
        for west, east in zip(crossings[::2], crossings[1::2], strict=True)
    ]
