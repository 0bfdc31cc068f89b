"""The audit's secrets: all that was ever committed is looked at, and known by its beginning."""

import subprocess
from pathlib import Path

import pytest

from ops.errors import CannotGoOn
from ops.release.audit import secrets


def git(repository: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *who, *arguments], cwd=repository, check=True, capture_output=True)  # noqa: S607  # git is where the developer has it


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits: a file with two lines of text in turn, and one that the second takes away."""
    made = tmp_path / "repository"
    (made / "in").mkdir(parents=True)
    git(made, "init", "-q")
    (made / "in" / "été.txt").write_text("first\n\n")
    (made / "gone.bin").write_bytes(b"\x00\nblob 3\n")
    git(made, "add", "-A")
    git(made, "commit", "-qm", "one")
    (made / "in" / "été.txt").write_text("second")
    (made / "gone.bin").unlink()
    git(made, "add", "-A")
    git(made, "commit", "-qm", "two")
    return made


def test_every_content_that_was_ever_committed_is_written(repository: Path, tmp_path: Path) -> None:
    folder = tmp_path / "written"

    count = secrets.write_history(repository, folder)

    files = [file for file in folder.rglob("*") if file.is_file()]
    assert count == len(files) == 3
    assert {(file.name, file.read_bytes()) for file in files} == {
        ("été.txt", b"first\n\n"),
        ("été.txt", b"second"),
        ("gone.bin", b"\x00\nblob 3\n"),
    }


def test_what_is_not_committed_is_not_written(repository: Path, tmp_path: Path) -> None:
    (repository / "mine.txt").write_text("mine")

    assert secrets.write_history(repository, tmp_path / "written") == 3


def test_a_clone_without_its_history_is_refused(repository: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth=1", repository.as_uri(), "shallow")

    with pytest.raises(CannotGoOn, match="unshallow"):
        secrets.write_history(tmp_path / "shallow", tmp_path / "written")


def test_a_secret_is_known_by_file_and_digest() -> None:
    one = {"type": "Secret Keyword", "hashed_secret": "0123456789abcdef" * 2, "line_number": 7}

    [found] = secrets.found({"results": {"c0ffeec0ffee/ops/cli/up.py": [one]}})

    assert (found.what, found.where) == ("0123456789ab", "ops/cli/up.py")
    assert found.words == "ops/cli/up.py:7 of c0ffeec0: Secret Keyword, 0123456789ab"
