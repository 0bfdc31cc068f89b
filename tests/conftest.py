"""What every test may use: an empty registry on an in-process AWS, and the package of this code."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from _pytest._code.code import (
    ExceptionChainRepr,
    ExceptionRepr,
    ReprEntry,
)  # pytest has no public names for them

# Before anything of ours is imported: the stage names the tables, the keys are for tests only.
os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "MARAUDE_STAGE": "test",
        "MARAUDE_SECRET_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
        "MARAUDE_HOOK_SECRET_KEYS": "aG9va3Mtb25seS1ob29rcy1vbmx5LWhvb2tzLW9ubHk=",
    }
)
os.environ.pop("AWS_PROFILE", None)

from chalicelib.foundation import cache, sealing
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.store import documents
from chalicelib.taxis.search import notes
from ops import apps
from ops.apps import App
from ops.release import package as packaging
from tests import services
from tests.emitted import without_metric, without_metrics
from tests.provisioned import moto_with, tables  # moto must see the environment above

ROOT = Path(__file__).resolve().parents[1]

# The same inputs in every run, however slow the machine is; `make abuse` sends others.
hypothesis.settings.register_profile(
    "steady",
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("steady")


@contextmanager
def empty_registry(make: Callable[[], None] = tables) -> Iterator[None]:
    """Empty tables, stream and queues, in this process (moto), and no cache of an earlier test.

    Or what `make` makes, which is called once a process.
    """
    with moto_with(make):
        documents.forget()
        cache.forget_all()
        yield
        notes.notes.forget()


@pytest.fixture
def store() -> Iterator[None]:
    """The same for a test."""
    with empty_registry():
        yield


@pytest.fixture
def environment() -> Iterator[Callable[..., None]]:
    """Changes variables of this process, and has it read its settings and secret keys again."""

    def forget() -> None:
        forget_settings()
        sealing.forget()

    def change(**variables: str) -> None:
        for name, value in variables.items():
            patch.setenv(name, value)
        forget()

    with pytest.MonkeyPatch.context() as patch:
        yield change
    forget()


@pytest.fixture(scope="session")
def state_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a real state service answers: one for all tests, each with a stage of its own."""
    with services.running(tmp_path_factory.mktemp("state")) as endpoint:
        yield endpoint


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


def package_of(app: App, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with `deployment.zip`, `sam.yaml` and `manifest.json`: one for all workers of a run."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    built = run / f"package-{app.name}"
    with (run / f"{built.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not built.exists():
            folder = tmp_path_factory.mktemp("package")
            exported(folder / "source")
            made = folder / "out"
            packaging.build(
                app, "dev", folder / "source", made, commit="0" * 40, report=lambda _: None
            )
            made.rename(built)
    return built


@pytest.fixture(scope="session", name="package")
def package_of_the_first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of the repository's first service."""
    return package_of(apps.first(), tmp_path_factory)


def traceback_entries(shown: object) -> Iterator[ReprEntry]:
    """The parts of what is shown of an exception, and of those that it came from."""
    for traceback, *_ in shown.chain if isinstance(shown, ExceptionChainRepr) else ():
        yield from (one for one in traceback.reprentries if isinstance(one, ReprEntry))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report of a test without the metrics that it, or a process that it ran, has printed: hundreds of lines."""
    report = yield
    if isinstance(report.longrepr, ExceptionRepr) and report.longrepr.reprcrash is not None:
        crash = report.longrepr.reprcrash  # what the summary shows
        lines = (line.partition('{"_aws"')[0] for line in crash.message.splitlines())
        crash.message = "\n".join(filter(None, lines))
    for one in traceback_entries(report.longrepr):
        one.lines = [line for line in map(without_metric, one.lines) if line is not None]
    said = [(title, without_metrics(printed)) for title, printed in report.sections]
    report.sections = [(title, printed) for title, printed in said if printed.strip()]
    return report


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of local systems begin, for they take longest; those of a file share a system on one worker."""
    items.sort(key=lambda item: item.get_closest_marker("local_stack") is None)
