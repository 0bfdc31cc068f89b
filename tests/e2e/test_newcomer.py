"""The README's first minutes, on a real system: printed lines, the worked example, accounts, restarts."""

import hashlib
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from ops.local.demo import fleet as demo
from tests.e2e import readme
from tests.e2e.newcomer import System
from tests.eventually import eventually

README_URL = "http://127.0.0.1:8000"
READY_WITHIN_S = 120  # on a busy machine, too

pytestmark = pytest.mark.local_stack


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    started = System(tmp_path_factory.mktemp("a newcomer"))
    started.start()
    yield started
    started.stop()


def run_line(line: str) -> str:
    """What a printed line answers when it is pasted into a shell."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    ran = subprocess.run(shlex.split(line), capture_output=True, text=True, check=True)
    return ran.stdout


def key_in(line: str) -> str:
    """The API key of a printed line."""
    [key] = re.findall(r"X-Api-Key: ([0-9a-f-]{36})", line)
    return str(key)


def test_the_printed_search_finds_free_taxis(system: System) -> None:
    found = json.loads(run_line(system.requests()[0]))["data"]

    assert found
    assert all(taxi["crowfly_distance"] <= 500 for taxi in found)


def test_a_dozen_taxis_are_free_where_the_printed_search_looks(system: System) -> None:
    assert len(json.loads(run_line(system.requests()[0]))["data"]) >= 12


def test_the_address_has_the_logins_and_the_console_s_first_figures(system: System) -> None:
    page = urllib3.request("GET", system.url + "/").data.decode()
    [admin] = re.findall(r"<dt>demo-admin</dt>\n<dd>[^<]*<br><code>([^<]+)", page)

    [hails] = json.loads(system.get("/stats/hails", admin).data)["data"]

    assert key_in(system.requests()[0]) in page
    assert hails["hails_received"]["today"] > hails["hails_received"]["twelve_months_ago"] > 0


def test_the_printed_ride_is_one_command(system: System) -> None:
    """Whatever the folder is called."""
    assert shlex.split(system.lines[-1])[1:] == ["demo-hail", "--data", str(system.folder)]


def test_the_printed_registration_makes_a_taxi(system: System) -> None:
    [taxi] = json.loads(run_line(system.requests()[1]))["data"]

    assert (taxi["status"], taxi["ads"]["insee"]) == ("off", "75056")


def test_the_printed_position_shows_in_the_printed_search(system: System) -> None:
    search, _, position = system.requests()

    assert run_line(position).strip() == "200"

    def there() -> bool:
        found = json.loads(run_line(search))["data"]
        return bool(found) and found[0]["crowfly_distance"] == 0

    eventually(there)


@pytest.fixture(scope="module")
def terminal(system: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[readme.Terminal]:
    """Where the worked example is typed, one block after the other."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed here")
    opened = readme.Terminal(tmp_path_factory.mktemp("clone"), system.folder)
    yield opened
    opened.close()


def test_the_worked_example_registers_a_taxi_that_a_search_app_finds(
    system: System, terminal: readme.Terminal
) -> None:
    """Word for word but for the port."""
    accounts, register, road, find, *_ = readme.blocks("A worked example")
    typed, told = find.split("\n\n")

    assert terminal.type(accounts.replace(README_URL, system.url)) == ""
    assert '"errors"' not in (registered := terminal.type(register))
    assert json.loads(registered.splitlines()[-1])["data"][0]["status"] == "off"
    assert '"status":"free"' in terminal.type(road)
    found = eventually(lambda: shown if '"id"' in (shown := terminal.type(typed)) else "")

    changing = {fact for fact in readme.facts(told) if fact.startswith('"id"')}
    assert len(changing) == 1
    assert readme.facts(told) - changing <= readme.facts(found)


def test_the_worked_example_s_ride_is_told_step_by_step(terminal: readme.Terminal) -> None:
    told = readme.blocks("A worked example")[4]
    printed = terminal.type(".venv/bin/maraude demo-hail")

    first, second, *_ = printed.splitlines()
    assert [readme.shape(first), readme.shape(second)] == [
        readme.shape(line) for line in told.splitlines()[:2]
    ]


