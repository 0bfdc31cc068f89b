"""Child processes of the local system: started with a log of their own, stopped by SIGTERM."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ops.local import logs, place

ROOT = Path(__file__).resolve().parents[2]


def environment(more: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with `more`, without the user's own AWS set-up."""
    kept = {name: value for name, value in os.environ.items() if name not in place.FOREIGN}
    path = os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])
    return {**kept, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


def told_to_stop() -> threading.Event:
    """What SIGTERM and SIGINT set from now on; also sends the log to standard error."""
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("maraude").setLevel(logging.INFO)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    return stopped


@dataclass
class Process:
    """`python -m MODULE ARGUMENTS`, in a session of its own, so that Ctrl-C reaches the parent only."""

    module: str
    arguments: Sequence[str]
    log: Path
    environment: Mapping[str, str]
    keeps: Sequence[int] = ()  # file descriptors that it inherits
    _popen: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self) -> None:
        """Starts it; what it prints is appended to its log."""
        logs.rotate(self.log)
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [sys.executable, "-m", "ops.local.child", self.module, *self.arguments],
                stdin=subprocess.PIPE,  # never written to: see ops.local.child
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(self.environment),
                pass_fds=self.keeps,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Of the process as it was started last; 0 before that."""
        return self._popen.pid if self._popen else 0

    def ended(self) -> int | None:
        """How it ended (`-N`: by signal N), or None while it runs."""
        return self._popen.poll() if self._popen else 0

    def stop(self, *, timeout_s: float) -> bool:
        """Asks it to end and waits; kills it after `timeout_s`. Whether it ended by itself."""
        if self._popen is None:
            return True
        self._popen.terminate()
        try:
            self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
            return False
        finally:
            if self._popen.stdin:
                self._popen.stdin.close()
        return True

    def last_words(self) -> str:
        """The last line of its log, or nothing."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
