"""The toy's part of a rehearsal: somebody knocks, and the page says so."""

import time
from collections.abc import Collection

import urllib3

from ops.release.deployment import Deployment
from ops.release.pages import RehearsalFailed

TO_COME = ()
COUNTED_WITHIN_S = 30.0
ANSWER_S = 30.0  # as the gateway of AWS gives it; the first one starts the function


def use(on: Deployment, sections: Collection[str]) -> None:  # noqa: ARG001  # the runbook is another service's
    """Knocks, and waits for the count."""
    on.step("knocking", lambda: knock(on.url()))


def knock(url: str) -> str:
    """Knocks once; what is counted then. Raises RehearsalFailed."""
    answer = urllib3.request("POST", f"{url}/knocks", retries=False, timeout=ANSWER_S)
    if answer.status != 202:
        raise RehearsalFailed(f"A knock was answered {answer.status}: {answer.data!r}.")
    until_s = time.monotonic() + COUNTED_WITHIN_S
    while True:
        counted = urllib3.request("GET", f"{url}/counts", retries=False, timeout=ANSWER_S)
        if counted.status == 200 and counted.json().get("knocks") == 1:
            return f"counted {counted.json()}"
        if time.monotonic() > until_s:
            raise RehearsalFailed(f"The knock is not counted: {counted.status} {counted.data!r}.")
        time.sleep(0.2)
