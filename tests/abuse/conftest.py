"""What the tests of abuse share with those of accounts."""

from tests.access.conftest import aws_calls

__all__ = ["aws_calls"]
