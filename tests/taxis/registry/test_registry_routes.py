"""What operators register, change and report, over HTTP: statuses, owners, and what they then see."""

from typing import Any

import pytest

from chalicelib.foundation import cache, clock
from chalicelib.foundation.aws import clients
from chalicelib.foundation.geo import Circle, LngLat
from chalicelib.foundation.settings import table
from chalicelib.foundation.store import reads
from chalicelib.taxis.fleets import store as fleet
from chalicelib.taxis.fleets.store import FleetRow
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.availability import CONTENDED
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.registry import availability
from chalicelib.taxis.registry.rows import DescriptionRow
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from tests import factories
from tests.calls import Answer, Caller
from tests.factories import PARIS, a_driver, a_taxi, a_vehicle, an_ads
from tests.taxis.registry.conftest import Call
from tests.taxis.registry.races import plain, refusing

HERE = LngLat(2.35, 48.86)


def at_work(answer: Answer) -> Any:
    assert answer.status in (200, 201), answer.text
    return answer.data[0]


def reported() -> dict[str, tuple[float, float]]:
    """What is in the stream: lon and lat by taxi id."""
    kinesis = clients.kinesis()
    stream = table("positions")
    found = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        begin = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
        )["ShardIterator"]
        for record in kinesis.get_records(ShardIterator=begin)["Records"]:
            report = codec.unpack_report(record["Data"])
            for taxi, lat_e7, lng_e7 in zip(
                report.taxis, report.lats_e7, report.lngs_e7, strict=True
            ):
                found[codec.id_of(taxi)] = lng_e7 / 1e7, lat_e7 / 1e7
    return found


def seen_here(taxi_id: str) -> None:
    """A window of the stream in which the taxi reports that it is here."""
    now = clock.now()
    number = codec.number_of(taxi_id)
    assert number is not None
    positions.store_window(
        [Report(codec.tick(now), [number], [488_600_000], [23_500_000])],
        availability_of=availability.availability_of,
        now=now,
    )


def found_here() -> list[str]:
    """The taxis that a search here would find."""
    now = clock.now()
    circle = Circle(HERE, 500)
    return [taxi.taxi_id for taxi in reads.one(positions.near(circle, now=now))]


# --- drivers, ADS, vehicles ----------------------------------------------------------------------


def test_a_driver_is_created_once_and_then_replaced_as_a_whole(call: Call) -> None:
    operator = call("operator")
    later = a_driver(first_name="Léa")
    del later["birth_date"]

    first = operator.post("/drivers", a_driver())
    second = operator.post("/drivers", later)

    assert (first.status, second.status) == (201, 200)
    assert first.data == [
        {
            "first_name": "Anne",
            "last_name": "Lescaut",
            "birth_date": "1978-01-05",
            "professional_licence": "75-0001",
            "departement": {"nom": "Paris", "numero": "75"},
        }
    ]
    assert second.data[0]["birth_date"] is None
    assert second.data[0]["first_name"] == "Léa"


def test_another_departement_or_another_account_makes_another_driver(call: Call) -> None:
    one, other = call("one"), call("other")

    answers = [
        one.post("/drivers", a_driver()),
        one.post("/drivers", a_driver(departement={"numero": "26"})),
        other.post("/drivers", a_driver()),
    ]

    assert [answer.status for answer in answers] == [201, 201, 201]


def test_an_ads_is_created_once_and_then_replaced_as_a_whole(call: Call) -> None:
    operator = call("operator")
    vehicle = at_work(operator.post("/vehicles", a_vehicle()))

    full = an_ads(vehicle_id=vehicle["id"], owner_name="O", owner_type="company", doublage=True)
    first = operator.post("/ads", full)
    second = operator.post("/ads", an_ads())

    assert (first.status, second.status) == (201, 200)
    assert first.data == [{**full, "category": ""}]
    assert second.data == [
        {
            "numero": "1",
            "insee": PARIS,
            "vehicle_id": None,
            "owner_name": "",
            "owner_type": None,
            "doublage": None,
            "category": "",
        }
    ]


