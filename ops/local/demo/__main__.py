"""Process of the demonstration, `python -m ops.local.demo --url URL`: drives its taxis and answers hails."""

import argparse
import logging
import time

import urllib3

from ops.local.client import ApiRefused
from ops.local.demo import hook, seed
from ops.local.demo.hook import Drivers, Temper
from ops.local.demo.seed import Seeded

REPORT_EVERY_S = 5.0  # the partner guide's period [contract: Numbers]
RIDE_S = 180.0  # how long a taxi stays free, or occupied

log = logging.getLogger("maraude.demo")


def status(number: int, elapsed_s: float) -> str:
    """Whether the taxi is free: two slots in three, each beginning at its own time."""
    slot = int((elapsed_s + number * 37) // RIDE_S)
    return "occupied" if (slot + number) % 3 == 0 else "free"


def keep_driving(seeded: Seeded, drivers: Drivers) -> None:
    """Reports each `REPORT_EVERY_S`, until the process is stopped; taxis with a hail go by themselves."""
    started = time.monotonic()
    known = ["free"] * len(seeded.driven)
    rounds = 0
    while True:
        elapsed_s = time.monotonic() - started
        hailed = drivers.with_hail()
        try:
            seed.report(seeded, elapsed_s=elapsed_s, without=hailed)
            for number, taxi_id in enumerate(seeded.driven):
                wanted = status(number, elapsed_s)
                if taxi_id in hailed:
                    known[number] = "free"  # as its driver leaves it
                elif wanted != known[number]:
                    seeded.operator.put(f"/taxis/{taxi_id}", {"status": wanted})
                    known[number] = wanted
        except (ApiRefused, urllib3.exceptions.HTTPError) as error:
            log.warning("the API did not take it, so it is sent again: %s", error)
        rounds += 1
        time.sleep(max(0.0, started + rounds * REPORT_EVERY_S - time.monotonic()))


def main() -> None:
    """The process."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m ops.local.demo")
    parser.add_argument("--url", required=True)
    url = parser.parse_args().url
    operator, _, integration = seed.clients(url)
    drivers = Drivers(operator)
    simulated = Drivers(integration, temper=lambda _: Temper.BY_HAND)
    # First of all: the fleet of an earlier run can be hailed already.
    with hook.serving(drivers) as address, hook.serving(simulated) as simulators:
        seed.send_hails_to(address, simulators)
        keep_driving(seed.seed(url), drivers)


if __name__ == "__main__":
    main()
