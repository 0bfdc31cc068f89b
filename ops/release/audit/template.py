"""The packaged template of a stage, looked at by checkov: is what AWS is told to make made safely?"""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    """Scans a template, else that of the last commit, packaged for prod. Raises CannotGoOn."""
    name = str(template) if template else f"the last commit's template of {STAGE}"
    try:
        checkov = tools.ready("audit-checkov") / "checkov"
        with tempfile.TemporaryDirectory() as folder:
            scanned = template.resolve() if template else _packaged(Path(folder))
            made = tools.run(
                [
                    *(str(checkov), "-f", str(scanned), "--framework", "cloudformation"),
                    *("--output", "json", "--quiet", "--compact", "--skip-download"),
                ],
                cwd=Path(folder),
                fine=(0, 1),  # 1: there are findings
            )
        report = json.loads(made.stdout)
        findings = sift(found(report), decisions.skips["template"])
    except tools.ToolFailed as error:
        return Outcome("template", name, not_checked=(str(error),))
    summary = report["summary"]
    return Outcome(
        "template",
        f"{name}: {summary['resource_count']} resources, {summary['passed'] + summary['failed']} checks by checkov",
        tuple(findings),
    )


def _packaged(folder: Path) -> Path:
    source, out = folder / "source", folder / "out"
    commit = package.export("HEAD", source)
    package.build(STAGE, source, out, commit=commit, told=lambda _: None)
    return out / "sam.yaml"
