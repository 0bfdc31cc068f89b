"""Parts of the documentation that are made from the code: `make pages` writes them, a test holds them to it.

A page has such a part between `BEGIN` and `END`.
"""

import inspect
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from msgspec.structs import fields

from chalicelib.foundation import settings as common
from chalicelib.taxis.hails.statuses import LATE, STEPS, TAXI, Party, Status
from chalicelib.taxis.settings import Settings
from ops import pages
from ops.apps import ROOT

DOCS = ROOT / "docs"
BEGIN, END = "<!-- from the code: begin -->", "<!-- from the code: end -->"

_SETTINGS = ("| variable | default | unit | what it is |", "| --- | --- | --- | --- |")
_STEPS = ("| status | what may follow | the taxi is |", "| --- | --- | --- |")

_UNITS = {"_s": "seconds", "_m": "metres", "_days": "days", "_bytes": "bytes"}
_UNITS_BY_NAME = {
    "requests_a_second": "requests a second",
    "keyless_requests_a_second": "requests a second",
}
_WHO = {Party.MOTEUR: "search app", Party.OPERATEUR: "operator", Party.REGISTRY: "registry"}


# --- settings -------------------------------------------------------------------------------------


def settings_rows(*kinds: type[common.Settings]) -> Iterator[str]:
    """A row of a table for each setting: variable, default, unit, and its comment in the class."""
    seen: set[str] = set()
    for kind in kinds:
        comments = _comments(kind)
        for field in fields(kind):
            if field.name in seen:
                continue
            seen.add(field.name)
            default = {True: "true", False: "false", "": "(empty)"}.get(
                field.default, field.default
            )
            unit = _UNITS_BY_NAME.get(field.name) or next(
                (unit for end, unit in _UNITS.items() if field.name.endswith(end)), ""
            )
            yield f"| `MARAUDE_{field.name.upper()}` | {default} | {unit} | {comments[field.name]} |"


def _comments(kind: type[common.Settings]) -> Mapping[str, str]:
    """The comments behind the fields of a class of settings and those that it is made from."""
    found: dict[str, str] = {}
    for source in (
        inspect.getsource(one)
        for one in kind.__mro__[:-1]
        if one.__module__.startswith("chalicelib")
    ):
        for line in source.splitlines():
            if matched := re.match(r"    (\w+): [^=]+ = .+?  # (.+)$", line):
                found.setdefault(matched[1], matched[2])
    return found


# --- hails ----------------------------------------------------------------------------------------


def steps_rows() -> Iterator[str]:
    """A row for each status of a hail: what may follow, who moves it there, and the taxi meanwhile."""
    for status in Status:
        if status is Status.SENT_TO_OPERATOR:
            continue  # of old records only
        after = STEPS.get(status, {})
        moves = ", ".join(
            f"`{to}` ({_WHO[party]}{f' after {_wait(status)}' if _is_late(status, to) else ''})"
            for to, party in after.items()
        )
        yield f"| `{status}` | {moves or 'nothing: it is over'} | `{TAXI[status]}` |"


def _is_late(status: Status, to: Status) -> bool:
    return LATE.get(status) is to


def _wait(status: Status) -> str:
    seconds: int = getattr(Settings(), f"wait_{status}_s")
    for size, unit in ((3600, "hours"), (60, "minutes")):
        if seconds >= size and seconds % size == 0 and seconds // size > 1:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


_COLOURS = {Party.MOTEUR: "#0b57a4", Party.OPERATEUR: "#1a6b32", Party.REGISTRY: "#5b5b5b"}
_MAIN = (
    *(
        Status.RECEIVED,
        Status.RECEIVED_BY_OPERATOR,
        Status.RECEIVED_BY_TAXI,
        Status.ACCEPTED_BY_TAXI,
    ),
    *(Status.ACCEPTED_BY_CUSTOMER, Status.CUSTOMER_ON_BOARD, Status.FINISHED),
)
_CHIP, _BOX, _MIDDLE, _WIDTH = 24, 40, 500, 840  # pixels


