"""Errors of commands: a sentence for the user, and an exit code."""


class CannotGoOn(Exception):
    """Shown to the user as it is, without a traceback."""

    exit_code = 1
