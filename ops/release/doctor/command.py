"""`maraude doctor`: what is wrong with a service, and what to do about each.

It changes nothing. It reads descriptions of tables, streams, queues, schedules and alarms, in some fifty
calls that cost nothing, and what the service's own checks take: of the taxi registry, some hundred units. Which permissions that takes, docs/runbook.md says.
"""

import argparse
import importlib
from datetime import datetime
from typing import TYPE_CHECKING

from ops.apps import App
from ops.cli import target
from ops.errors import CannotGoOn
from ops.release.doctor import infrastructure
from ops.release.doctor.findings import Finding, Findings, Note

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    doctor = commands.add_parser("doctor", help="say what is wrong, and what to do; change nothing")
    target.add_arguments(doctor)
    doctor.set_defaults(run=_run)


def _run(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock

    results = list(findings(arguments.app, now=clock.now()))
    wrong = [one for one in results if isinstance(one, Finding)]
    for finding in wrong:
        print(f"{finding.what}\n  -> {finding.do}")
    for note in results:
        if isinstance(note, Note):
            print(note.what)
    if wrong:
        raise CannotGoOn(f"{len(wrong)} things are wrong." if len(wrong) > 1 else "That is wrong.")
    print("Nothing is wrong.")


def findings(app: App, *, now: datetime) -> Findings:
    """All that is wrong with a service where this process is turned to, and what cannot be said of it."""
    from botocore.exceptions import BotoCoreError, ClientError
    from pynamodb.exceptions import PynamoDBException

    from chalicelib.foundation.settings import settings

    checks = {
        "tables": infrastructure.tables(app),
        "streams": infrastructure.streams(app),
        "queues": infrastructure.queues(app),
    }
    if app.home.doctor:
        checks |= importlib.import_module(app.home.doctor).checks(now)
    if not settings().endpoint:
        checks |= {
            "schedules": infrastructure.schedules(app),
            "alarms": infrastructure.alarms(app),
        }
        for name, ring in infrastructure.rings(app).items():
            checks |= {name: infrastructure.secret(ring, now)}
    for name, check in checks.items():
        try:
            yield from check
        except (BotoCoreError, ClientError, PynamoDBException) as error:
            yield Finding(
                f"The {name} could not be looked at: {error}",
                "mend what is said above; else look at the credentials, and at AWS's status",
            )
    if settings().endpoint:
        yield Note(
            "Schedules (EventBridge), alarms (CloudWatch) and a secret with an age are not on the local "
            "system."
        )
