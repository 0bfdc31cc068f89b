"""What grows old: cells, and last positions."""

from datetime import timedelta

import pytest

from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.jobs.rules import Page
from chalicelib.taxis.positions import retention, service
from chalicelib.taxis.positions.rules import LastPosition
from tests.taxis.positions import fleets
from tests.taxis.positions.fleets import (
    NEXT_CELL,
    NEXT_SQUARE,
    NOON,
    OCCUPIED,
    PARIS,
    Crash,
    Registry,
    a_report,
    at,
    e7,
    found,
    retire,
    stored,
    taxi_id,
)


def a_change_that_nobody_shows() -> Registry:
    """Two free taxis that go on reporting; the registry says that the first is occupied by now."""
    registry = Registry()
    stored([a_report((1, PARIS), (2, PARIS))], now=NOON, registry=registry)
    registry.change(1, OCCUPIED, changed_at=at(1))
    for second in (5, 65, 125):
        stored(
            [a_report((1, PARIS), (2, PARIS), seen_at=at(second))],
            now=at(second),
            registry=registry,
        )
    return registry


@pytest.mark.usefixtures("split")
def test_a_change_that_its_stream_gave_up_does_not_show_by_itself_and_does_after_retiring() -> None:
    registry = a_change_that_nobody_shows()
    before = found(now=at(126))

    done = service.retire_cells(availability_of=registry.availability_of, now=at(126))

    assert before == [taxi_id(1), taxi_id(2)]
    assert done.done["corrected"] == 1
    assert found(now=at(126)) == [taxi_id(2)]
    again = service.retire_cells(availability_of=registry.availability_of, now=at(126))
    assert again.done["corrected"] == 0


@pytest.mark.usefixtures("split")
def test_retiring_dry_counts_what_it_would_correct_and_corrects_nothing() -> None:
    registry = a_change_that_nobody_shows()

    done = service.retire_cells(availability_of=registry.availability_of, now=at(126), dry_run=True)

    assert done.done["corrected"] == 1
    assert found(now=at(126)) == [taxi_id(1), taxi_id(2)]


@pytest.mark.usefixtures("split")
def test_retiring_keeps_last_positions_and_leaves_no_old_cell() -> None:
    stored(
        [a_report((1, PARIS), (2, NEXT_CELL)), a_report((3, PARIS), seen_at=at(100))], now=at(100)
    )

    done = retire(now=at(150))

    assert done == Page({"cells": 2, "emptied": 1, "kept": 2, "corrected": 0})
    assert set(fleets.entries()) == {3}
    assert set(service.where_is(map(taxi_id, (1, 2, 3)), now=at(150))) == {
        taxi_id(1),
        taxi_id(2),
        taxi_id(3),
    }


@pytest.mark.usefixtures("split")
def test_retiring_twice_is_retiring_once() -> None:
    stored([a_report((1, PARIS))], now=NOON)
    retire(now=at(200))

    assert retire(now=at(201)) == Page({"cells": 0, "emptied": 0, "kept": 0, "corrected": 0})


@pytest.mark.usefixtures("split")
def test_retiring_dry_says_what_it_would_do_and_does_not_do_it() -> None:
    stored(
        [a_report((1, PARIS), (2, NEXT_CELL)), a_report((3, PARIS), seen_at=at(100))], now=at(100)
    )
    before = fleets.entries()

    done = retire(now=at(150), dry_run=True)

    assert done == retire(now=at(150), dry_run=True)
    assert fleets.entries() == before
    assert done == retire(now=at(150))


@pytest.mark.usefixtures("split")
def test_retiring_goes_on_behind_the_cell_where_it_was_broken_off() -> None:
    stored([a_report((1, PARIS), (2, NEXT_CELL))], now=NOON)
    first, _ = [
        item["cell"]["S"]
        for item in clients.dynamodb().scan(TableName="maraude-test-cells")["Items"]
    ]

    done = retire(now=at(200), after=first)

    assert done == Page({"cells": 1, "emptied": 1, "kept": 1, "corrected": 0})
    [left] = clients.dynamodb().scan(TableName="maraude-test-cells")["Items"]
    assert left["cell"]["S"] == first


