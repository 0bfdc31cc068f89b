"""Wheels for a zip: nothing is taken that has another hash than `constraints.txt` says."""

import hashlib
import zipfile
from pathlib import Path

import pytest
from packaging import tags

from ops.errors import CannotGoOn
from ops.release import wheels

HERE = str(next(tags.sys_tags()))
FUNCTIONS = "cp311-cp311-manylinux_2_26_aarch64"
ANY = "py3-none-any"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip looks for packages in, and nowhere else."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def a_wheel(index: Path, name: str, tag: str, *requires: str) -> str:
    """A wheel without modules; its hash, as a list of pins has it."""
    file = index / f"{name}-1.0-{tag}.whl"
    about = f"{name}-1.0.dist-info"
    needs = "".join(f"Requires-Dist: {other}\n" for other in requires)
    with zipfile.ZipFile(file, "w") as packed:
        packed.writestr(
            f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}"
        )
        packed.writestr(
            f"{about}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n"
        )
        packed.writestr(f"{about}/RECORD", "")
    return f"--hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def fetched(folder: Path, *pins: str) -> set[str]:
    """What is fetched for a service that requires `one`, with these pins."""
    (folder / "requirements.txt").write_text("one==1.0\n")
    (folder / "constraints.txt").write_text("".join(f"{pin}\n" for pin in pins))
    place = folder / "fetched"

    found = wheels.fetch(folder / "requirements.txt", folder / "constraints.txt", place)

    assert found == {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(place)}
    return {file.name for file in place.iterdir()}


def test_what_is_required_is_fetched_for_this_machine_and_for_the_functions(
    index: Path, tmp_path: Path
) -> None:
    one = a_wheel(index, "one", ANY, "two")
    two = f"{a_wheel(index, 'two', HERE)} {a_wheel(index, 'two', FUNCTIONS)}"

    assert fetched(tmp_path, f"one==1.0 {one}", f"two==1.0 {two}") == {
        *(f"one-1.0-{ANY}.whl", f"two-1.0-{HERE}.whl", f"two-1.0-{FUNCTIONS}.whl")
    }


@pytest.mark.parametrize("wrong", [ANY, HERE, FUNCTIONS])
def test_what_has_another_hash_is_not_taken(wrong: str, index: Path, tmp_path: Path) -> None:
    hashes = {
        ANY: a_wheel(index, "one", ANY, "two"),
        HERE: a_wheel(index, "two", HERE),
        FUNCTIONS: a_wheel(index, "two", FUNCTIONS),
    }
    hashes[wrong] = f"--hash=sha256:{'0a' * 32}"

    with pytest.raises(CannotGoOn, match=r"(?i)hash"):
        fetched(
            tmp_path,
            f"one==1.0 {hashes[ANY]}",
            f"two==1.0 {hashes[HERE]} {hashes[FUNCTIONS]}",
        )


def test_what_has_no_hash_is_not_taken(index: Path, tmp_path: Path) -> None:
    one = a_wheel(index, "one", ANY, "two")
    a_wheel(index, "two", ANY)

    with pytest.raises(CannotGoOn, match="two"):
        fetched(tmp_path, f"one==1.0 {one}")
