"""`GET /taxis`, from registration and positions to what a search app is shown."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from app import app
from chalicelib.foundation import cache, clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import LngLat, geohash6, to_e7
from chalicelib.foundation.store import documents
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.registry import availability as registry
from chalicelib.taxis.search import notes
from chalicelib.taxis.search import rules as search_rules
from chalicelib.taxis.search.rules import Search
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.territory import exclusions, loads
from tests import factories
from tests.calls import Answer, Caller

pytestmark = pytest.mark.usefixtures("towns")

HERE = LngLat(2.35, 48.86)
METRE = 1 / 111_195  # of latitude, in degrees


# Squares: Paris with the search point, Charenton to its east, Bordeaux far away.
SQUARES = {
    "75056": (2.30, 48.85, 2.36, 48.88),
    "94018": (2.36, 48.85, 2.40, 48.88),
    "33063": (-0.60, 44.80, -0.50, 44.90),
}


def a_square(west: float, south: float, east: float, north: float) -> dict[str, Any]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.fixture
def towns(store: None, tmp_path: Path) -> None:  # noqa: ARG001  # the loads need the tables
    features = [
        {
            "type": "Feature",
            "properties": {"insee": insee, "nom": factories.TOWNS[insee]},
            "geometry": a_square(*square),
        }
        for insee, square in SQUARES.items()
    ]
    file = tmp_path / "towns.geojson"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    loads.load_towns(file, quiet=True)


def join_in_a_zone(tmp_path: Path, *insees: str) -> None:
    zone = {
        "zupc_id": "49820f64-544f-461b-9528-6759943390eb",
        "nom": "ZUPC",
        "insee_2026": list(insees),
        "insee_publies": [],
        "has_feature": False,
    }
    file = tmp_path / "zones.json"
    file.write_text(json.dumps({"source": "tests", "zones": [zone]}))
    loads.load_zones(file, quiet=True)


def exclude(tmp_path: Path, geometry: dict[str, Any]) -> None:
    file = tmp_path / "exclusion.geojson"
    feature = {"type": "Feature", "id": "way/1", "properties": {"name": "Airport"}}
    file.write_text(json.dumps({**feature, "geometry": geometry}))
    exclusions.load_exclusion(file, quiet=True)


class Operator:
    """Somebody who puts taxis on the road."""

    def __init__(self, email: str = "operator") -> None:
        account, key = factories.an_account(email)
        self.account = account
        self.calls = Caller(app, key=key)
        self.count = 0

    def taxi(
        self,
        north_m: float = 0,
        *,
        insee: str = "75056",
        status: str = "free",
        radius: int | None = None,
        age_s: float = 0,
        plate: str | None = None,
        **vehicle: Any,
    ) -> str:
        """A taxi so many metres north of the search point; its id."""
        self.count += 1
        plate, number = plate or f"AA-{self.count:03}-BB", str(self.count)
        self.calls.post("/drivers", factories.a_driver(professional_licence=number))
        self.calls.post("/vehicles", factories.a_vehicle(licence_plate=plate, **vehicle))
        self.calls.post("/ads", factories.an_ads(numero=number, insee=insee))
        [taxi] = self.calls.post(
            "/taxis",
            factories.a_taxi(
                numero=number, insee=insee, licence_plate=plate, professional_licence=number
            ),
        ).data
        taxi_id: str = taxi["id"]
        self.calls.put(f"/taxis/{taxi_id}", {"status": status, "radius": radius})
        report(taxi_id, north_m, at=clock.now() - timedelta(seconds=age_s))
        return taxi_id


def report(taxi_id: str, north_m: float, *, at: datetime) -> None:
    """Stores a position as the ingest function does."""
    number = codec.number_of(taxi_id)
    assert number is not None
    lng_e7, lat_e7 = to_e7(LngLat(HERE.lng, HERE.lat + north_m * METRE))
    one = Report(codec.tick(at), [number], [lat_e7], [lng_e7])
    positions.store_window([one], availability_of=registry.availability_of, now=clock.now())


@pytest.fixture
def operator(towns: None) -> Operator:  # noqa: ARG001  # a taxi needs a town
    return Operator()


@pytest.fixture
def search_app(towns: None) -> Caller:  # noqa: ARG001
    _, key = factories.an_account("search-app", Role.MOTEUR)
    return Caller(app, key=key)


def search(caller: Caller, point: LngLat = HERE, **query: Any) -> Answer:
    return caller.get("/taxis", lon=point.lng, lat=point.lat, **query)


def distances(answer: Answer) -> list[int]:
    return [round(taxi["crowfly_distance"]) for taxi in answer.data]


def test_free_taxis_within_their_radius_come_nearest_first(
    operator: Operator, search_app: Caller
) -> None:
    operator.taxi(420)
    operator.taxi(30)
    operator.taxi(260, radius=200)
    operator.taxi(190, radius=200)
    operator.taxi(520)

    assert distances(search(search_app)) == [30, 190, 420]


def test_a_vehicle_that_two_operators_report_is_found_once(
    operator: Operator, search_app: Caller
) -> None:
    operator.taxi(60, plate="DD-001-DD")
    Operator("second").taxi(40, radius=150, plate="DD-001-DD")
    operator.taxi(80, plate="DD-002-DD")

    assert distances(search(search_app)) == [40, 80]


def test_a_vehicle_is_found_where_only_its_farther_report_reaches_the_customer(
    operator: Operator, search_app: Caller
) -> None:
    Operator("second").taxi(200, radius=150, plate="DD-001-DD")
    operator.taxi(210, plate="DD-001-DD")

    assert distances(search(search_app)) == [210]


@pytest.mark.parametrize("status", ["off", "occupied"])
def test_only_free_taxis_are_shown(operator: Operator, search_app: Caller, status: str) -> None:
    operator.taxi(status=status)

    assert search(search_app).data == []


def test_a_change_of_status_is_seen_by_the_very_next_search(
    operator: Operator, search_app: Caller
) -> None:
    taxi_id = operator.taxi()

    for status, shown in [("occupied", 0), ("free", 1), ("off", 0), ("free", 1)]:
        operator.calls.put(f"/taxis/{taxi_id}", {"status": status})
        assert len(search(search_app).data) == shown


def test_a_change_of_radius_is_seen_by_the_very_next_search(
    operator: Operator, search_app: Caller
) -> None:
    taxi_id = operator.taxi(300)

    operator.calls.put(f"/taxis/{taxi_id}", {"radius": 200})
    near = len(search(search_app).data)
    operator.calls.put(f"/taxis/{taxi_id}", {"radius": None})

    assert (near, len(search(search_app).data)) == (0, 1)


def test_a_taxi_that_went_silent_is_not_shown(operator: Operator, search_app: Caller) -> None:
    operator.taxi(10, age_s=110)
    operator.taxi(20, age_s=125)

    assert distances(search(search_app)) == [10]


def test_a_licence_counts_for_its_own_town_only(operator: Operator, search_app: Caller) -> None:
    operator.taxi(10, insee="75056")
    operator.taxi(20, insee="94018")
    operator.taxi(30, insee="33063")

    assert distances(search(search_app)) == [10]


def test_a_zone_joins_the_licences_of_its_towns(
    operator: Operator, search_app: Caller, tmp_path: Path
) -> None:
    operator.taxi(10, insee="75056")
    operator.taxi(20, insee="94018")
    operator.taxi(30, insee="33063")

    join_in_a_zone(tmp_path, "75056", "94018")

    assert distances(search(search_app)) == [10, 20]


def test_no_taxi_is_cruising_in_an_exclusion(
    operator: Operator, search_app: Caller, tmp_path: Path
) -> None:
    operator.taxi()
    exclude(tmp_path, a_square(2.34, 48.855, 2.355, 48.865))

    answer = search(search_app)

    assert (answer.status, answer.errors) == (404, {"url": ["No cruising allowed in this area"]})


def test_an_exclusion_is_its_shape_not_its_bounding_box(
    operator: Operator, search_app: Caller, tmp_path: Path
) -> None:
    operator.taxi()
    # A triangle whose rectangle holds the search point while it does not.
    corners = [[2.34, 48.855], [2.36, 48.855], [2.36, 48.8601], [2.34, 48.855]]
    exclude(tmp_path, {"type": "Polygon", "coordinates": [corners]})

    assert len(search(search_app).data) == 1


def test_a_point_in_no_town_finds_nothing(search_app: Caller) -> None:
    assert search(search_app, LngLat(-30.0, 40.0)).data == []


def test_a_search_app_is_shown_no_identity(operator: Operator, search_app: Caller) -> None:
    taxi_id = operator.taxi(25, color="rouge", constructor="", vasp_handicap=True)

    [shown] = search(search_app).data

    assert len(shown.pop("id")) == 36
    assert shown.pop("crowfly_distance") == pytest.approx(25, abs=0.05)
    assert shown.pop("position")["lon"] == HERE.lng
    assert shown == {
        "operator": "chauffeur professionnel",
        "vehicle": {
            "model": "508",
            "constructor": None,
            "nb_seats": 4,
            "engine": "",
            "characteristics": ["wifi", "vasp_handicap"],
            "color": "",
            "licence_plate": "",
            "type": "normal",
            "cpam_conventionne": None,
        },
        "status": "free",
        "radius": 0,
        "rating": 0,
        "last_update": None,
        "added_at": "1970-01-01T00:00:00",
        "ads": {
            "numero": "",
            "insee": "",
            "vehicle_id": 0,
            "owner_name": "",
            "owner_type": "",
            "doublage": None,
            "town": {"name": ""},
            "category": "",
        },
        "driver": {
            "professional_licence": "",
            "departement": "",
            "first_name": "",
            "last_name": "",
        },
    }
    assert taxi_id not in search(search_app).text


def test_an_admin_is_shown_who_it_is(operator: Operator) -> None:
    taxi_id = operator.taxi()
    _, key = factories.an_account("admin", Role.ADMIN)

    [shown] = search(Caller(app, key=key)).data

    assert shown["id"] == taxi_id
    assert shown["operator"] == "operator"
    assert shown["vehicle"]["licence_plate"] == "AA-001-BB"


def test_an_operator_finds_its_own_taxis_only(operator: Operator) -> None:
    operator.taxi(10)
    Operator("other").taxi(20)

    assert distances(search(operator.calls)) == [10]


def test_ids_are_fresh_in_each_search(operator: Operator, search_app: Caller) -> None:
    operator.taxi()

    first, second = search(search_app).data[0]["id"], search(search_app).data[0]["id"]

    assert first != second


def test_vehicle_details_follow_the_description(operator: Operator, search_app: Caller) -> None:
    operator.taxi()

    operator.calls.post("/vehicles", {"licence_plate": "AA-001-BB", "model": "Zoe"})

    assert search(search_app).data[0]["vehicle"]["model"] == "Zoe"


def test_debug_says_what_each_step_left(operator: Operator, search_app: Caller) -> None:
    operator.taxi(10)
    operator.taxi(20, insee="33063")
    operator.taxi(300, radius=150)

    steps = search(search_app, debug="").json["debug"]

    assert [step["data"] for step in steps] == [["75056"], 1, 3, 2, 1]


def test_debug_says_so_where_no_town_is(search_app: Caller) -> None:
    [step] = search(search_app, LngLat(7.0, 43.0), debug="1").json["debug"]

    assert step["data"] == []
    assert "none is known here" in step["label"]


@pytest.mark.parametrize("insee", ["75056", "33063"])
def test_an_operators_answer_does_not_move_with_another_operators_taxi(
    operator: Operator, insee: str, calls: list[str]
) -> None:
    operator.taxi(10)
    other = Operator("other")
    steps, asked = [], []
    for north_m in (20, 900):
        other.taxi(north_m, insee=insee)
        search(operator.calls)
        calls.clear()
        steps.append(search(operator.calls, debug="").json["debug"])
        asked.append([*calls])

    assert [step["data"] for step in steps[0]] == [["75056"], 1, 1, 1, 1]
    assert steps[0] == steps[1]
    assert asked[0] == asked[1]


def test_an_operators_first_answer_costs_the_same_beside_another_operators_taxi(
    operator: Operator, calls: list[str]
) -> None:
    other = Operator("other")
    asked = []
    for north_m in (900, 20):  # first it is too far away to be met
        other.taxi(north_m)
        cache.forget_all()
        documents.forget()
        calls.clear()
        search(operator.calls)
        asked.append([*calls])

    assert asked[0] == asked[1]


def test_an_operator_finds_its_taxi_of_a_moment_ago(operator: Operator) -> None:
    operator.taxi(10)
    search(operator.calls)

    operator.taxi(20)

    assert distances(search(operator.calls)) == [10, 20]


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ({}, {"lon": ["Missing data for required field."], "lat": ["Missing data for required field."]}),
        ({"lon": "x", "lat": "1"}, {"lon": ["Not a valid number."]}),
        ({"lon": "2,35", "lat": "1"}, {"lon": ["Not a valid number."]}),
        (
            {"lon": "nan", "lat": "1"},
            {"lon": ["Special numeric values (nan or infinity) are not permitted."]},
        ),
        (
            {"lon": "180.1", "lat": "1"},
            {"lon": ["Must be greater than or equal to -180 and less than or equal to 180."]},
        ),
        (
            {"lon": "1", "lat": "85.06"},
            {
                "lat": [
                    "Must be greater than or equal to -85.05112878 and less than or equal to 85.05112878."
                ]
            },
        ),
    ],
)  # fmt: skip
def test_coordinates_that_are_none_are_refused(
    search_app: Caller, query: dict[str, str], tree: dict[str, Any]
) -> None:
    answer = search_app.get("/taxis", **query)

    assert (answer.status, answer.errors) == (400, tree)


def test_the_first_of_repeated_coordinates_counts_and_others_are_ignored(
    search_app: Caller,
) -> None:
    assert search_app.get("/taxis", lon=[2.35, "x"], lat=48.86, count=3).status == 200


def test_a_search_needs_a_key_and_a_role(operator: Operator) -> None:
    _, key = factories.an_account("label", Role.GROUPEMENT)

    assert search(Caller(app)).status == 401
    assert search(Caller(app, key=key)).status == 403
    assert search(operator.calls).status == 200


@pytest.fixture
def calls() -> Iterator[list[str]]:
    """The DynamoDB calls made."""
    made: list[str] = []

    def note(model: Any, **_: object) -> None:
        made.append(model.name)

    events = clients.dynamodb().meta.events
    events.register("before-call.dynamodb", note)
    yield made
    events.unregister("before-call.dynamodb", note)


def test_a_warm_search_is_one_round_trip(
    operator: Operator, search_app: Caller, calls: list[str]
) -> None:
    operator.taxi()
    search(search_app)
    calls.clear()

    assert len(search(search_app).data) == 1
    assert calls == ["BatchGetItem"]


def test_a_cold_search_is_three_round_trips(
    operator: Operator, search_app: Caller, calls: list[str]
) -> None:
    operator.taxi()
    cache.forget_all()
    documents.forget()
    calls.clear()

    assert len(search(search_app).data) == 1
    assert calls == ["BatchGetItem"] * 3


def sent() -> list[Search]:
    """What is in the stream of searches, with what was still on its way there."""
    assert notes.notes.end()
    kinesis, name = clients.kinesis(), "maraude-test-searches"
    found = []
    for shard in kinesis.list_shards(StreamName=name)["Shards"]:
        place = kinesis.get_shard_iterator(
            StreamName=name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )
        for record in kinesis.get_records(ShardIterator=place["ShardIterator"])["Records"]:
            found += search_rules.unpack(record["Data"])
    return found


def test_a_search_that_reaches_a_town_is_noted(operator: Operator, search_app: Caller) -> None:
    operator.taxi(170, radius=150)  # the nearest that may pick up here, and does not come so far
    operator.taxi(300)
    search(search_app)

    [noted] = sent()
    assert abs(noted.hour - clock.now().timestamp() / 3600) < 2
    assert (noted.insee, noted.found, noted.seen, noted.nearest_m) == ("75056", 2, 1, 170)
    assert noted.moteur == administration.find("search-app").account.id
    assert noted.geohash == geohash6(HERE)


def test_a_search_that_finds_nothing_is_noted_without_a_nearest_taxi(search_app: Caller) -> None:
    search(search_app)

    [noted] = sent()
    assert (noted.found, noted.seen, noted.nearest_m) == (0, 0, None)


def test_a_search_that_reaches_no_town_is_not_noted(search_app: Caller, tmp_path: Path) -> None:
    assert search_app.get("/taxis", lon=0, lat=0).data == []
    assert search_app.get("/taxis", lon=2.35).status == 400
    exclude(tmp_path, a_square(2.34, 48.85, 2.36, 48.87))
    assert search(search_app).status == 404

    assert sent() == []
