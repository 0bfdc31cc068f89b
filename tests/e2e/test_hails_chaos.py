"""Hailing on a real system while everything goes wrong, and each of the three ways that time runs out.

A hundred hails in the ordinary run; MARAUDE_CHAOS_HAILS=1000 asks for more, MARAUDE_CHAOS_SEED for
another run of the same dice.
"""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain, cycle, repeat
from pathlib import Path
from typing import Any

import boto3
import pytest
import urllib3

from chalicelib.taxis.hails import rules
from chalicelib.taxis.hails.rules import Party, Status
from ops.local import fleet, place
from ops.local.client import Client
from ops.local.fleet import Car
from tests.eventually import eventually
from tests.taxis.hails import servers

HAILS = int(os.environ.get("MARAUDE_CHAOS_HAILS", "100"))
SEED = os.environ.get("MARAUDE_CHAOS_SEED", "1")
CUSTOMERS = 16 if HAILS <= 200 else 32  # at once
TAXIS = max(20, HAILS // 8)
TOWNS = Path(__file__).resolve().parents[2] / "ops" / "local" / "demo" / "towns.geojson"
HERE = (2.3522, 48.8566)
PHONE = "0612345678"

SHORT = {
    "MARAUDE_WAIT_RECEIVED_S": "5",
    "MARAUDE_WAIT_RECEIVED_BY_OPERATOR_S": "2",
    "MARAUDE_WAIT_RECEIVED_BY_TAXI_S": "2",
    "MARAUDE_WAIT_ACCEPTED_BY_TAXI_S": "2",
    "MARAUDE_WAIT_ACCEPTED_BY_CUSTOMER_S": "2",
    "MARAUDE_WAIT_CUSTOMER_ON_BOARD_S": "2",
    "MARAUDE_HOOK_CONNECT_S": "1",
    "MARAUDE_HOOK_WITHIN_S": "2",
    "MARAUDE_LOCAL_MINUTE_S": "3",
}

# In one process: each command of the desk would take a second.
SET_UP = """
import json, sys
from pathlib import Path
from ops.cli import administration
from chalicelib.taxis.access.rules import Role
from ops.cli.territory import loads

wanted = json.load(sys.stdin)
loads.load_towns(Path(wanted["towns"]), quiet=True)
found = {}
for email, (role, url) in wanted["accounts"].items():
    account, key = administration.add(email, roles=[Role(role)], hook=(url, "", "") if url else None)
    found[email] = account.id, key
print(json.dumps(found))
"""

pytestmark = pytest.mark.local_stack


# --- a system ------------------------------------------------------------------------------------


@dataclass
class System:
    """A running `maraude up` without the demonstration, and a way to each of its sides."""

    folder: Path
    url: str
    statuses: Counter[int] = field(default_factory=Counter)
    _clients: dict[str, Any] = field(default_factory=dict)
    _pool: urllib3.PoolManager = field(
        default_factory=lambda: urllib3.PoolManager(maxsize=64, retries=False, timeout=10)
    )

    def set_up(self, accounts: Mapping[str, tuple[str, str]]) -> dict[str, tuple[int, str]]:
        """Loads the towns and adds accounts with a role and, if any, a server: their ids and keys."""
        ran = subprocess.run(
            [sys.executable, "-c", SET_UP],
            input=json.dumps({"towns": str(TOWNS), "accounts": accounts}),
            env={**os.environ, **place.of(str(self.folder)).environment(self.run()["endpoint"])},
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return {email: (found[0], found[1]) for email, found in json.loads(ran.stdout).items()}

    def ask(
        self, method: str, path: str, key: str, element: object = None, **headers: str
    ) -> tuple[int, Any]:
        """The status and the first element of an answer; 0 where the API is down."""
        body = None if element is None else json.dumps({"data": [element]})
        sent = {"X-Api-Key": key, "Content-Type": "application/json", **headers}
        try:
            answer = self._pool.request(method, self.url + path, body=body, headers=sent)
        except urllib3.exceptions.HTTPError:
            return 0, None
        self.statuses[answer.status] += 1
        said = json.loads(answer.data)
        return answer.status, said["data"][0] if said.get("data") else said

    def run(self) -> dict[str, Any]:
        """What the system says of itself."""
        found: dict[str, Any] = json.loads((self.folder / "run.json").read_text())
        return found

    def aws(self, service: str) -> Any:
        """A client of its services."""
        if service not in self._clients:
            self._clients[service] = boto3.client(
                service,  # type: ignore[call-overload]  # a name among many
                endpoint_url=self.run()["endpoint"],
                region_name=place.REGION,
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
        return self._clients[service]

    def table(self, name: str) -> list[dict[str, Any]]:
        """All items of a table, as they are stored."""
        pages = self.aws("dynamodb").get_paginator("scan")
        found = pages.paginate(TableName=f"maraude-local-{name}", ConsistentRead=True)
        return [item for page in found for item in page["Items"]]

    def unfinished(self) -> list[str]:
        """The hails that are not over, without asking the API, which would end them."""
        return [
            item["hail_id"]["S"]
            for item in self.table("hails")
            if not Status(item["status"]["S"]).is_over
        ]

    def ways(self) -> Counter[str]:
        """How many deadlines each way has applied, as the processes' logs say."""
        found: Counter[str] = Counter()
        for log in ("api.log", "worker.log"):
            for line in (self.folder / "logs" / log).read_text().splitlines():
                if '"expired"' in line:
                    found[json.loads(line[line.index("{") :])["way"]] += 1
        return found


@contextmanager
def running(folder: Path, settings: Mapping[str, str]) -> Iterator[System]:
    """A system with these settings."""
    words = ["up", "--no-demo", "--port=0", "--ingest-window=0.2", f"--data={folder}"]
    up = subprocess.Popen(
        [str(Path(sys.executable).with_name("maraude")), *words],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, **settings},
    )
    assert up.stdout is not None
    try:
        ready = up.stdout.readline()
        assert ready.startswith("ready "), ready
        system = System(folder, ready.split()[1])
        yield system
    finally:
        up.terminate()
        up.communicate(timeout=120)


def taxis_of(system: System, key: str, prefix: str, count: int) -> list[str]:
    """Free taxis of an operator that have reported where they are."""
    client = Client(system.url, key)
    cars = [Car(n, f"{prefix}-{n:03}-AA", "75056", "75", "Anne", prefix) for n in range(count)]
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda car: fleet.put_on_the_road(client, car), cars))
    fleet.report(client, [(taxi_id, *HERE) for taxi_id in ids])
    return ids


