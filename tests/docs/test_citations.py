"""Citations in code and pages: each leads to a heading of a page of this repository, or to a law.

The forms: `[PAGE: HEADING]` of a page of `docs/design/`, `[law: NAME]`, a link of a page of Markdown, the path
of a page, the name of a module or of another place in backticks.
"""

import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DESIGN = ROOT / "docs" / "design"

CITATION = re.compile(r"\[([a-z][a-z-]*): ([^\]\n]+)\]")
BROKEN_CITATION = re.compile(r"\[(?:law|contract|architecture|house|positions-index): [^\]\"]*$")
# A number as decrees and laws have, or an article of a code.
LAW = re.compile(r"\b(decree|law|arrêté) \d{4}-\d+\b|\barticle [LRD]\. ?\d+(-\d+)+\b")
LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\(([^)\s]+)\)")
PAGE_PATH = re.compile(r"(?<![\w/])docs/[a-z/-]+\.(?:md|svg)(?:#[\w-]+)?")
MODULE = re.compile(r"`([\w/]+\.py)`")
PLACE = re.compile(r"`((?:bench|chalicelib|infra|ingest_lambda|ops|tests|udp_gateway)/[\w./-]+)`")

# What code cited before: papers that are not in the repository, by their name and number.
OLD_FORMS = re.compile(
    r"letaxi[-]api|hail[-]lifecycle|stats[-]and[-]ops|users[-]asks|local[-]stack|ads[-]registry"
    r"|\((?:positions|territory|hails|architecture)[ ,]+(?:section |step |decision )?\d"
    r"|`spec[`/]"
)
OLD_NUMBERS = re.compile(r"\b[IT]\d{1,2}\b")  # of invariants and targets, without their page

TEXT = {".md", ".py", ".toml", ".yaml", ".yml", ".sh", ".txt", ".json", ""}


@cache
def paths() -> tuple[Path, ...]:
    """Every file of text that is in the repository, or about to be."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607  # git is on the path
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    known = (ROOT / name for name in listed)
    return tuple(
        path
        for path in known
        if path.suffix in TEXT
        and path.is_file()
        and path.name != "LICENSE"
        and path != Path(__file__)
    )


@cache
def lines(path: Path) -> tuple[tuple[str, str], ...]:
    """Each line of a file, beside the place that a failure names."""
    text = path.read_text("utf-8").splitlines()
    name = path.relative_to(ROOT)
    return tuple((f"{name}:{number}", line) for number, line in enumerate(text, start=1))


def every_line() -> Iterator[tuple[str, str]]:
    """The same of all files."""
    for path in paths():
        yield from lines(path)


@cache
def citable(page: Path) -> frozenset[str]:
    """What may be cited of a page, in lower case: its headings, and the first cells of its tables' rows."""
    found = set()
    for _, line in lines(page):
        if heading := re.fullmatch(r"#+ (.+)", line):
            found.add(heading[1].lower())
        elif line.startswith("| ") and not line.startswith("| ---"):
            found.add(line.split("|")[1].strip().lower())
    return frozenset(found - {""})


@cache
def anchors(page: Path) -> frozenset[str]:
    """The anchors of a page's headings, as GitHub and most others make them."""
    headings = (line.lstrip("#").strip() for _, line in lines(page) if re.match("#+ ", line))
    return frozenset(
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings
    )


def is_law(name: str) -> bool:
    """Whether it names a law that anybody can look up."""
    return LAW.search(name) is not None


def leads_nowhere(page: str, heading: str) -> str | None:
    """What is wrong with a citation; None where nothing is."""
    if page == "law":
        return None if is_law(heading) else "no law has this name"
    path = DESIGN / f"{page}.md"
    if not path.is_file():
        return f"there is no docs/design/{page}.md"
    return None if heading.lower() in citable(path) else f"{page}.md has no such heading or row"


@cache
def comments(path: Path) -> tuple[tuple[str, str], ...]:
    """Lines of a module's comments and of its texts in three quotes."""
    source, name = path.read_text("utf-8"), path.relative_to(ROOT)
    found = []
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        is_docstring = token.type == tokenize.STRING and token.string.startswith('"""')
        if token.type == tokenize.COMMENT or is_docstring:
            for number, line in enumerate(token.string.splitlines(), start=token.start[0]):
                found.append((f"{name}:{number}", line))
    return tuple(found)