def test_the_worked_example_s_practice_works(terminal: readme.Terminal) -> None:
    operator, customer, hook, trial = readme.blocks("A worked example")[5].splitlines()

    with readme.running(terminal.folder, operator) as printed:
        assert printed.startswith("Hails of my-operator come to ")
        assert terminal.type(customer).endswith(": finished")
    with readme.server() as port:
        assert '"email": "my-operator"' in terminal.type(hook.replace("9000", str(port)))
        assert ": taken" in terminal.type(trial)


def test_the_console_s_two_simulators_share_a_ride_at_once(system: System) -> None:
    """What the official console's pages send, whoever has logged in."""
    logged_in = {"X-Api-Key": key_in(system.requests()[0]), "X-Logas": "neotaxi"}

    def send(method: str, path: str, element: object = None) -> list[dict[str, Any]]:
        body = None if element is None else json.dumps({"data": [element]})
        headers = {**logged_in, "Content-Type": "application/json"}
        answer = urllib3.request(method, system.url + path, body=body, headers=headers)
        assert answer.status in {200, 201}, answer.data
        return [] if not answer.data else list(json.loads(answer.data)["data"])

    def found() -> list[dict[str, Any]]:
        shown = send("GET", "/taxis?lon=2.3310&lat=48.8710")
        return [one for one in shown if one["driver"]["professional_licence"] == "integration"]

    def status(hail_id: str) -> str:
        return str(send("GET", f"/hails/{hail_id}")[0]["status"])

    [taxi] = send("GET", "/taxis/all")
    position = {"taxi_id": taxi["id"], "lon": "2.3312", "lat": "48.8711"}
    send("POST", "/geotaxi", {"positions": [position]})
    eventually(lambda: [one["id"] for one in found()] == [taxi["id"]])
    asked = {"taxi_id": taxi["id"], "operateur": "neotaxi", "customer_id": "somebody"}
    asked |= {"customer_lon": 2.331, "customer_lat": 48.871, "customer_address": "9 rue Scribe"}
    [hail] = send("POST", "/hails", {**asked, "customer_phone_number": "0600000001"})
    eventually(lambda: status(hail["id"]) == "received_by_taxi")
    send("PUT", f"/hails/{hail['id']}", {"status": "accepted_by_taxi", "taxi_phone_number": "06"})
    for step in ("accepted_by_customer", "customer_on_board", "finished"):
        send("PUT", f"/hails/{hail['id']}", {"status": step})

    assert status(hail["id"]) == "finished"


def test_a_datagram_moves_a_taxi(system: System) -> None:
    key = key_in(system.requests()[1])
    [taxi_id] = re.findall(r'"taxi_id":"(\w+)"', system.requests()[2])
    [address] = [line for line in system.lines if line.startswith("positions by UDP")]
    host, port = address.split()[4].split(":")

    def moved() -> bool:
        fields = {
            "timestamp": str(int(time.time())),
            "operator": demo.OPERATOR,
            "taxi": taxi_id,
            "lat": "48,8610",
            "lon": "2.3560",
            "device": "phone",
            "status": "free",
            "version": "2",
        }
        signed = hashlib.sha1("".join([*fields.values(), key]).encode())  # noqa: S324  # the formula
        sent = json.dumps({**fields, "hash": signed.hexdigest()}).encode()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(sent, (host, int(port)))
        return positions_of(system, key, [taxi_id]) == {taxi_id: (2.356, 48.861)}

    # Again and again, as devices do: the demonstration's own fleet may say otherwise once.
    eventually(moved)


