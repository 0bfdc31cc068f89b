"""A small load on a real system, and the rules that a large one goes by."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench import system
from bench.load import count, report, run
from bench.load.run import Pace, Sample
from bench.system import Use
from ops.local.place import Place

ROOT = Path(__file__).resolve().parents[2]


def test_the_rate_rises_until_positions_stay_too_old_and_is_kept_lower() -> None:
    pace = Pace(13.0, is_warm=True)

    assert pace.next(20, sent=20, oldest_s=6, failed=0) == 25
    assert pace.next(25, sent=25, oldest_s=14, failed=0) == 25
    assert pace.next(25, sent=25, oldest_s=14, failed=0) == 18.75
    assert pace.next(18.75, sent=18.75, oldest_s=6, failed=0) == 18.75


def test_the_rate_is_left_alone_until_the_fleet_is_on_the_road() -> None:
    assert Pace(13.0).next(20, sent=20, oldest_s=60, failed=0) == 20


@pytest.mark.parametrize(("sent", "failed"), [(10.0, 0), (20.0, 1)])
def test_the_rate_is_found_where_senders_cannot_keep_up_or_posts_fail(
    sent: float, failed: int
) -> None:
    pace = Pace(13.0, is_warm=True)

    rates = [pace.next(20, sent=sent, oldest_s=6, failed=failed) for _ in range(2)]

    assert rates == [20, sent * 0.75]
    assert pace.is_found


def test_one_bad_step_neither_ends_the_rise_nor_lowers_the_rate() -> None:
    rising, found = Pace(13.0, is_warm=True), Pace(13.0, is_warm=True, is_found=True)

    assert [rising.next(20, sent=sent, oldest_s=6, failed=0) for sent in (10, 20, 10)] == [
        20,
        25,
        20,
    ]
    assert [found.next(20, sent=20, oldest_s=oldest_s, failed=0) for oldest_s in (20, 6, 20)] == [
        20,
        20,
        20,
    ]
    assert found.next(20, sent=20, oldest_s=20, failed=0) == 15


def test_a_rate_that_was_found_rises_again_slowly_after_a_stall() -> None:
    pace = Pace(13.0, is_warm=True, is_found=True)

    rates = [pace.next(20, sent=20, oldest_s=6, failed=0) for _ in range(7)]

    assert rates == [20, 20, 20, 20, 20, 22, 20]


def test_a_system_that_answers_nothing_for_a_while_is_still_asked() -> None:
    pace = Pace(13.0, is_warm=True)

    rates = [pace.next(20, sent=0, oldest_s=99, failed=9) for _ in range(2)]

    assert rates == [20, 2]


def test_what_is_stored_is_the_newest_accepted_or_a_later_one_or_the_taxi_has_lost_it() -> None:
    accepted = {
        "newest": ([1, 2], []),
        "later": ([1, 2], [[3, 4]]),
        "older": ([1, 2], [[3, 4]]),
        "absent": ([1, 2], []),
    }
    stored = {"newest": (9, 2, 1), "later": (9, 4, 3), "older": (9, 0, 0)}

    assert count.compared(accepted, stored) == {"newest": 1, "unanswered": 1, "lost": 2}  # type: ignore[arg-type]  # lists


def test_the_slope_is_of_the_last_half() -> None:
    sizes_kb = [9000, 1, 1000, 1100, 1200]
    samples = [
        Sample(60.0 * minute, 1, 0, 0, None, 0, {"api": Use(size_kb, 0)})
        for minute, size_kb in enumerate(sizes_kb)
    ]

    assert run.slope(samples, "api") == pytest.approx(100)


def test_a_folder_with_another_fleet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "load.json").write_text('{"taxis": 5, "keys": {}}')

    with pytest.raises(system.Failed, match="has 5 taxis, not 6"):
        system.filled(Place(tmp_path), taxis=6)


@pytest.mark.prove
def test_a_load_loses_no_accepted_position_and_no_hail(tmp_path: Path) -> None:
    figures, drawing = tmp_path / "load.json", tmp_path / "load.svg"

    ran = subprocess.run(
        [
            *(sys.executable, "-m", "bench.load", "--window", "1"),
            *("--figures", str(figures), "--draw", str(drawing)),
        ],
        cwd=ROOT,
        env={**os.environ, "MARAUDE_LOAD_TAXIS": "2000", "MARAUDE_LOAD_S": "12"},
        capture_output=True,
        text=True,
        check=False,
        timeout=400,
    )

    assert ran.returncode == 0, ran.stderr[-2000:]
    found = json.loads(figures.read_text())
    assert found["accepted"] == found["counted"]["newest"] + found["superseded"]
    assert found["ingested"] >= found["accepted"] > 2000
    assert (found["counted"]["lost"], found["after_restart"]["lost"]) == (0, 0)
    assert (found["counted"]["hails_open"], found["counted"]["taxis_held"]) == (0, 0)
    assert found["counted"]["newest"] == 2000
    assert set(found["processes"]) == {"up", "api", "worker", "state", "senders"}
    assert report.table(found) in ran.stdout
    assert drawing.read_text().startswith("<?xml")
