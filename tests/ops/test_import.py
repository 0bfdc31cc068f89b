"""`maraude import`: accounts and the registry of the reference service, from its exports."""

import csv
import json
import re
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from chalicelib.foundation import clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import service as access
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.registry import availability_change, own_taxis, registration
from chalicelib.taxis.registry import store as registry
from chalicelib.taxis.territory import editions
from chalicelib.taxis.vocabulary import Account, Role, TaxiStatus
from ops.cli import administration
from ops.cli.main import main
from ops.cli.territory import switches
from tests import factories

pytestmark = pytest.mark.usefixtures("store")

KEY, OTHER_KEY = "4d1c2f62-8c6e-4d8c-9a65-06cf5e6f2a11", "5d1c2f62-8c6e-4d8c-9a65-06cf5e6f2a22"

# What a file of each kind holds unless a test says otherwise.
ACCOUNTS = [
    {
        "id": "41",
        "email": "fleet",
        "name": "Flotte",
        "apikey": KEY,
        "roles": "groupement",
        "manager": "",
        "active": "t",
        "fleet_size": "120",
        "phone_number_technical": "",
    },
    {
        "id": "42",
        "email": "operator",
        "name": "Taxis du Port",
        "apikey": OTHER_KEY,
        "roles": "operateur",
        "manager": "fleet",
        "active": "t",
        "fleet_size": "",
        "phone_number_technical": "+33 1 02 03 04 05",
    },
]
DRIVERS = [
    {
        "operator": "operator",
        "departement.numero": "75",
        "professional_licence": "75-0001",
        "first_name": "Anne",
        "last_name": "",
        "birth_date": "1978-01-05",
    }
]
VEHICLES = [
    {
        "operator": "operator",
        "id": "7001",
        "licence_plate": "AB-123-CD",
        "model": "508",
        "nb_seats": "4",
        "wifi": "t",
        "horse_power": "7.5",
        "date_dernier_ct": "2025-02-01",
    }
]
ADS = [
    {
        "operator": "operator",
        "insee": factories.PARIS,
        "numero": "1",
        "vehicle_id": "7001",
        "owner_name": "A. Lescaut",
        "owner_type": "individual",
        "doublage": "f",
    }
]
TAXIS = [
    {
        "operator": "operator",
        "id": "skK5ddt",
        "ads.numero": "1",
        "ads.insee": factories.PARIS,
        "vehicle.licence_plate": "AB-123-CD",
        "driver.departement": "75",
        "driver.professional_licence": "75-0001",
        "status": "free",
        "radius": "300",
        "added_at": "2019-01-01T00:00:00",
    }
]
FILES: Mapping[str, Sequence[Mapping[str, str]]] = {
    "accounts": ACCOUNTS,
    "drivers": DRIVERS,
    "vehicles": VEHICLES,
    "ads": ADS,
    "taxis": TAXIS,
}


