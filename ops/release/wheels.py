"""Wheels of what a zip holds, each held against its hash in `constraints.txt` before Chalice sees it.

Chalice has pip fetch packages in ways that know no hashes: by name and version, for the functions' processor,
or from a file that is source. So they are all fetched and built here first, and it finds them in a folder.
"""

import subprocess
import sys
from pathlib import Path

from ops.errors import CannotGoOn

# Of the functions: Python 3.11 on arm64, and the Linux that Lambda runs it on (glibc 2.26).
_FUNCTIONS = (
    *(part for minor in range(17, 27) for part in ("--platform", f"manylinux_2_{minor}_aarch64")),
    *("--platform", "manylinux2014_aarch64", "--implementation", "cp", "--abi", "cp311"),
)


def fetch(requirements: Path, constraints: Path, folder: Path) -> dict[str, str]:
    """Fetches all that is required, for this machine and for the functions; how pip finds it, as its environment.

    Raises CannotGoOn where something cannot be had, or not with its hash.
    """
    _pip(
        *("wheel", "--no-build-isolation", "--wheel-dir", str(folder)),
        *("--requirement", str(requirements), "--constraint", str(constraints)),
    )
    # name-version-python-abi-platform.whl
    ours = [wheel.stem.split("-") for wheel in sorted(folder.glob("*.whl"))]
    native = [f"{name}=={version}" for name, version, *_, machine in ours if machine != "any"]
    if native:
        _pip(
            *("download", "--no-deps", "--only-binary", ":all:", "--dest", str(folder)),
            *(*_FUNCTIONS, "--constraint", str(constraints), *native),
        )
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder)}


def _pip(command: str, *arguments: str) -> None:
    finished = subprocess.run(
        [
            *(sys.executable, "-m", "pip", command, "--quiet", "--disable-pip-version-check"),
            *("--require-hashes", *arguments),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if finished.returncode != 0:
        raise CannotGoOn(f"pip {command} failed:\n{finished.stderr.strip()}")
