"""All taxis with how they are used, as a survey reads them, and what that costs."""

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec.structs import asdict

from chalicelib.taxis.registry import rows, rules, service
from chalicelib.taxis.registry.rows import DescriptionRow, TaxiRow
from chalicelib.taxis.registry.rules import Description, SurveyedTaxi, Taxi, Usage, Vehicle
from chalicelib.taxis.vocabulary import TaxiStatus
from tests import factories
from tests.factories import BORDEAUX, PARIS
from tests.taxis.registry.conftest import Call

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)
# As most taxis are: some characteristics, and an e-mail of the usual length.
VEHICLE = Vehicle(
    vehicle_id=48_151,
    licence_plate="AB-123-CD",
    model="Classe E",
    constructor="Mercedes-Benz",
    engine="diesel",
    color="noir",
    nb_seats=4,
    relais=False,
    pet_accepted=True,
    bike_accepted=False,
    baby_seat=True,
    wifi=True,
    vasp_handicap=False,
    amex_accepted=True,
    bank_check_accepted=False,
    type_="sedan",
    cpam_conventionne=True,
)
DESCRIPTION = Description(
    owner="142",
    vehicle=VEHICLE,
    status=TaxiStatus.FREE,
    radius_m=500,
    availability_changed_at=NOON,
    status_changed_at=NOON,
    taxis=frozenset({"aaaaaaa"}),
    details_version=3,
)
TAXI = Taxi(
    taxi_id="aaaaaaa",
    owner="142",
    operator="operateur@groupement-de-taxis.example",
    vehicle_id=VEHICLE.vehicle_id,
    ads_id=rules.ads_id("142", PARIS, "12345"),
    driver_id=rules.driver_id("142", "75", "75-0012345"),
    insee=PARIS,
    added_at=NOON,
)


def description_row(description: Description) -> DescriptionRow:
    return DescriptionRow(
        description.description_id,
        owner=description.owner,
        status=description.status.value,
        radius=description.radius_m,
        availability_changed_at=description.availability_changed_at,
        status_changed_at=description.status_changed_at,
        taxis=set(description.taxis),
        details_version=description.details_version,
        **asdict(description.vehicle),
    )


def test_every_taxi_has_its_owner_town_and_how_it_is_used(call: Call) -> None:
    used, unused = call("used"), call("unused")
    for caller in (used, unused):
        factories.register_parts(caller, ads={"insee": BORDEAUX} if caller is unused else None)
    [taxi] = used.post("/taxis", factories.a_taxi()).data
    used.put(f"/taxis/{taxi['id']}", {"status": "free", "radius": 400})
    used.put(f"/taxis/{taxi['id']}", {"radius": 300})
    unused.post("/taxis", factories.a_taxi(insee=BORDEAUX))
    of_used, of_unused = sorted(TaxiRow.scan(), key=lambda row: int(row.owner))
    described = DescriptionRow.get(rules.description_id(of_used.owner, int(of_used.vehicle_id)))

    found = sorted(service.every_taxi())

    assert described.status_changed_at is not None
    assert found == [
        SurveyedTaxi(
            of_used.owner, PARIS, of_used.added_at, Usage(described.status_changed_at, 300)
        ),
        SurveyedTaxi(of_unused.owner, BORDEAUX, of_unused.added_at, Usage(None, None)),
    ]


@pytest.mark.usefixtures("store")
def test_the_taxis_of_a_double_shift_car_are_used_as_it_is_and_one_without_a_car_is_not() -> None:
    description_row(DESCRIPTION).save()
    for taxi_id, changes in (("aaaaaaa", {}), ("bbbbbbb", {}), ("ccccccc", {"vehicle_id": 1})):
        values: dict[str, Any] = {**asdict(TAXI), "taxi_id": taxi_id, **changes}
        rows.taxi_row(Taxi(**values), DESCRIPTION).save()

    found = sorted(service.every_taxi(), key=lambda taxi: taxi.usage.radius_m or 0)

    assert [taxi.usage for taxi in found] == [Usage(None, None), *[Usage(_whole(NOON), 500)] * 2]


def _whole(at: datetime) -> datetime:
    """To the millisecond, as a description keeps it."""
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@pytest.mark.usefixtures("store")
def test_taxis_and_descriptions_are_read_beyond_the_first_page_of_a_scan() -> None:
    long = "x" * 10_000  # 130 of them are more than the megabyte that a page holds
    for number in range(130):
        taxi = rows.taxi_row(TAXI, DESCRIPTION)
        taxi.taxi_id, taxi.vehicle_id, taxi.model = f"taxi{number:03}", number, long
        taxi.save()
        described = description_row(DESCRIPTION)
        described.description_id, described.radius = rules.description_id("142", number), number
        described.model = long
        described.save()

    found = list(service.every_taxi())

    assert sorted(taxi.usage.radius_m or 0 for taxi in found) == list(range(130))


def test_what_a_survey_reads_of_a_taxi_is_as_long_as_the_table_of_questions_says() -> None:
    items = rows.taxi_row(TAXI, DESCRIPTION), description_row(DESCRIPTION)

    units_a_thousand = [1000 * _bytes(item.serialize()) / 4096 / 2 for item in items]

    assert units_a_thousand == pytest.approx([45, 45], abs=1)


def _bytes(item: Any) -> int:
    """An item's size as DynamoDB counts it (CapacityUnitCalculations in its developer guide)."""
    return sum(len(name.encode()) + _value_bytes(value) for name, value in item.items())


def _value_bytes(value: Any) -> int:
    [(kind, content)] = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "N":
        return (len(content) + 1) // 2 + 1
    if kind == "SS":
        return sum(len(one.encode()) for one in content)
    if kind == "L":
        return 3 + sum(1 + _value_bytes(one) for one in content)
    assert kind == "BOOL", kind
    return 1
