"""Processes of a running local system that are started again when they die, after pauses that grow."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ops.local.process import Process

# In the order in which they stop: first what makes requests, then what takes them, last what works on them.
STOP_S = {"demo": 5.0, "api": 12.0, "udp": 30.0, "worker": 45.0}
PAUSE_MAX_S = 30.0
WELL_S = 60.0  # a process that lived as long is well again


@dataclass
class _Kept:
    process: Process
    pause_s: float = 1.0
    started_s: float = 0.0
    again_s: float | None = None  # when to start it again

    def start(self) -> None:
        self.process.start()
        self.started_s, self.again_s = time.monotonic(), None


class Kept:
    """The processes by their roles, which are those of `STOP_S`."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._by_role: dict[str, _Kept] = {}

    def begin(self, role: str, process: Process) -> None:
        """Starts a process, and looks after it from now on."""
        self._by_role[role] = _Kept(process)
        self._by_role[role].start()

    def process(self, role: str) -> Process:
        """The process of a role."""
        return self._by_role[role].process

    def pids(self) -> dict[str, int]:
        """The ids of all processes, by role."""
        return {role: kept.process.pid for role, kept in self._by_role.items()}

    def start_again(self) -> bool:
        """Starts again what has died and has waited for long enough; whether there was any."""
        started = False
        for role, kept in self._by_role.items():
            how = kept.process.ended()
            now_s = time.monotonic()
            if how is None:
                continue
            if kept.again_s is None:
                if now_s - kept.started_s > WELL_S:
                    kept.pause_s = 1.0
                kept.again_s = now_s + kept.pause_s
                self._say(
                    f"The {role} process has ended ({how}); starting it again in "
                    f"{kept.pause_s:g} s. Its log: {kept.process.log}"
                )
                kept.pause_s = min(2 * kept.pause_s, PAUSE_MAX_S)
            elif now_s >= kept.again_s:
                kept.start()
                started = True
        return started

    def stop(self) -> None:
        """Stops all of them."""
        for role, within_s in STOP_S.items():
            if role in self._by_role:
                self._by_role.pop(role).process.stop(timeout_s=within_s)
