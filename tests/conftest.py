"""What every test may use: an empty registry on an in-process AWS, and the package of this code."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

# Before anything of ours is imported: the stage names the tables, the keys are for tests only.
os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "MARAUDE_STAGE": "test",
        "MARAUDE_SECRET_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    }
)
os.environ.pop("AWS_PROFILE", None)

from moto import mock_aws  # it must see the environment above

from chalicelib.foundation import cache
from chalicelib.foundation.store import documents
from chalicelib.taxis.stats.searches import stream
from ops.local.provision import provision
from ops.release import package as packaging

ROOT = Path(__file__).resolve().parents[1]


@contextmanager
def empty_registry() -> Iterator[None]:
    """Empty tables, stream and queues, in this process (moto), and no cache of an earlier test."""
    with mock_aws():
        documents.forget()
        cache.forget_all()
        provision("test", endpoint=None, region="eu-west-3")
        yield
        stream.notes.forget()


@pytest.fixture
def store() -> Iterator[None]:
    """The same for a test."""
    with empty_registry():
        yield


def exported(folder: Path) -> None:
    """The files git knows, as they are now: what a clean export of the next commit would hold."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607  # git is where the developer has it
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in listed.stdout.decode().split("\0"):
        source = ROOT / name
        if not name or not source.exists():
            continue
        there = folder / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, there, follow_symlinks=False)


@pytest.fixture(scope="session", name="package")
def made_package(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder with `deployment.zip`, `sam.yaml` and `manifest.json`."""
    folder = tmp_path_factory.mktemp("package")
    exported(folder / "source")
    packaging.build("dev", folder / "source", folder / "out", commit="0" * 40, told=lambda _: None)
    yield folder / "out"
    shutil.rmtree(folder)