def diagram() -> str:
    """The life of a hail as SVG: the way to a finished ride, and the ends beside it by who brings them about."""
    drawn: list[str] = []
    y, above = 60.0, 0.0
    for before, status, following in zip((None, *_MAIN), _MAIN, (*_MAIN[1:], None), strict=False):
        ends = {to: party for to, party in STEPS.get(status, {}).items() if to is not following}
        right = [(to, party) for to, party in ends.items() if party is not Party.REGISTRY]
        left = [(to, party) for to, party in ends.items() if party is Party.REGISTRY]
        height = max(_BOX, _CHIP * max(len(left), len(right)))
        centre = y + height / 2
        if before is not None:
            drawn.append(_arrow(STEPS[before][status], above + _BOX / 2, centre - _BOX / 2))
        drawn.append(_box(status, centre))
        for side, chips in ((-1, left), (1, right)):
            for number, (to, party) in enumerate(chips):
                at = centre + (number - (len(chips) - 1) / 2) * _CHIP
                words = f"{to} after {_wait(status)}" if _is_late(status, to) else str(to)
                drawn.append(_end(side, centre, at, words, _COLOURS[party]))
        y, above = y + height + 34, centre
    legend = "".join(
        f'<text x="{140 + 280 * number}" y="28" fill="{_COLOURS[party]}">moved by the {_WHO[party]}</text>'
        for number, party in enumerate((Party.REGISTRY, Party.OPERATEUR, Party.MOTEUR))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {y}" width="{_WIDTH}" height="{y}" role="img"'
        ' font-family="system-ui, sans-serif" font-size="13" text-anchor="middle" stroke-width="1.5" fill="none">\n'
        "<title>The life of a hail</title>\n"
        f'<rect width="{_WIDTH}" height="{y}" fill="#fff"/>\n'
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="context-stroke"/></marker></defs>\n'
        f"{legend}\n" + "\n".join(drawn) + "\n</svg>\n"
    )


def _box(status: Status, centre: float) -> str:
    x, y = _MIDDLE - 100, centre - _BOX / 2
    return (
        f'<rect x="{x}" y="{y}" width="200" height="{_BOX}" rx="6" stroke="#222" fill="#f5f7fa"/>'
        f'<text x="{_MIDDLE}" y="{centre - 2}" fill="#111" font-weight="600">{status}</text>'
        f'<text x="{_MIDDLE}" y="{centre + 14}" fill="#444" font-size="11">taxi: {TAXI[status]}</text>'
    )


def _arrow(party: Party, top: float, bottom: float) -> str:
    colour = _COLOURS[party]
    return (
        f'<path d="M{_MIDDLE} {top}V{bottom - 1}" stroke="{colour}" marker-end="url(#a)"/>'
        f'<text x="{_MIDDLE + 8}" y="{(top + bottom) / 2 + 4}" fill="{colour}" text-anchor="start">'
        f"{_WHO[party]}</text>"
    )


def _end(side: int, centre: float, at: float, words: str, colour: str) -> str:
    start, end = _MIDDLE + side * 100, _MIDDLE + side * 150
    anchor = "start" if side > 0 else "end"
    return (
        f'<path d="M{start} {centre}L{end - side * 4} {at}" stroke="{colour}" marker-end="url(#a)"/>'
        f'<text x="{end + side * 4}" y="{at + 4}" fill="{colour}" text-anchor="{anchor}">{words}</text>'
    )


# --- pages ----------------------------------------------------------------------------------------


def made() -> Mapping[Path, str]:
    """The pages and drawings with parts from the code, as they should be."""
    settings = "\n".join([*_SETTINGS, *settings_rows(common.Settings, Settings)])
    steps = "\n".join([*_STEPS, *steps_rows()])
    return {
        DOCS / "settings.md": _page("settings.md", settings),
        DOCS / "hails.md": _page("hails.md", steps),
        DOCS / "hails.svg": diagram(),
    }


def _page(name: str, table: str) -> str:
    return pages.with_part(table, DOCS / name, BEGIN, END)


def main() -> None:
    """Writes the pages."""
    for path, text in made().items():
        path.write_text(text, "utf-8")
        print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