TWO_MONTHS = timedelta(days=60)


def retired(*positions: tuple[int, LngLat]) -> None:
    """Stores where taxis were at noon as their last positions."""
    stored([a_report(*positions)], now=NOON)
    retire(now=at(200))


def last_positions() -> dict[str, tuple[int, int]]:
    """lng_e7 and lat_e7 of each taxi, as they are stored."""
    items = clients.dynamodb().scan(TableName="maraude-test-last-positions")["Items"]
    return {
        item["taxi_id"]["S"]: (int(item["lng_e7"]["N"]), int(item["lat_e7"]["N"])) for item in items
    }


@pytest.mark.usefixtures("split")
def test_after_two_months_a_last_position_says_when_and_no_longer_where() -> None:
    retired((1, PARIS))

    assert service.blur(now=NOON + TWO_MONTHS).done == {"blurred": 0}
    assert last_positions() == {taxi_id(1): e7(PARIS)}
    assert service.blur(now=NOON + TWO_MONTHS + timedelta(seconds=1)).done == {"blurred": 1}
    assert last_positions() == {taxi_id(1): (0, 0)}
    later = NOON + 2 * TWO_MONTHS
    assert service.where_is([taxi_id(1)], now=later) == {
        taxi_id(1): LastPosition(LngLat(0, 0), NOON)
    }
    assert service.blur(now=later).done == {"blurred": 0}


@pytest.mark.usefixtures("split")
def test_blurring_dry_changes_nothing() -> None:
    retired((1, PARIS))

    assert service.blur(now=NOON + 2 * TWO_MONTHS, dry_run=True).done == {"blurred": 1}

    assert last_positions() == {taxi_id(1): e7(PARIS)}


@pytest.mark.usefixtures("split")
@pytest.mark.parametrize("there", [PARIS, NEXT_SQUARE])
def test_a_taxi_that_comes_back_while_it_is_blurred_is_where_it_says(there: LngLat) -> None:
    retired((1, PARIS))
    back = NOON + 2 * TWO_MONTHS

    def report() -> None:
        stored([a_report((1, there), seen_at=back)], now=back)

    with fleets.hooked("before-call", fleets.interrupted(1, report)):
        service.blur(now=back)

    assert found(there, now=back) == [taxi_id(1)]
    assert service.where_is([taxi_id(1)], now=back) == {taxi_id(1): LastPosition(there, back)}


@pytest.mark.usefixtures("split")
def test_blurring_goes_on_where_it_was_broken_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "A_PAGE", 2)
    retired(*((taxi, PARIS) for taxi in range(1, 6)))
    later = NOON + 2 * TWO_MONTHS

    first = service.blur(now=later)
    assert first.done == {"blurred": 2}
    assert sum(point == (0, 0) for point in last_positions().values()) == 2
    after = first.after
    while after is not None:
        after = service.blur(now=later, after=after).after

    assert set(last_positions().values()) == {(0, 0)}


@pytest.mark.usefixtures("split")
def test_retiring_goes_on_after_a_crash() -> None:
    stored([a_report((1, PARIS), (2, NEXT_CELL))], now=NOON)
    with pytest.raises(Crash), fleets.hooked("before-call", fleets.crashing(2)):
        retire(now=at(200))

    retire(now=at(200))

    assert fleets.entries() == {}
    assert len(service.where_is([taxi_id(1), taxi_id(2)], now=at(200))) == 2


@pytest.mark.usefixtures("split")
def test_a_cell_that_lives_is_not_retired() -> None:
    stored([a_report((1, PARIS))], now=NOON)

    def report() -> None:
        stored([a_report((1, PARIS), seen_at=at(200))], now=at(200))

    with fleets.hooked("before-call", fleets.interrupted(2, report)):
        retire(now=at(200))

    assert found(now=at(200)) == [taxi_id(1)]
