"""Threads of the event-source runner, which outlive whatever goes wrong in them."""

import logging
import threading

from botocore.exceptions import BotoCoreError, ClientError
from chalice.local import LambdaContext

from ops.local.delivery import Interrupted

TROUBLE_S = 0.5  # before a failed call to the store is made again

log = logging.getLogger("maraude.runner")

Trouble = (BotoCoreError, ClientError)


def context(function: str) -> LambdaContext:
    return LambdaContext(function_name=function, memory_size=1024, max_runtime_ms=60_000)


class Part:
    """One thread of the runner. Its `_run` may raise trouble of the store, and is then run again."""

    def __init__(self, name: str, stopping: threading.Event) -> None:
        self._name = name
        self._stopping = stopping
        self._thread = threading.Thread(target=self._guard, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def join(self, timeout_s: float) -> bool:
        """Whether it has ended within `timeout_s`."""
        self._thread.join(max(0, timeout_s))
        return not self._thread.is_alive()

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def _guard(self) -> None:
        while True:
            try:
                self._run()
            except Interrupted:
                pass
            except Trouble as trouble:
                log.warning("%s: %s", self._name, trouble)
            except Exception:  # a part never dies of a fault while the runner runs
                log.exception("%s failed", self._name)
            else:
                return
            if self._stopping.wait(TROUBLE_S):
                return

    def _run(self) -> None:
        raise NotImplementedError
