"""Logs of the local system's processes: bounded in size, read to their end, and followed while they grow."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

LOG_BYTES = 10_000_000  # of one file; there are up to three of a log
LAST_BYTES = 1_000_000  # that a look at the end of a log reads of each file
ROLES = ("api", "worker", "udp", "demo", "state")


def _older(log: Path, number: int = 1) -> Path:
    return log.with_name(f"{log.name}.{number}")


def rotate(log: Path) -> None:
    """Begins a log anew where it is longer than `LOG_BYTES`: `log.1` has what it held, `log.2` what that held.

    The file stays the same one, for a process holds it open; it appends, and so goes on at the new end. What
    comes in between the copy and the cut, some microseconds, is lost.
    """
    if not log.exists() or log.stat().st_size <= LOG_BYTES:
        return
    if _older(log).exists():
        _older(log).replace(_older(log, 2))
    with log.open("rb") as full, _older(log).open("wb") as copy:
        shutil.copyfileobj(full, copy)
        os.truncate(log, 0)


def rotate_all(folder: Path) -> None:
    """The same for each log of a local system."""
    for role in ROLES:
        rotate(folder / f"{role}.log")


def last(log: Path) -> list[str]:
    """The last lines of a log, oldest first, `LAST_BYTES` of its file and of the one before it."""
    found: list[str] = []
    for file in (_older(log), log):
        if not file.exists():
            continue
        with file.open("rb") as opened:
            cut = file.stat().st_size > LAST_BYTES
            if cut:
                opened.seek(-LAST_BYTES, os.SEEK_END)
            lines = opened.read().decode(errors="replace").splitlines()
            found += lines[1:] if cut else lines
    return found


class Tail:
    """What is appended to a log from now on, over its rotations."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = log.stat().st_size if log.exists() else 0
        self._begun = b""  # of a line that has no end yet

    def lines(self) -> Iterator[str]:
        """The whole lines since the last look."""
        size = self._log.stat().st_size if self._log.exists() else 0
        if size < self._at:
            self._begun += self._read(_older(self._log))
            self._at = 0
        more = self._read(self._log)
        self._at += len(more)
        *whole, self._begun = (self._begun + more).split(b"\n")
        for line in whole:
            yield line.decode(errors="replace")

    def _read(self, file: Path) -> bytes:
        try:
            with file.open("rb") as opened:
                opened.seek(self._at)
                return opened.read()
        except FileNotFoundError:
            return b""