def test_another_number_or_another_account_makes_another_ads(call: Call) -> None:
    one, other = call("one"), call("other")

    answers = [
        one.post("/ads", an_ads()),
        one.post("/ads", an_ads(numero="00001")),
        other.post("/ads", an_ads()),
    ]

    assert [answer.status for answer in answers] == [201, 201, 201]


def test_an_ads_takes_no_vehicle_that_only_another_account_has_described(call: Call) -> None:
    vehicle = at_work(call("other").post("/vehicles", a_vehicle()))

    answer = call("operator").post("/ads", an_ads(vehicle_id=vehicle["id"]))

    assert (answer.status, list(answer.errors["data"]["0"])) == (404, ["vehicle_id"])


def test_a_description_is_merged_and_null_takes_away(call: Call) -> None:
    operator = call("operator")

    first = operator.post("/vehicles", a_vehicle(color="blue", engine="diesel"))
    only_plate = operator.post("/vehicles", {"licence_plate": "AB-123-CD"})
    second = operator.post(
        "/vehicles", {"licence_plate": "AB-123-CD", "color": None, "wifi": None, "nb_seats": 6}
    )

    assert [answer.status for answer in (first, only_plate, second)] == [201, 200, 200]
    assert only_plate.data == first.data
    assert second.data == [{**first.data[0], "color": "", "wifi": None, "nb_seats": 6}]
    assert first.data == [
        {
            "id": 1,
            "licence_plate": "AB-123-CD",
            "model": "508",
            "constructor": None,
            "engine": "diesel",
            "color": "blue",
            "nb_seats": 4,
            "relais": None,
            "pet_accepted": None,
            "bike_accepted": None,
            "baby_seat": None,
            "wifi": True,
            "vasp_handicap": None,
            "amex_accepted": None,
            "bank_check_accepted": None,
        }
    ]


def test_what_is_deprecated_is_stored_all_the_same(call: Call) -> None:
    call("operator").post("/vehicles", a_vehicle(gps=True, horodateur="H", horse_power=7.1234))

    (row,) = DescriptionRow.scan()

    assert (row.gps, row.horodateur, row.horse_power) == (True, "H", 7.123)


def test_a_plate_is_one_vehicle_for_everybody_byte_for_byte(call: Call) -> None:
    one, other = call("one"), call("other")

    first = one.post("/vehicles", a_vehicle())
    second = other.post("/vehicles", a_vehicle(color="red"))
    lower = one.post("/vehicles", a_vehicle(licence_plate="ab-123-cd"))

    assert [answer.status for answer in (first, second, lower)] == [201, 201, 201]
    assert first.data[0]["id"] == second.data[0]["id"] != lower.data[0]["id"]
    assert one.post("/vehicles", {"licence_plate": "AB-123-CD"}).data[0]["color"] == ""


# --- taxis ---------------------------------------------------------------------------------------


def test_a_taxi_is_created_once(operator: Caller) -> None:
    first = operator.post("/taxis", a_taxi())
    second = operator.post("/taxis", a_taxi(status="free"))

    assert (first.status, second.status) == (201, 200)
    assert first.data == second.data
    shown = dict(first.data[0])
    assert len(shown.pop("id")) == 7
    assert shown.pop("added_at")[:2] == "20"
    assert shown == {
        "operator": "operator",
        "status": "off",
        "radius": None,
        "rating": None,
        "last_update": None,
        "position": {"lon": None, "lat": None},
        "crowfly_distance": None,
        "ads": {
            "numero": "1",
            "insee": PARIS,
            "vehicle_id": None,
            "owner_name": "",
            "owner_type": None,
            "doublage": None,
            "town": {"name": "Paris"},
            "category": "",
        },
        "driver": {
            "professional_licence": "75-0001",
            "departement": "75",
            "first_name": "Anne",
            "last_name": "Lescaut",
        },
        "vehicle": {
            "licence_plate": "AB-123-CD",
            "model": "508",
            "constructor": None,
            "color": "",
            "nb_seats": 4,
            "engine": "",
            "characteristics": ["wifi"],
            "type": None,
            "cpam_conventionne": None,
        },
    }


