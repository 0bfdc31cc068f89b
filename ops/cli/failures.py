"""What the user is told of an exception that a command did not expect: sentences, no traceback."""

import traceback
from pathlib import Path

from chalicelib.foundation.errors import Refusal
from ops.apps import ROOT

TRACEBACK = "MARAUDE_TRACEBACK"  # an environment variable: set, the traceback is shown as well


def sentence(error: Exception) -> str:
    """What went wrong, and what to do where that is known."""
    # What raises them is slow to load, and a command that goes well needs none of it here.
    from botocore.exceptions import BotoCoreError, ClientError
    from cryptography.fernet import InvalidToken
    from pynamodb.exceptions import PynamoDBException
    from urllib3.exceptions import HTTPError

    from chalicelib.foundation.store.reads import StoreBusy
    from chalicelib.foundation.store.writes import Moved

    match error:
        case Refusal():
            return " ".join(fault.message for fault in error.faults)
        case BotoCoreError() | ClientError() | PynamoDBException():
            return f"AWS, or what stands for it here, refused: {error}"
        case StoreBusy() | Moved():
            return (
                "The store is busy, or what was to be changed was changed meanwhile. Say it again."
            )
        case InvalidToken():
            return (
                "A stored secret was sealed with a secret key that is not at hand: put it behind the others "
                "in MARAUDE_SECRET_KEYS, or in the secret that MARAUDE_SECRET_ID names."
            )
        case HTTPError():
            return f"The API does not answer: {error}"
        case EOFError():
            return "Standard input ended before the answer."
        case OSError():
            return f"{error}."
    return (
        f"A fault of the command's own, {type(error).__name__} at {_place(error)}: {error}. Please "
        f"report it; with {TRACEBACK}=1 in the environment it says more."
    )


def _place(error: Exception) -> str:
    """The file and line where it was raised, or what of ours called what raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if Path(frame.filename).is_relative_to(ROOT)]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"
