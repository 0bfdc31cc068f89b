"""Who may, and what bodies are taken and refused: the contract's tables, row by row, over HTTP."""

from collections.abc import Iterator
from typing import Any

import pytest

from chalicelib.foundation.http.application import Application
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import store as accounts
from chalicelib.taxis.contract import LeTaxi
from chalicelib.taxis.positions.routes import routes as positions
from chalicelib.taxis.registry.routes import routes
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from tests import factories
from tests.calls import Caller
from tests.conftest import empty_registry
from tests.factories import a_driver, a_taxi, a_vehicle, an_ads

EMPTY = "Field may not be empty."
NULL = "Field may not be null."
MISSING = "Missing data for required field."
UNKNOWN = "Unknown field."
NO_STRING = "Not a valid string."
NO_OBJECT = "Invalid input type."
NUL = "NUL characters are not permitted."
TOO_LONG = "Longer than maximum length 255."
RADIUS = "Must be greater than or equal to 150 and less than or equal to 500."
BILLION = "Must be greater than or equal to -1000000000 and less than or equal to 1000000000."
LATITUDE = "Must be greater than or equal to -85.05112878 and less than or equal to 85.05112878."
FOUR_BYTES = "Must be greater than or equal to -2147483648 and less than or equal to 2147483647."


@pytest.fixture(scope="module")
def app() -> Application:
    served = Application("tests", LeTaxi())
    served.serve(routes, positions)
    return served


@pytest.fixture(scope="module")
def standing(app: Application) -> Iterator[tuple[Caller, str]]:
    """An operator, and the id of its taxi, in one registry for all rows: none depends on another."""
    with empty_registry():
        factories.known_towns()
        caller = Caller(app, key=factories.an_account("operator")[1])
        factories.register_parts(caller)
        yield caller, caller.post("/taxis", a_taxi()).data[0]["id"]


@pytest.fixture(autouse=True)
def operator(standing: tuple[Caller, str]) -> Caller:
    return standing[0]


@pytest.fixture
def taxi_id(standing: tuple[Caller, str]) -> str:
    return standing[1]


ROUTES = [
    ("POST", "/drivers"),
    ("POST", "/ads"),
    ("POST", "/vehicles"),
    ("POST", "/taxis"),
    ("POST", "/geotaxi"),
    ("GET", "/taxis/2222222"),
    ("PUT", "/taxis/2222222"),
    ("GET", "/taxis/all"),
    ("PUT", "/taxis/all"),
]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_the_role_nothing_else_is_looked_at(
    app: Application, method: str, path: str
) -> None:
    _, key = factories.an_account("app", Role.MOTEUR)

    answer = Caller(app, key=key).send(method, path, '{"data": [null]}')

    assert answer.status == 403
    assert "permissions" in answer.errors[""][0]


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_without_a_key_nothing_else_is_looked_at(app: Application, method: str, path: str) -> None:
    answer = Caller(app).send(method, path, '{"data": [null]}')

    assert answer.status == 401


def test_the_list_is_not_for_an_admin_who_is_no_operator(app: Application) -> None:
    _, key = factories.an_account("boss", Role.MOTEUR)
    record = administration.find("boss")
    # The desk makes every admin an operator too; the contract knows admins who are not.
    admin = replace(record.account, roles=frozenset({Role.ADMIN}))
    accounts.put(replace(record, account=admin), before=record)
    boss = Caller(app, key=key)

    assert (boss.get("/taxis/all").status, boss.get("/taxis/2222222").status) == (403, 404)


