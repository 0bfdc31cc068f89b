"""The app and the callers that accounts are tested with."""

from tests.taxis.access.conftest import anonymous, app, aws_calls, call

__all__ = ["anonymous", "app", "aws_calls", "call"]
