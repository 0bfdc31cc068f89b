"""Procedures of docs, followed word for word: their commands, and a shell that types them.

A block of ```console has typed lines, which begin with `$`, and what is seen; `…` there stands for what
differs. In a block of ```sh that begins with `# on AWS only`, every line is typed.
"""

import re
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

DOCS = Path(__file__).resolve().parents[2] / "docs"
AWS_ONLY = "# on AWS only"

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_END = "--- typed "


@dataclass(frozen=True, slots=True)
class Step:
    """A line to type; `seen` is what the page shows of the answer, None where it shows nothing."""

    section: str
    typed: str
    seen: tuple[str, ...] | None = None

    def is_seen(self, output: str) -> bool:
        """Whether an answer is as the page shows it."""
        if self.seen is None:
            return True
        lines = output.splitlines()
        return len(lines) == len(self.seen) and all(
            re.fullmatch(".*".join(map(re.escape, seen.split("…"))), line)
            for line, seen in zip(lines, self.seen, strict=True)
        )


def page(name: str) -> str:
    """The text of `docs/NAME.md`."""
    return (DOCS / f"{name}.md").read_text("utf-8")


def steps(text: str, *, on_aws: bool) -> list[Step]:
    """What the reader of a page types, in its order; the blocks for AWS only where that is."""
    found: list[Step] = []
    for part in re.split(r"^#{2,} ", text, flags=re.MULTILINE):
        section = part.partition("\n")[0]
        for language, block in _BLOCK.findall(part):
            lines = block.splitlines()
            if language == "console":
                starts = [at for at, line in enumerate(lines) if line.startswith("$ ")]
                ends = [*starts[1:], len(lines)]
                found += [
                    Step(section, lines[start][2:], tuple(lines[start + 1 : end]))
                    for start, end in zip(starts, ends, strict=True)
                ]
            elif language == "sh" and lines[0] == AWS_ONLY and on_aws:
                found += [Step(section, line) for line in lines[1:]]
    return found


@dataclass(frozen=True, slots=True)
class Answer:
    """What a typed line printed, and how it ended."""

    code: int
    output: str
    complained: str


class Shell:
    """One shell for all lines: what one sets, the next one has."""

    def __init__(self, folder: Path, environment: Mapping[str, str], *, patience_s: float) -> None:
        """A line that takes longer than `patience_s` ends the shell."""
        self._patience_s = patience_s
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the shell
        self._bash = subprocess.Popen(
            ["/bin/bash", "--noprofile", "--norc"],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        raised: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bash.kill()
        self._bash.communicate()
        self._complaints.close()

    def type(self, line: str) -> Answer:
        """Types a line, and waits until it is done; a shell that ended meanwhile answers -1."""
        assert self._bash.stdin is not None  # noqa: S101  # both are pipes
        assert self._bash.stdout is not None  # noqa: S101
        self._complaints.seek(0)
        self._complaints.truncate()
        late = threading.Timer(self._patience_s, self._bash.kill)
        late.start()
        # What is typed must not read what is typed next.
        self._bash.stdin.write(f"{{ {line}\n}} </dev/null\nprintf '\\n{_END}%s\\n' $?\n")
        self._bash.stdin.flush()
        output: list[str] = []
        code = -1
        for printed in self._bash.stdout:
            if printed.startswith(_END):
                code = int(printed.removeprefix(_END))
                break
            output.append(printed)
        late.cancel()
        self._complaints.seek(0)
        return Answer(code, "".join(output).removesuffix("\n"), self._complaints.read())
