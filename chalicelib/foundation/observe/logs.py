"""Structured logs: lines of JSON on what happened, without personal data.

No key, telephone number, place, address or customer's id is ever in a line. The text of an exception
may hold any of these (a library quotes what it could not take), so a fault is logged by its kinds
and places alone.
"""

import json
import logging
import traceback
from collections.abc import Iterator

from botocore.exceptions import ClientError

from chalicelib.foundation.settings import BadSetting

_FRAMES = 12  # the innermost of each exception


def fault(log: logging.Logger, error: BaseException, event: str, **about: object) -> None:
    """Logs one line on an exception: event, context, and the chain of exceptions, outermost first."""
    log.error(
        "%s",
        json.dumps({"event": event, **about, "errors": [*map(_exception_line, _chain(error))]}),
    )


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _exception_line(error: BaseException) -> dict[str, object]:
    line: dict[str, object] = {"type": type(error).__qualname__}
    if isinstance(error, ClientError):
        line["code"] = error.response.get("Error", {}).get("Code")
        line["operation"] = error.operation_name
    elif isinstance(error, BadSetting):
        line["text"] = str(error)  # ours: it names a variable
    line["at"] = [
        f"{frame.filename}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    ]
    return line
