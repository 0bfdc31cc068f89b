"""What tests of positions may use."""

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.cell_tree import CellTree
from chalicelib.taxis.positions import store as positions_store
from chalicelib.taxis.positions.leaf_map import LeafMap
from tests.taxis.positions.fleets import NEXT_CELL, NEXT_SQUARE, PARIS, e7


@pytest.fixture
def split(store: None) -> None:  # noqa: ARG001  # a fixture of a fixture
    """Leaves of level 15 (1.2 by 0.6 km) at the places of these tests."""
    splits = {
        half
        for point in (PARIS, NEXT_CELL, NEXT_SQUARE)
        for half in geo.halves(geo.ancestor(geo.finest_cell(*e7(point)), 14))
    }
    positions_store.replace_leaf_maps([LeafMap(1, 0, CellTree(splits))])
