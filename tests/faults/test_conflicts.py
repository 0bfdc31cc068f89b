"""Transactions that others are in the way of: nobody gets a taxi twice, and no granted step is lost."""

import json
import os
import subprocess
import sys

import pytest

from tests.faults.conftest import TIMES, Tell

pytestmark = pytest.mark.local_stack

TAXIS = 5 * TIMES


def test_of_cancelled_transactions_no_hail_is_double_and_no_step_is_lost(
    state_service: str, tell: Tell
) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.faults.conflicts", str(TAXIS)],
        env={
            **os.environ,
            "MARAUDE_ENDPOINT": state_service,
            "MARAUDE_STAGE": "conflicts",
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout.splitlines()[-1])
    lost = TAXIS - found["sound"]
    tell(
        "a third of the transactions are cancelled by a conflict",
        seen=f"{found['conflicts']} cancelled; four customers at once for each of {TAXIS} taxis had "
        f"{found['created']} hails; {found['granted']} steps were granted to who sent them twice at "
        f"once, {found['declined']} customers declined meanwhile; {found['sound']} hails and "
        "taxis agree",
        lost=lost,
        guard="chalicelib.taxis.hails.steps.RETRY: deciding anew on what is there",
    )
    assert found["conflicts"] > TAXIS
    assert found["created"] == found["alone"] == TAXIS
    assert lost == 0
