"""What a command of the desk says when it cannot go on: mostly one sentence, and how it exits."""


class CannotGoOn(Exception):
    """Shown to the user as it is, without a traceback."""

    exit_code = 1
