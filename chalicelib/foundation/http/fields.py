"""Fields of bodies: texts and numbers that can be kept."""

from typing import Any

from marshmallow import ValidationError, fields, validate


def has_no_nul(text: str) -> None:
    """Refuses a text with a NUL character, which the contract allows nowhere."""
    if "\0" in text:
        raise ValidationError("NUL characters are not permitted.")


class Text(fields.String):
    """A text that can be kept: of at most 255 characters unless said otherwise, none of them NUL."""

    def __init__(
        self,
        *rules: validate.Validator,
        longest: int = 255,
        **kwargs: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(validate=[*rules, validate.Length(max=longest), has_no_nul], **kwargs)


class Whole(fields.Integer):
    """A whole number of four bytes."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(validate=validate.Range(min=-(2**31), max=2**31 - 1), **kwargs)


class Measure(fields.Float):
    """A number in a sane range, to three decimals: the store takes no number next to nothing."""

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401
        super().__init__(validate=validate.Range(min=-(10**9), max=10**9), **kwargs)

    def _deserialize(self, *args: Any, **kwargs: Any) -> float | None:  # noqa: ANN401
        number = super()._deserialize(*args, **kwargs)
        return None if number is None else round(number, 3)
