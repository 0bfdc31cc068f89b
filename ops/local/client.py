"""HTTP client of the registry's API: for the demonstration, the replay and benchmarks."""

import json
from dataclasses import dataclass, field
from typing import Any

import urllib3

from ops.errors import CannotGoOn

DEMONSTRATION = "maraude-demonstration"  # the agent of requests that nobody has asked for


class ApiRefused(CannotGoOn):
    """The registry answered something else than 2xx."""


@dataclass(frozen=True, slots=True)
class Client:
    """Calls one registry with one account's key."""

    url: str
    key: str
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(
            maxsize=8, timeout=urllib3.Timeout(connect=2, read=15), retries=False
        )
    )
    agent: str = "maraude"

    def get(self, path: str, **query: object) -> list[Any]:
        """The content of `data`. Raises ApiRefused, urllib3.exceptions.HTTPError."""
        response = self._pool.request(
            "GET",
            self.url + path,
            fields={name: str(value) for name, value in query.items()},
            headers={"X-Api-Key": self.key, "User-Agent": self.agent},
        )
        return self._data("GET", path, response)

    def post(self, path: str, element: object) -> list[Any]:
        """The content of `data`; empty where the answer is."""
        return self._send("POST", path, element)

    def put(self, path: str, element: object) -> list[Any]:
        """The content of `data`."""
        return self._send("PUT", path, element)

    def _send(self, method: str, path: str, element: object) -> list[Any]:
        response = self._pool.request(
            method,
            self.url + path,
            body=json.dumps({"data": [element]}).encode(),
            headers={
                "X-Api-Key": self.key,
                "User-Agent": self.agent,
                "Content-Type": "application/json",
            },
        )
        return self._data(method, path, response)

    def _data(self, method: str, path: str, response: urllib3.BaseHTTPResponse) -> list[Any]:
        if not 200 <= response.status < 300:
            raise ApiRefused(
                f"{method} {self.url}{path} was answered {response.status}: "
                f"{response.data[:500].decode(errors='replace').strip()}"
            )
        found: list[Any] = json.loads(response.data)["data"] if response.data.strip() else []
        return found
