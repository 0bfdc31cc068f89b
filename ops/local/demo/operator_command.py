"""`maraude demo-operator`: plays the server and the drivers of any operator of the local system."""

import argparse
import logging
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING

from ops.cli import target
from ops.cli.emails import email
from ops.local.demo.hook import Drivers, Temper, serving, temper

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from chalicelib.taxis.access.rules import Record

LOOK_S = 30.0  # between two looks at where its taxis were last

TEMPERS: dict[str, Callable[[str], Temper]] = {
    "accepts": lambda _: Temper.ACCEPTS,
    "declines": lambda _: Temper.DECLINES,
    "silent": lambda _: Temper.SILENT,
    "mixed": temper,
}


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "demo-operator", help="take an operator's hails, and answer them as its drivers would"
    )
    parser.add_argument("email", metavar="EMAIL", type=email, help="the operator's account")
    parser.add_argument(
        "--temper",
        choices=TEMPERS,
        default="accepts",
        help="what its drivers do about a hail (accepts)",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="of its server (any that is free)"
    )
    target.add_arguments(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Answers hails until Ctrl-C; then the account's hails go again where they went before.

    Raises AccountUnfit, PortTaken, and CannotGoOn for a stage.
    """
    url = target.url(args)

    from chalicelib.taxis.vocabulary import Role
    from ops.local.demo import accounts

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("maraude.demo").setLevel(logging.INFO)
    record = accounts.fit(args.email, Role.OPERATEUR)
    drivers = Drivers(accounts.client_of(record, url), temper=TEMPERS[args.temper])
    with _told_to_end(), serving(drivers, port=args.port) as address:
        _send_hails(record, address)
        try:
            print(
                f"Hails of {args.email} come to {address} from now on, within half a minute; its drivers: "
                f"{args.temper}. Its taxis that are not off stay where they were last. Ctrl-C ends it.",
                flush=True,
            )
            _keep_in_sight(record, drivers)
        except KeyboardInterrupt:
            pass  # as it was asked to
        finally:
            _send_hails_back(record, address)


@contextmanager
def _told_to_end() -> Iterator[None]:
    """SIGTERM is as Ctrl-C."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _send_hails(record: "Record", address: str) -> None:
    from chalicelib.taxis.access import hooks
    from ops.cli import administration

    hook = (address, record.operator_header_name, hooks.header_value(record))
    administration.add(record.account.email, hook=hook)


def _send_hails_back(record: "Record", from_: str) -> None:
    """Where they went before, unless somebody has sent them elsewhere meanwhile."""
    from ops.cli import administration

    if administration.find(record.account.email).hail_endpoint_production == from_:
        url = record.hail_endpoint_production
        _send_hails(record, url)
        print(f"Hails of {record.account.email} go to {url or 'no address'} again.")


def _keep_in_sight(record: "Record", drivers: Drivers) -> None:
    """Repeats where the taxis were last that are not off, nor on their way to a customer, without end."""
    from chalicelib.foundation import clock
    from chalicelib.taxis.positions.service import StreamUnavailable
    from ops.local.demo import driving, enrol

    while True:
        statuses = enrol.statuses([*enrol.known(record.account).values()])
        on_duty = {taxi_id for taxi_id, status in statuses.items() if status != "off"}
        try:
            driving.repeat(on_duty - drivers.with_hail(), now=clock.now())
        except StreamUnavailable as error:
            logging.getLogger("maraude.demo").warning("its taxis are not repeated: %s", error)
        time.sleep(LOOK_S)
