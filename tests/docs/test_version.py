"""The version is the same wherever it is said."""

import re
import tomllib
from pathlib import Path

import pytest
from setuptools.config.expand import read_attr

from app import app
from chalicelib.foundation.version import VERSION
from ops.cli.main import main
from tests.calls import Caller

ROOT = Path(__file__).resolve().parents[2]


def test_the_changelog_begins_with_the_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)

    assert re.fullmatch(rf"{re.escape(VERSION)} \((unreleased|\d{{4}}-\d\d-\d\d)\)", headings[0])
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", one) for one in headings[1:])


def test_the_api_document_has_the_version() -> None:
    assert Caller(app).get("/swagger.json").json["info"]["version"] == VERSION


def test_the_distribution_has_the_version() -> None:
    described = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    attribute = described["tool"]["setuptools"]["dynamic"]["version"]["attr"]

    assert "version" in described["project"]["dynamic"]
    assert read_attr(attribute, root_dir=ROOT) == VERSION


def test_the_command_has_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])

    assert capsys.readouterr().out == f"Maraude {VERSION}\n"
