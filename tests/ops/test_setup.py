"""The two stages of the set-up: what runs the registry asks for nothing that only tests have."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from ops.release.audit import licences

ROOT = Path(__file__).resolve().parents[2]
SETUP = ROOT / "infra" / "setup.sh"
OURS = {"app", "chalicelib", "ingest_lambda", "ops", "udp_gateway"}
RUN_BY_TESTS = {ROOT / "ops" / "release" / "import_rules.py"}  # import-linter loads it


def imported(tree: ast.AST) -> Iterator[str]:
    """The packages that a module imports when it runs, wherever in it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]
        yield from imported(node)


distributions_by_package = cache(packages_distributions)


def strangers(source: str, installed: set[str]) -> set[str]:
    """What a module imports that is neither Python's, nor ours, nor of these distributions."""
    names = set(imported(ast.parse(source))) - OURS - set(sys.stdlib_module_names)
    owners = distributions_by_package()
    return {
        name
        for name in names
        if not installed & {canonicalize_name(owner) for owner in owners.get(name, ())}
    }


@pytest.fixture(scope="module")
def first_stage() -> set[str]:
    """The distributions that `make run` installs."""
    asked = ("requirements.txt", "requirements-desk.txt")
    return set(
        licences.closure(one for name in asked for one in licences.requirements(ROOT / name))
    )


def test_what_runs_the_registry_imports_nothing_that_only_tests_have(
    first_stage: set[str],
) -> None:
    files = [ROOT / "app.py", *(file for name in OURS for file in (ROOT / name).rglob("*.py"))]
    found = {
        str(file.relative_to(ROOT)): names
        for file in files
        if file not in RUN_BY_TESTS and (names := strangers(file.read_text("utf-8"), first_stage))
    }

    assert found == {}


def test_an_import_of_the_second_stage_is_seen(first_stage: set[str]) -> None:
    source = "import yaml\nif TYPE_CHECKING:\n    import mypy_boto3_sqs\ndef run():\n    import moto.core\n"

    assert strangers(source, first_stage) == {"moto"}


def set_up(python: str, *, folder: Path) -> "subprocess.CompletedProcess[str]":
    """The set-up's first stage, by a Python that is there or not."""
    return subprocess.run(
        ["/bin/sh", str(SETUP), "run", python, str(folder / "venv")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


def a_python(folder: Path, install: str) -> str:
    """A Python whose environments have a pip that does `install`, in shell."""
    python = folder / "python"
    pip = folder / "pip"
    pip.write_text(f"#!/bin/sh\n{install}\n")
    python.write_text(
        f'#!/bin/sh\n[ "$2" = venv ] || exit 0\nmkdir -p "$4/bin" && cp "{pip}" "$4/bin/python"\n'
    )
    for made in (python, pip):
        made.chmod(0o755)
    (folder / "constraints.txt").write_text("pip==26 \\\n    --hash=sha256:0\n")
    return str(python)


def test_each_large_download_has_a_line_and_packages_are_counted(tmp_path: Path) -> None:
    said = (
        "Collecting one==1.0\n  Downloading one-1.0-py3-none-any.whl.metadata (2.1 MB)\n"
        "  Downloading one-1.0-py3-none-any.whl (2.4 MB)\n  Downloading two-2.0-any.whl (24 kB)\n"
        "Installing collected packages: two, one\n"
    )

    ran = set_up(a_python(tmp_path, f"printf '%s' '{said}'"), folder=tmp_path)

    assert ran.returncode == 0, ran.stderr
    first, *steps = ran.stderr.splitlines()
    assert re.match(r"setting up .*/venv, 1 of 2: ", first)
    assert steps[:2] == ["  making a virtual environment", "  renewing pip"]
    assert steps[2:4] == ["  downloading one 1.0 (2.4 MB)", "  installing 2 packages"]


def test_a_line_comes_when_its_download_begins(tmp_path: Path) -> None:
    go = tmp_path / "go"
    downloads = "echo '  Downloading one-1.0-py3-none-any.whl (2.4 MB)'"
    waits = f"for i in $(seq 100); do [ -e '{go}' ] && exit 0; sleep 0.05; done; exit 1"
    words = ["/bin/sh", str(SETUP), "run", a_python(tmp_path, f"{downloads}\n{waits}")]

    with subprocess.Popen(
        [*words, str(tmp_path / "venv")], cwd=tmp_path, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr
        said = [running.stderr.readline() for _ in range(4)]
        go.touch()
        running.stderr.read()

    assert said[-1] == "  downloading one 1.0 (2.4 MB)\n"
    assert running.returncode == 0


def test_a_failed_installation_says_why_and_fails(tmp_path: Path) -> None:
    ran = set_up(a_python(tmp_path, "echo 'ERROR: no route to host' >&2; exit 1"), folder=tmp_path)

    assert ran.returncode == 1
    assert "ERROR: no route to host" in ran.stderr
    assert ran.stderr.splitlines()[-1].startswith("The packages could not be installed;")


def test_a_python_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    ran = set_up("no-such-python", folder=tmp_path)

    assert ran.returncode == 1
    assert len(ran.stderr.splitlines()) == 1
    assert "'no-such-python' is not here" in ran.stderr
