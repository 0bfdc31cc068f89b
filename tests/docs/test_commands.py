"""Commands of the guides: what stands in a block of a page is a command that there is, with options that it has."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops import apps
from ops.cli import main

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])

_FENCED = re.compile(r"^```(?:sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"^    (.+)$", re.MULTILINE)
_COMMAND = re.compile(r"(?:^|\$ |\| )(?:\.venv/bin/)?maraude ([^|>#]+)")


def commands(text: str) -> Iterator[str]:
    """The arguments of each `maraude` in the blocks of a page."""
    blocks = "\n".join([*_FENCED.findall(text), *_INDENTED.findall(_FENCED.sub("", text))])
    for line in blocks.splitlines():
        yield from (found.strip() for found in _COMMAND.findall(line.strip()))


def fault(arguments: str) -> str | None:
    """What is wrong with a command; None where nothing is."""
    words = [word for word in shlex.split(arguments) if word not in {"$where", "…"}]
    app = apps.first()
    try:
        main.parser_of(app, main.commands_of(app)).parse_args(words)
    except SystemExit:
        return f"maraude {arguments}"
    return None


CASES = [(page.name, one) for page in PAGES for one in dict.fromkeys(commands(page.read_text()))]


@pytest.mark.parametrize(("page", "arguments"), CASES)
def test_a_command_of_a_page_is_one_that_there_is(page: str, arguments: str) -> None:
    assert fault(arguments) is None, page


def test_the_guides_have_commands() -> None:
    assert {"territory.md", "roles.md", "deploy.md", "runbook.md", "README.md"} <= {
        page for page, _ in CASES
    }


@pytest.mark.parametrize(
    "arguments", ["territory load-town FILE", "account add", "account set-role EMAIL operateur"]
)
def test_a_command_that_there_is_not_is_a_fault(arguments: str) -> None:
    assert fault(arguments)
