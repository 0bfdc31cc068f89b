"""Errors of commands: a sentence for the user, and an exit code."""


class CannotGoOn(Exception):
    """Shown to the user as it is, without a traceback."""

    exit_code = 1


def unknown_account(email: str) -> CannotGoOn:
    """The refusal of a command for an account that there is not."""
    return CannotGoOn(
        f"There is no account {email!r}; `maraude account list` shows those there are."
    )
