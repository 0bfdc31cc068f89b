"""The examples of the API document: one story, `examples.json`, which a test plays."""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from chalicelib.taxis.contract import FAULT

Json = dict[str, Any]  # a piece of the document

EXAMPLES = Path(__file__).with_name("examples.json")


@cache
def story() -> Sequence[Json]:
    """The exchanges of the examples, in the order in which they are played."""
    exchanges: Sequence[Json] = json.loads(
        Path(__file__).with_name("examples.json").read_text("utf-8")
    )
    return exchanges


def example_of_refusal(status: int, exchanges: Sequence[Json], text: str) -> object:
    """From the operation's own exchanges, or from another's; what no story can show is described."""
    for one in (*exchanges, *story()):
        if one["status"] == status:
            return one["answer"]
    return {"errors": {"": [FAULT if status == 500 else text]}}
