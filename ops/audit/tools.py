"""The scanners, each in an environment of its own: their requirements are not the registry's."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from ops.audit.decisions import ROOT
from ops.audit.outcome import NotChecked


def ready(name: str) -> Path:
    """The folder of commands of `infra/audit-NAME.txt`, installed on first use. Raises NotChecked."""
    pins = ROOT / "infra" / f"audit-{name}.txt"
    digest = hashlib.sha256(pins.read_bytes()).hexdigest()[:12]
    place = ROOT / "build" / "audit" / f"{name}-{digest}"
    done = place / ".ready"
    if not done.exists():
        print(f"installing {name} (a minute, once)", file=sys.stderr)
        python = str(place / "bin" / "python")
        run([sys.executable, "-m", "venv", "--clear", str(place)])
        run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", str(pins)])
        done.touch()
    return place / "bin"


def run(
    command: Sequence[str], *, cwd: Path = ROOT, fine: Sequence[int] = (0,)
) -> subprocess.CompletedProcess[str]:
    """A command's answer. Raises NotChecked, with its last line, where it exits with none of `fine`."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    made = subprocess.run(
        command, cwd=cwd, env=ours, capture_output=True, text=True, check=False, errors="replace"
    )
    if made.returncode not in fine:
        said = (made.stderr.strip() or made.stdout.strip() or "nothing").splitlines()[-1]
        raise NotChecked(f"{Path(command[0]).name} exited with {made.returncode}: {said}")
    return made