def test_an_account_is_added_suspended_resumed_and_given_a_new_key(system: System) -> None:
    added = system.maraude("account", "add", "app", "--role", "moteur", "--name", "Appli")
    key = json.loads(added.stdout)["api_key"]
    assert set(json.loads(added.stdout)) == {"id", "email", "api_key"}
    assert json.loads(system.maraude("account", "add", "app", "--yes").stdout)["api_key"] == key
    assert system.get("/taxis?lon=2.35&lat=48.86", key).status == 200

    assert system.maraude("account", "suspend", "app").returncode == 0
    eventually(lambda: system.get("/taxis?lon=2.35&lat=48.86", key).status == 401, within_s=60)

    assert system.maraude("account", "resume", "app").returncode == 0
    assert system.get("/taxis?lon=2.35&lat=48.86", key).status == 200
    new = json.loads(system.maraude("account", "rotate-key", "app").stdout)["api_key"]
    assert system.get("/taxis?lon=2.35&lat=48.86", new).status == 200

    listed = system.maraude("account", "list", "--json").stdout
    assert new not in listed
    assert {"email": "app", "name": "Appli", "active": True}.items() <= {
        **next(row for row in map(json.loads, listed.splitlines()) if row["email"] == "app")
    }.items()


def test_a_command_says_in_one_sentence_what_is_wrong(system: System, tmp_path: Path) -> None:
    nobody = system.maraude("account", "suspend", "nobody")
    broken = tmp_path / "towns.geojson"
    broken.write_text('{"type": "FeatureCollection", "features": [{"type": "Feature"}]}')
    refused = system.maraude("territory", "load-towns", str(broken))

    for ran in (nobody, refused):
        assert ran.returncode != 0
        assert len(ran.stderr.strip().splitlines()) == 1
        assert "Traceback" not in ran.stderr


def positions_of(system: System, operator: str, ids: list[str]) -> dict[str, tuple[float, float]]:
    """Where the registry says that taxis are."""
    found = {}
    for taxi_id in ids:
        [taxi] = json.loads(system.get(f"/taxis/{taxi_id}", operator).data)["data"]
        found[taxi_id] = taxi["position"]["lon"], taxi["position"]["lat"]
    return found


@pytest.mark.parametrize("role", ["worker", "api"])
def test_killing_a_process_loses_no_accepted_position(system: System, role: str) -> None:
    operator = key_in(system.requests()[1])
    rows = json.loads(system.get("/taxis/all", operator).data)["data"]
    ids = [row["id"] for row in rows]
    os.kill(system.pid("demo"), signal.SIGSTOP)
    sent: dict[str, tuple[float, float]] = {}
    pool = urllib3.PoolManager(retries=False, timeout=30)
    victim = system.pid(role)
    try:
        for step in range(40):
            places = dict.fromkeys(ids, (2.3 + 0.001 * step, 48.85 + 0.0001 * step))
            if step == 15:
                os.kill(victim, signal.SIGKILL)
            body = {
                "positions": [{"taxi_id": t, "lon": x, "lat": y} for t, (x, y) in places.items()]
            }
            try:
                answer = pool.request(
                    "POST",
                    f"{system.url}/geotaxi",
                    body=json.dumps({"data": [body]}),
                    headers={"X-Api-Key": operator, "Content-Type": "application/json"},
                )
            except urllib3.exceptions.HTTPError:
                continue  # not answered: the operator would send it again
            if answer.status == 200:
                sent = places
            time.sleep(0.02)
        assert sent
        eventually(lambda: positions_of(system, operator, ids) == sent, within_s=40)
        assert system.pid(role) != victim
    finally:
        os.kill(system.pid("demo"), signal.SIGCONT)


def test_a_stop_keeps_the_data_and_the_next_start_has_it_again(system: System) -> None:
    key = key_in(system.requests()[0])
    system.maraude("account", "add", "kept", "--role", "moteur")

    code, said = system.stop()
    assert code == 0
    assert f"stopped; data kept in {system.folder}" in said
    assert not (system.folder / "run.json").exists()
    started = time.monotonic()
    system.start()

    assert time.monotonic() - started < READY_WITHIN_S
    assert key_in(system.requests()[0]) == key
    assert "  kept  " in system.maraude("account", "list").stdout


def test_a_second_system_on_the_same_folder_is_one_sentence(system: System) -> None:
    second = system.maraude("up", "--port", "0")

    assert second.returncode != 0
    assert "Another `maraude up` is running" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1
