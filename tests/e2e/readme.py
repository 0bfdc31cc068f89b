"""The README's worked example: its blocks, and a terminal to type them in."""

import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
END = "-- end of the block --"


def blocks(heading: str) -> list[str]:
    """The indented blocks of a section, in their order, without their indentation."""
    text = (ROOT / "README.md").read_text("utf-8")
    [section] = re.findall(rf"^## {heading}$(.*?)^## ", text, re.MULTILINE | re.DOTALL)
    found = re.findall(r"(?<=\n\n)(?:    .*\n|\n(?=    ))+", section)
    return [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in found]


def facts(answer: str) -> set[str]:
    """The names and plain values of an answer, also of a shortened one: `"status":"free"`, `"lat":48.84`."""
    compact = re.sub(r'(?<=[":,{}\[\]])\s+', "", answer)
    return set(re.findall(r'"\w+":(?:"[^"…]*"|[\d.]+)', compact))


def shape(line: str) -> str:
    """A line of a ride without its numbers and ids."""
    return re.sub(r"\d+(\.\d+)?", "0", re.sub(r"hail \w{7}\b", "hail X", line)).strip()


class _TakesHails(BaseHTTPRequestHandler):
    """An operator's server that takes what comes."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        answer = b'{"data":[{"taxi_phone_number":"0600000000"}]}'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def server() -> Iterator[int]:
    """The port of the reader's own server."""
    with HTTPServer(("127.0.0.1", 0), _TakesHails) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port
        listening.shutdown()
        thread.join()


@contextmanager
def running(folder: Path, command: str) -> Iterator[str]:
    """The first line of a command that runs until Ctrl-C, which comes at the end."""
    with subprocess.Popen(
        ["/bin/sh", "-c", f"exec {command}"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        try:
            yield process.stdout.readline()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)


class Terminal:
    """A shell in a folder that has `.venv` and `.maraude`, as the reader's has."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder = folder
        (folder / ".venv").symlink_to(sys.prefix)
        (folder / ".maraude").symlink_to(data)
        self._shell = subprocess.Popen(
            ["/bin/sh"],
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, block: str) -> str:
        """What a block prints."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{block}\necho; echo '{END}'\n")
        self._shell.stdin.flush()
        printed: list[str] = []
        for line in self._shell.stdout:
            if line.strip() == END:
                break
            printed.append(line)
        return "".join(printed).rstrip()

    def close(self) -> None:
        """Ends the shell."""
        self._shell.communicate(timeout=30)