def wish(taxi_id: str, customer: str, session_id: str | None = None) -> dict[str, object]:
    """The body of POST /hails."""
    return {
        "customer_id": customer,
        "customer_lon": HERE[0],
        "customer_lat": HERE[1],
        "customer_address": "Place de l'Hôtel de Ville, Paris",
        "customer_phone_number": PHONE,
        "taxi_id": taxi_id,
        "session_id": session_id,
    }


# --- everything goes wrong -----------------------------------------------------------------------


@dataclass
class Operator:
    """An operator whose server behaves in its own way, and whose drivers behave at random."""

    name: str
    key: str
    account_id: int
    taxis: list[str]


@dataclass
class Chaos:
    """The actors of one run, and what they did."""

    system: System
    dice: random.Random
    operators: dict[str, Operator] = field(default_factory=dict)
    owner: dict[str, Operator] = field(default_factory=dict)  # of each taxi
    app_id: int = 0
    app_key: str = ""
    admin_key: str = ""
    created: list[str] = field(default_factory=list)
    freed: dict[str, float] = field(default_factory=dict)  # when a taxi's operator last freed it
    faults: Counter[str] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)  # of operators, by hail
    doubles: list[tuple[str, str]] = field(default_factory=list)
    granted: list[tuple[str, str]] = field(default_factory=list)  # hails, and what they became
    drivers: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(CUSTOMERS * 2))
    over: threading.Event = field(default_factory=threading.Event)
    _freeing: dict[str, threading.Lock] = field(default_factory=lambda: defaultdict(threading.Lock))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def chance(self, probability: float) -> bool:
        """A throw of the dice."""
        return self.dice.random() < probability

    def dawdle(self, most_s: float) -> None:
        """A while."""
        self.over.wait(self.dice.uniform(0, most_s))

    # --- operators' servers

    def honest(self, connected: socket.socket) -> None:
        """Takes each hail, and shows it to its driver."""
        hail = self._read(connected)
        if hail is None:
            return
        phone = {"data": [{"taxi_phone_number": PHONE}]} if self.chance(0.5) else {}
        connected.sendall(servers.http("200 OK", json.dumps(phone).encode()))
        self._show("honest", hail)

    def lying(self, connected: socket.socket) -> None:
        """Answers anything at all."""
        hail = self._read(connected)
        if hail is None:
            return
        replies = {
            "nonsense": b"\0nonsense" * 9,
            "no JSON": servers.http("200 OK", b"<html>OK</html>"),
            "empty": servers.http("204 No Content", b""),
            "404": servers.http("404 Not Found"),
            "500": servers.http("500 Oops", b"{"),
            "redirect": servers.http("302 Found", b"{}", f"Location: {self.system.url}/"),
            "null phone": servers.http("200 OK", b'{"data":[{"taxi_phone_number":null}]}'),
            "odd shape": servers.http("200 OK", b'[[{"data":7}]]'),
            "1 MB": servers.http("200 OK", b" " * 1_000_000 + b"{}"),
            "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
            "reset": b"",
        }
        kind = self.dice.choice(sorted(replies))
        self.faults[f"operator answers: {kind}"] += 1
        if kind == "reset":
            servers.resets(connected)
            return
        connected.sendall(replies[kind])
        self._show("lying", hail)

    def slow(self, connected: socket.socket) -> None:
        """Answers late, drop by drop, or never."""
        hail = self._read(connected)
        if hail is None:
            return
        kind = self.dice.choice(["late", "drips", "silent"])
        self.faults[f"operator is slow: {kind}"] += 1
        if kind == "silent":
            self.over.wait(4)
            return
        if kind == "late":
            self.dawdle(2.5)
            connected.sendall(servers.http())
        else:
            for byte in servers.http("200 OK", b"{}", "X-Pad: " + "x" * self.dice.randint(1, 60)):
                connected.sendall(bytes([byte]))
                self.over.wait(0.03)
        self._show("slow", hail)

    def _show(self, operator: str, hail: dict[str, Any]) -> None:
        """To a driver of the operator."""
        with suppress(RuntimeError):  # a call that is made again at the end: they have gone home
            self.drivers.submit(self.drive, self.operators[operator], hail)

    def _read(self, connected: socket.socket) -> dict[str, Any] | None:
        """The hail of a request."""
        body = servers.request(connected).partition(b"\r\n\r\n")[2]
        if not body:
            return None  # the caller has died
        hail: dict[str, Any] = json.loads(body)["data"][0]
        self.calls[hail["id"]] += 1
        return hail

    # --- drivers and customers

    def put(self, key: str, hail_id: str, **change: object) -> Any:
        """A change of a hail, sent twice at times; the hail where it was taken."""
        times = 2 if self.chance(0.1) else 1
        for _ in range(times):
            status, hail = self.system.ask("PUT", f"/hails/{hail_id}", key, change)
            if status == 200:
                self.granted.append((hail_id, str(change["status"])))
        return hail if status == 200 else None

    def put_at_once(self, key: str, hail_id: str, *statuses: str) -> None:
        """Changes that contradict each other, sent at the same moment."""
        self.faults["contradiction"] += 1
        with ThreadPoolExecutor(len(statuses)) as pool:
            list(pool.map(lambda status: self.put(key, hail_id, status=status), statuses))

    def see(self, key: str, hail_id: str) -> str | None:
        """What a hail is like, None where nobody can say."""
        status, hail = self.system.ask("GET", f"/hails/{hail_id}", key)
        return hail["status"] if status == 200 else None

    def drive(self, operator: Operator, hail: Mapping[str, Any]) -> None:
        """A driver with a hail: does the right thing, the wrong thing, or nothing more."""
        key, hail_id = operator.key, hail["id"]
        for _ in range(4):  # the first may come before the registry has read our answer
            if self.put(key, hail_id, status="received_by_taxi"):
                break
            self.over.wait(0.3)
        if self.chance(0.1):
            return
        self.dawdle(0.8)
        if self.chance(0.1):
            wrong = self.dice.choice(["finished", "accepted_by_customer", "timeout_taxi", "no"])
            self.put(key, hail_id, status=wrong)
        choice = self.dice.random()
        if choice < 0.15:
            self.put(key, hail_id, status="declined_by_taxi")
            return
        if choice < 0.2:
            self.put(key, hail_id, status="incident_taxi", incident_taxi_reason="traffic")
            return
        phone = {"taxi_phone_number": PHONE} if self.chance(0.9) else {}
        self.put(key, hail_id, status="accepted_by_taxi", **phone)
        self._fetch(key, hail_id)

    def _fetch(self, key: str, hail_id: str) -> None:
        """What a driver who has accepted does next."""
        for _ in range(10):
            status = self.see(key, hail_id)
            if status is not None and (status == "accepted_by_customer" or Status(status).is_over):
                break
            self.over.wait(0.3)
        if self.chance(0.1):
            return
        self.dawdle(0.6)
        self.put(key, hail_id, status="customer_on_board")
        if not self.chance(0.1):
            self.dawdle(0.6)
            last = "incident_taxi" if self.chance(0.1) else "finished"
            self.put(key, hail_id, status=last)

    def ride(self, number: int) -> None:
        """A customer: hails until one hail is created, and follows it for as long as they care."""
        session_id = None
        while True:
            taxi_id = self.dice.choice(list(self.owner))
            self.free(taxi_id)
            hail = self._hail(taxi_id, f"customer {number}", session_id)
            if hail is not None:
                break
        for _ in range(2):
            end = self._follow(hail["id"])
            if end not in ("declined_by_taxi", "failure") or self.chance(0.5):
                return
            again = self.dice.choice(self.operators["honest"].taxis)
            self.free(again)
            hail = self._hail(again, f"customer {number}", hail["session_id"]) or hail

    def _hail(self, taxi_id: str, customer: str, session_id: str | None) -> Any:
        """A new hail, asked for once, or twice at once with the same key; None where it is refused."""
        key = f"{customer}-{taxi_id}-{self.dice.random()}"

        def post(_: int) -> tuple[int, Any]:
            body = wish(taxi_id, customer, session_id)
            return self.system.ask("POST", "/hails", self.app_key, body, **{"Idempotency-Key": key})

        if self.chance(0.15):
            with ThreadPoolExecutor(2) as pool:
                answers = list(pool.map(post, range(2)))
        else:
            answers = [post(0)]
            while answers[-1][0] == 0:  # nobody knows what became of it
                self.over.wait(0.3)
                answers.append(post(0))
        hails = [hail for status, hail in answers if status == 201]
        if len({hail["id"] for hail in hails}) > 1:
            self.doubles.append((hails[0]["id"], hails[1]["id"]))
        if not hails:
            return None
        with self._lock:
            self.created.append(hails[0]["id"])
        return hails[0]

    def _follow(self, hail_id: str) -> str | None:
        """Looks at the hail as search apps do: the end, or None where the customer lost interest."""
        impatient = self.chance(0.1)
        while True:
            status = self.see(self.app_key, hail_id)
            if status is not None and Status(status).is_over:
                return status
            if impatient and self.chance(0.3):
                what = self.dice.choice(["declined_by_customer", "incident_customer"])
                self.put(self.app_key, hail_id, status=what)
                return None
            if status == "accepted_by_taxi":
                choice = self.dice.random()
                if choice < 0.15:
                    return None
                both = ["accepted_by_customer", "declined_by_customer"]
                if choice < 0.4:
                    self.put_at_once(self.app_key, hail_id, *both)
                else:
                    self.put(self.app_key, hail_id, status=both[choice > 0.9])
                if self.chance(0.4):
                    return None
            self.over.wait(0.3)

    def free(self, taxi_id: str) -> None:
        """A taxi that is off or occupied after a hail is freed by its operator, never in mid-hail."""
        operator = self.owner[taxi_id]
        with self._freeing[taxi_id]:
            status, taxi = self.system.ask("GET", f"/taxis/{taxi_id}", operator.key)
            if status != 200 or taxi["status"] not in ("off", "occupied"):
                return
            if taxi["status"] == "occupied" and self._riding(taxi_id):
                return
            status, _ = self.system.ask(
                "PUT", f"/taxis/{taxi_id}", operator.key, {"status": "free"}
            )
            if status == 200:
                self.freed[taxi_id] = time.time()

    def _riding(self, taxi_id: str) -> bool:
        """Whether it has a customer on board; a taxi that missed one is left `occupied`, too."""
        path = f"/hails?taxi_id={taxi_id}&status=customer_on_board"
        status, found = self.system.ask("GET", path, self.owner[taxi_id].key)
        return status != 200 or "id" in found

    # --- faults

    def spoil_queues(self) -> None:
        """Loses, doubles, delays messages, and adds some that nobody can read."""
        sqs = self.system.aws("sqs")
        queues = [
            sqs.get_queue_url(QueueName=f"maraude-local-{name}")["QueueUrl"]
            for name in ("hail-dispatch", "hail-deadlines")
        ]
        while not self.over.wait(0.05):
            url = self.dice.choice(queues)
            if self.chance(0.03):
                sqs.send_message(QueueUrl=url, MessageBody=self.dice.choice(["?", "{}", "[1]"]))
                self.faults["message: garbage"] += 1
            for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
                how = self.dice.choice(["lost", "doubled", "late"])
                self.faults[f"message: {how}"] += 1
                delays = {"lost": [], "doubled": [0, 0], "late": [self.dice.randint(1, 3)]}[how]
                for delay_s in delays:
                    sqs.send_message(
                        QueueUrl=url, MessageBody=message["Body"], DelaySeconds=delay_s
                    )
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def kill(self) -> None:
        """Kills the process of the handlers, and that of the API, in the middle of their work."""
        pauses_s = chain([4, 4, 4], repeat(62))  # after a minute it is started again at once
        for role, pause_s in zip(cycle(["worker", "api"]), pauses_s, strict=False):
            if self.over.wait(pause_s):
                return
            with suppress(ProcessLookupError):
                os.kill(self.system.run()["pids"][role], signal.SIGKILL)
                self.faults[f"process killed: {role}"] += 1

    def report(self) -> None:
        """Keeps the taxis online."""
        while not self.over.wait(20):
            for operator in self.operators.values():
                with suppress(Exception):
                    fleet.report(
                        Client(self.system.url, operator.key),
                        [(taxi_id, *HERE) for taxi_id in operator.taxis],
                    )

    def run(self) -> None:
        """All of it, until so many hails are created and their customers gone."""
        side = [threading.Thread(target=t) for t in (self.spoil_queues, self.kill, self.report)]
        for thread in side:
            thread.start()
        with ThreadPoolExecutor(CUSTOMERS) as customers:
            list(customers.map(self.ride, range(HAILS)))
        self.over.set()
        for thread in side:
            thread.join()
        self.drivers.shutdown()


