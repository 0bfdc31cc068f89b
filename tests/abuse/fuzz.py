"""Coverage-guided attacks on the decoders, by atheris (libFuzzer): each in a process of its own.

    python -m tests.abuse.fuzz [--seconds 60] [--runs N] [--seed N] [DECODER ...]

An input that is neither read nor refused by name ends the attack: it is kept in `build/fuzz`, and its
traceback is printed. Exit status 1 then.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "fuzz"
NAMES = ("datagram", "report of positions", "cell", "report of searches", "searches inside")
LONGEST = 4200  # bytes: a datagram has 4,096 at most
TOO_SLOW_S = 20  # for one input


def attack(name: str, *, seconds: int, runs: int, seed: int) -> bool:
    """Attacks one decoder for so many seconds or inputs, whichever is over first; whether it held."""
    began = [sys.executable, "-m", "tests.abuse.fuzz_one", name]
    limits = [f"-max_total_time={seconds}", f"-runs={runs}", f"-seed={seed}"]
    print(f"{name}: for {seconds} s at most ...", flush=True)
    ended = subprocess.run([*began, *limits], cwd=ROOT, capture_output=True, check=False)
    said = ended.stderr.decode(errors="replace")
    inputs = re.findall(r"^#(\d+)", said, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", said)
    if ended.returncode or not inputs or not edges:
        print(f"{ended.stdout.decode(errors='replace')}{said}", flush=True)
        return False
    print(f"{name}: {int(inputs[-1]):,} inputs, {edges[-1]} edges of the code", flush=True)
    return True


def main() -> int:
    """The command above."""
    parser = argparse.ArgumentParser(description="Attacks the decoders.")
    parser.add_argument("decoders", nargs="*", metavar="DECODER", help=", ".join(NAMES))
    parser.add_argument("--seconds", type=int, default=60, help="for each decoder")
    parser.add_argument("--runs", type=int, default=-1, help="inputs for each, -1: no limit")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    held = [
        attack(name, seconds=asked.seconds, runs=asked.runs, seed=asked.seed)
        for name in asked.decoders or NAMES
    ]
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
