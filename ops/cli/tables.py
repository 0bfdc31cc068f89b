"""Tables for people, in columns as wide as their widest cell."""

from collections.abc import Iterator, Sequence

NOTHING = "-"  # in a cell where there is nothing to say


def lines(rows: Sequence[Sequence[object]], *, titles: Sequence[str] = ()) -> Iterator[str]:
    """The lines of a table, cells to the left and two spaces apart; None and empty texts as `-`."""
    table = [*([titles] if titles else []), *([_cell(one) for one in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        yield "  ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def _cell(value: object) -> str:
    text = NOTHING if value is None or value == "" else str(value)
    # Partners write some of the texts: nothing of them may begin a line, or move a terminal's cursor.
    return text if text.isprintable() else ascii(text)[1:-1]
