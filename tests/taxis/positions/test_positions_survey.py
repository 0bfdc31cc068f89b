"""Scans of every cell, and changes of the leaf map."""

import pytest

from chalicelib.foundation import geo
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.positions import codec, leaf_map, service
from chalicelib.taxis.positions import store as positions_store
from chalicelib.taxis.positions.service import MapAnnounced
from tests.emitted import metrics_of
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import (
    NOON,
    OCCUPIED,
    PARIS,
    Registry,
    a_report,
    at,
    e7,
    found,
    retire,
    searched,
    stored,
    taxi_id,
)


def store_a_map_of_splits_in_four() -> None:
    """What a registry wrote whose splits made four: the root of Paris and four levels below it."""
    clients.dynamodb().put_item(
        TableName="maraude-test-config",
        Item={
            "name": {"S": "leaf_map"},
            "maps": {
                "L": [
                    {
                        "M": {
                            "version": {"N": "7"},
                            "from": {"N": "0"},
                            "tree": {"B": bytes.fromhex(PARIS_IN_FOUR)},
                        }
                    }
                ]
            },
        },
    )


def keys_of_cells() -> set[str]:
    """The keys of all cells there are."""
    return {geo.key(cell) for _, cells in positions_store.every_cell() for cell in cells}


# The bytes are that registry's own, and its leaf of `PARIS`
PARIS_IN_FOUR, PARIS_LEAF_IN_FOUR = "07404ea28800", "31000103213133"


@pytest.mark.usefixtures("store")
def test_a_map_of_splits_in_four_keeps_its_cells() -> None:
    store_a_map_of_splits_in_four()

    stored([a_report((1, PARIS))], now=NOON)

    assert keys_of_cells() == {PARIS_LEAF_IN_FOUR}
    assert found() == [taxi_id(1)]


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("in_four", [False, True])
def test_nothing_disappears_from_search_while_the_leaf_map_changes(*, in_four: bool) -> None:
    if in_four:
        store_a_map_of_splits_in_four()
    first = positions_store.leaf_maps()[-1].version
    crowd = [(taxi, LngLat(PARIS.lng + taxi * 1e-5, PARIS.lat)) for taxi in range(200)]
    registry = Registry()
    start = 0.0
    announced = None
    seen_versions = set()
    while start < 420:
        if start == 60:
            announced = service.refit(now=at(start))
        half = crowd[:100] if start % 20 == 0 else crowd[100:]
        stored([a_report(*half, seen_at=at(start))], now=at(start), registry=registry)
        if start >= 10:
            for now_s in (start, start + 9):
                assert len(searched(PARIS, now=at(now_s), radius_m=500)) == 200, now_s
        maps = positions_store.leaf_maps()
        seen_versions.add(leaf_map.for_writers(maps, now_s=at(start).timestamp()).version)
        start += 10
    assert announced is not None
    assert announced.starts_s == at(180).timestamp()
    assert announced.tree.splits
    assert seen_versions == {first, first + 1}
    assert all(len(copies) == 1 for copies in fleets.entries().values())
    retire(now=at(start))
    leaves = {announced.tree.leaf(geo.finest_cell(*e7(point))) for _, point in crowd}
    assert keys_of_cells() == set(map(geo.key, leaves))


@pytest.mark.usefixtures("store")
def test_a_map_is_not_announced_while_another_is_on_its_way() -> None:
    service.refit(now=NOON)

    with pytest.raises(MapAnnounced):
        service.refit(now=at(119))

    assert service.refit(now=at(120)).version == 2


@pytest.mark.usefixtures("store")
def test_a_change_of_status_reaches_a_taxi_that_only_the_replaced_map_placed() -> None:
    registry = Registry()
    stored([a_report(*((taxi, PARIS) for taxi in range(200)))], now=NOON, registry=registry)
    service.refit(now=NOON)
    stored([a_report((1, PARIS), seen_at=at(119))], now=at(119), registry=registry)
    registry.change(1, OCCUPIED, changed_at=at(125))

    registry.show(1, now=at(125))

    assert taxi_id(1) not in found(now=at(126))


@pytest.mark.usefixtures("store")
def test_a_taxi_with_a_status_that_there_is_not_is_counted_and_the_others_are_reporting(
    capsys: pytest.CaptureFixture[str],
) -> None:
    stored([a_report((1, PARIS), (2, PARIS))], now=NOON)
    ((_, cells),) = positions_store.every_cell()
    ((name, cell),) = cells.items()
    head, *rest = cell.entries[1]
    cell.entries[1] = (head | codec.STATUS << codec.STATUS_SHIFT, *rest)  # type: ignore[assignment]  # still five
    packed = cell.entries.packed()
    positions_store.write_cell(name, cell.version, packed, map_version=1, now_tick=codec.tick(NOON))

    reporting = service.reporting(since=NOON)

    assert list(reporting) == [taxi_id(2)]
    counted = {metric.name: metric.value for metric in metrics_of(capsys.readouterr().out)}
    assert counted["entries_damaged"] == 1
