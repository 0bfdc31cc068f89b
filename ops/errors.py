"""What a command of the desk says when it cannot go on: one sentence, and how it exits."""


class CannotGoOn(Exception):
    """Shown to the user as one sentence, without a traceback."""

    exit_code = 1
