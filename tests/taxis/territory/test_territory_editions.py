from chalicelib.foundation import geo
from chalicelib.foundation.geo import E7Point
from chalicelib.taxis.territory.editions import Edition

PARIS = E7Point(23522000, 488566000)
CELL = geo.ancestor(geo.finest_cell(*PARIS), 11)


def south_west_of(cell: int) -> E7Point:
    """A point just inside a cell's corner."""
    corner = geo.box(cell)
    return E7Point(int((corner.west + 1e-4) * geo.E7), int((corner.south + 1e-4) * geo.E7))


def test_a_point_is_looked_up_in_the_tile_that_holds_it_however_deep() -> None:
    deep = geo.children(CELL)[0]
    coarse = CELL ^ 1  # beside it
    root = geo.cell_at(3, 4, 9)
    edition = Edition(generation="g", tiles=frozenset({deep, coarse, root}))

    found = [edition.tile(south_west_of(cell)) for cell in (deep, coarse, root)]

    assert found == [f"tile/g/{geo.key(cell)}" for cell in (deep, coarse, root)]


def test_a_point_between_tiles_is_in_none() -> None:
    first, *others = geo.children(CELL)
    edition = Edition(generation="g", tiles=frozenset({first}))

    assert [edition.tile(south_west_of(cell)) for cell in (*others, CELL >> 2 ^ 1)] == [None] * 4
