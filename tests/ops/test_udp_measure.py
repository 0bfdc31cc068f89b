"""The measurement itself, at a rate that any machine holds."""

import re
import subprocess
import sys

import pytest

from ops.local.process import ROOT, environment


@pytest.mark.prove
def test_the_door_and_the_no_ops_receive_all_of_a_low_rate() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "bench.udp_door", "--rate", "500", "--seconds", "0.4"],
        cwd=ROOT,
        env=environment({}),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    lines = ran.stdout.splitlines()[1:]
    lost = {line[:14].strip(): re.findall(r"lost +([\d,]+)", line) for line in lines[:3]}
    assert lost == {"asyncio, no-op": ["0"], "reader, no-op": ["0"], "the door": ["0"]}
    assert lines[2].endswith("not sent on 0")
    assert len(lines) == 6
