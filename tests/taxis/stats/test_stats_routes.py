"""`GET /stats/*` over HTTP: what is asked, what is shown, and that nothing is an answer too."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.foundation import cache, clock
from chalicelib.taxis.hails.rules import Status
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.stats import schemas, service
from chalicelib.taxis.stats.filters import EVERYTHING
from chalicelib.taxis.stats.hails import service as hails
from chalicelib.taxis.stats.searches import service as searches
from chalicelib.taxis.stats.searches.service import Report
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.territory import conurbations
from tests import factories
from tests.calls import Caller
from tests.taxis.hails.hail_factories import CUSTOMER, TAXI, Scene
from tests.taxis.stats.searching import a_search
from tests.taxis.territory import loaded

pytestmark = pytest.mark.usefixtures("store")

NOTHING = {"today": 0, "three_months_ago": 0, "six_months_ago": 0, "twelve_months_ago": 0}
FILTERED = (
    "/stats/taxis",
    "/stats/hails",
    "/stats/groupements",
    "/stats/adsmap",
    "/stats/searches",
)


def an_admin() -> Caller:
    return Caller(app, key=factories.an_account("admin", Role.ADMIN)[1])


def count(*names: str, days: int = 0) -> None:
    """Runs jobs, some days from now, and forgets what this process has read before."""
    for name in names:
        jobs.run(name, now=clock.now() + timedelta(days=days))
    cache.forget_all()


# --- nothing there --------------------------------------------------------------------------------


def test_an_empty_registry_is_shown_in_zeros_and_nulls() -> None:
    admin = an_admin()

    taxis = admin.get("/stats/taxis").data[0]
    hails = admin.get("/stats/hails").data[0]

    assert taxis["registered_taxis"] == taxis["connected_taxis_since_threshold"] == NOTHING
    assert (taxis["connected_taxis_now"], taxis["connected_taxis_per_hour"]) == (0, {})
    assert (taxis["average_radius"], taxis["average_radius_change"]) == (None, None)
    assert taxis["monthly_hails_per_taxi"] == 0
    assert hails["hails_received"] == hails["average_hail_distance"] == NOTHING
    assert hails["hails_total"] == {"current_year": [], "last_year": []}
    assert set(hails["average_times"].values()) == {None}
    assert admin.get("/stats/groupements").data == [{"registered_groupements": 0, "fleet_data": []}]
    assert admin.get("/stats/adsmap").data == []
    assert admin.get("/stats/groups").data == admin.get("/stats/managers").data == []
    assert set(admin.get("/stats/searches").data[0]["taxis"].values()) == {None}
    for path in ("/stats/heatmap_hails", "/stats/heatmap_taxis", "/stats/heatmap_searches"):
        assert admin.get(path).data == [{"points": []}]


def test_the_public_page_of_an_empty_registry_has_its_thirteen_months() -> None:
    shown = Caller(app).get("/stats/letaxi").json

    assert (shown["groups"], shown["apps"], shown["hails_growth"]) == (0, 0, {})
    months = [day for day, _ in shown["taxis_connected"]]
    assert len(months) == 13
    assert months == sorted(set(months))
    assert months[-1] == f"{clock.now():%Y-%m-01}"
    assert months[0] == f"{clock.now().year - 1}{clock.now():-%m-01}"


# --- filters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", FILTERED)
@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"groups": "1,x"}, "groups"),
        ({"groups": "-1"}, "groups"),
        ({"manager": "x"}, "manager"),
        ({"manager": "9" * 4000}, "manager"),
    ],
)
def test_an_account_that_is_no_number_is_refused(
    path: str, query: dict[str, str], field: str
) -> None:
    answer = an_admin().get(path, **query)

    assert answer.status == 400
    assert list(answer.errors) == [field]


@pytest.mark.parametrize("path", FILTERED)
def test_what_is_empty_or_unknown_asks_for_nothing(path: str) -> None:
    answer = an_admin().get(path, departements="", insee=",", groups=" ", manager="", other="x")

    assert answer.status == 200


@pytest.mark.parametrize(
    ("query", "taxis"),
    [
        ({}, 2),
        ({"departements": "75"}, 2),
        ({"departements": "33, 971,75"}, 2),
        ({"departements": "33"}, 0),
        ({"insee": "33063,75056"}, 2),
        ({"insee": "94018"}, 0),
        ({"groups": "{owner}"}, 1),
        ({"groups": "{owner},{other}"}, 2),
        ({"manager": "{manager}"}, 1),
        ({"manager": "{manager}", "groups": "{other}"}, 0),
        ({"manager": "{manager}", "groups": "{owner},{other}"}, 1),
        ({"manager": "{owner}"}, 0),
    ],
)
def test_taxis_are_counted_where_and_whose_they_are_asked_for(
    query: dict[str, str], taxis: int
) -> None:
    scene = Scene()
    other, other_calls = scene.caller("other", Role.OPERATEUR)
    scene.taxi(caller=other_calls)
    manager, _ = administration.add("manager")
    administration.add("operateur", manager="manager")
    count("count-active")
    count("count-fleets", days=1)
    names = {"owner": scene.operateur.id, "other": other.id, "manager": manager.id}
    asked: dict[str, Any] = {name: text.format(**names) for name, text in query.items()}

    shown = an_admin().get("/stats/taxis", **asked).data[0]

    assert shown["registered_taxis"]["today"] == shown["connected_taxis"]["today"] == taxis
    assert shown["connected_taxis_now"] == taxis


# --- hails ----------------------------------------------------------------------------------------


def test_hails_show_the_day_after() -> None:
    scene = Scene()
    scene.hail(Status.FINISHED)
    count("count-fleets", "count-hails", days=1)
    admin = an_admin()
    tomorrow = clock.now() + timedelta(days=1)  # no request can be made then

    shown = schemas.hail_statistics(hails.statistics(EVERYTHING, now=tomorrow))
    taxis = service.taxis(EVERYTHING, now=tomorrow)

    assert shown["hails_received"]["today"] == shown["hails_finished"]["today"] == 1  # type: ignore[index]
    assert taxis.monthly_hails_per_taxi == 1
    assert admin.get("/stats/hails").data[0]["hails_received"] == NOTHING  # today is not over
    [[lat, lng, weight]] = hails.heat(now=tomorrow)
    assert weight == 1
    assert abs(lat - CUSTOMER.lat) < 0.003
    assert abs(lng - CUSTOMER.lng) < 0.006


# --- groups and managers --------------------------------------------------------------------------


def test_groups_tell_how_many_of_their_taxis_are_registered() -> None:
    scene = Scene()
    administration.add("boss")
    administration.add(
        "operateur", roles=[Role.OPERATEUR, Role.GROUPEMENT], manager="boss", fleet_size=8
    )
    empty, _ = administration.add("a group", roles=[Role.GROUPEMENT], name="Radio")
    count("count-fleets", days=1)
    admin = an_admin()

    [shown] = admin.get("/stats/groupements").data

    assert [group["email"] for group in shown["fleet_data"]] == ["a group", "operateur"]
    nothing, one = shown["fleet_data"]
    assert (nothing["count"], nothing["ratio"], nothing["last_taxi"]) == (0, None, None)
    assert (nothing["id"], nothing["fleet_size"], nothing["manager"]) == (empty.id, None, None)
    assert (one["count"], one["ratio"], one["fleet_size"], one["manager"]) == (1, 12.5, 8, "boss")
    [taxi] = scene.as_operateur.get(f"/taxis/{scene.taxi_id}").data
    assert one["last_taxi"] == taxi["added_at"]


@pytest.mark.parametrize(
    ("query", "emails"),
    [
        ({"insee": "75056"}, ["operateur"]),
        ({"insee": "33063"}, []),
        ({"groups": "{empty}"}, ["a group"]),
        ({"manager": "{boss}"}, ["operateur"]),
    ],
)
def test_a_territory_drops_the_groups_without_taxis_there(
    query: dict[str, str], emails: list[str]
) -> None:
    Scene()
    boss, _ = administration.add("boss")
    administration.add("operateur", roles=[Role.OPERATEUR, Role.GROUPEMENT], manager="boss")
    empty, _ = administration.add("a group", roles=[Role.GROUPEMENT])
    count("count-fleets", days=1)
    asked: dict[str, Any] = {
        name: text.format(empty=empty.id, boss=boss.id) for name, text in query.items()
    }

    [shown] = an_admin().get("/stats/groupements", **asked).data

    assert [group["email"] for group in shown["fleet_data"]] == emails


def test_groups_are_chosen_by_a_part_of_their_name_or_e_mail() -> None:
    group, _ = administration.add("taxis@example", roles=[Role.GROUPEMENT], name="Radio Émeraude")
    administration.add("other@example", roles=[Role.GROUPEMENT], name="Other")
    administration.add("radio@operator", roles=[Role.OPERATEUR], name="Radio")
    admin = an_admin()

    shown = {"id": group.id, "email": "taxis@example", "commercial_name": "Radio Émeraude"}
    assert admin.get("/stats/groups", search="émer").data == [shown]
    assert admin.get("/stats/groups", search="TAXIS@").data == [shown]
    everyone = [line["email"] for line in admin.get("/stats/groups").data]
    assert everyone == ["other@example", "taxis@example"]


def test_managers_are_those_who_manage_somebody() -> None:
    manager, _ = administration.add("manager", name="The manager")
    administration.add("operator", manager="manager")

    assert an_admin().get("/stats/managers").data == [
        {"id": manager.id, "email": "manager", "commercial_name": "The manager"}
    ]


# --- maps and searches ----------------------------------------------------------------------------


def test_taxis_are_shown_by_departement_with_a_point_inside(tmp_path: Path) -> None:
    loaded.load_towns(tmp_path)
    Scene(with_towns=False)
    count("count-fleets", days=1)

    [shown] = an_admin().get("/stats/adsmap").data

    position = shown.pop("position")
    assert shown == {"insee": "75", "name": "Paris", "count": 1}
    assert position["type"] == "Point"
    lng, lat = position["coordinates"]
    assert 2.243 < lng < 2.425
    assert 48.812 < lat < 48.907


def test_searches_are_shown_by_quartiles_and_by_who_made_them() -> None:
    moteur, _ = factories.an_account("moteur", Role.MOTEUR)
    now = clock.now()
    noted = [a_search(now, moteur=moteur.id, found=found, seen=0) for found in (0, 1, 3)]
    searches.count("shardId-0", [Report(1, now, noted)])
    admin = an_admin()

    [shown] = admin.get("/stats/searches", departements="75").data

    assert shown["moteurs"] == [{"moteur": "moteur", "count": 3}]
    assert [shown["taxis"][f"taxis_found_{part}"] for part in (25, 50, 75)] == [0.5, 1, 2]
    [elsewhere] = admin.get("/stats/searches", departements="33").data
    assert elsewhere["moteurs"] == []
    [[_, _, weight]] = admin.get("/stats/heatmap_searches").data[0]["points"]
    assert weight == 3


def test_the_map_of_taxis_is_of_the_last_minute() -> None:
    Scene()
    count("count-active")

    [[lat, lng, weight]] = an_admin().get("/stats/heatmap_taxis").data[0]["points"]

    assert weight == 1
    assert abs(lat - TAXI.lat) < 0.003
    assert abs(lng - TAXI.lng) < 0.006


# --- the public page ------------------------------------------------------------------------------


def test_the_public_page_tells_what_part_of_each_conurbation_s_licences_is_registered(
    tmp_path: Path,
) -> None:
    loaded.load_towns(tmp_path)
    Scene(with_towns=False)
    administration.add("group", roles=[Role.GROUPEMENT])
    administration.add("app", roles=[Role.EDITEUR])
    file = tmp_path / "conurbations.json"
    file.write_text(
        '[{"conurbation_id": "idf", "name": "Paris", "declared_ads": 8, "members": ["75056", "94018"]},'
        ' {"conurbation_id": "bdx", "name": "Bordeaux", "declared_ads": null, "members": ["33063"]}]'
    )
    conurbations.load_conurbations(file, quiet=True)
    count("count-fleets", days=40)

    shown = service.public_figures(now=clock.now() + timedelta(days=40))

    assert (shown.groups, shown.apps) == (1, 1)
    day, percents = shown.taxis_connected[-1]
    assert percents == {"idf": 12.5, "bdx": None}
    assert shown.taxis_connected[0][1] == {"idf": 0, "bdx": None}
    assert shown.hails_growth == {"idf": None, "bdx": None}
    assert day == f"{clock.now() + timedelta(days=40):%Y-%m-01}"


def test_the_public_page_is_put_together_once_in_a_while() -> None:
    anybody = Caller(app)
    anybody.get("/stats/letaxi")
    administration.add("group", roles=[Role.GROUPEMENT])

    assert anybody.get("/stats/letaxi").json["groups"] == 0
    cache.forget_all()
    assert anybody.get("/stats/letaxi").json["groups"] == 1
