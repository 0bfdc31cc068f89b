"""The scene of most tests of hails."""

import pytest

from tests.taxis.hails.hail_factories import Scene


@pytest.fixture
def scene(store: None) -> Scene:  # noqa: ARG001  # where everything is
    """An operator with a free taxi, and a search app."""
    return Scene()
