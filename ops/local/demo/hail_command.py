"""`maraude demo-hail`: plays a customer of the demonstration's search app, or of another account."""

import argparse
from typing import TYPE_CHECKING

from ops.cli import target
from ops.cli.emails import email
from ops.errors import CannotGoOn
from ops.local import place as places
from ops.local.demo.customer import SQUARE, Customer, Place

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "demo-hail", help="hail a taxi as a customer of the demonstration, and see each step"
    )
    parser.add_argument(
        "--account",
        metavar="EMAIL",
        type=email,
        help="the search app (the demonstration's own)",
    )
    parser.add_argument(
        "--at",
        metavar="LON,LAT",
        type=_point,
        default=SQUARE,
        help="where the customer stands (before the Hôtel de Ville in Paris)",
    )
    target.add_arguments(parser)
    parser.set_defaults(run=run)


def _point(text: str) -> Place:
    try:
        lon, lat = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError("it must be LON,LAT in degrees: 2.3522,48.8566") from None
    if not (-180 <= lon <= 180 and -85 <= lat <= 85):
        raise argparse.ArgumentTypeError("LON is from -180 to 180, LAT from -85 to 85")
    return Place(lon, lat, text)


def run(args: argparse.Namespace) -> None:
    """Plays the customer until the ride is over; adds and changes no account.

    Raises NoTaxi, ApiRefused, AccountUnfit, and CannotGoOn where no demonstration runs.
    """
    url = target.url(args)

    from chalicelib.taxis.vocabulary import Role
    from ops.local.demo import accounts
    from ops.local.demo import fleet as demo

    running = places.of(args.data, service=args.app.data).running()
    if args.account is None and "demo" not in running.pids:
        raise CannotGoOn(
            "No demonstration runs on this system: start it with `make run` (`maraude up --demo`), or name a search "
            "app and a place that a free taxi is near: maraude demo-hail --account EMAIL --at LON,LAT."
        )
    record = accounts.fit(args.account or demo.SEARCH_APP, Role.MOTEUR)
    Customer(accounts.client_of(record, url), place=args.at).ride()
