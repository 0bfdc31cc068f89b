"""Tables of measurements on a page of docs/, with commit and machine. Imports nothing of the registry."""

import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "evidence" / "performance.md"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def commit() -> str:
    """The commit that is measured, as text."""

    def git(*asked: str) -> str:
        answer = subprocess.run(  # noqa: S603  # our own words
            ["git", *asked],  # noqa: S607  # git is where the developer has it
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        return answer.stdout.strip()

    changed = git("status", "--porcelain", "--", "chalicelib", "ingest_lambda", "bench")
    return (git("rev-parse", "--short", "HEAD") or "unknown") + (" and changes" if changed else "")


def machine() -> str:
    """Processor, cores and Python, as text."""
    model = platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                model = line.partition(":")[2].strip()
                break
    return f"{model}, {os.cpu_count()} cores, Python {platform.python_version()}"
