"""Parts of the documentation that are made from the code are as the code is now."""

from pathlib import Path

import pytest

from chalicelib.foundation.settings import Settings
from chalicelib.taxis.hails.statuses import STEPS, Status
from ops.release import reference


@pytest.mark.parametrize(
    ("path", "text"), reference.made().items(), ids=lambda one: getattr(one, "name", "")
)
def test_what_is_made_from_the_code_is_as_it_would_be_made_now(path: Path, text: str) -> None:
    assert path.read_text("utf-8") == text, "run `make pages`"


def test_the_drawing_has_every_step_but_those_of_old_records() -> None:
    drawn = reference.diagram()

    for status, after in STEPS.items():
        if status is not Status.SENT_TO_OPERATOR:
            assert f">{status}</text>" in drawn
            assert all(f">{to}" in drawn for to in after)
    ends = sum(
        len(after) for status, after in STEPS.items() if status is not Status.SENT_TO_OPERATOR
    )
    assert drawn.count('marker-end="url(#a)"') == ends


def test_a_setting_that_says_nothing_of_itself_is_not_written() -> None:
    class Silent(Settings, frozen=True):
        """For this test."""

        word: str = ""

    with pytest.raises(KeyError, match="word"):
        list(reference.settings_rows(Silent))
