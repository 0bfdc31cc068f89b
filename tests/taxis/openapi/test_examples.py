"""The examples of the API document: one story, which is played here on a new registry.

A new exchange is written into `examples.json` with `"status": 0, "answer": null`; run with
MARAUDE_RECORD_EXAMPLES=1, this module then writes what came beside every request.
"""

import os

import pytest

from app import app
from chalicelib.taxis.openapi.document import document
from tests.taxis.openapi import story

pytestmark = pytest.mark.usefixtures("store")

# What is answered is the document itself; where `/` leads is the installation's.
OWN_EXAMPLE = {"/swagger.json", "/doc", "/"}


def test_what_the_examples_tell_is_what_comes() -> None:
    if os.environ.get("MARAUDE_RECORD_EXAMPLES"):
        story.record()
        pytest.skip("what came was written into the examples")

    for one, answer, stands_for in story.played():
        where = f"{one['operation']} as {one['as']}"
        assert answer.status == one["status"], (where, answer.text)
        if "answer" in one:
            assert [
                *story.differences(one["answer"], story.body(answer), stands_for, at=where)
            ] == []


def test_every_operation_and_every_body_and_answer_has_an_example() -> None:
    bare = []
    for path, verbs in document(app.table)["paths"].items():
        for verb, operation in verbs.items():
            media = [
                *operation.get("requestBody", {}).get("content", {}).values(),
                *(
                    one
                    for answer in operation["responses"].values()
                    for one in answer["content"].values()
                ),
            ]
            bare += [f"{verb} {path}" for one in media if "example" not in one]

    assert set(bare) == {f"get {path}" for path in OWN_EXAMPLE}
