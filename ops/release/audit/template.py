"""The packaged templates of a stage, looked at by checkov: is what AWS is told to make made safely?"""

import json
import tempfile
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from ops import apps
from ops.release import package, tools
from ops.release.audit.decisions import Decisions, Found, sift
from ops.release.audit.outcome import Outcome

STAGE = "prod"  # the stage that has the most to lose


def found(report: dict[str, Any]) -> Iterator[Found]:
    """What checkov's report holds against the template. Raises ToolFailed where it could not read it."""
    summary = (
        report.get("summary") or report
    )  # of nothing that it can read, it writes the summary alone
    if summary["parsing_errors"] or not summary["passed"]:
        raise tools.ToolFailed(f"checkov could not read the template: {summary}")
    for one in report["results"]["failed_checks"]:
        resource = one["resource"].rpartition(".")[2]
        yield Found(one["check_id"], resource, f"{resource}: {one['check_id']} {one['check_name']}")


def check(decisions: Decisions, *, template: Path | None = None) -> Outcome:
    """Scans a template, else those of all services, and the account's, in the last commit. Raises CannotGoOn."""
    name = str(template) if template else f"the last commit's templates of {STAGE}"
    try:
        checkov = tools.ready("audit-checkov") / "checkov"
        with tempfile.TemporaryDirectory() as folder:
            scanned = [template.resolve()] if template else _packaged(Path(folder))
            reports = [_report(checkov, one, Path(folder)) for one in scanned]
        findings = sift(chain.from_iterable(map(found, reports)), decisions.skips["template"])
    except tools.ToolFailed as error:
        return Outcome("template", name, not_checked=(str(error),))
    summaries = [report["summary"] for report in reports]
    resources = sum(one["resource_count"] for one in summaries)
    checks = sum(one["passed"] + one["failed"] for one in summaries)
    return Outcome(
        "template", f"{name}: {resources} resources, {checks} checks by checkov", tuple(findings)
    )


def _report(checkov: Path, template: Path, folder: Path) -> dict[str, Any]:
    finished = tools.run(
        [
            *(str(checkov), "-f", str(template), "--framework", "cloudformation"),
            *("--output", "json", "--quiet", "--compact", "--skip-download"),
        ],
        cwd=folder,
        fine=(0, 1),  # 1: there are findings
    )
    report: dict[str, Any] = json.loads(finished.stdout)
    return report


def _packaged(folder: Path) -> list[Path]:
    source = folder / "source"
    commit = package.export("HEAD", source)
    outs = {app: folder / app.name for app in apps.every().values()}
    for app, out in outs.items():
        package.build(app, STAGE, source, out, commit=commit, report=lambda _: None)
    return [source / "infra" / "account.yaml", *(out / "sam.yaml" for out in outs.values())]
