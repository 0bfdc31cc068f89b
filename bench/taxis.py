"""Items of the benchmarks' taxis: one car, with licences of Paris."""

from datetime import datetime

from msgspec.structs import asdict

from chalicelib.taxis.registry import rules
from chalicelib.taxis.registry.rows import DescriptionRow
from chalicelib.taxis.registry.rules import Description, Taxi, Vehicle
from chalicelib.taxis.vocabulary import Account, TaxiStatus

DEPARTEMENT, INSEE = "75", "75056"


def professional_licence(number: int) -> str:
    """A driver's."""
    return f"{number:08}"


def build(
    taxi_id: str, number: int, owner: Account, *, is_free: bool, at: datetime
) -> tuple[Taxi, Description]:
    """A taxi that is there, and as it is, since a moment; its parts have its number."""
    described = Description(
        owner=owner.owner,
        vehicle=Vehicle(
            vehicle_id=number,
            licence_plate=f"AA-{number:06}-AA",
            model="508 SW",
            constructor="Peugeot",
            engine="diesel",
            color="noir",
            nb_seats=4,
            bank_check_accepted=True,
        ),
        details_version=1,
        status=TaxiStatus.FREE if is_free else TaxiStatus.OCCUPIED,
        radius_m=None,
        availability_changed_at=at,
        status_changed_at=at,
        taxis=frozenset({taxi_id}),
        open_hail=None,
    )
    taxi = Taxi(
        taxi_id=taxi_id,
        owner=owner.owner,
        operator=owner.email,
        vehicle_id=number,
        ads_id=rules.ads_id(owner.owner, INSEE, str(number)),
        driver_id=rules.driver_id(owner.owner, DEPARTEMENT, professional_licence(number)),
        insee=INSEE,
        added_at=at,
    )
    return taxi, described


def description_row(described: Description) -> DescriptionRow:
    """The item of a description that nobody has hailed."""
    return DescriptionRow(
        described.description_id,
        owner=described.owner,
        details_version=described.details_version,
        taxis=set(described.taxis),
        status=described.status,
        added_at=described.status_changed_at,
        availability_changed_at=described.availability_changed_at,
        status_changed_at=described.status_changed_at,
        **asdict(described.vehicle),
    )
