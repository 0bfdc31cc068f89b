"""Shapes of answers, from the types of what is answered."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import pytest
from msgspec import Struct

from chalicelib.foundation.http.json_schema import (
    CLAIM,
    MOMENT,
    NUMBER,
    TEXT,
    WHOLE,
    Shape,
    list_of,
    map_of,
    nullable,
    record,
    shape_of,
)


class Point(Struct):
    lat: float


class Place(Point):
    name: str | None
    at: Annotated[str, MOMENT]
    near: Sequence[Point]


POINT = record("Point", {"lat": NUMBER})


@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (str, TEXT),
        (int, WHOLE),
        (float, NUMBER),
        (bool, CLAIM),
        (float | None, nullable(NUMBER)),
        (list[int], list_of(WHOLE)),
        (Mapping[str, float | None], map_of(nullable(NUMBER))),
        (Annotated[str | None, MOMENT], MOMENT),
        (Point, POINT),
        (
            Place,
            record(
                "Place",
                {"lat": NUMBER, "name": nullable(TEXT), "at": MOMENT, "near": list_of(POINT)},
            ),
        ),
    ],
)
def test_a_type_has_the_shape_of_its_values(kind: object, shape: Shape) -> None:
    assert shape_of(kind) == shape


def test_a_type_that_no_answer_has_is_refused() -> None:
    with pytest.raises(TypeError):
        shape_of(1)
