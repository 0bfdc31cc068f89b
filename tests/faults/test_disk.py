"""A full disk under the local state folder: what it says, and that what was there stays."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import Tell
from tests.faults.local import maraude, stopped, up

pytestmark = pytest.mark.local_stack

SIZE_KB = 4096


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE_KB}k", "tmpfs", str(tmp_path)],  # noqa: S607  # the system's own
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {made.stderr.strip()}")
    yield tmp_path
    subprocess.run(["umount", "-l", str(tmp_path)], check=True)  # noqa: S607  # the system's own


def emails(folder: Path) -> set[str]:
    return {
        json.loads(line)["email"]
        for line in maraude(folder, "account", "list", "--json").splitlines()
    }


def test_a_full_disk_is_said_and_what_was_there_before_stays(small_disk: Path, tell: Tell) -> None:
    folder = small_disk / "place"
    first = up(folder)
    maraude(folder, "account", "add", "before@example.org")
    assert stopped(first)[0] == 0
    second = up(folder)
    maraude(folder, "account", "add", "meanwhile@example.org")
    filler = small_disk / "filler"
    with filler.open("wb") as file:
        file.write(b"\0" * os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize)

    code, said = stopped(second)

    filler.unlink()
    third = up(folder)
    kept = emails(folder)
    stopped(third)
    tell(
        "the disk of the state folder is full at a stop",
        seen=f"exit code {code}, one sentence; of 2 accounts the {len(kept)} of before",
        lost=len({"before@example.org"} - kept),
        named="everything since the last clean stop, and said so",
        guard="ops.local.state.StateService.stop",
    )
    assert code == 1
    assert "could not be written" in said
    assert "since the last clean stop" in said
    assert "Traceback" not in said
    assert kept == {"before@example.org"}
