"""Local system of a load test: filled before, watched meanwhile, stopped at the end."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.local.place import Place, Run
from ops.local.process import environment
from ops.local.state import StateService

STOPS_S = 180
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_KB = os.sysconf("SC_PAGE_SIZE") // 1024


class Failed(Exception):
    """A part of the load ended as it should not."""


def run_module(place: Place, endpoint: str, module: str, *words: str, stdin: str = "") -> Any:  # noqa: ANN401  # JSON
    """What a module of the load prints last, run on the services of a folder. Raises Failed."""
    ran = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-m", module, *words],
        env=environment(place.environment(endpoint)),
        input=stdin,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise Failed(f"{module} ended with {ran.returncode}")
    return json.loads(ran.stdout.splitlines()[-1])


def filled(place: Place, *, taxis: int) -> dict[str, str]:
    """The keys of the accounts, once the folder has a fleet of so many taxis; one of an earlier load stays."""
    kept = place.root / "load.json"
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["taxis"] != taxis:
            raise Failed(
                f"{place.root} has {known['taxis']} taxis, not {taxis}: name another folder"
            )
        return dict(known["keys"])
    # Without a worker: each description would be a change for it to show.
    with place.held():
        state = StateService(place)
        state.start()
        try:
            seeded = run_module(place, state.endpoint, "bench.load.seed", "--taxis", str(taxis))
        finally:
            state.stop()
    kept.write_text(json.dumps({"taxis": taxis, "keys": seeded["keys"]}))
    return dict(seeded["keys"])


@dataclass
class System:
    """A running system."""

    place: Place
    popen: "subprocess.Popen[str]"

    @property
    def run(self) -> Run:
        """What it says of itself."""
        return self.place.running()

    def stop(self) -> str:
        """Stops it; its last words. Raises Failed where it does not end well."""
        self.popen.terminate()
        output, _ = self.popen.communicate(timeout=STOPS_S)
        if self.popen.returncode:
            raise Failed(f"maraude up ended with {self.popen.returncode}: {output}")
        return output.strip()


@contextmanager
def running(place: Place, *, window_s: float) -> Iterator[System]:
    """The system on a folder, without the demonstration and the UDP door. Raises Failed."""
    words = ["up", "--no-demo", "--port=0", "--udp-port=0", f"--ingest-window={window_s:g}"]
    popen = subprocess.Popen(  # noqa: S603  # our own words
        [sys.executable, "-m", "ops.cli.main", *words, f"--data={place.root}"],
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert popen.stdout is not None
    try:
        line_read = popen.stdout.readline()
        if not line_read.startswith("ready "):
            raise Failed(f"maraude up says: {line_read}")
        yield System(place, popen)
    finally:
        if popen.poll() is None:
            popen.terminate()
            popen.communicate(timeout=STOPS_S)


@dataclass(frozen=True, slots=True)
class Use:
    """What a process uses: resident kilobytes, and seconds of CPU since it began."""

    rss_kb: int
    cpu_s: float


def use(pid: int) -> Use | None:
    """Of a process now; None where it has ended."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        ticks = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    except (OSError, IndexError):
        return None
    return Use(pages * _PAGE_KB, sum(map(int, ticks)) / _TICKS_A_SECOND)


@dataclass
class Windows:
    """The windows that the ingest function tells of in its log, as far as it has been read."""

    log: Path
    positions: int = 0
    superseded: int = 0
    unknown: int = 0
    late: int = 0
    retries: int = 0
    failed: int = 0
    _read: int = 0

    def ages_s(self) -> list[float]:
        """Ages of the oldest position of each new window when it could be searched."""
        with self.log.open("rb") as file:
            file.seek(self._read)
            lines = file.read()
        lines = lines[: lines.rfind(b"\n") + 1]
        self._read += len(lines)
        found = []
        for line in lines.splitlines():
            if b'"lag_ms"' in line:
                line_read = json.loads(line)
                self.positions += line_read["positions"]
                self.superseded += (
                    line_read["superseded"] + line_read["positions"] - line_read["newest"]
                )
                self.unknown += line_read["unknown"]
                self.late += line_read["late"]
                self.retries += line_read["retries"]
                found.append((line_read["lag_ms"] + line_read["window_ms"]) / 1000)
            elif b'"failed_windows"' in line:
                self.failed += 1
        return found
