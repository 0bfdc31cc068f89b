"""Lines of the local system's logs, as a person reads them: requests, troubles, and metrics where asked for."""

import json
import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from ops.local.client import DEMONSTRATION

REQUEST = '{"line":"request"'  # begins the line of a request
TARGET_LENGTH = 160  # of a request's path and query, as far as it is shown
_STAMPED = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),(\d{3}) (.*)")


class Request(msgspec.Struct, tag="request", tag_field="line"):
    """A request that the API has answered, as its log has it. `at_ms` since 1970, `ms` the time it took."""

    at_ms: int
    method: str
    target: str
    status: int
    ms: float
    account: str = ""
    agent: str = ""

    def text(self) -> str:
        """The line of the log."""
        return msgspec.json.encode(self).decode()


class Shown(NamedTuple):
    """A line to read. `at_s` since 1970, None where it belongs to the line before; `agent` of a request."""

    at_s: float | None
    text: str
    agent: str = ""


def shown(line: str, *, metrics: bool = False) -> Shown | None:
    """A log's line as it is read; None for metrics, unless they are wanted."""
    if line.startswith(REQUEST):
        return _request(msgspec.json.decode(line, type=Request))
    if line.startswith('{"_aws"'):
        return _metrics(json.loads(line)) if metrics else None
    stamped = _STAMPED.fullmatch(line)
    if stamped is None:
        return Shown(None, f"  {line}")
    day, thousandths, text = stamped.groups()
    at_s = datetime.fromisoformat(day).timestamp() + int(thousandths) / 1000
    return Shown(at_s, f"{_clock(at_s)} {_fault(text)}")


def requests(lines: Iterable[str]) -> Iterator[str]:
    """The requests among a log's lines, to be read, without what the demonstration asks by itself."""
    for line in lines:
        one = shown(line) if line.startswith(REQUEST) else None
        if one is not None and one.agent != DEMONSTRATION:
            yield one.text


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s).astimezone().strftime("%H:%M:%S")


def _request(one: Request) -> Shown:
    target = one.target
    if len(target) > TARGET_LENGTH:
        target = f"{target[:TARGET_LENGTH]}…"
    words = (_clock(one.at_ms / 1000), one.method, target, one.status, f"{one.ms:.0f} ms")
    text = " ".join(map(str, [*words, one.account])).rstrip()
    # A header may say anything: nothing that a terminal would obey is shown.
    return Shown(one.at_ms / 1000, "".join(filter(str.isprintable, text)), one.agent)


def _metrics(said: dict[str, Any]) -> Shown:
    at_s = said.pop("_aws")["Timestamp"] / 1000
    words = [
        f"{name}={value}" for name, value in said.items() if value is not None and name != "stage"
    ]
    return Shown(at_s, f"{_clock(at_s)} {' '.join(words)}")


def _fault(text: str) -> str:
    """The text of `foundation.observe.logs.fault` without its JSON; any other as it is."""
    before, brace, _ = text.partition("{")
    try:
        said = json.loads(text[len(before) :]) if brace else None
    except ValueError:
        return text
    if not isinstance(said, dict) or "event" not in said:
        return text
    event, errors = said.pop("event"), said.pop("errors", [])
    words = [f"{name}={value}" for name, value in said.items()]
    causes = [f"{one.get('type')} at {(one.get('at') or ['?'])[-1]}" for one in errors]
    return f"{before}{' '.join([event, *words])}{''.join(f'; {one}' for one in causes)}"