@contextmanager
def set_up(system: System) -> Iterator[Chaos]:
    """Operators with their servers and taxis, a search app and an admin."""
    chaos = Chaos(system, random.Random(SEED))  # threads share the dice: no two runs are the same
    with ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as closed:
            urls = {"down": f"http://127.0.0.1:{closed.getsockname()[1]}/"}
        for name in ("honest", "lying", "slow"):
            urls[name] = stack.enter_context(servers.serving(getattr(chaos, name))).url
        accounts = {name: ("operateur", url) for name, url in urls.items()}
        known = system.set_up({**accounts, "app": ("moteur", ""), "boss": ("admin", "")})
        for name, share in {"honest": 0.6, "lying": 0.15, "slow": 0.15, "down": 0.1}.items():
            account_id, key = known[name]
            taxis = taxis_of(system, key, name[:2].upper(), max(2, round(TAXIS * share)))
            operator = Operator(name, key, account_id, taxis)
            chaos.operators[name] = operator
            chaos.owner.update(dict.fromkeys(taxis, operator))
        chaos.app_id, chaos.app_key = known["app"]
        _, chaos.admin_key = known["boss"]
        last = chaos.operators["down"]
        eventually(
            lambda: all(
                system.ask("GET", f"/taxis/{taxi_id}", last.key)[1]["position"]["lon"]
                for taxi_id in last.taxis
            )
        )
        yield chaos