@pytest.mark.usefixtures("operator")
def test_a_taxi_is_made_of_the_caller_s_own_parts(call: Call) -> None:
    answer = call("other").post("/taxis", a_taxi())

    assert answer.status == 404
    assert answer.errors["data"]["0"] == {
        "ads": {
            "insee": ["ADS not found with this INSEE/numero"],
            "numero": ["ADS not found with this INSEE/numero"],
        },
        "vehicle": {
            "licence_plate": [
                "Vehicle exists but has not been created by the user making the request"
            ]
        },
        "driver": {"professional_licence": ["Driver not found. Check the departement too."]},
    }


def test_names_with_a_separator_in_them_are_not_taken_for_others(operator: Caller) -> None:
    operator.post("/ads", an_ads(numero="1#2"))

    assert operator.post("/taxis", a_taxi(numero="1#2")).status == 201
    assert operator.post("/taxis", a_taxi(insee=f"{PARIS}#1", numero="2")).status == 404

    operator.post("/drivers", a_driver(professional_licence="#1"))

    assert operator.post("/taxis", a_taxi(professional_licence="#1")).status == 201
    departed = operator.post("/taxis", a_taxi(departement="75#", professional_licence="1"))
    assert list(departed.errors["data"]["0"]["driver"]) == ["departement", "professional_licence"]


def test_a_taxi_is_read_and_changed_only_by_the_account_that_added_it(
    call: Call, taxi_id: str
) -> None:
    other = call("other")
    other.post("/vehicles", a_vehicle())
    tree = {"url": [f"Unknown taxi {taxi_id}, or taxi exists but you are not the owner."]}

    answers = [
        other.get(f"/taxis/{taxi_id}"),
        other.put(f"/taxis/{taxi_id}", {"status": "free"}),
        call("boss", Role.ADMIN).get(f"/taxis/{taxi_id}"),
    ]

    assert [(answer.status, answer.errors) for answer in answers] == [(404, tree)] * 3


@pytest.mark.parametrize("taxi_id", ["2222222", "all", "x" * 3000, "%00", "é"])
def test_an_unknown_taxi_is_told_before_a_bad_body(operator: Caller, taxi_id: str) -> None:
    answer = operator.put(f"/taxis/{taxi_id}", {"status": "rocket"})

    assert (answer.status, list(answer.errors)) == (404, ["url"])


def test_a_manager_registers_through_x_logas_for_the_managed(call: Call, operator: Caller) -> None:
    call("boss", Role.GROUPEMENT)
    managed = call("managed", manager="boss")
    through = call("boss", Role.GROUPEMENT, logas="managed")
    factories.register_parts(through)

    taxi = at_work(through.post("/taxis", a_taxi()))
    position = {"taxi_id": taxi["id"], "lon": 2.35, "lat": 48.86}

    assert taxi["operator"] == "managed"
    assert managed.get(f"/taxis/{taxi['id']}").status == 200
    assert through.post("/geotaxi", {"positions": [position]}).status == 200
    assert operator.get(f"/taxis/{taxi['id']}").status == 404


def test_a_taxi_shows_where_it_was_last_however_long_ago(operator: Caller, taxi_id: str) -> None:
    began = int(clock.now().timestamp())
    seen_here(taxi_id)

    shown = at_work(operator.get(f"/taxis/{taxi_id}"))

    assert shown["position"] == {"lon": 2.35, "lat": 48.86}
    assert began - 1 <= shown["last_update"] <= began + 5
    assert at_work(operator.post("/taxis", a_taxi()))["position"] == {"lon": None, "lat": None}


