"""What is typed of a page, what counts as seen, and a shell that keeps what it was told."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.release.followed import Shell, Step, steps

PAGE = """# A page

## One

```console
$ list
first …
second
$ count
```

```sh
# on AWS only
aws list
aws count
```

### Two

```sh
not for the rehearsal
```

```console
$ more
```
"""


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """One that waits for three seconds at most."""
    with Shell(tmp_path, {"PATH": "/usr/bin:/bin"}, patience_s=3) as opened:
        yield opened


def test_a_page_is_typed_in_its_order_with_its_sections() -> None:
    assert steps(PAGE, on_aws=True) == [
        Step("One", "list", ("first …", "second")),
        Step("One", "count", ()),
        Step("One", "aws list"),
        Step("One", "aws count"),
        Step("Two", "more", ()),
    ]


def test_what_is_for_aws_only_is_typed_nowhere_else() -> None:
    assert [one.typed for one in steps(PAGE, on_aws=False)] == ["list", "count", "more"]


@pytest.mark.parametrize(
    ("said", "is_seen"),
    [
        ("first of all\nsecond", True),
        ("first \nsecond", True),
        ("first of all\nsecond\nthird", False),
        ("first of all", False),
        ("first of all\nsecondly", False),
    ],
)
def test_an_answer_is_what_the_page_shows_line_by_line(said: str, *, is_seen: bool) -> None:
    assert Step("One", "list", ("first …", "second")).is_seen(said) is is_seen


def test_a_shell_keeps_variables_and_functions_and_says_how_a_line_ended(shell: Shell) -> None:
    shell.type("kept=7; twice() { echo $kept $kept; return 3; }")

    answer = shell.type("twice; twice")

    assert (answer.code, answer.output) == (3, "7 7\n7 7\n")


def test_each_line_has_its_own_complaints(shell: Shell) -> None:
    first = shell.type("echo wrong >&2; false")
    second = shell.type("echo right")

    assert (first.code, first.complained) == (1, "wrong\n")
    assert (second.code, second.output, second.complained) == (0, "right\n", "")


def test_a_line_does_not_read_those_that_come_after_it(shell: Shell) -> None:
    assert shell.type("cat").output == ""
    assert shell.type("echo next").output == "next\n"


def test_a_line_that_takes_too_long_has_failed(shell: Shell) -> None:
    assert shell.type("exec sleep 60").code == -1
