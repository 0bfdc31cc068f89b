"""The coverage-guided attacks, for a moment and the same ones each time; `make abuse` goes on for longer."""

import importlib.util

import pytest

from tests.abuse import fuzz
from tests.abuse.decoders import DECODERS

without_atheris = pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="there is no wheel of atheris for this desk"
)


@without_atheris
@pytest.mark.parametrize("name", fuzz.NAMES)
def test_no_input_that_coverage_leads_to_breaks_a_decoder(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    held = fuzz.attack(name, seconds=20, runs=5000, seed=1)

    assert held, capsys.readouterr().out


def test_every_decoder_is_attacked() -> None:
    assert set(fuzz.NAMES) == DECODERS.keys()