@dataclass(frozen=True)
class Told:
    """A hail as its log tells it."""

    hail_id: str
    taxi_id: str
    customer: str
    reason: str | None  # of the last step
    steps: list[tuple[str | None, Status, datetime, int | None]]

    @property
    def end(self) -> Status:
        """How it ended."""
        return self.steps[-1][1]

    @property
    def serving(self) -> tuple[datetime, datetime] | None:
        """From the customer's confirmation to the end."""
        for _, to, at, _ in self.steps:
            if to is Status.ACCEPTED_BY_CUSTOMER:
                return at, self.steps[-1][2]
        return None


def told(chaos: Chaos) -> list[Told]:
    """All hails, as an admin is shown them."""
    found = []
    for row in chaos.system.table("hails"):
        hail_id = row["hail_id"]["S"]
        status, hail = chaos.system.ask("GET", f"/hails/{hail_id}", chaos.admin_key)
        assert status == 200
        steps = [
            (
                step["from_status"],
                Status(step["to_status"]),
                datetime.fromisoformat(step["timestamp"]),
                step["user"],
            )
            for step in hail["transitions"]
        ]
        why = hail["transitions"][-1]["reason"]
        found.append(Told(hail_id, hail["taxi"]["id"], hail["customer_id"], why, steps))
    return found


