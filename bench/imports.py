"""Benchmark of an import of a whole fleet: `python -m bench.imports [--taxis 60000]`.

Makes the export of a fleet in a temporary folder, and has `maraude import` bring it into a local state
service of its own: checked only, imported, and imported again. Of each run it says the time and the
memory that the command had at its peak. Most of the time is the emulator's, which has one thread and
walks through all that an operator has for each of its taxis: DynamoDB does not. With 60,000 taxis it
takes an hour on two cores.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from chalicelib.taxis.vocabulary import TAXI_ID_ALPHABET, TAXI_ID_LENGTH
from ops.errors import CannotGoOn
from ops.local.demo import fleet as demo
from ops.local.place import REGION, Place
from ops.local.process import environment
from ops.local.provision import provision
from ops.local.state import StateService

STAGE = "local"
TAXIS = 60_000  # the national fleet [contract: Size of the fleet]
OPERATORS = 200
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "measure", "AWS_SECRET_ACCESS_KEY": "measure"}
TOWNS = Path(demo.__file__).with_name("towns.geojson")


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the command: what it printed, how long it took, and its memory at its peak."""

    output: str
    took_s: float
    peak_mb: float


def export(folder: Path, taxis: int) -> None:
    """Writes the export of a fleet of so many taxis; each has a driver, a vehicle and an ADS of its own."""
    emails = [f"operator-{number}" for number in range(OPERATORS)]
    with ExitStack() as opened:

        def file(kind: str, *columns: str) -> "csv.DictWriter[str]":
            path = folder / f"{kind}.csv"
            lines = csv.DictWriter(
                opened.enter_context(path.open("w", encoding="utf-8", newline="")), columns
            )
            lines.writeheader()
            return lines

        accounts = file("accounts", "email", "roles")
        accounts.writerows({"email": email, "roles": "operateur"} for email in emails)
        licence = ("departement.numero", "professional_licence")
        drivers = file("drivers", "operator", *licence, "first_name", "last_name", "birth_date")
        vehicles = file("vehicles", "operator", "id", "licence_plate", "model", "nb_seats")
        ads = file("ads", "operator", "insee", "numero", "vehicle_id")
        writer = file(
            "taxis",
            *("operator", "id", "ads.insee", "ads.numero", "vehicle.licence_plate"),
            *("driver.departement", "driver.professional_licence", "status"),
        )
        ids = map("".join, product(TAXI_ID_ALPHABET, repeat=TAXI_ID_LENGTH))
        for number, taxi_id in zip(range(1, taxis + 1), ids, strict=False):
            owned = {"operator": emails[number % OPERATORS]}
            driver, plate = f"75-{number:06}", f"IM-{number:06}"
            drivers.writerow(
                owned
                | {"departement.numero": "75", "professional_licence": driver}
                | {"first_name": "Ada", "last_name": f"Byron {number}", "birth_date": "1978-01-05"}
            )
            vehicles.writerow(
                owned | {"id": number, "licence_plate": plate, "model": "508", "nb_seats": 4}
            )
            ads.writerow(owned | {"insee": "75056", "numero": number, "vehicle_id": number})
            writer.writerow(
                owned
                | {"id": taxi_id, "ads.insee": "75056", "ads.numero": number}
                | {"vehicle.licence_plate": plate, "driver.departement": "75"}
                | {"driver.professional_licence": driver, "status": "free"}
            )


def run(endpoint: str, *words: str) -> Run:
    """Runs a command of the desk. Raises CannotGoOn where it fails."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as wrong:
        began_s = time.monotonic()
        started = subprocess.Popen(  # noqa: S603  # our own words
            [sys.executable, "-m", "ops.cli.main", *words, "--stage", STAGE],
            env=environment(
                {
                    "MARAUDE_ENDPOINT": endpoint,
                    "MARAUDE_SECRET_KEYS": "bWVhc3VyZS1tZWFzdXJlLW1lYXN1cmUtbWVhc3VyZS4=",
                    **_CREDENTIALS,
                    "AWS_DEFAULT_REGION": REGION,
                    "NO_PROXY": "*",
                }
            ),
            stdout=output,
            stderr=wrong,
        )
        # Not `wait`: this tells what the process used, too.
        _, status, used = os.wait4(started.pid, 0)
        took_s = time.monotonic() - began_s
        started.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        wrong.seek(0)
        if started.returncode:
            raise CannotGoOn(f"maraude {' '.join(words)}: {wrong.read().strip()[-1000:]}")
        return Run(output.read().strip(), took_s, used.ru_maxrss / 1000)


def measure(taxis: int) -> Iterator[tuple[str, Run]]:
    """The runs of an import of so many taxis, by what they do. Raises CannotGoOn."""
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder, "export")
        exported.mkdir()
        export(exported, taxis)
        place = Place(Path(folder, "place"))
        with place.held():
            service = StateService(place)
            service.start()
            try:
                provision(STAGE, endpoint=service.endpoint, region=REGION)
                run(service.endpoint, "territory", "load-towns", str(TOWNS))
                keys = str(Path(folder, "keys.csv"))
                for what, more in (
                    ("checked only", ["--dry-run"]),
                    ("imported", []),
                    ("again", []),
                ):
                    yield (
                        what,
                        run(service.endpoint, "import", str(exported), "--keys", keys, *more),
                    )
            finally:
                service.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, and prints each run; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.imports", description="Measures.")
    parser.add_argument("--taxis", type=int, default=TAXIS, metavar="N")
    arguments = parser.parse_args(argv)
    os.environ.update(_CREDENTIALS)  # with them, the tables are made
    try:
        for what, one in measure(arguments.taxis):
            print(f"{what}: {one.took_s:.0f} s, {one.peak_mb:.0f} MB at its peak\n{one.output}")
            sys.stdout.flush()
    except CannotGoOn as error:
        print(f"failed: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
