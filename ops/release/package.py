"""`make package`: the deployment zip and the CloudFormation template of a stage.

    python -m ops.release.package --app taxis --stage prod [--commit HEAD] [--out build/taxis/prod]

From a clean export of a commit Chalice makes a zip and a template, merged with the service's own
(`ops/templates.py`); this module then takes Chalice's REST API out of it, gives each function a role of its
own (`permissions.py`), and has the zip written anew (`deployment_zip.py`).
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml

from ops import apps
from ops.apps import ROOT, App, in_words
from ops.errors import CannotGoOn
from ops.release import deployment_zip, permissions, wheels
from ops.templates import template

UNPACKED_LIMIT_BYTES = 250 * 1024 * 1024  # AWS Lambda's, for a function's code

_RUNTIME = "python3.11"  # the templates and Chalice name the same


def export(commit: str, folder: Path) -> str:
    """Writes the files of a commit, and nothing else, into a folder; its full name. Raises CannotGoOn."""
    name = _git("rev-parse", "--verify", f"{commit}^{{commit}}").decode().strip()
    archive = folder.parent / "export.tar"
    _git("archive", "--format=tar", f"--output={archive}", name)
    folder.mkdir()
    subprocess.run(["tar", "-xf", str(archive), "-C", str(folder)], check=True)  # noqa: S607
    return name


def _git(*arguments: str) -> bytes:
    made = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)  # noqa: S607
    if made.returncode != 0:
        raise CannotGoOn(f"git {arguments[0]} failed: {made.stderr.decode().strip()}")
    return made.stdout


def chalice(app: App, source: Path, stage: str, out: Path) -> None:
    """Has Chalice package a service of an export: `deployment.zip` and `sam.yaml` in `out`. Raises CannotGoOn."""
    # It takes no more than one file, so all sections stand in one.
    merged = app.project / ".chalice" / "merged.yaml"
    merged.write_text(yaml.dump(template(app), Dumper=_Whole), encoding="utf-8")
    packages = out.with_name("packages")
    found = wheels.fetch(app.project / "requirements.txt", source / "constraints.txt", packages)
    ours = {name: value for name, value in os.environ.items() if not name.startswith("MARAUDE_")}
    made = subprocess.run(
        [
            str(Path(sys.executable).with_name("chalice")),
            *("package", f"--stage={stage}", "--template-format=yaml"),
            *(f"--merge-template={merged}", str(out)),
        ],
        cwd=app.project,
        env={
            **ours,
            "AWS_DEFAULT_REGION": ours.get("AWS_DEFAULT_REGION", "eu-west-3"),
            **found,
            "PYTHONDONTWRITEBYTECODE": "1",  # it imports the application, and would pack that
        },
        capture_output=True,
        text=True,
        check=False,
    )
    # It only warns where a package has no wheel for the functions' processor, and leaves it out.
    if made.returncode != 0 or "Could not install dependencies" in made.stdout + made.stderr:
        raise CannotGoOn(f"chalice package failed:\n{made.stdout}{made.stderr}")


# --- the template ---------------------------------------------------------------------------------


class _Whole(yaml.CSafeDumper):
    """A YAML dumper without aliases, which CloudFormation does not read."""

    def ignore_aliases(self, data: object) -> bool:  # noqa: ARG002  # of none
        """Whether to write it out."""
        return True


def _leave_out_rest_api(template: dict[str, Any]) -> None:
    """Removes the REST API that Chalice writes: `infra/every/http_api.yaml` stands in its place."""
    for name in ("RestAPI", "APIHandlerInvokePermission"):
        del template["Resources"][name]
    for name in ("RestAPIId", "EndpointURL"):
        del template["Outputs"][name]


def _name_schedules(app: App, resources: dict[str, Any]) -> None:
    """Gives each schedule's rule its function's name, by which `maraude doctor` finds it."""
    for name, resource in resources.items():
        for event in resource.get("Properties", {}).get("Events", {}).values():
            if event["Type"] == "Schedule":
                rule = f"{app.prefix}-{in_words(name)}"
                event["Properties"]["Name"] = {"Fn::Sub": rule}


def _name_metrics(app: App, resources: dict[str, Any]) -> None:
    """Tells each function the namespace of its service's metrics, which its alarms read."""
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            environment = resource["Properties"].setdefault("Environment", {})
            environment.setdefault("Variables", {})["MARAUDE_NAMESPACE"] = app.namespace


def finished(app: App, made: str, stage: str) -> str:
    """Chalice's template, with a role for each function and a name for each schedule, for its stage only.

    Without Chalice's REST API. Raises CannotGoOn.
    """
    found = yaml.load(made, Loader=yaml.CSafeLoader)
    _leave_out_rest_api(found)
    permissions.give_roles(app, found["Resources"])
    _name_schedules(app, found["Resources"])
    _name_metrics(app, found["Resources"])
    # The functions' environment names the stage: under another name there would be no tables.
    found["Parameters"]["Stage"] = {"Type": "String", "Default": stage, "AllowedValues": [stage]}
    return yaml.dump(found, Dumper=_Whole, allow_unicode=True)


# --- all of it ------------------------------------------------------------------------------------


def build(
    app: App, stage: str, source: Path, out: Path, *, commit: str, report: Callable[[str], None]
) -> None:
    """Makes `deployment.zip`, `sam.yaml` and `manifest.json` of a service in an export. Raises CannotGoOn."""
    if f"python{sys.version_info.major}.{sys.version_info.minor}" != _RUNTIME:
        raise CannotGoOn(f"The package must be made by {_RUNTIME}, which its functions run on.")
    report(f"chalice package of {app.name} in {commit[:12]} for {stage}")
    exported = app.within(source)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "raw")
        chalice(exported, source, stage, raw)
        out.mkdir(parents=True, exist_ok=True)
        report("taking out what never runs, compiling the rest")
        digests = deployment_zip.slimmed(app, raw / "deployment.zip", out / "deployment.zip")
        (out / "sam.yaml").write_text(
            finished(exported, (raw / "sam.yaml").read_text("utf-8"), stage), encoding="utf-8"
        )
    manifest = {
        "commit": commit,
        "app": app.name,
        "stage": stage,
        "python": platform.python_version(),  # another one compiles a little differently
        "deployment.zip": _digest(out / "deployment.zip"),
        "sam.yaml": _digest(out / "sam.yaml"),
        "files": digests,
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (out / "manifest.json").write_text(text, encoding="utf-8")
    unpacked = deployment_zip.unpacked_bytes(out / "deployment.zip")
    if unpacked > UNPACKED_LIMIT_BYTES:
        raise CannotGoOn(
            f"The package has {unpacked} bytes unpacked; Lambda takes no more than {UNPACKED_LIMIT_BYTES}."
        )
    report(f"{len(digests)} files, {unpacked / 1e6:.1f} MB unpacked, in {out}")


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def main(argv: Sequence[str] | None = None) -> int:
    """Makes the package of a commit; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m ops.release.package", description="Makes the package."
    )
    parser.add_argument("--app", required=True, help="a service, or its project folder")
    parser.add_argument("--stage", required=True, choices=("dev", "prod"))
    parser.add_argument("--commit", default="HEAD", help="what to export (HEAD)")
    parser.add_argument("--out", type=Path, help="where the files go (build/APP/STAGE)")
    arguments = parser.parse_args(argv)
    try:
        app = apps.find(arguments.app)
        out = arguments.out or ROOT / "build" / app.name / arguments.stage
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "source")
            commit = export(arguments.commit, source)
            build(app, arguments.stage, source, out, commit=commit, report=print)
    except CannotGoOn as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
