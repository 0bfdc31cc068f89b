"""Generated parts of pages: text between two markers of Markdown."""

from pathlib import Path

from ops.errors import CannotGoOn


class MarkersMissing(CannotGoOn):
    """The page does not say where the tables go."""


def put(tables: str, page: Path, begin: str, end: str) -> None:
    """Puts tables between two markers of a page, in place of the last ones. Raises MarkersMissing."""
    page.write_text(with_part(tables, page, begin, end), encoding="utf-8")


def with_part(tables: str, page: Path, begin: str, end: str) -> str:
    """The text of a page with tables between two markers, in place of the last ones. Raises MarkersMissing."""
    text = page.read_text(encoding="utf-8")
    before, begins, rest = text.partition(begin)
    _, ends, after = rest.partition(end)
    if not begins or not ends:
        raise MarkersMissing(f"{page.name} lacks {begin} or {end}")
    return f"{before}{begin}\n{tables}\n{end}{after}"