def off_the_path(chaos: Chaos, hail: Told) -> list[str]:
    """What in a hail's log is no step of the table, or not by who may take it."""
    wrong = []
    parties = {
        Party.MOTEUR: chaos.app_id,
        Party.OPERATEUR: chaos.owner[hail.taxi_id].account_id,
        Party.REGISTRY: None,
    }
    first, *rest = hail.steps
    if first[:2] != (None, Status.RECEIVED) or first[3] != chaos.app_id:
        wrong.append(f"{hail.hail_id} begins with {first}")
    before, at = first[1], first[2]
    for from_status, to, now, user in rest:
        allowed = rules.STEPS.get(before, {})
        if from_status != before or to not in allowed or now < at:
            wrong.append(f"{hail.hail_id}: {from_status} to {to} after {before}")
        elif user != parties[allowed[to]]:
            wrong.append(f"{hail.hail_id}: {to} by {user}")
        before, at = to, now
    if not before.is_over:
        wrong.append(f"{hail.hail_id} is still {before}")
    return wrong


def forgotten(chaos: Chaos, hails: list[Told]) -> list[str]:
    """Steps that the registry granted, and that are not in the hail's log."""
    logs = {hail.hail_id: {step[1].value for step in hail.steps} for hail in hails}
    return [f"{known}: {to}" for known, to in chaos.granted if to not in logs.get(known, ())]