@pytest.fixture(autouse=True)
def here(store: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001  # where the towns are put
    """The command's registry is the one of the tests, with three towns."""
    monkeypatch.setattr("ops.cli.target.connect", lambda _: None)
    factories.known_towns()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An export with one of everything, and two accounts."""
    for kind, rows in FILES.items():
        write(tmp_path, kind, rows)
    return tmp_path


def write(folder: Path, kind: str, rows: Sequence[Mapping[str, str]], delimiter: str = ",") -> None:
    with (folder / f"{kind}.csv").open("w", encoding="utf-8", newline="") as file:
        lines = csv.DictWriter(file, list(rows[0]), delimiter=delimiter)
        lines.writeheader()
        lines.writerows(rows)


def load(folder: Path, *options: str) -> int:
    # One at a time: moto undoes a refused transaction by putting all tables back as they were.
    return main(["import", str(folder), "--at-once", "1", *options])


def contents() -> dict[str, list[Any]]:
    """Every item of every table but the journal's, which has each command."""
    client = clients.dynamodb()
    return {
        name: sorted(client.scan(TableName=name)["Items"], key=repr)
        for name in client.list_tables()["TableNames"]
        if name != table("journal")
    }


def owner(key: str) -> Account:
    return access.recognize(key=key, logas=None, now=clock.now()).account


def said(capsys: pytest.CaptureFixture[str]) -> tuple[list[str], list[str]]:
    """The counts, without the time that each took, and the faults.

    Without lines of progress, which come on a slow machine: `taxis checked: 2`.
    """
    out, err = capsys.readouterr()
    return [line.partition(";")[0] for line in out.splitlines()], [
        line for line in err.splitlines() if not re.fullmatch(r"\w+ \w+: \d+( of \d+)?", line)
    ]


def test_an_export_comes_whole_with_the_ids_and_keys_that_partners_know(folder: Path) -> None:
    assert load(folder) == 0

    operator = owner(OTHER_KEY)
    record = administration.find("operator")
    found = own_taxis.find_taxi(operator, "skK5ddt")
    assert operator.id == 42
    assert operator.roles == {Role.OPERATEUR}
    assert operator.manager_id == owner(KEY).id == 41
    assert (record.name, record.phone_number_technical) == ("Taxis du Port", "+33 1 02 03 04 05")
    assert administration.find("fleet").fleet_size == 120
    assert found.ads.vehicle_id == found.description.vehicle.vehicle_id == 7001
    assert (found.ads.owner_type, found.ads.doublage, found.town) == ("individual", False, "Paris")
    assert (found.driver.first_name, found.driver.last_name) == ("Anne", "")
    assert (found.description.status, found.description.radius_m) == (TaxiStatus.FREE, 300)
    assert found.description.vehicle.nb_seats == 4
    assert fleets.taxi_ids_of(operator.owner) == {"skK5ddt"}


def test_a_second_run_changes_nothing_and_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(folder)
    before = contents()
    capsys.readouterr()

    assert load(folder) == 0

    counts, faults = said(capsys)
    assert contents() == before
    assert faults == []
    assert counts == [
        "accounts: 0 new, 0 changed, 2 same, 0 faulty",
        *(f"{kind}: 0 new, 0 changed, 1 same, 0 faulty" for kind in list(FILES)[1:]),
    ]


def test_a_dry_run_counts_what_would_come_and_changes_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = contents()

    assert load(folder, "--dry-run") == 0

    counts, faults = said(capsys)
    assert contents() == before
    assert faults == []
    assert counts == [
        "accounts: would be 2 new, 0 changed, 0 same, 0 faulty",
        *(f"{kind}: would be 1 new, 0 changed, 0 same, 0 faulty" for kind in list(FILES)[1:]),
    ]


@pytest.mark.parametrize("mergers", ["kept", "given to the import"])
def test_licences_and_taxis_of_merged_towns_come_to_the_new_town(
    mergers: str, folder: Path, tmp_path: Path
) -> None:
    write(folder, "ads", [{**ADS[0], "insee": "75899"}])
    write(folder, "taxis", [{**TAXIS[0], "ads.insee": "75899"}])
    merges = tmp_path / "merges.csv"
    merges.write_text(f"ancien_insee,nouveau_insee\n75899,{factories.PARIS}\n")
    if mergers == "kept":
        edition = editions.edition.current()
        switches.switch_edition(
            replace(edition, version=edition.version + 1, merged={"75899": factories.PARIS})
        )

    assert load(folder, *([] if mergers == "kept" else ["--merges", str(merges)])) == 0

    taxi = reads.one(registry.taxis(["skK5ddt"]))["skK5ddt"]
    assert taxi.insee == factories.PARIS
    assert load(folder, "--merges", str(merges), "--dry-run") == 0


def test_what_has_changed_is_brought_up_to_date(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(folder)
    write(folder, "accounts", [{**row, "name": "Autre", "fleet_size": "9"} for row in ACCOUNTS])
    write(folder, "drivers", [{**DRIVERS[0], "last_name": "Lescaut"}])
    write(folder, "vehicles", [{**VEHICLES[0], "horse_power": "8"}])
    write(folder, "ads", [{**ADS[0], "owner_name": ""}])
    capsys.readouterr()

    assert load(folder) == 0

    found = own_taxis.find_taxi(administration.find("operator").account, "skK5ddt")
    assert (found.driver.last_name, found.ads.owner_name) == ("Lescaut", "")
    assert (administration.find("fleet").name, administration.find("operator").fleet_size) == (
        "Autre",
        9,
    )
    assert said(capsys)[0] == [
        "accounts: 0 new, 2 changed, 0 same, 0 faulty",
        "drivers: 0 new, 1 changed, 0 same, 0 faulty",
        "vehicles: 0 new, 1 changed, 0 same, 0 faulty",
        "ads: 0 new, 1 changed, 0 same, 0 faulty",
        "taxis: 0 new, 0 changed, 1 same, 0 faulty",
    ]


def test_what_the_operator_has_done_since_is_left_alone(folder: Path) -> None:
    load(folder)
    operator = administration.find("operator").account
    found = own_taxis.find_taxi(operator, "skK5ddt")
    later = found.taxi.added_at.replace(year=found.taxi.added_at.year + 1)
    availability_change.change_taxi(found, {"status": "occupied", "radius": None}, now=later)

    load(folder)

    description = own_taxis.find_taxi(operator, "skK5ddt").description
    assert (description.status, description.radius_m) == (TaxiStatus.OCCUPIED, None)


FAULTY: Sequence[tuple[str, Mapping[str, str], str]] = [
    ("accounts", {"apikey": "short"}, "apikey: A key has at least 32 printable characters."),
    ("accounts", {"apikey": KEY}, "apikey: the account 'fleet' has this key"),
    ("accounts", {"id": "41"}, "id: it is the account 'fleet'"),
    ("accounts", {"id": "0"}, "id: Must be greater than or equal to 1 and less than or"),
    ("accounts", {"manager": "nobody"}, "manager: there is no account 'nobody'"),
    ("accounts", {"roles": "king"}, "roles.0: Must be one of: admin"),
    ("accounts", {"email": "fleet"}, "This is in line 2 already."),
    ("drivers", {"departement.numero": "99"}, "departement.nom: Departement not found"),
    ("drivers", {"professional_licence": ""}, "professional_licence: Field may not be empty."),
    ("drivers", {"birth_date": "5/1/78"}, "birth_date: Not a valid date."),
    ("drivers", {"operator": "nobody"}, "operator: there is no account 'nobody'"),
    ("vehicles", {"licence_plate": "AB"}, "licence_plate: Length must be between 7 and 10."),
    ("vehicles", {"nb_seats": "many"}, "nb_seats: Not a valid integer."),
    ("ads", {"insee": "00000"}, "insee: Town not found with this INSEE"),
    ("ads", {"vehicle_id": "7002"}, "vehicle_id: Vehicle not found"),
    ("ads", {"doublage": "perhaps"}, "doublage: Not a valid boolean."),
    ("taxis", {"id": "l0ng"}, "id: A taxi's id has 7 letters and digits"),
    ("taxis", {"ads.numero": "2"}, "ads.numero: ADS not found with this INSEE/numero"),
    ("taxis", {"vehicle.licence_plate": "ZZ-123-ZZ"}, "vehicle.licence_plate: Invalid licence"),
    (
        *("taxis", {"driver.professional_licence": "2"}),
        "driver.professional_licence: Driver not found.",
    ),
    ("taxis", {"radius": "30"}, "radius: Must be greater than or equal to 150"),
    ("taxis", {"id": "skK5ddu"}, "id: its vehicle, ADS and driver make the taxi skK5ddt"),
]


@pytest.mark.parametrize(("kind", "change", "what"), FAULTY)
def test_a_faulty_line_is_named_and_nothing_is_imported(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    kind: str,
    change: Mapping[str, str],
    what: str,
) -> None:
    good = FILES[kind]
    write(folder, kind, [*good, {**good[-1], **_other(kind), **change}])
    before = contents()

    assert load(folder) == 1

    counts, faults = said(capsys)
    number = len(good) + 2
    assert contents() == before
    assert faults[0].startswith(f"{kind}.csv, line {number}{'' if what[:2] == 'Th' else ','}")
    assert what in faults[0]
    assert len(faults) == 2  # the second says that nothing is imported
    assert any(line.startswith(f"{kind}: would be") and "1 faulty" in line for line in counts)


def _other(kind: str) -> Mapping[str, str]:
    """What makes a second thing of the kind, which is good."""
    return {
        "accounts": {"id": "43", "email": "second", "apikey": KEY.replace("4", "6")},
        "drivers": {"professional_licence": "75-0002"},
        "vehicles": {"id": "7002", "licence_plate": "AB-124-CD"},
        "ads": {"numero": "3"},
        "taxis": {"id": "skK5ddv"},
    }[kind]


def test_faulty_lines_may_be_left_out_with_all_that_hangs_on_them(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "drivers", [{**DRIVERS[0], "birth_date": "?"}])

    assert load(folder, "--skip-faulty") == 0

    counts, faults = said(capsys)
    assert [fault.partition(":")[0] for fault in faults] == [
        "drivers.csv, line 2, birth_date",
        "taxis.csv, line 2, driver.professional_licence",
    ]
    assert counts[2:] == [
        "vehicles: 1 new, 0 changed, 0 same, 0 faulty",
        "ads: 1 new, 0 changed, 0 same, 0 faulty",
        "taxis: 0 new, 0 changed, 0 same, 1 faulty",
    ]


@pytest.mark.parametrize(
    ("kind", "text", "what"),
    [
        ("drivers.csv", "operator,operator\n", "its first line must name each column, once"),
        ("drivers.csv", "operator,colour\n", "there is no field colour"),
        ("drivers.csv", "", "its first line must name each column, once"),
        ("ads.jsonl", '{"operator": "\udcff"}', "is not in UTF-8"),
        ("ads.jsonl", "{}", "leave one of them"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_by_name(
    folder: Path, capsys: pytest.CaptureFixture[str], kind: str, text: str, what: str
) -> None:
    if what != "leave one of them":
        (folder / kind).with_suffix(".csv").unlink()
    (folder / kind).write_text(text, encoding="utf-8", errors="surrogateescape")

    assert load(folder) == 2

    _, [fault] = said(capsys)
    assert kind.partition(".")[0] in fault
    assert what in fault


def test_an_empty_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load(tmp_path) == 2

    assert "accounts, drivers, vehicles, ads, taxis" in capsys.readouterr().err


def test_lines_are_counted_as_an_editor_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{**DRIVERS[0], "last_name": "two\nlines"}, {**DRIVERS[0], "departement.numero": "99"}]
    write(folder, "drivers", rows, delimiter=";")

    load(folder)

    assert said(capsys)[1][0].startswith("drivers.csv, line 4, departement")


def test_json_lines_are_what_the_api_shows(folder: Path) -> None:
    for kind in ("accounts", "taxis"):
        (folder / f"{kind}.csv").unlink()
    shown = {
        "id": 42,
        "email": "operator",
        "name": "Taxis",
        "apikey": OTHER_KEY,
        "managed": [],
        "roles": [{"name": "operateur"}],
        "manager": {"id": 41, "name": "", "email": "fleet"},
        "hail_endpoint_production": "https://operator.example/hails",
        "email_customer": "",
    }
    fleet = {"id": 41, "email": "fleet", "apikey": KEY, "managed": [{"id": 42}], "manager": None}
    write_json(folder / "accounts.jsonl", shown, fleet)
    taxi = {
        "id": "skK5ddt",
        "operator": "operator",
        "status": "oncoming",
        "radius": None,
        "ads": {"numero": "1", "insee": factories.PARIS, "town": {"name": "Paris"}},
        "vehicle": {"licence_plate": "AB-123-CD", "characteristics": ["wifi"]},
        "driver": {"professional_licence": "75-0001", "departement": "75", "first_name": ""},
    }
    write_json(folder / "taxis.jsonl", taxi)

    assert load(folder) == 0

    record = administration.find("operator")
    found = own_taxis.find_taxi(record.account, "skK5ddt")
    assert record.hail_endpoint_production == "https://operator.example/hails"
    assert record.account.manager_id == 41
    assert found.description.status == TaxiStatus.OFF


def write_json(path: Path, *things: Mapping[str, object]) -> None:
    path.write_text("".join(json.dumps(thing) + "\n" for thing in things), encoding="utf-8")


@pytest.mark.parametrize("text", ["{", "[]", "7"])
def test_a_line_that_is_no_object_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "accounts.jsonl").write_text(f"\n{text}\n", encoding="utf-8")

    assert load(tmp_path) == 1

    assert said(capsys)[1][0].startswith("accounts.jsonl, line 2: This is no JSON")


def keyless(folder: Path) -> Iterator[str]:
    """An export of two accounts alone, without keys; their e-mails."""
    for kind in list(FILES)[1:]:
        (folder / f"{kind}.csv").unlink()
    write(folder, "accounts", [{**row, "apikey": ""} for row in ACCOUNTS])
    return (row["email"] for row in ACCOUNTS)


def test_accounts_without_a_key_get_one_in_a_file_for_us_alone(
    folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    emails = list(keyless(folder))
    keys = tmp_path_factory.mktemp("keys") / "keys.csv"

    assert load(folder, "--keys", str(keys)) == 0
    assert load(folder, "--keys", str(keys)) == 0

    told = list(csv.reader(keys.read_text("utf-8").splitlines()))
    assert [email for email, _ in told] == emails
    assert [owner(key).email for _, key in told] == emails
    assert stat.S_IMODE(keys.stat().st_mode) == 0o600


def test_without_a_place_for_keys_none_are_made(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    list(keyless(folder))
    before = contents()

    assert load(folder) == 2

    assert contents() == before
    assert "--keys" in capsys.readouterr().err


def test_no_key_is_ever_printed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "accounts", [*ACCOUNTS, {**ACCOUNTS[1], "email": "other", "id": "77"}])

    load(folder, "--dry-run")
    load(folder, "--skip-faulty")

    out, err = capsys.readouterr()
    assert "has this key" in err
    assert KEY not in out + err
    assert OTHER_KEY not in out + err


def test_partners_may_come_one_by_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(folder, "drivers", [*DRIVERS, {**DRIVERS[0], "operator": "another"}])

    assert load(folder, "--only", "fleet") == 0
    assert load(folder, "--only", "operator") == 0

    counts, faults = said(capsys)
    assert faults == []
    assert counts[:2] == [
        "accounts: 1 new, 0 changed, 0 same, 0 faulty",
        "drivers: 0 new, 0 changed, 0 same, 0 faulty",
    ]
    assert own_taxis.find_taxi(administration.find("operator").account, "skK5ddt")


def test_numbers_that_were_imported_are_not_given_again(folder: Path) -> None:
    load(folder)

    account, _ = administration.add("later", roles=[Role.OPERATEUR])
    description, _ = registration.register_vehicle(
        account,
        {"licence_plate": "ZZ-999-ZZ"},
        now=own_taxis.find_taxi(administration.find("operator").account, "skK5ddt").taxi.added_at,
    )

    assert account.id == 43
    assert description.vehicle.vehicle_id == 7002


def test_a_number_that_is_another_vehicle_s_here_is_a_fault(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(folder)
    write(folder, "vehicles", [{**VEHICLES[0], "licence_plate": "ZZ-999-ZZ"}])
    capsys.readouterr()

    assert load(folder) == 1

    assert "vehicles.csv, line 2, id: it is the vehicle 'AB-123-CD'" in capsys.readouterr().err


def test_a_taxi_that_is_another_s_here_is_a_fault(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    load(folder)
    write(folder, "taxis", [{**TAXIS[0], "id": "skK5ddz"}])

    assert load(folder) == 1

    assert "make the taxi skK5ddt here" in capsys.readouterr().err
