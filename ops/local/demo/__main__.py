"""Process of the demonstration, `python -m ops.local.demo --url URL`: its taxis, their drivers, and customers."""

import argparse
import logging
import threading
import time
from contextlib import ExitStack

from chalicelib.foundation import clock
from chalicelib.taxis.positions.service import StreamUnavailable
from ops.local.client import DEMONSTRATION
from ops.local.demo import accounts, driving, enrol, hook, seed
from ops.local.demo import fleet as demo
from ops.local.demo.accounts import Accounts
from ops.local.demo.crowd import Crowd
from ops.local.demo.driving import TICK_S, Operator, Traffic
from ops.local.demo.hook import Drivers, Temper

REPEATS_S = 30.0  # between two looks at the readers' taxi

log = logging.getLogger("maraude.demo")


def fill(traffic: Traffic) -> None:
    """Brings the fleet to what it is, while what there is of it drives; then the rest of the statistics."""
    operator, group = traffic.operators
    of_group = {car.number for car in demo.OF_GROUP}
    for place, taxi_id, left in seed.enrol_rest(now=clock.now()):
        of = group if demo.DRIVEN[place].number in of_group else operator
        traffic.add(of, place, taxi_id, left=left)
    seed.seed_figures(now=clock.now())
    log.info("all %s taxis are on the road", len(demo.DRIVEN))


def keep_driving(traffic: Traffic) -> None:
    """Lets a batch report each `TICK_S`, until the process is stopped; taxis with a hail go by themselves."""
    started = time.monotonic()
    rounds = 0
    while True:
        traffic.tick(time.monotonic() - started)
        rounds += 1
        time.sleep(max(0.0, started + rounds * TICK_S - time.monotonic()))


def keep_readers(those: Accounts, drivers: Drivers) -> None:
    """Repeats where the taxi of the printed lines is, so that it does not vanish."""
    taxi_id = enrol.known(those.operator.account)[demo.READERS.plate]
    while True:
        try:
            driving.repeat({taxi_id} - drivers.with_hail(), now=clock.now())
        except StreamUnavailable as error:
            log.warning("the readers' taxi is not repeated: %s", error)
        time.sleep(REPEATS_S)


def main() -> None:
    """The process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m ops.local.demo")
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    those = accounts.find()
    own, of_group, simulated = (
        Drivers(accounts.client_of(record, url, agent=DEMONSTRATION), temper=temper)
        for record, temper in (
            (those.operator, hook.temper),
            (those.group, hook.temper),
            (those.integration, lambda _: Temper.BY_HAND),
        )
    )
    # First of all: the fleet of an earlier run can be hailed already.
    with ExitStack() as servers:
        addresses = [
            servers.enter_context(hook.serving(each)) for each in (simulated, of_group, own)
        ]
        accounts.send_hails_to(dict(zip(seed.hailed(), addresses, strict=True)))
        traffic = Traffic((Operator(own.operator, own), Operator(of_group.operator, of_group)))
        crowd = Crowd(accounts.client_of(those.search_app, url, agent=DEMONSTRATION))
        for work, given in (
            (fill, (traffic,)),
            (keep_readers, (those, own)),
            (crowd.go_on, ()),
        ):
            threading.Thread(target=work, args=given, daemon=True).start()
        keep_driving(traffic)


if __name__ == "__main__":
    main()