def modules() -> Iterator[Path]:
    """The Python files."""
    return (path for path in paths() if path.suffix == ".py")


def test_every_citation_leads_to_a_heading_of_a_page_or_to_a_law() -> None:
    faults = [
        f"{place}: [{page}: {heading}]: {fault}"
        for place, line in every_line()
        for page, heading in CITATION.findall(line)
        if (fault := leads_nowhere(page, heading))
    ]

    assert not faults, "\n".join(faults)


def test_no_citation_is_broken_over_two_lines() -> None:
    broken = [f"{place}: {line}" for place, line in every_line() if BROKEN_CITATION.search(line)]

    assert not broken, "\n".join(broken)


def test_no_paper_is_cited_that_is_not_here() -> None:
    old = [f"{place}: {line}" for place, line in every_line() if OLD_FORMS.search(line)]

    assert not old, "\n".join(old)


def test_invariants_and_targets_are_cited_with_their_page() -> None:
    bare = [
        f"{place}: {line}"
        for path in modules()
        for place, line in comments(path)
        if OLD_NUMBERS.search(CITATION.sub("", line))
    ]

    assert not bare, "\n".join(bare)


def linked(page: Path) -> Iterator[tuple[str, Path, str]]:
    """The links of a page that stay in the repository: place, file, anchor."""
    for place, line in lines(page):
        for target in LINK.findall(line):
            if not re.match(r"[a-z]+:", target):
                name, _, anchor = target.partition("#")
                yield place, (page.parent / name).resolve() if name else page, anchor


def test_every_link_of_a_page_leads_somewhere() -> None:
    faults = [
        f"{place}: {target.name}#{anchor}"
        for page in paths()
        if page.suffix == ".md"
        for place, target, anchor in linked(page)
        if not target.exists() or (anchor and anchor not in anchors(target))
    ]

    assert not faults, "\n".join(faults)


def test_every_page_is_in_the_list_of_all_pages() -> None:
    index = ROOT / "docs" / "README.md"
    listed = {target for _, target, _ in linked(index)}

    pages = {*index.parent.glob("*.md"), *(index.parent / "evidence").glob("*.md")} - {index}

    assert pages - listed == set()


def test_every_page_that_is_named_by_its_path_is_there() -> None:
    faults = []
    for place, line in every_line():
        for named in PAGE_PATH.findall(line):
            name, _, anchor = named.partition("#")
            path = ROOT / name
            if not path.is_file() or (anchor and anchor not in anchors(path)):
                faults.append(f"{place}: {named}")

    assert not faults, "\n".join(faults)


def test_every_module_that_is_named_in_backticks_is_there() -> None:
    known = [f"/{path.relative_to(ROOT).as_posix()}" for path in modules()] + [f"/{Path(__file__)}"]
    named = [
        (place, name)
        for path in paths()
        for place, line in (comments(path) if path.suffix == ".py" else lines(path))
        for name in MODULE.findall(line)
    ]

    faults = [
        f"{place}: {name}"
        for place, name in named
        if not any(path.endswith(f"/{name}") for path in known)
    ]

    assert not faults, "\n".join(faults)


def test_every_place_that_is_named_in_backticks_is_there() -> None:
    faults = [
        f"{where}: {named}"
        for where, line in every_line()
        for named in PLACE.findall(line)
        if "NAME" not in named and not (ROOT / named).exists()
    ]

    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("page", "heading"),
    [
        ("contract", "Order of checks"),
        ("contract", "order of checks"),
        ("positions-index", "I3"),
        ("law", "decree 2021-1688"),
        ("law", "article L. 3121-11-1 of the Code des transports"),
    ],
)
def test_a_heading_a_row_and_a_law_may_be_cited(page: str, heading: str) -> None:
    assert leads_nowhere(page, heading) is None


@pytest.mark.parametrize(
    ("page", "heading"),
    [("contract", "I3"), ("positions", "I3"), ("positions-index", "I11"), ("law", "a decree")],
)
def test_a_citation_that_leads_nowhere_is_a_fault(page: str, heading: str) -> None:
    assert leads_nowhere(page, heading)
