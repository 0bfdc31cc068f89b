"""Names of a function in the template, and in words."""

import re


def in_words(function: str) -> str:
    """A function's logical name as others are spelled: `CountActive` is `count-active`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", function).lower()
