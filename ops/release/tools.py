"""External tools, each in a virtual environment of its own."""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.errors import CannotGoOn

BY_HASH = ("--no-deps", "--require-hashes", "--only-binary", ":all:")

ROOT = Path(__file__).resolve().parents[2]


class ToolFailed(CannotGoOn):
    """A tool could not be installed, or did not do what it is there for."""


def ready(name: str) -> Path:
    """The folder of commands of `infra/NAME.txt`, installed on first use. Raises ToolFailed."""
    pins = ROOT / "infra" / f"{name}.txt"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    place = ROOT / "build" / "tools" / f"{name}-{digest}"
    done = place / ".ready"
    place.parent.mkdir(parents=True, exist_ok=True)
    # Of two at once, the second would clear what the first installs.
    with place.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            print(f"installing {name} (a minute, once)", file=sys.stderr)
            python = str(place / "bin" / "python")
            run([sys.executable, "-m", "venv", "--clear", str(place)])
            run([python, "-m", "pip", "install", "--quiet", *BY_HASH, "-r", str(pins)])
            done.touch()
    return place / "bin"


def run(
    command: Sequence[str], *, cwd: Path = ROOT, fine: Sequence[int] = (0,)
) -> subprocess.CompletedProcess[str]:
    """A command's answer. Raises ToolFailed, with its last line, where it exits with none of `fine`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    finished = subprocess.run(
        command, cwd=cwd, env=ours, capture_output=True, text=True, check=False, errors="replace"
    )
    if finished.returncode not in fine:
        last_line = (finished.stderr.strip() or finished.stdout.strip() or "nothing").splitlines()[
            -1
        ]
        raise ToolFailed(f"{Path(command[0]).name} exited with {finished.returncode}: {last_line}")
    return finished