def test_a_change_of_status_reaches_the_very_next_search(operator: Caller, taxi_id: str) -> None:
    seen_here(taxi_id)
    found = [found_here()]

    for status in ("free", "occupied", "free", "off"):
        assert at_work(operator.put(f"/taxis/{taxi_id}", {"status": status}))["status"] == status
        found.append(found_here())

    assert found == [[], [taxi_id], [], [taxi_id], []]


def test_both_taxis_of_a_double_shift_car_share_its_status(operator: Caller, taxi_id: str) -> None:
    operator.post("/drivers", a_driver(professional_licence="75-0002"))
    night = at_work(operator.post("/taxis", a_taxi(professional_licence="75-0002")))["id"]
    seen_here(taxi_id)
    seen_here(night)

    operator.put(f"/taxis/{taxi_id}", {"status": "free", "radius": 200})

    shown = at_work(operator.get(f"/taxis/{night}"))
    assert (shown["status"], shown["radius"]) == ("free", 200)
    assert sorted(found_here()) == sorted([taxi_id, night])


def test_two_operators_of_one_car_have_a_status_each(call: Call, taxi_id: str) -> None:
    other = call("other")
    factories.register_parts(other)
    theirs = at_work(other.post("/taxis", a_taxi()))["id"]

    call("operator").put(f"/taxis/{taxi_id}", {"status": "free"})

    assert at_work(other.get(f"/taxis/{theirs}"))["status"] == "off"


def test_details_change_without_touching_the_status(operator: Caller, taxi_id: str) -> None:
    operator.put(f"/taxis/{taxi_id}", {"status": "occupied", "radius": 300})

    operator.post("/vehicles", {"licence_plate": "AB-123-CD", "model": "3008"})

    shown = at_work(operator.get(f"/taxis/{taxi_id}"))
    assert (shown["vehicle"]["model"], shown["status"], shown["radius"]) == (
        "3008",
        "occupied",
        300,
    )


# --- the list ------------------------------------------------------------------------------------


def test_the_list_shows_one_s_own_taxis_newest_first(call: Call, operator: Caller) -> None:
    made = []
    for number in range(3):
        operator.post("/ads", an_ads(numero=str(number)))
        made.append(at_work(operator.post("/taxis", a_taxi(numero=str(number)))))
    other = call("other")
    factories.register_parts(other)
    other.post("/taxis", a_taxi())

    answer = operator.get("/taxis/all")

    assert answer.data == made[::-1]
    assert answer.json["meta"] == {
        "next_page": None,
        "prev_page": None,
        "per_page": 30,
        "pages": 1,
        "total": 3,
    }


def test_the_list_has_pages_of_thirty(operator: Caller) -> None:
    for number in range(31):
        operator.post("/ads", an_ads(numero=str(number)))
        operator.post("/taxis", a_taxi(numero=str(number)))

    first, second, third = (operator.get("/taxis/all", p=page) for page in (1, 2, 3))

    assert [len(answer.data) for answer in (first, second, third)] == [30, 1, 0]
    assert second.data[0]["ads"]["numero"] == "0"
    assert [answer.json["meta"]["total"] for answer in (first, third)] == [31, 31]
    assert third.json["meta"]["prev_page"] == 2


def test_a_taxi_is_found_in_the_list_by_plate_and_by_id(operator: Caller, taxi_id: str) -> None:
    operator.post("/vehicles", a_vehicle(licence_plate="ZZ-999-ZZ"))
    other = at_work(operator.post("/taxis", a_taxi(licence_plate="ZZ-999-ZZ")))["id"]

    def listed(**query: object) -> set[str]:
        answer = operator.get("/taxis/all", **query)
        assert answer.json["meta"]["total"] == len(answer.data)
        return {taxi["id"] for taxi in answer.data}

    assert listed(licence_plate="ab123") == {taxi_id}
    assert listed(licence_plate=["ab", "zz"]) == {taxi_id, other}
    assert listed(id=other.upper()) == {other}
    assert listed(id=other, licence_plate="ab") == set()
    assert listed(licence_plate="%9-z%") == {other}
    assert listed(licence_plate="") == {taxi_id, other}


