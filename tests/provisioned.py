"""An in-process AWS (moto) with tables, streams and queues that are provisioned once a process.

Provisioning takes some 60 ms of CPU, and most tests need it; a copy of what it leaves takes one. A
copy rather than emptied tables, because a test may also delete a table or change its TTL or tags.
"""

import copyreg
import io
import pickle
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

from moto import mock_aws
from moto.core.base_backend import BackendDict, BaseBackend

from ops.local.provision import provision

REGION = "eu-west-3"


def tables() -> None:
    """Makes the tables, streams and queues of the stage `test`."""
    provision("test", endpoint=None, region=REGION)


class _Pickler(pickle.Pickler):
    """Takes moto's queues, each of which has a lock of its own."""

    dispatch_table = {  # noqa: RUF012  # pickle's own name
        **copyreg.dispatch_table,
        type(threading.RLock()): lambda _: (threading.RLock, ()),
    }


@cache
def _after(
    make: Callable[[], None],
) -> tuple[list[tuple["BackendDict[BaseBackend]", str, str]], bytes]:
    """Where moto keeps what `make` has created (service, account, region), and that, pickled."""
    make()
    found = {
        (service, account, region): backend
        for service in BackendDict._instances  # type: ignore[misc]  # moto's own annotation
        for account, region, backend in service.iter_backends()
    }
    into = io.BytesIO()
    _Pickler(into).dump(list(found.values()))
    return list(found), into.getvalue()


@contextmanager
def moto_with(make: Callable[[], None] = tables) -> Iterator[None]:
    """moto with what `make` creates in it, and nothing else. `make` is called once a process."""
    with mock_aws():
        places, pickled = _after(make)
        for (service, account, region), backend in zip(
            places,
            pickle.loads(pickled),  # noqa: S301  # what this process has pickled
            strict=True,
        ):
            service[account][region] = backend
        yield
