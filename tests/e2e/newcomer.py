"""`maraude up --demo` as a newcomer runs it, and what it prints."""

import json
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

MARAUDE = str(Path(sys.executable).with_name("maraude"))


@dataclass
class System:
    """One `maraude up` at a time on one folder, and what it printed."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    _up: "subprocess.Popen[str] | None" = None

    def start(self) -> None:
        """Starts it and reads what it prints up to the last of them."""
        words = [MARAUDE, "up", "--demo", "--port", "0", "--data", str(self.folder)]
        self._up = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert self._up.stdout is not None
        self.lines = []
        while len(self.requests()) < 3 or "demo-hail" not in self.lines[-1]:
            line = self._up.stdout.readline()
            assert line, f"it ended after printing {self.lines}"
            self.lines.append(line.rstrip("\n"))

    def stop(self, number: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """Stops it; its exit code and last words."""
        assert self._up is not None
        self._up.send_signal(number)
        said, _ = self._up.communicate(timeout=90)
        return self._up.returncode, said

    def requests(self) -> list[str]:
        """The lines to copy."""
        return [line for line in self.lines if line.startswith("curl ")]

    @property
    def url(self) -> str:
        """Where it says that it is ready."""
        [ready] = [line for line in self.lines if line.startswith("ready ")]
        return ready.split()[1]

    def pid(self, role: str) -> int:
        """One of its processes."""
        found: int = json.loads((self.folder / "run.json").read_text())["pids"][role]
        return found

    def maraude(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Runs a command on it."""
        return subprocess.run(
            [MARAUDE, *words, "--data", str(self.folder)],
            capture_output=True,
            text=True,
            check=False,
        )

    def get(self, path: str, key: str) -> urllib3.BaseHTTPResponse:
        """A request with a key."""
        return urllib3.request("GET", self.url + path, headers={"X-Api-Key": key})
