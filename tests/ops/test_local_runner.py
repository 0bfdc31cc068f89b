"""The event-source runner as a whole, on real services: what it asks of them when nothing happens."""

import time

import pytest

from ops import apps
from ops.local import worker
from ops.local.clients import Clients
from ops.local.provision import provision
from ops.local.runner import Runner

from .conftest import MiniStack, calls_of

pytestmark = pytest.mark.local_stack


def test_an_idle_runner_asks_its_services_eight_times_a_second_at_most(services: MiniStack) -> None:
    provision("test", endpoint=services.endpoint, region="eu-west-3")
    counted = Clients.at(services.endpoint)
    calls = calls_of(counted.dynamodb, counted.kinesis, counted.sqs, counted.streams)
    runner = Runner(counted)
    worker.feed_functions(runner, taxis := apps.find("taxis"), window_s=5)
    worker.feed_application(runner, apps.application(taxis))
    runner.start()
    time.sleep(2)
    calls.clear()
    time.sleep(5)
    idle = calls.total()
    assert runner.stop()
    counted.close()

    # Two streams of two shards and a table's stream once a second, two queues each two seconds
    assert 0 < idle <= 40