def served_at_once(hails: list[Told], whose: Callable[[Told], str]) -> list[str]:
    """Pairs of hails of the same one that were served at the same time."""
    spans: dict[str, list[tuple[datetime, datetime, str]]] = defaultdict(list)
    for hail in hails:
        if hail.serving is not None:
            spans[whose(hail)].append((*hail.serving, hail.hail_id))
    return [
        f"{one[2]} and {other[2]}"
        for mine in spans.values()
        for one, other in zip(sorted(mine), sorted(mine)[1:], strict=False)
        if other[0] < one[1]
    ]


def misplaced_taxis(chaos: Chaos, hails: list[Told]) -> list[str]:
    """Taxis whose status is not what the last event says: their operator's, or their last hail's."""
    last: dict[str, Told] = {}
    for hail in sorted(hails, key=lambda hail: hail.steps[0][2]):
        last[hail.taxi_id] = hail
    wrong = []
    for taxi_id, operator in chaos.owner.items():
        _, taxi = chaos.system.ask("GET", f"/taxis/{taxi_id}", operator.key)
        expected = "free"
        if taxi_id in last:
            end = last[taxi_id].steps[-1]
            if chaos.freed.get(taxi_id, 0) < end[2].timestamp():
                expected = rules.TAXI[end[1]].value
        if taxi["status"] != expected:
            wrong.append(f"{taxi_id} is {taxi['status']}, not {expected}")
    return wrong


