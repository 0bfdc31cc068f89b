"""Registration of a fleet through the public API, as an operator does it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ops.local.client import Client

POSITIONS_A_POST = 50  # the contract's limit


@dataclass(frozen=True, slots=True)
class Car:
    """What one taxi is registered with; its licence number is its number in the fleet."""

    number: int
    plate: str
    insee: str
    departement: str
    first_name: str
    last_name: str
    model: str = "Berline"
    constructor: str = ""
    colour: str = "noir"
    seats: int = 4
    wheelchair: bool = False

    @property
    def professional_licence(self) -> str:
        """Its driver's."""
        return f"{self.departement}-{self.number:05}"


def register_parts(client: Client, car: Car) -> None:
    """Its driver, vehicle and licence; what is there already is brought up to date."""
    client.post(
        "/drivers",
        {
            "first_name": car.first_name,
            "last_name": car.last_name,
            "professional_licence": car.professional_licence,
            "departement": {"numero": car.departement},
        },
    )
    [vehicle] = client.post(
        "/vehicles",
        {
            "licence_plate": car.plate,
            "model": car.model,
            "constructor": car.constructor,
            "color": car.colour,
            "nb_seats": car.seats,
            "vasp_handicap": car.wheelchair,
            "bank_check_accepted": True,
        },
    )
    client.post(
        "/ads",
        {"numero": str(car.number), "insee": car.insee, "vehicle_id": vehicle["id"]},
    )


def taxi_body(car: Car) -> dict[str, object]:
    """The body of POST /taxis for a car whose parts are registered."""
    return {
        "ads": {"numero": str(car.number), "insee": car.insee},
        "vehicle": {"licence_plate": car.plate},
        "driver": {
            "professional_licence": car.professional_licence,
            "departement": car.departement,
        },
    }


def put_on_the_road(client: Client, car: Car, *, status: str = "free") -> str:
    """Registers the taxi, sets its status and returns its id."""
    register_parts(client, car)
    [taxi] = client.post("/taxis", taxi_body(car))
    taxi_id: str = taxi["id"]
    if taxi["status"] != status:
        client.put(f"/taxis/{taxi_id}", {"status": status})
    return taxi_id


def report(client: Client, positions: Sequence[tuple[str, float, float]]) -> int:
    """Sends (taxi id, longitude, latitude) in batches and returns how many were accepted."""
    for batch in batches(positions):
        client.post(
            "/geotaxi",
            {
                "positions": [
                    {"taxi_id": taxi_id, "lon": lon, "lat": lat} for taxi_id, lon, lat in batch
                ]
            },
        )
    return len(positions)


def batches(
    positions: Sequence[tuple[str, float, float]],
) -> Iterable[Sequence[tuple[str, float, float]]]:
    """The positions in pieces that one POST takes."""
    for start in range(0, len(positions), POSITIONS_A_POST):
        yield positions[start : start + POSITIONS_A_POST]
