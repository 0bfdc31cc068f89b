"""Exception guard for functions started by schedules, queues and streams.

Lambda's runtime prints the text of an exception that leaves a function, and a text may quote a telephone
number or a place. So one line of ours says what happened, and what leaves the function says nothing.
"""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from chalicelib.foundation.observe import logs, tracing

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("maraude.edge")


class InvocationFailed(Exception):
    """The function failed; its event source decides whether it is run again."""


def guarded(function: Callable[P, R]) -> Callable[P, R]:
    """A decorator for the entry point of an invocation: traced, its exceptions logged by kind only.

    What it returns raises InvocationFailed for any of them, with no cause and no context.
    """

    @wraps(function)
    def invoked(*given: P.args, **named: P.kwargs) -> R:
        tracing.begin()
        try:
            return function(*given, **named)
        except Exception as error:  # noqa: BLE001  # whatever it is, its text must not leave
            logs.fault(log, error, "invocation_failed")
        # Not in the handler above, or the runtime could find the first exception behind this one.
        raise InvocationFailed("the line before this one says of what")

    return invoked


def guard(event: object, run: Callable[[object], object]) -> object:
    """Chalice's middleware: runs a handler of the application, guarded."""
    return guarded(run)(event)
