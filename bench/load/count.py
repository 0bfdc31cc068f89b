"""`python -m bench.load.count`: comparison of the tables after a load with what was accepted.

Reads from standard input, as JSON, by taxi id: the newest accepted place and those that were sent
after it without an answer, each [lng_e7, lat_e7].
"""

import json
import sys
from collections.abc import Sequence

from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.positions import codec, pointers, rules, store
from chalicelib.taxis.positions.rules import Position

A_PAGE = 1000


def newest() -> dict[str, Position]:
    """The newest position of every taxi, of a cell or of its pointer."""
    found: dict[int, Position] = {}
    for _, cells in store.every_cell():
        for cell in cells.values():
            for taxi, entry in cell.entries.items():
                at = rules.position(entry)
                found[taxi] = max(at, found.get(taxi, at))
    after: str | None = None
    while True:
        page, after = pointers.page(after, size=A_PAGE)
        for taxi, pointer in page.items():
            if pointer.last is not None:
                found[taxi] = max(pointer.last, found.get(taxi, pointer.last))
        if after is None:
            return {codec.id_of(taxi): at for taxi, at in found.items()}


def hails() -> dict[str, int]:
    """How many hails there are, by status."""
    found: dict[str, int] = {}
    after: str | None = None
    while True:
        items, after = reads.scanned(table("hails"), "hail_id", after, size=A_PAGE)
        for item in items:
            status = item["status"]["S"]
            found[status] = found.get(status, 0) + 1
        if after is None:
            return found


def held() -> int:
    """How many descriptions are still a hail's."""
    count = 0
    after: str | None = None
    while True:
        items, after = reads.scanned(table("descriptions"), "description_id", after, size=A_PAGE)
        count += sum("S" in item.get("open_hail", {}) for item in items)
        if after is None:
            return count


def compared(
    accepted: dict[str, tuple[Sequence[int], list[Sequence[int]]]], stored: dict[str, Position]
) -> dict[str, int]:
    """Taxis by what is stored of them: the newest accepted, a later unanswered one, or neither."""
    count = {"newest": 0, "unanswered": 0, "lost": 0}
    for taxi_id, (last, since) in accepted.items():
        at = stored.get(taxi_id)
        where = None if at is None else [at[2], at[1]]
        if where == list(last):
            count["newest"] += 1
        elif where in [list(one) for one in since]:
            count["unanswered"] += 1
        else:
            count["lost"] += 1
    return count


def main() -> None:
    """Runs the command."""
    accepted = json.load(sys.stdin)
    by_status = hails()
    print(
        json.dumps(
            {
                **compared(accepted, newest()),
                "hails": by_status,
                "hails_open": sum(
                    count for status, count in by_status.items() if not Status(status).is_over
                ),
                "taxis_held": held(),
            }
        )
    )


if __name__ == "__main__":
    main()
