"""Real services for the tests that need real calls: one MiniStack for the session."""

import http.client
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ops.local.clients import Clients
from ops.local.place import Place


@dataclass(frozen=True)
class MiniStack:
    """Running services, with clients of them."""

    endpoint: str
    clients: Clients

    def reset(self) -> None:
        """Empties them."""
        connection = http.client.HTTPConnection(self.endpoint.removeprefix("http://"), timeout=30)
        connection.request("POST", "/_ministack/reset")
        connection.getresponse().read()
        connection.close()


@pytest.fixture(scope="session")
def ministack(state_service: str) -> Iterator[MiniStack]:
    """Started on first use; mark what uses it `local_stack`, and begin with `reset`."""
    clients = Clients.at(state_service)
    yield MiniStack(state_service, clients)
    clients.close()


@pytest.fixture
def services(ministack: MiniStack) -> MiniStack:
    """Real services with nothing in them."""
    ministack.reset()
    return ministack


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A data folder that is ready for use."""
    found = Place(tmp_path / "place")
    with found.held():
        return found


def calls_of(*clients: Any) -> Counter[str]:
    """The calls that these clients make from now on, by operation."""
    calls: Counter[str] = Counter()
    for client in clients:
        client.meta.events.register(
            "before-call.*.*", lambda model, **_: calls.update([model.name])
        )
    return calls
