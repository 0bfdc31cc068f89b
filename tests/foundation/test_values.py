"""Changed copies of the registry's values."""

from functools import cached_property

import pytest
from msgspec import Struct

from chalicelib.foundation.settings import BadSetting
from chalicelib.foundation.values import replace
from chalicelib.taxis.settings import Settings


class Doubled(Struct, frozen=True, dict=True):
    one: int
    other: str = "kept"

    @cached_property
    def twice(self) -> int:
        """Something worth keeping."""
        return 2 * self.one


def test_a_changed_copy_keeps_the_rest_and_leaves_the_original_alone() -> None:
    before = Doubled(1, "said")

    after = replace(before, one=2)

    assert (after, before) == (Doubled(2, "said"), Doubled(1, "said"))


def test_a_changed_copy_has_nothing_of_what_the_original_had_worked_out() -> None:
    before = Doubled(1)
    assert before.twice == 2

    assert replace(before, one=2).twice == 4


def test_a_field_that_is_not_there_cannot_be_changed() -> None:
    with pytest.raises(TypeError, match="ones"):
        replace(Doubled(1), ones=2)  # type: ignore[call-arg]  # what mypy refuses, too


def test_a_changed_copy_is_checked_like_a_new_one() -> None:
    with pytest.raises(BadSetting, match="MARAUDE_FRESHNESS_S"):
        replace(Settings(), freshness_s=0)
