"""Fleets: the ids of an operator's taxis, for the registry and for reports of positions."""

from collections.abc import Collection

from chalicelib.foundation import cache
from chalicelib.taxis.fleets import store
from chalicelib.taxis.fleets.store import (
    Fleet,
    admit,
    change_key,
    enter,
    leave,
    newest,
    pages_of,
    taxi_of,
    withdraw,
)
from chalicelib.taxis.settings import settings

__all__ = [
    "admit",
    "all_ids_of",
    "change_key",
    "enter",
    "leave",
    "newest",
    "pages_of",
    "taxi_ids_of",
    "taxi_of",
    "withdraw",
]

_fleets: cache.Memory[str, Fleet] = cache.Memory(
    lambda: 1024, lambda: float(settings().fleet_cache_s)
)


def taxi_ids_of(owner: str, *, expecting: Collection[str] = ()) -> frozenset[str]:
    """The ids of an operator's taxis, at most `fleet_cache_s` old.

    Where one that is expected is not among them, what was added since is read too: a taxi of a moment
    ago is known, whatever is cached.
    """
    known = _known(owner)
    return known.ids if known.ids.issuperset(expecting) else _grown(owner, known).ids


def all_ids_of(owner: str) -> frozenset[str]:
    """The ids of an operator's taxis, that of a moment ago included: a read at each call."""
    return _grown(owner, _known(owner)).ids


def _known(owner: str) -> Fleet:
    known = _fleets.get(owner)
    if known is None:
        known = store.load(owner)
        _fleets.put(owner, known)
    return known


def _grown(owner: str, known: Fleet) -> Fleet:
    grown = store.grown(owner, known)
    if grown != known:
        _fleets.put(owner, grown)
    return grown
