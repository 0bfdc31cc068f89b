"""What every test may use: an empty registry on an in-process AWS."""

import os
from collections.abc import Iterator

import pytest

# Before anything of ours is imported: the stage names the tables, the keys are for tests only.
os.environ.update(
    {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "eu-west-3",
        "MARAUDE_STAGE": "test",
        "MARAUDE_SECRET_KEYS": "dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk=",
    }
)
os.environ.pop("AWS_PROFILE", None)

from moto import mock_aws  # it must see the environment above

from chalicelib import cache, config
from chalicelib.stats.searches import stream
from ops.local.provision import provision


@pytest.fixture
def store() -> Iterator[None]:
    """Empty tables, stream and queues, in this process (moto), and no cache of an earlier test."""
    with mock_aws():
        config.forget()
        cache.forget_all()
        provision("test", endpoint=None, region="eu-west-3")
        yield
        stream.notes.forget()
