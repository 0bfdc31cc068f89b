"""`make rehearse`: a service's package deployed to a cloud on this machine, used as its partners do, taken down.

python -m ops.release.rehearsal [--app taxis] [--stage dev] [--package build/taxis/dev]
"""

import argparse
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import urllib3
from botocore.exceptions import BotoCoreError, ClientError

from ops import apps
from ops.apps import App
from ops.errors import CannotGoOn
from ops.local.client import ApiRefused
from ops.local.place import REGION
from ops.release import cloud, followed
from ops.release.deployment import Deployment

# The procedures that make packages of commits: only what has the repository follows them.
_OF_COMMITS = ("Deploy", "Roll back")


def procedures(*, of_commits: bool) -> list[str]:
    """The sections of the runbook that are followed, "Roll back" last: the others try this commit."""
    every = followed.steps(followed.page("runbook"), on_aws=True)
    sections = dict.fromkeys(one.section for one in every)
    others = [section for section in sections if section not in _OF_COMMITS]
    return [*others, "Roll back"] if of_commits else others


def rehearse(
    app: App,
    made: Path | None,
    *,
    stage: str,
    tell: Callable[[str], None],
    sections: Collection[str] | None = None,
) -> Deployment:
    """All steps, with a package or with those of commits; `sections` are all of the runbook's, or those.

    Raises CannotGoOn, and what AWS's calls raise.
    """
    of_commits = made is None
    with (
        tempfile.TemporaryDirectory() as folder,
        cloud.running(Path(folder, "cloud")) as endpoint,
        cloud.desk(Path(folder), endpoint, of_commits=of_commits) as shell,
    ):
        deployment = Deployment(
            app=app,
            endpoint=endpoint,
            place=Path(folder),
            stage=stage,
            package=made,
            shell=shell,
            tell=tell,
        )
        own = importlib.import_module(app.home.rehearsal) if app.home.rehearsal else None
        deployment.to_come += own.TO_COME if own else ()
        deployment.step("deploying", deployment.deploy)
        deployment.step("looking at the stage", deployment.see_the_stage)
        if own:
            chosen_sections = procedures(of_commits=of_commits) if sections is None else sections
            own.use(deployment, chosen_sections)
        deployment.step("running what is scheduled", deployment.run_schedules)
        deployment.step("reading the logs", deployment.read_logs)
        deployment.step("taking it down", deployment.take_down)
    return deployment


def table(rows: Sequence[tuple[str, str, float]]) -> str:
    """The steps as a table in Markdown."""
    lines = ["| step | what came of it | s |", "| --- | --- | ---: |"]
    lines += [f"| {what} | {came} | {took_s:.1f} |" for what, came, took_s in rows]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Rehearses with packages of the last commits, or with one that is named; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.release.rehearsal", description="Rehearses."
    )
    parser.add_argument(
        "--app", help="a service, or its project folder (that of the repository's root)"
    )
    parser.add_argument("--stage", default="dev", choices=("dev", "prod"))
    parser.add_argument("--package", type=Path, help="a folder of `make package` for the stage")
    arguments = parser.parse_args(argv)
    os.environ.setdefault("AWS_DEFAULT_REGION", REGION)
    try:
        app = apps.find(arguments.app) if arguments.app else apps.first()
        rehearsal = rehearse(
            app, arguments.package, stage=arguments.stage, tell=lambda line: print(line, flush=True)
        )
    except CannotGoOn as error:
        print(f"failed: {error}", file=sys.stderr)
        return error.exit_code
    except (ApiRefused, BotoCoreError, ClientError, OSError, urllib3.exceptions.HTTPError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    print("", table(rehearsal.rows), "", "What this cloud does otherwise than AWS:", sep="\n")
    for gap in cloud.GAPS:
        print(f"- {gap}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
