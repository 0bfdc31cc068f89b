"""In-process cache: a thread-safe, bounded map whose entries expire.

The map itself is cachetools'; this adds the lock, and one switch that empties all of them.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from cachetools import TTLCache

K = TypeVar("K")
V = TypeVar("V")


def _monotonic_s() -> float:
    return now_s()


now_s = time.monotonic  # what the entries' age is measured by

_all: "list[Memory[object, object]]" = []


class Memory(Generic[K, V]):
    """At most `size` entries, each for `seconds()` from when it was put; made once, at import.

    `seconds` is called on first use, not before, because importing a module needs no environment.
    """

    def __init__(self, size: Callable[[], int], seconds: Callable[[], float]) -> None:
        self._size = size
        self._seconds = seconds
        self._cache: TTLCache[K, V] | None = None
        self._lock = threading.Lock()
        _all.append(self)  # type: ignore[arg-type]  # only `forget` is called through the list

    def _entries(self) -> "TTLCache[K, V]":
        if self._cache is None:
            self._cache = TTLCache(self._size(), self._seconds(), timer=_monotonic_s)
        return self._cache

    def get(self, key: K) -> V | None:
        """The value, or None where there is none or it has grown old."""
        with self._lock:
            return self._entries().get(key)

    def get_many(self, keys: Iterable[K]) -> dict[K, V]:
        """The values there are."""
        with self._lock:
            entries = self._entries()
            return {key: value for key in keys if (value := entries.get(key)) is not None}

    def completed(self, keys: Iterable[K], read: Callable[[list[K]], Mapping[K, V]]) -> dict[K, V]:
        """The values of the keys, reading those that are not cached; what `read` does not find is left out."""
        wanted = list(keys)
        values = self.get_many(wanted)
        missing = [key for key in wanted if key not in values]
        if missing:
            found = read(missing)
            self.put_many(found)
            values.update(found)
        return values

    def of(self, key: K, read: Callable[[], V]) -> V:
        """The value of a key, read where it is not at hand."""
        return self.completed([key], lambda _: {key: read()})[key]

    def put(self, key: K, value: V) -> None:
        """Caches a value from now on."""
        self.put_many({key: value})

    def put_many(self, values: Mapping[K, V]) -> None:
        """Caches several values from now on."""
        with self._lock:
            self._entries().update(values)

    def forget(self) -> None:
        """Forgets everything, and reads the settings anew."""
        with self._lock:
            self._cache = None


def forget_all() -> None:
    """Empties every cache of this process: between tests, and after a load."""
    for memory in _all:
        memory.forget()
