"""The packaged template, read once: it has some ten thousand lines."""

from pathlib import Path

import pytest

from tests.infra.templates import Template, packaged


@pytest.fixture(scope="session", name="template")
def packaged_template(package: Path) -> Template:
    """For tests that only read it; who changes it takes `packaged`."""
    return packaged(package)
