import pytest

from tests.eventually import eventually


def test_the_first_true_answer_is_given() -> None:
    answers = iter([0, None, 3])

    assert eventually(lambda: next(answers)) == 3


def test_a_test_fails_when_its_time_is_over_and_says_what_it_saw() -> None:
    with pytest.raises(pytest.fail.Exception, match=r"not within 0\.1 s; the last answer was \[\]"):
        eventually(list, within_s=0.1)


def test_what_was_seen_last_is_said_where_it_is_asked_for() -> None:
    with pytest.raises(pytest.fail.Exception, match="was '3 of 5'"):
        eventually(lambda: False, within_s=0, seen=lambda: "3 of 5")


def test_whoever_had_no_time_looks_once() -> None:
    assert eventually(lambda: "there", within_s=0) == "there"
