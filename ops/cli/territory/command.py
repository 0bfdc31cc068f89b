"""`maraude territory`: its actions and their arguments."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from ops.cli import target
from ops.cli.territory import conurbations, exclusions, loads, station_loads

if TYPE_CHECKING:
    from argparse import _SubParsersAction


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    territory = commands.add_parser(
        "territory", help="load towns, zones, conurbations, exclusions, stations"
    )
    actions = territory.add_subparsers(dest="action", required=True, metavar="ACTION")

    towns = actions.add_parser(
        "load-towns", help="GeoJSON: a FeatureCollection, or one Feature a line; .gz allowed"
    )
    towns.set_defaults(run=_towns)
    zones = actions.add_parser(
        "load-zones", help="a zupc.json, a zone.yaml, or a folder of zone.yaml files"
    )
    zones.set_defaults(run=_zones)
    for action in (towns, zones):
        action.add_argument(
            "--merges", metavar="FILE", type=Path, help="CSV: ancien_insee, nouveau_insee"
        )
    conurbations = actions.add_parser(
        "load-conurbations", help="JSON: the whole list, as ops/cli/territory/conurbations.json"
    )
    conurbations.set_defaults(run=_conurbations)
    exclusion = actions.add_parser("load-exclusion", help="one GeoJSON Feature with an id")
    exclusion.set_defaults(run=_exclusion)
    stations = actions.add_parser(
        "load-stations", help="stationstaxi, in its CSV or its GeoJSON form"
    )
    stations.set_defaults(run=_stations)

    for action in actions.choices.values():
        action.add_argument("file", metavar="FILE", type=Path)
    for name, text, run in (
        ("remove-zone", "take a zone away", _remove_zone),
        ("remove-exclusion", "take an exclusion away", _remove_exclusion),
    ):
        removal = actions.add_parser(name, help=text)
        removal.add_argument("id", metavar="ID")
        removal.set_defaults(run=run)
    for action in actions.choices.values():
        target.add_arguments(action)


def _towns(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    loads.load_towns(arguments.file, merges=arguments.merges)


def _zones(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    loads.load_zones(arguments.file, merges=arguments.merges)


def _conurbations(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    conurbations.load_conurbations(arguments.file)


def _exclusion(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    exclusions.load_exclusion(arguments.file)


def _stations(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    station_loads.load_stations(arguments.file)


def _remove_zone(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    loads.remove_zone(arguments.id)


def _remove_exclusion(arguments: argparse.Namespace) -> None:
    target.connect(arguments)
    exclusions.remove_exclusion(arguments.id)
