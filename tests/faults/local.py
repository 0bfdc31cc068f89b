"""A whole local system for faults: a fleet on it, the POSTs of its operators, and what is stored of them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3

from bench.load import fleet as fleets
from bench.load.fleet import Places
from chalicelib.foundation.geo import E7
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions.entries import Entries
from ops.local.clients import Clients
from ops.local.place import Place
from ops.local.process import ROOT, environment
from tests.eventually import eventually

STOPS_S = 90
SOON_S = 60.0  # until a POST is accepted

Where = tuple[int, int]  # lng_e7, lat_e7


def maraude(folder: Path, *words: str) -> str:
    """What a command on the folder's system prints."""
    ran = subprocess.run(
        [sys.executable, "-m", "ops.cli.main", *words, "--data", str(folder)],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return ran.stdout


def up(folder: Path, *options: str) -> "subprocess.Popen[str]":
    """A `maraude up` on the folder that is ready, without the demonstration."""
    started = subprocess.Popen(
        [
            *(sys.executable, "-m", "ops.cli.main", "up", "--no-demo", "--port=0"),
            *(options or ["--udp-port=0"]),
            f"--data={folder}",
        ],
        cwd=ROOT,
        env=environment({}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said = line(started)
    assert said.startswith("ready "), said
    return started


def line(running: "subprocess.Popen[str]") -> str:
    """The next line that it prints."""
    assert running.stdout is not None
    return running.stdout.readline().strip()


def stopped(running: "subprocess.Popen[str]") -> tuple[int, str]:
    """Stops it; its exit code and what else it printed."""
    running.send_signal(signal.SIGTERM)
    said, _ = running.communicate(timeout=STOPS_S)
    return running.returncode, said


@dataclass
class Drive:
    """Operators of a running system whose taxis report, each POST with fifty taxis of its own.

    A POST that is not answered 200 is sent again, as operators do, until it is.
    """

    place: Place
    keys: dict[str, str]
    taxis: int
    accepted: dict[str, Where] = field(default_factory=dict)
    again: int = 0
    _posts: int = 0
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(retries=False, timeout=15)
    )

    def __post_init__(self) -> None:
        self._fleet = fleets.simulate(self.taxis)
        self._ids = fleets.taxi_ids(self._fleet)
        places = Places.of(self._fleet)
        self._where = list(zip(places.lngs_e7.tolist(), places.lats_e7.tolist(), strict=True))

    @contextmanager
    def clients(self) -> Iterator[Clients]:
        """Of the system's services."""
        made = Clients.at(self.place.running().endpoint)
        try:
            yield made
        finally:
            made.close()

    def fleet(self) -> range:
        """Fifty taxis of one operator that have not reported yet."""
        first = self._posts * fleets.POST
        self._posts += 1
        assert first + fleets.POST <= self.taxis, "there are no more taxis"
        return range(first, first + fleets.POST)

    def owner(self, taxis: range) -> tuple[str, str]:
        """The e-mail and key of their operator."""
        email = fleets.operator(self._fleet.operator(taxis[0] // fleets.POST))
        return email, self.keys[email]

    def at(self, taxis: Iterable[int]) -> dict[str, Where]:
        """Where they are, by id."""
        return {self._ids[taxi]: self._where[taxi] for taxi in taxis}

    def report(self, taxis: range) -> dict[str, Where]:
        """They report; answers what was accepted."""
        places = self.at(taxis)
        positions = [
            {"taxi_id": taxi_id, "lon": lng_e7 / E7, "lat": lat_e7 / E7}
            for taxi_id, (lng_e7, lat_e7) in places.items()
        ]
        headers = {"X-Api-Key": self.owner(taxis)[1], "Content-Type": "application/json"}
        body = json.dumps({"data": [{"positions": positions}]})
        url = f"{self.place.running().url}/geotaxi"
        until_s = time.monotonic() + SOON_S
        while True:
            try:
                answer = self._pool.request("POST", url, body=body, headers=headers)
            except urllib3.exceptions.HTTPError:
                answer = None
            if answer is not None and answer.status == 200:
                self.accepted |= places
                return places
            self.again += 1
            assert time.monotonic() < until_s, "no POST was accepted in a minute"
            time.sleep(0.1)

    def kill(self, role: str) -> None:
        """Ends a process of the system without a word."""
        os.kill(self.place.running().pids[role], signal.SIGKILL)

    def stored(self) -> dict[str, Where]:
        """The newest position of each taxi in the cells."""
        newest: dict[str, tuple[int, Where]] = {}
        with self.clients() as clients:
            pages = clients.dynamodb.get_paginator("scan").paginate(
                TableName="maraude-local-cells", ConsistentRead=True
            )
            for item in (item for page in pages for item in page["Items"]):
                for taxi, (_, lat_e7, lng_e7, seen, _) in Entries(
                    bytes(item["taxis"]["B"])
                ).items():
                    known = seen, (lng_e7, lat_e7)
                    taxi_id = codec.id_of(taxi)
                    newest[taxi_id] = max(known, newest.get(taxi_id, known))
        return {taxi_id: where for taxi_id, (_, where) in newest.items()}

    def accounts(self) -> set[str]:
        """The keys of the accounts' items."""
        with self.clients() as clients:
            found = clients.dynamodb.scan(TableName="maraude-local-accounts", ConsistentRead=True)
        return {item["key"]["S"] for item in found["Items"]}

    def missing(self, accepted: dict[str, Where]) -> int:
        """How many of these are not stored, once there was time enough; nobody else's may be."""
        stored: dict[str, Where] = {}

        def missing() -> int:
            stored.update(self.stored())
            return sum(stored.get(taxi_id) != where for taxi_id, where in accepted.items())

        eventually(lambda: not missing(), within_s=60, seen=lambda: f"{missing()} are missing")
        assert stored.keys() <= self.accepted.keys()
        return missing()