@pytest.mark.parametrize("path", ["/drivers", "/ads", "/vehicles"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_parts_are_only_ever_posted(operator: Caller, method: str, path: str) -> None:
    assert operator.send(method, path, '{"data": [{}]}').status == 405


def without(body: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name != key}


@pytest.mark.parametrize(
    ("path", "body", "errors"),
    [
        # POST /drivers
        ("/drivers", without(a_driver(), "first_name"), {"first_name": [MISSING]}),
        ("/drivers", without(a_driver(), "last_name"), {"last_name": [MISSING]}),
        ("/drivers", without(a_driver(), "departement"), {"departement": [MISSING]}),
        ("/drivers", a_driver(first_name=None), {"first_name": [NULL]}),
        ("/drivers", a_driver(first_name=12), {"first_name": [NO_STRING]}),
        ("/drivers", a_driver(first_name="a" * 256), {"first_name": [TOO_LONG]}),
        ("/drivers", a_driver(last_name="a" * 256), {"last_name": [TOO_LONG]}),
        ("/drivers", a_driver(last_name="a\0b"), {"last_name": [NUL]}),
        ("/drivers", a_driver(professional_licence=""), {"professional_licence": [EMPTY]}),
        (
            "/drivers",
            a_driver(professional_licence="a" * 256),
            {"professional_licence": [TOO_LONG]},
        ),
        ("/drivers", a_driver(departement={}), {"departement": {"nom": [MISSING]}}),
        ("/drivers", a_driver(departement="75"), {"departement": {"_schema": [NO_OBJECT]}}),
        ("/drivers", a_driver(departement=None), {"departement": [NULL]}),
        (
            "/drivers",
            a_driver(departement={"numero": 75}),
            {"departement": {"numero": [NO_STRING]}},
        ),
        (
            "/drivers",
            a_driver(departement={"nom": None, "numero": "75"}),
            {"departement": {"nom": [NULL]}},
        ),
        (
            "/drivers",
            a_driver(departement={"numero": "75", "region": "x"}),
            {"departement": {"region": [UNKNOWN]}},
        ),
        ("/drivers", a_driver(birth_date="05/01/1978"), {"birth_date": ["Not a valid date."]}),
        (
            "/drivers",
            a_driver(birth_date="1978-01-05T00:00:00"),
            {"birth_date": ["Not a valid date."]},
        ),
        ("/drivers", a_driver(birth_date="1978-02-30"), {"birth_date": ["Not a valid date."]}),
        ("/drivers", a_driver(id=1), {"id": [UNKNOWN]}),
        # POST /vehicles
        ("/vehicles", {}, {"licence_plate": [MISSING]}),
        (
            "/vehicles",
            a_vehicle(licence_plate=""),
            {"licence_plate": ["Length must be between 7 and 10."]},
        ),
        (
            "/vehicles",
            a_vehicle(licence_plate="AB1"),
            {"licence_plate": ["Length must be between 7 and 10."]},
        ),
        (
            "/vehicles",
            a_vehicle(licence_plate="AB-1234-CDEF"),
            {"licence_plate": ["Length must be between 7 and 10."]},
        ),
        ("/vehicles", a_vehicle(licence_plate=None), {"licence_plate": [NULL]}),
        ("/vehicles", a_vehicle(licence_plate="AB-123\0"), {"licence_plate": [NUL]}),
        ("/vehicles", a_vehicle(id=1), {"id": [UNKNOWN]}),
        (
            "/vehicles",
            a_vehicle(engine="a" * 81),
            {"engine": ["Longer than maximum length 80."]},
        ),
        ("/vehicles", a_vehicle(color="a" * 256), {"color": [TOO_LONG]}),
        ("/vehicles", a_vehicle(horodateur="a" * 256), {"horodateur": [TOO_LONG]}),
        ("/vehicles", a_vehicle(taximetre="a" * 256), {"taximetre": [TOO_LONG]}),
        ("/vehicles", a_vehicle(model="\0"), {"model": [NUL]}),
        ("/vehicles", a_vehicle(nb_seats="four"), {"nb_seats": ["Not a valid integer."]}),
        ("/vehicles", a_vehicle(nb_seats=2**31), {"nb_seats": [FOUR_BYTES]}),
        ("/vehicles", a_vehicle(model_year=-(2**31) - 1), {"model_year": [FOUR_BYTES]}),
        ("/vehicles", a_vehicle(wifi="perhaps"), {"wifi": ["Not a valid boolean."]}),
        ("/vehicles", a_vehicle(relais=[]), {"relais": ["Not a valid boolean."]}),
        (
            "/vehicles",
            a_vehicle(type_="rocket"),
            {"type_": ["Must be one of: sedan, mpv, station_wagon, normal."]},
        ),
        ("/vehicles", a_vehicle(horse_power="7,5"), {"horse_power": ["Not a valid number."]}),
        (
            "/vehicles",
            a_vehicle(horse_power=1e200),
            {"horse_power": [BILLION]},
        ),
        (
            "/vehicles",
            a_vehicle(horse_power=float("nan")),
            {"horse_power": ["Special numeric values (nan or infinity) are not permitted."]},
        ),
        (
            "/vehicles",
            a_vehicle(date_dernier_ct="tomorrow"),
            {"date_dernier_ct": ["Not a valid date."]},
        ),
        # POST /ads
        ("/ads", {}, {"numero": [MISSING], "insee": [MISSING]}),
        ("/ads", an_ads(numero=""), {"numero": [EMPTY]}),
        ("/ads", an_ads(numero=1), {"numero": [NO_STRING]}),
        ("/ads", an_ads(numero="a" * 256), {"numero": [TOO_LONG]}),
        ("/ads", an_ads(insee=75056), {"insee": [NO_STRING]}),
        ("/ads", an_ads(owner_name=None), {"owner_name": [NULL]}),
        ("/ads", an_ads(category=None), {"category": [NULL]}),
        (
            "/ads",
            an_ads(owner_type="state"),
            {"owner_type": ["Must be one of: individual, company."]},
        ),
        ("/ads", an_ads(vehicle_id="one"), {"vehicle_id": ["Not a valid integer."]}),
        ("/ads", an_ads(vehicle_id=2**31), {"vehicle_id": [FOUR_BYTES]}),
        ("/ads", an_ads(town="Paris"), {"town": [UNKNOWN]}),
        # POST /taxis
        ("/taxis", {}, {"ads": [MISSING], "vehicle": [MISSING], "driver": [MISSING]}),
        ("/taxis", a_taxi(numero=""), {"ads": {"numero": [EMPTY]}}),
        ("/taxis", a_taxi(professional_licence=""), {"driver": {"professional_licence": [EMPTY]}}),
        (
            "/taxis",
            a_taxi(departement="7"),
            {"driver": {"departement": ["Length must be between 2 and 3."]}},
        ),
        (
            "/taxis",
            {**a_taxi(), "driver": {"professional_licence": "1", "departement": {"numero": "75"}}},
            {"driver": {"departement": [NO_STRING]}},
        ),
        (
            "/taxis",
            a_taxi(licence_plate=""),
            {"vehicle": {"licence_plate": ["Length must be between 7 and 10."]}},
        ),
        ("/taxis", {**a_taxi(), "ads": None}, {"ads": [NULL]}),
        ("/taxis", {**a_taxi(), "ads": "1"}, {"ads": {"_schema": [NO_OBJECT]}}),
        (
            "/taxis",
            a_taxi(status="answering"),
            {"status": ["Must be one of: free, occupied, off."]},
        ),
        ("/taxis", a_taxi(radius=149), {"radius": [RADIUS]}),
        ("/taxis", a_taxi(rating="good"), {"rating": ["Not a valid number."]}),
    ],
)
def test_a_body_that_is_not_as_the_contract_says_is_refused_at_the_field(
    operator: Caller, path: str, body: dict[str, Any], errors: dict[str, Any]
) -> None:
    answer = operator.post(path, body)

    assert (answer.status, answer.errors) == (400, {"data": {"0": errors}})


@pytest.mark.parametrize(
    ("path", "changes", "shown"),
    [
        ("/drivers", {"first_name": "", "last_name": ""}, {"first_name": "", "last_name": ""}),
        ("/drivers", {"first_name": "é" * 255}, {"first_name": "é" * 255}),
        ("/drivers", {"birth_date": None}, {"birth_date": None}),
        ("/drivers", {"birth_date": "1978-1-5"}, {"birth_date": "1978-01-05"}),
        (
            "/drivers",
            {"departement": {"nom": "drôme"}},
            {"departement": {"nom": "Drôme", "numero": "26"}},
        ),
        (
            "/drivers",
            {"departement": {"nom": "Droome", "numero": "26"}},
            {"departement": {"nom": "Drôme", "numero": "26"}},
        ),
        ("/vehicles", {"nb_seats": "4"}, {"nb_seats": 4}),
        ("/vehicles", {"nb_seats": 4.7}, {"nb_seats": 4}),
        ("/vehicles", {"nb_seats": None}, {"nb_seats": None}),
        ("/vehicles", {"pet_accepted": 1, "wifi": "true"}, {"pet_accepted": True, "wifi": True}),
        ("/vehicles", {"relais": "off"}, {"relais": False}),
        ("/vehicles", {"model": None, "engine": None}, {"model": None, "engine": ""}),
        ("/vehicles", {"model": "", "constructor": ""}, {"model": None, "constructor": None}),
        ("/vehicles", {"engine": "e" * 80}, {"engine": "e" * 80}),
        ("/vehicles", {"licence_plate": "AB 12 CD"}, {"licence_plate": "AB 12 CD"}),
        (
            "/vehicles",
            {
                "type_": "mpv",
                "horse_power": "7.5",
                "model_year": 2020,
                "date_dernier_ct": "2026-1-5",
                "date_validite_ct": None,
                "gps": True,
                "luxury": None,
                "horodateur": None,
                "taximetre": "T",
                "cpam_conventionne": True,
            },
            {},
        ),
        ("/vehicles", {"horse_power": 1e-200}, {}),
        ("/ads", {}, {"vehicle_id": None, "owner_name": "", "owner_type": None, "doublage": None}),
        ("/ads", {"owner_type": None, "doublage": None, "vehicle_id": None}, {"owner_type": None}),
        ("/ads", {"doublage": "yes"}, {"doublage": True}),
        ("/ads", {"vehicle_id": "1"}, {"vehicle_id": 1}),
        ("/ads", {"category": "c", "owner_name": "o"}, {"category": "c", "owner_name": "o"}),
        ("/ads", {"owner_type": "company"}, {"owner_type": "company"}),
        ("/ads", {"numero": "00001"}, {"numero": "00001"}),
        ("/taxis", {"status": "free", "radius": "200", "rating": None}, {"status": "off"}),
        ("/taxis", {"radius": None, "rating": 4.5, "more": [1]}, {"radius": None, "rating": None}),
        ("/taxis", {"ads": {"numero": "1", "insee": "75056", "doublage": "?", "x": None}}, {}),
        (
            "/taxis",
            {"vehicle": {"licence_plate": "AB-123-CD", "nb_seats": "many", "model": 12}},
            {},
        ),
        (
            "/taxis",
            {
                "driver": {
                    "professional_licence": "75-0001",
                    "departement": "75",
                    "birth_date": 3,
                    "first_name": None,
                }
            },
            {},
        ),
    ],
)
def test_a_body_is_taken_with_the_contract_s_coercions(
    operator: Caller, path: str, changes: dict[str, Any], shown: dict[str, Any]
) -> None:
    valid = {"/drivers": a_driver, "/vehicles": a_vehicle, "/ads": an_ads, "/taxis": a_taxi}[path]

    answer = operator.post(path, {**valid(), **changes})

    assert answer.status in (200, 201), answer.text
    assert answer.data[0].items() >= shown.items()


@pytest.mark.parametrize(
    ("path", "body", "status", "errors"),
    [
        (
            "/drivers",
            a_driver(departement=departement),
            404,
            {
                "departement": {
                    "nom": ["Departement not found"],
                    "numero": ["Departement not found"],
                }
            },
        )
        for departement in ({"numero": "99"}, {"nom": "Nowhere"}, {"numero": ""}, {"numero": "2a"})
    ]
    + [
        (
            "/drivers",
            a_driver(departement={"nom": "Drôme", "numero": "75"}),
            409,
            {
                "departement": {
                    "nom": ["The name and the number are of two departements"],
                    "numero": ["The name and the number are of two departements"],
                }
            },
        ),
        ("/ads", an_ads(insee=""), 404, {"insee": ["Town not found with this INSEE"]}),
        ("/ads", an_ads(insee="75101"), 404, {"insee": ["Town not found with this INSEE"]}),
        ("/ads", an_ads(insee="#"), 404, {"insee": ["Town not found with this INSEE"]}),
        ("/ads", an_ads(vehicle_id=99), 404, {"vehicle_id": ["Vehicle not found"]}),
        (
            "/ads",
            an_ads(vehicle_id=99, insee="75101"),
            404,
            {"vehicle_id": ["Vehicle not found"]},
        ),
        (
            "/taxis",
            a_taxi(numero="2"),
            404,
            {
                "ads": {
                    "insee": ["ADS not found with this INSEE/numero"],
                    "numero": ["ADS not found with this INSEE/numero"],
                }
            },
        ),
        (
            "/taxis",
            a_taxi(licence_plate="ZZ-999-ZZ"),
            404,
            {"vehicle": {"licence_plate": ["Invalid licence plate"]}},
        ),
        (
            "/taxis",
            a_taxi(departement="99"),
            404,
            {
                "driver": {
                    "departement": ["Departement not found"],
                    "professional_licence": ["Driver not found. Check the departement too."],
                }
            },
        ),
        (
            "/taxis",
            a_taxi(professional_licence="other"),
            404,
            {"driver": {"professional_licence": ["Driver not found. Check the departement too."]}},
        ),
        (
            "/taxis",
            a_taxi(insee="", licence_plate="ZZ-999-ZZ", departement="33"),
            404,
            {
                "ads": {
                    "insee": ["ADS not found with this INSEE/numero"],
                    "numero": ["ADS not found with this INSEE/numero"],
                },
                "vehicle": {"licence_plate": ["Invalid licence plate"]},
                "driver": {
                    "professional_licence": ["Driver not found. Check the departement too."]
                },
            },
        ),
    ],
)
def test_what_is_not_there_is_named(
    operator: Caller, path: str, body: dict[str, Any], status: int, errors: dict[str, Any]
) -> None:
    answer = operator.post(path, body)

    assert (answer.status, answer.errors) == (status, {"data": {"0": errors}})


@pytest.mark.parametrize(
    ("change", "errors"),
    [
        ({"status": None}, {"status": [NULL]}),
        ({"status": "answering"}, {"status": ["Must be one of: free, occupied, off."]}),
        ({"status": "oncoming"}, {"status": ["Must be one of: free, occupied, off."]}),
        ({"status": 1}, {"status": [NO_STRING]}),
        ({"radius": 149}, {"radius": [RADIUS]}),
        ({"radius": 149.9}, {"radius": [RADIUS]}),
        ({"radius": 501}, {"radius": [RADIUS]}),
        ({"radius": "far"}, {"radius": ["Not a valid integer."]}),
        ({"radius": True}, {"radius": ["Not a valid integer."]}),
        ({"ads": {"numero": ""}}, {"ads": {"numero": [EMPTY]}}),
        ({"driver": None}, {"driver": [NULL]}),
        (
            {"vehicle": {"licence_plate": "x"}, "radius": 1},
            {
                "vehicle": {"licence_plate": ["Length must be between 7 and 10."]},
                "radius": [RADIUS],
            },
        ),
    ],
)
def test_a_change_of_a_taxi_that_is_not_allowed_is_refused_at_the_field(
    operator: Caller, taxi_id: str, change: dict[str, Any], errors: dict[str, Any]
) -> None:
    answer = operator.put(f"/taxis/{taxi_id}", change)

    assert (answer.status, answer.errors) == (400, {"data": {"0": errors}})


@pytest.mark.parametrize(
    ("change", "radius"),
    [
        ({"radius": 150}, 150),
        ({"radius": 500}, 500),
        ({"radius": "200"}, 200),
        ({"radius": 200.9}, 200),
        ({"radius": None}, None),
        ({"radius": 300, "ads": {}, "vehicle": {"model": 3}, "what": "ever"}, 300),
    ],
)
def test_a_radius_is_taken_up_to_both_bounds(
    operator: Caller, taxi_id: str, change: dict[str, Any], radius: int | None
) -> None:
    answer = operator.put(f"/taxis/{taxi_id}", change)

    assert (answer.status, answer.data[0]["radius"]) == (200, radius)


@pytest.mark.parametrize("body", ["{}", '{"data": [{}]}'])
def test_a_change_of_nothing_answers_the_taxi(operator: Caller, taxi_id: str, body: str) -> None:
    before = operator.get(f"/taxis/{taxi_id}")

    answer = operator.send("PUT", f"/taxis/{taxi_id}", body)

    assert (answer.status, answer.data) == (200, before.data)


@pytest.mark.parametrize(
    ("position", "errors"),
    [
        ({"taxi_id": "2222222", "lon": 1}, {"lat": [MISSING]}),
        ({"lon": 1, "lat": 1}, {"taxi_id": [MISSING]}),
        ({"taxi_id": 7, "lon": 1, "lat": 1}, {"taxi_id": [NO_STRING]}),
        ({"taxi_id": None, "lon": 1, "lat": 1}, {"taxi_id": [NULL]}),
        ({"taxi_id": "2222222", "lon": "2,35", "lat": 1}, {"lon": ["Not a valid number."]}),
        ({"taxi_id": "2222222", "lon": True, "lat": 1}, {"lon": ["Not a valid number."]}),
        (
            {"taxi_id": "2222222", "lon": float("nan"), "lat": 1},
            {"lon": ["Special numeric values (nan or infinity) are not permitted."]},
        ),
        (
            {"taxi_id": "2222222", "lon": 180.1, "lat": 1},
            {"lon": ["Must be greater than or equal to -180 and less than or equal to 180."]},
        ),
        (
            {"taxi_id": "2222222", "lon": 1, "lat": -85.1},
            {"lat": [LATITUDE]},
        ),
        ({"taxi_id": "2222222", "lon": 1, "lat": 1, "status": "free"}, {"status": [UNKNOWN]}),
        ("2222222", {"_schema": [NO_OBJECT]}),
        (
            {"taxi_id": "2222222", "lon": 1, "lat": 1},
            {"taxi_id": ["Identifiant de taxi inconnu"]},
        ),
    ],
)
def test_a_position_that_is_not_as_it_should_be_is_refused_by_its_place(
    operator: Caller, taxi_id: str, position: object, errors: dict[str, Any]
) -> None:
    right = {"taxi_id": taxi_id, "lon": 2.35, "lat": 48.86}

    answer = operator.post("/geotaxi", {"positions": [right, position]})

    tree = {"data": {"0": {"positions": {"1": errors}}}}
    assert (answer.status, answer.errors) == (400, tree)


@pytest.mark.parametrize(
    ("batch", "errors"),
    [
        ({}, {"positions": [MISSING]}),
        ({"positions": None}, {"positions": [NULL]}),
        ({"positions": {}}, {"positions": ["Not a valid list."]}),
        ({"positions": [], "time": 1}, {"time": [UNKNOWN]}),
        (
            {"positions": [{"taxi_id": "unknown", "lon": 1, "lat": 1}] * 51},
            {"positions": ["Up to 50 positions are accepted"]},
        ),
        (
            {"positions": [{"taxi_id": "unknown", "lon": "1", "lat": 1}] * 51},
            {"positions": ["Up to 50 positions are accepted"]},
        ),
    ],
)
def test_a_batch_that_is_not_as_it_should_be_is_refused(
    operator: Caller, batch: dict[str, Any], errors: dict[str, Any]
) -> None:
    answer = operator.post("/geotaxi", batch)

    assert (answer.status, answer.errors) == (400, {"data": {"0": errors}})


@pytest.mark.parametrize(
    ("lon", "lat"),
    [(2.35, 48.86), ("2.35", "48.86"), (48, 2), (-180, -85.05112878), (180, 85.05112878)],
)
def test_a_position_anywhere_on_earth_is_taken(
    operator: Caller, taxi_id: str, lon: object, lat: object
) -> None:
    answer = operator.post(
        "/geotaxi", {"positions": [{"taxi_id": taxi_id, "lon": lon, "lat": lat}]}
    )

    assert (answer.status, answer.text) == (200, "")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("query", "errors"),
    [
        ({"p": "x"}, {"p": {"0": ["Not a valid integer."]}}),
        ({"p": ["1", "2"]}, {"p": ["Argument `p` is specified more than once"]}),
        ({"plate": "AB"}, {"plate": [UNKNOWN]}),
    ],
)
def test_a_query_of_the_list_that_is_not_as_it_should_be_is_refused(
    operator: Caller, query: dict[str, Any], errors: dict[str, Any]
) -> None:
    answer = operator.get("/taxis/all", **query)

    assert (answer.status, answer.errors) == (400, errors)