# --- positions -----------------------------------------------------------------------------------


def test_a_batch_reaches_the_stream_and_the_last_of_a_taxi_counts(
    operator: Caller, taxi_id: str
) -> None:
    batch = [{"taxi_id": taxi_id, "lon": 2.35 + place / 1e7, "lat": 48.86} for place in range(50)]

    answer = operator.post("/geotaxi", {"positions": batch})

    assert answer.status == 200
    assert reported() == {taxi_id: (2.3500049, 48.86)}


def test_one_unknown_taxi_refuses_the_whole_batch(operator: Caller, taxi_id: str) -> None:
    position = {"taxi_id": taxi_id, "lon": 2.35, "lat": 48.86}
    unknown = {**position, "taxi_id": "2222222"}

    answer = operator.post("/geotaxi", {"positions": [position, unknown, position, unknown]})

    assert answer.status == 400
    assert list(answer.errors["data"]["0"]["positions"]) == ["1", "3"]
    assert reported() == {}


def test_nobody_positions_another_s_taxi(call: Call, taxi_id: str) -> None:
    other = call("other")
    factories.register_parts(other)

    answer = other.post("/geotaxi", {"positions": [{"taxi_id": taxi_id, "lon": 2, "lat": 48}]})

    assert answer.status == 400
    assert reported() == {}


def test_an_empty_batch_is_taken(operator: Caller) -> None:
    answer = operator.post("/geotaxi", {"positions": []})

    assert (answer.status, answer.text) == (200, "")


def test_a_taxi_added_a_moment_ago_is_positioned_though_its_fleet_is_cached(
    operator: Caller, taxi_id: str
) -> None:
    operator.post("/geotaxi", {"positions": [{"taxi_id": taxi_id, "lon": 2, "lat": 48}]})
    operator.post("/ads", an_ads(numero="2"))
    fresh = at_work(operator.post("/taxis", a_taxi(numero="2")))["id"]

    answer = operator.post("/geotaxi", {"positions": [{"taxi_id": fresh, "lon": 2, "lat": 48}]})

    assert answer.status == 200


def test_the_257th_taxi_opens_a_second_page_and_both_pages_are_known(
    operator: Caller, taxi_id: str
) -> None:
    owner = administration.find("operator").account.owner
    others = {codec.id_of(number) for number in range(fleet.PAGE - 1)}
    FleetRow(owner, "page#000000").update([FleetRow.ids.add(others)])
    operator.post("/geotaxi", {"positions": [{"taxi_id": taxi_id, "lon": 2, "lat": 48}]})
    operator.post("/ads", an_ads(numero="2"))

    fresh = at_work(operator.post("/taxis", a_taxi(numero="2")))["id"]

    assert FleetRow.get(owner, "page#000001").ids == {fresh}
    both = [{"taxi_id": one, "lon": 2, "lat": 48} for one in (taxi_id, fresh)]
    assert operator.post("/geotaxi", {"positions": both}).status == 200
    cache.forget_all()
    assert operator.post("/geotaxi", {"positions": both}).status == 200


def test_a_change_that_busy_cells_cannot_take_yet_is_answered_and_logged(
    operator: Caller,
    taxi_id: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    seen_here(taxi_id)

    with refusing(plain(), "PutItem", "ConditionalCheckFailedException", times=CONTENDED.tries):
        changed = at_work(operator.put(f"/taxis/{taxi_id}", {"status": "free"}))

    assert changed["status"] == "free"
    assert "shown_later" in caplog.text
