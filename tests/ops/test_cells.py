"""`maraude cells refit`."""

import argparse
from datetime import timedelta

import pytest

from chalicelib.foundation import clock
from chalicelib.taxis.positions import codec, service
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.positions.rules import Availability
from chalicelib.taxis.vocabulary import TaxiStatus
from ops.cli import cells
from ops.errors import CannotGoOn

pytestmark = pytest.mark.usefixtures("store")


def a_crowd(count: int) -> None:
    """So many free taxis in one street, reporting now."""
    now = clock.now()
    taxis = list(range(1, count + 1))
    there = Report(
        codec.tick(now),
        taxis,
        [488_566_000 + 90 * taxi for taxi in taxis],
        [23_522_000 + 130 * taxi for taxi in taxis],
    )
    free = Availability(TaxiStatus.FREE, None, now - timedelta(hours=1))
    service.store_window([there], availability_of=lambda asked: dict.fromkeys(asked, free), now=now)


def refit() -> None:
    cells._refit(argparse.Namespace())


def test_cells_are_split_where_taxis_are_many(capsys: pytest.CaptureFixture[str]) -> None:
    a_crowd(400)

    refit()

    said = capsys.readouterr().out
    assert said.startswith("leaf map 1: ")
    assert "120 s from now" in said
    assert "leaf map 1: 0 cells" not in said


def test_a_second_map_waits_for_the_first(capsys: pytest.CaptureFixture[str]) -> None:
    refit()
    capsys.readouterr()

    with pytest.raises(CannotGoOn, match="Leaf map 1 is on its way; wait two minutes"):
        refit()
