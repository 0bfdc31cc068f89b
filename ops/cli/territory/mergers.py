"""Towns that merged: lists of them, and the codes that follow them."""

from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from ops.cli.territory.values import insee_of
from ops.reading import Fault, FileRefused, rows, table

PLAIN = ("ancien_insee", "nouveau_insee")

# INSEE's own file of the movements of communes since 1943 (mvtcommune, as published each year).
MOVEMENTS = ("mod", "date_eff", "typecom_av", "com_av", "typecom_ap", "com_ap")
# Its kinds of movement after which a code is another's: mergers (31 to 34), another departement or
# chief town (41, 50). A commune that is one again (21) or new (20) has a code of its own.
_FOLLOWED, _OWN_AGAIN = frozenset({"31", "32", "33", "34", "41", "50"}), frozenset({"20", "21"})


def read(path: Path) -> dict[str, str]:
    """The new code of each old one, from a plain list or INSEE's own file. Raises FileRefused."""
    names, _ = table(path)
    return _movements(path) if "com_av" in map(str.lower, names) else _plain(path)


def _plain(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    lines: dict[str, int] = {}
    for line, row in rows(path, PLAIN):
        try:
            old, new = (insee_of(row[name], named=name) for name in PLAIN)
            if old == new:
                raise Fault(f"{old} is merged into itself")
            if found.setdefault(old, new) != new:
                raise Fault(f"{old} is merged into {found[old]} on line {lines[old]}")
        except Fault as fault:
            raise FileRefused(path, line, str(fault)) from fault
        lines[old] = line
    for old, new in found.items():
        if new in found:
            raise FileRefused(path, lines[old], f"{new} is itself merged, on line {lines[new]}")
    return found


def _movements(path: Path) -> dict[str, str]:
    """What the movements of all years come to: each goes on from those before it."""
    read = []
    for line, row in rows(path, MOVEMENTS):
        if row["typecom_av"] == row["typecom_ap"] == "COM":
            try:
                old, new = (insee_of(row[name], named=name) for name in ("com_av", "com_ap"))
            except Fault as fault:
                raise FileRefused(path, line, str(fault)) from fault
            read.append((row["date_eff"], row["mod"], old, new))
    found: dict[str, str] = {}
    for _, kind, old, new in sorted(read, key=lambda one: one[0]):
        if kind in _OWN_AGAIN:
            found.pop(new, None)
        elif kind in _FOLLOWED and old != new:
            found = joined(found, {old: new})
            found.pop(new, None)
    return found


def joined(before: Mapping[str, str], later: Mapping[str, str]) -> dict[str, str]:
    """Mergers and later ones of the towns that they made."""
    found = {old: later.get(new, new) for old, new in before.items()} | {**later}
    return {old: new for old, new in found.items() if old != new}


def followed(
    insees: Iterable[str], merged: Mapping[str, str], towns: Collection[str]
) -> frozenset[str]:
    """The codes, those that are no town's along mergers into towns that there are."""
    return frozenset(
        merged[insee] if insee not in towns and merged.get(insee) in towns else insee
        for insee in insees
    )
