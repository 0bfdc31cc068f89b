"""Blurring and deletion of old hails, and the days that are counted."""

from datetime import datetime, timedelta

import pytest

from chalicelib.foundation import cache
from chalicelib.foundation.jobs.rules import Job
from chalicelib.taxis.hails import (
    expiry,
    listing,
    lists,
    retention,
    service,
    writes,
)
from chalicelib.taxis.hails.lines import Filter
from chalicelib.taxis.hails.rows import ListRow
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.vocabulary import Role
from tests.taxis.hails.hail_factories import Scene

S = Status
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def nightly(job: Job, now: datetime, *, dry_run: bool = False) -> int:
    """Runs a nightly job to its end; how many hails it changed, or would have."""
    done, after = 0, None  # type: int, str | None
    while True:
        page = job(now=now, after=after, dry_run=dry_run)
        done, after = done + sum(page.done.values()), page.after
        if after is None:
            return done


def enter_in_statistics(now: datetime) -> None:
    for day in service.uncounted_days(now=now):
        service.enter_in_statistics(day)


def test_after_two_months_a_hail_tells_neither_who_nor_where(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)

    assert nightly(retention.blur, scene.now + 60 * DAY - SECOND) == 0
    assert nightly(retention.blur, scene.now + 60 * DAY + SECOND) == 1
    assert nightly(retention.blur, scene.now + 61 * DAY) == 0

    blurred = scene.read(hail)
    assert blurred.blurred
    assert (blurred.customer_lon, blurred.customer_lat) == (2.4, 48.9)
    assert (blurred.initial_taxi_lon, blurred.initial_taxi_lat) == (2.4, 48.9)
    texts = (blurred.customer_address, blurred.customer_phone_number, blurred.taxi_phone_number)
    assert set(texts) == {"[REDACTED]"}
    assert (blurred.session_id, blurred.transitions) == (hail.session_id, hail.transitions)


def test_a_blurred_hail_is_deleted_after_a_year_with_its_session(scene: Scene) -> None:
    scene.hail(S.FINISHED)
    scene.hail(S.FINISHED)
    old = scene.now + 366 * DAY

    enter_in_statistics(old)
    assert nightly(retention.delete_old, old) == 0  # not blurred yet
    nightly(retention.blur, old)
    assert nightly(retention.delete_old, scene.now + 365 * DAY - SECOND) == 0
    assert nightly(retention.delete_old, old) == 2

    assert lists.days() == []
    left = [row.owner for row in ListRow.scan()]
    assert left == []


def test_a_hail_waits_for_the_statistics_before_it_is_deleted(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    old = scene.now + 366 * DAY
    nightly(retention.blur, old)

    assert nightly(retention.delete_old, old) == 0
    assert scene.read(hail).blurred
    enter_in_statistics(old)
    assert nightly(retention.delete_old, old) == 1


def test_a_dry_run_counts_and_changes_nothing(scene: Scene) -> None:
    hail = scene.hail(S.FINISHED)
    old = scene.now + 366 * DAY
    enter_in_statistics(old)

    assert nightly(retention.delete_old, old, dry_run=True) == 0  # not blurred yet
    assert nightly(retention.blur, old, dry_run=True) == 1
    assert scene.read(hail) == hail
    assert [day.blurred for day in lists.days()] == [False]

    nightly(retention.blur, old)
    assert nightly(retention.delete_old, old, dry_run=True) == 1
    assert scene.read(hail).blurred


def test_the_last_hail_but_one_leaves_its_session(scene: Scene) -> None:
    first, second = scene.hail(S.FINISHED), scene.hail(S.FINISHED)
    nightly(retention.blur, scene.now + 61 * DAY)

    writes.delete(scene.read(first))

    [group], total = listing.list_sessions(scene.moteur, page=1, per_page=30, now=scene.now)
    assert ([hail.hail_id for hail in group.hails], total) == ([second.hail_id], 1)


def test_a_night_that_is_broken_off_goes_on_where_it_was(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    hails = [scene.hail(S.FINISHED) for _ in range(3)]
    monkeypatch.setattr(retention, "PAGE_SIZE", 2)
    later = scene.now + 61 * DAY

    page = retention.blur(now=later)
    assert (page.done, sum(scene.read(hail).blurred for hail in hails)) == ({"blurred": 2}, 2)
    nightly(retention.blur, later)

    assert all(scene.read(hail).blurred for hail in hails)
    assert [day.blurred for day in lists.days()] == [True]


def test_an_admins_page_and_total_come_from_counted_days(scene: Scene) -> None:
    admin, _ = scene.caller("admin", Role.ADMIN)
    hails = []
    for day in range(3):
        cache.forget_all()
        scene.report(scene.taxi_id, at=scene.now + day * DAY)
        hails.append(scene.hail(after=day * DAY))
        expiry.sweep(now=scene.now + day * DAY + MINUTE)
    now = scene.now + 2 * DAY + MINUTE
    retention.blur(now=now)

    for page, hail in zip((1, 2, 3, 4), [*reversed(hails), None], strict=True):
        found, total = listing.list_hails(admin, Filter(), page=page, per_page=1, now=now)
        assert [line.hail_id for line in found] == ([hail.hail_id] if hail else [])
        assert total == 3
    counted = [day.hail_count for day in lists.days()]
    assert counted == [None, 1, 1]