@pytest.mark.usefixtures("in_real_time")  # its half a minute passes meanwhile
def test_whatever_goes_wrong_no_hail_and_no_taxi_is_left_stuck(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    started_s = time.monotonic()
    with running(tmp_path / "place", SHORT) as system, set_up(system) as chaos:
        begun_s = time.monotonic()
        chaos.run()
        ran_s = time.monotonic() - begun_s
        eventually(lambda: not system.unfinished(), within_s=60)
        settled_s = time.monotonic() - begun_s - ran_s

        hails = told(chaos)
        lost = set(chaos.created) - {hail.hail_id for hail in hails}
        wrong = [fault for hail in hails for fault in off_the_path(chaos, hail)]
        undone = forgotten(chaos, hails)
        twice = served_at_once(hails, lambda hail: hail.taxi_id)
        two_taxis = served_at_once(hails, lambda hail: hail.customer)
        misplaced = misplaced_taxis(chaos, hails)
        held = [row for row in system.table("descriptions") if "S" in row.get("open_hail", {})]
        ways = system.ways()

    ends = Counter(hail.end.value for hail in hails)
    causes = Counter(hail.reason for hail in hails if hail.end is Status.FAILURE)
    figures = (
        f"\n{len(hails)} hails of {HAILS} customers for {len(chaos.owner)} taxis in {ran_s:.0f} s, "
        f"settled {settled_s:.1f} s later, {time.monotonic() - started_s:.0f} s in all"
        f"\nends: {dict(ends.most_common())}"
        f"\nfailures: {dict(causes.most_common())}"
        f"\nfaults: {dict(sorted(chaos.faults.items()))}"
        f"\nanswers: {dict(chaos.system.statuses.most_common())}"
        f"\nsent to an operator more than once: {sum(n > 1 for n in chaos.calls.values())} hails"
        f"\ndeadlines applied by: {dict(ways)}"
        f"\nnot terminal or off the table: {len(wrong)}, lost: {len(lost)}, granted steps of "
        f"{len(chaos.granted)} undone: {len(undone)}, taxis misplaced: "
        f"{len(misplaced)}, still held: {len(held)}, served at once: {len(twice)}, customers with "
        f"two taxis: {len(two_taxis)}, double creations: {len(chaos.doubles)}"
    )
    with capsys.disabled():
        sys.stdout.write(figures + "\n")
    assert len(hails) >= HAILS
    assert (wrong, undone, misplaced, held, twice, two_taxis) == ([], [], [], [], [], [])
    assert (lost, chaos.doubles) == (set(), [])
    assert [status for status in system.statuses if status >= 500] == []
    assert len(ends) >= 5  # the dice have been thrown


# --- three ways, each enough ---------------------------------------------------------------------


def silent_hails(system: System) -> tuple[dict[str, Status], str]:
    """A hail in each state that ends by itself, with nobody there any more; and the admin's key."""
    with servers.serving(servers.answers(servers.http())) as server:
        accounts = {
            "taxis": ("operateur", server.url),
            "app": ("moteur", ""),
            "boss": ("admin", ""),
        }
        known = system.set_up(accounts)
        operator, app, admin = (known[name][1] for name in accounts)
        taxis = taxis_of(system, operator, "SI", 6)

        def hailed(taxi_id: str) -> str:
            answer = eventually(lambda: system.ask("POST", "/hails", app, wish(taxi_id, taxi_id)))
            while answer[0] != 201:
                assert "online" in str(answer), answer
                time.sleep(0.2)
                answer = system.ask("POST", "/hails", app, wish(taxi_id, taxi_id))
            return str(answer[1]["id"])

        def put(key: str, hail_id: str, status: str) -> None:
            change = {"status": status}
            if status == "accepted_by_taxi":
                change["taxi_phone_number"] = PHONE
            eventually(lambda: system.ask("PUT", f"/hails/{hail_id}", key, change)[0] == 200)

        way = [
            (Status.RECEIVED_BY_TAXI, operator),
            (Status.ACCEPTED_BY_TAXI, operator),
            (Status.ACCEPTED_BY_CUSTOMER, app),
            (Status.CUSTOMER_ON_BOARD, operator),
        ]

        def silent(taxi_id: str, steps: int) -> tuple[str, Status]:
            hail_id = hailed(taxi_id)
            status = Status.RECEIVED_BY_OPERATOR
            for status, key in way[:steps]:
                put(key, hail_id, status.value)
            if not steps:
                eventually(lambda: server.connections)
            return hail_id, status

        with ThreadPoolExecutor(6) as pool:
            found = dict(pool.map(silent, taxis, range(len(way) + 1)))
    return found, admin


@pytest.mark.parametrize(
    ("way", "without"), [("sweep", "apply_deadlines"), ("read", "apply_deadlines,sweep_hails")]
)
def test_the_sweep_alone_and_a_reader_alone_end_every_silent_hail(
    tmp_path: Path, way: str, without: str
) -> None:
    settings = {**SHORT, "MARAUDE_LOCAL_WITHOUT": without, "MARAUDE_LOCAL_MINUTE_S": "1"}
    with running(tmp_path / "place", settings) as system:
        hails, admin = silent_hails(system)
        if way == "read":
            time.sleep(2.5)
            assert len(system.unfinished()) == len(hails)
            for hail_id in hails:
                system.ask("GET", f"/hails/{hail_id}", admin)
        eventually(lambda: not system.unfinished())

        ends = {row["hail_id"]["S"]: Status(row["status"]["S"]) for row in system.table("hails")}
        taxis = {row["status"]["S"] for row in system.table("descriptions")}
        ways = system.ways()

    assert ends == {hail_id: rules.LATE[status] for hail_id, status in hails.items()}
    assert set(ways) == {way}
    assert taxis <= {"free", "off", "occupied"}


# --- the queue alone, and the three short timers in real time ------------------------------------


@dataclass(frozen=True)
class RealTime:
    """A system with the waits of the contract, and hails in which somebody is silent."""

    system: System
    admin: str
    hails: dict[str, Status]


@pytest.fixture(scope="module")
def in_real_time(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealTime]:
    """Begun before the other tests, so that its half a minute passes meanwhile; without the sweep."""
    settings = {
        "MARAUDE_LOCAL_WITHOUT": "sweep_hails",
        "MARAUDE_WAIT_ACCEPTED_BY_CUSTOMER_S": "5",
        "MARAUDE_WAIT_CUSTOMER_ON_BOARD_S": "5",
    }
    with running(tmp_path_factory.mktemp("real") / "place", settings) as system:
        hails, admin = silent_hails(system)
        yield RealTime(system, admin, hails)


@pytest.mark.parametrize(
    ("status", "wait_s"),
    [
        (Status.RECEIVED_BY_OPERATOR, 10),
        (Status.RECEIVED_BY_TAXI, 30),
        (Status.ACCEPTED_BY_TAXI, 30),
    ],
)
def test_a_silence_ends_a_hail_in_the_contracts_time(
    in_real_time: RealTime, status: Status, wait_s: int
) -> None:
    [hail_id] = [known for known, reached in in_real_time.hails.items() if reached is status]
    system = in_real_time.system

    eventually(lambda: hail_id not in system.unfinished(), within_s=wait_s + 30)

    _, hail = system.ask("GET", f"/hails/{hail_id}", in_real_time.admin)
    *_, reached, ended = hail["transitions"]
    took = datetime.fromisoformat(ended["timestamp"]) - datetime.fromisoformat(reached["timestamp"])
    assert (reached["to_status"], ended["to_status"]) == (status, rules.LATE[status])
    assert wait_s <= took.total_seconds() < wait_s + 2


def test_the_queue_alone_ends_every_silent_hail(in_real_time: RealTime) -> None:
    system = in_real_time.system

    eventually(lambda: not system.unfinished(), within_s=60)

    ends = {row["hail_id"]["S"]: Status(row["status"]["S"]) for row in system.table("hails")}
    assert ends == {known: rules.LATE[reached] for known, reached in in_real_time.hails.items()}
    assert system.ways() == {"queue": len(ends)}
