"""The state service of a local system, by itself, for the tests that need a real one."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ops.local.place import Place
from ops.local.state import StateService


@contextmanager
def running(folder: Path) -> Iterator[str]:
    """Where it answers, on a data folder that is made here, until the end of the block."""
    place = Place(folder / "place")
    with place.held():
        pass
    service = StateService(place)
    service.start()
    try:
        yield service.endpoint
    finally:
        service.stop()
