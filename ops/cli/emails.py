"""E-mails of accounts among a command's arguments."""

import argparse


def email(text: str) -> str:
    """An account's e-mail, which is any text that can be seen. Raises ArgumentTypeError for one that is empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an account's e-mail must not be empty")
    return text
