"""Checks of the taxi registry's data: jobs, hails, documents, accounts."""

import zlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from msgspec import Struct

from ops.release.doctor.findings import Finding, Findings, Note

if TYPE_CHECKING:
    from chalicelib.taxis.access.rules import Record

SWEPT_WITHIN = timedelta(minutes=3)  # of a hail's deadline, with the sweep running each minute

# How old the last run of a job may be: two and a bit of its schedule's steps.
MINUTES, HOURS, DAYS = timedelta(minutes=5), timedelta(hours=3), timedelta(hours=26)


def checks(now: datetime) -> Mapping[str, Findings]:
    """What is looked at, by name."""
    return {
        "jobs": jobs(now),
        "hails": hails(now),
        "documents": documents(),
        "accounts": accounts(now),
    }


# --- what runs --------------------------------------------------------------------------------------


def _longest(schedule: str) -> timedelta:
    """The longest time since a job on this schedule should have run."""
    if schedule.startswith("rate("):
        return MINUTES if "minute" in schedule else DAYS
    return HOURS if schedule.split()[1] == "*" else DAYS


class LastRun(Struct, frozen=True):
    """When a job last finished, on which schedule it is, and whether it should have since."""

    name: str
    schedule: str
    at: datetime | None
    is_late: bool


def last_runs(now: datetime) -> Iterator[LastRun]:
    """The last run of each job by name; one that never ran is late by the age of its table."""
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.jobs import store as progress
    from chalicelib.foundation.settings import table
    from chalicelib.taxis.jobs import service
    from ops import apps

    known = apps.schedules(apps.first())
    statistics = clients.dynamodb().describe_table(TableName=table("statistics"))["Table"]
    runs = progress.last_runs()
    for name in sorted(service.JOBS.keys() & known.keys()):
        last, (schedule, _) = runs.get(name), known[name]
        is_late = now - (last or statistics["CreationDateTime"]) > _longest(schedule)
        yield LastRun(name, schedule, last, is_late)


def jobs(now: datetime) -> Findings:
    """Checks when each job last finished."""
    for job in last_runs(now):
        if job.is_late:
            when = "never" if job.at is None else f"last at {job.at:%Y-%m-%d %H:%M} UTC"
            yield Finding(
                f"The job {job.name} ran {when}; it is due by {job.schedule}.",
                f"look at its function's log, then `maraude job run {job.name}`",
            )


def hails(now: datetime) -> Findings:
    """Checks for hails whose deadline passed some minutes ago."""
    from chalicelib.taxis.hails import service

    overdue = service.overdue(before=now - SWEPT_WITHIN)
    if overdue:
        yield Finding(
            f"{len(overdue)} hails should have ended, {overdue[0]} among them.",
            "docs/runbook.md, Hails are not ended",
        )


# --- what it knows ----------------------------------------------------------------------------------


def documents() -> Findings:
    """Checks the leaf map and the territory: reading one document reads all of them."""
    from chalicelib.taxis.positions import store as positions
    from chalicelib.taxis.territory import editions

    try:
        positions.leaf_maps()
        has_borders = bool(editions.edition.current().tiles)
    except (KeyError, TypeError, ValueError, zlib.error) as error:
        yield Finding(
            f"The leaf map, or another document of the table config, cannot be read ({error!r}).",
            "nothing is answered: compare its items with those of yesterday, and put back the one that differs",
        )
        return
    if not has_borders:
        yield Finding(
            "No town has borders: every search is empty.",
            "maraude territory load-towns FILE, then load-zones",
        )


def accounts(now: datetime) -> Findings:
    """Checks accounts' keys and operators' webhooks."""
    from chalicelib.taxis.access import store
    from chalicelib.taxis.settings import settings
    from chalicelib.taxis.vocabulary import Role

    records = sorted(store.every(), key=lambda record: record.account.id)
    if not records:
        yield Finding("There is no account.", "maraude account add EMAIL --role ROLE")
    yield from _sealed(records)
    undated = [
        record.account.email
        for record in records
        if record.account.active and record.key_since is None
    ]
    if undated:
        yield Note(
            f"Keys of unknown age: {len(undated)}, that of {undated[0]} among them. A key of before dates "
            "were noted gets one when it is rotated."
        )
    overlapping = [record for record in records if record.old_key_at(now)]
    if overlapping:
        emails = ", ".join(record.account.email for record in overlapping)
        yield Note(
            f"Two keys open for now (`maraude account show EMAIL` says until when): {emails}."
        )
    oldest = now - timedelta(days=settings().key_days)
    for record in records:
        account = record.account
        if account.active and record.key_since is not None and record.key_since < oldest:
            yield Finding(
                f"The key of {account.email} is of {record.key_since:%Y-%m-%d}.",
                "docs/runbook.md, Rotate a partner's key",
            )
        if account.active and record.hail_endpoint_production:
            yield from _header(record)
        if not account.active or account.has(Role.ADMIN) or record.hail_endpoint_production:
            continue
        if account.has(Role.OPERATEUR):
            yield Finding(
                f"The operator {account.email} has no address for hails: they fail.",
                f"maraude account add {account.email} --hail-url URL",
            )


def _header(record: "Record") -> Findings:
    from chalicelib.foundation.outbound import headers

    try:
        headers.check_name(record.operator_header_name)
    except headers.HeaderRefused as refused:
        email, url = record.account.email, record.hail_endpoint_production
        yield Finding(
            f"Each hail of the operator {email} fails for its header. {refused}",
            f"maraude account add {email} --hail-url {url} --hail-header NAME --hail-value VALUE",
        )


def _sealed(records: "Iterable[Record]") -> Findings:
    from cryptography.fernet import InvalidToken

    from chalicelib.foundation import sealing
    from chalicelib.foundation.sealing import Ring
    from chalicelib.foundation.settings import BadSetting
    from ops.cli import administration

    try:
        shared = {*sealing.keys(Ring.ACCOUNTS)} & {*sealing.keys(Ring.HOOKS)}
        aged = [record for record in records if administration.reseal(record, dry_run=True)]
    except BadSetting as error:
        yield Finding(f"{error}.", "set it as the functions have it")
    except InvalidToken:
        yield Finding(
            "The secret keys are not those that the accounts' secrets are sealed with.",
            "put the key that is missing behind the others in MARAUDE_SECRET_KEYS or MARAUDE_HOOK_SECRET_KEYS, "
            "or their secrets",
        )
    else:
        if aged:
            yield Finding(
                f"The secrets of {len(aged)} accounts are sealed with a key that is not the newest, or in clear.",
                "maraude secrets reseal (docs/runbook.md, Rotate the secret keys)",
            )
        if shared:
            yield Finding(
                "The secret of webhooks has a key that is one of the other secret's, too: who sends hails "
                "could open API keys.",
                "docs/deploy.md, From a version with one secret",
            )
