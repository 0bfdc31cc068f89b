"""Valid things with one keyword to change: accounts, towns, and the bodies that operators send."""

from collections.abc import Mapping
from typing import Any

from chalicelib.foundation.store import documents
from chalicelib.taxis.territory import editions
from chalicelib.taxis.territory.rules import Town
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from ops.cli.territory import items, switches, writing
from tests.calls import Caller

PARIS, CHARENTON, BORDEAUX = "75056", "94018", "33063"
TOWNS = {PARIS: "Paris", CHARENTON: "Charenton-le-Pont", BORDEAUX: "Bordeaux"}


def an_account(
    email: str = "operator", *roles: Role, manager: str | None = None
) -> tuple[Account, str]:
    """An account and its key; an operator unless other roles are given."""
    return administration.add(email, roles=roles or (Role.OPERATEUR,), manager=manager)


def known_towns(towns: Mapping[str, str] = TOWNS) -> None:
    """Makes these the towns of the registry, by code and name; they have no borders."""
    known = [Town(insee, name) for insee, name in towns.items()]
    generation = items.new_generation()
    writing.put_all(items.names_items(generation, known))
    switches.switch_edition(
        editions.Edition(
            version=editions.edition.current().version + 1,
            generation=generation,
            prefixes=items.prefixes(known),
        )
    )
    documents.forget()


def a_driver(**changes: Any) -> dict[str, Any]:
    """The body of POST /drivers."""
    return {
        "first_name": "Anne",
        "last_name": "Lescaut",
        "birth_date": "1978-01-05",
        "professional_licence": "75-0001",
        "departement": {"nom": "Paris", "numero": "75"},
        **changes,
    }


def an_ads(**changes: Any) -> dict[str, Any]:
    """The body of POST /ads."""
    return {"numero": "1", "insee": PARIS, **changes}


def a_vehicle(**changes: Any) -> dict[str, Any]:
    """The body of POST /vehicles."""
    return {"licence_plate": "AB-123-CD", "model": "508", "nb_seats": 4, "wifi": True, **changes}


def a_taxi(
    *,
    numero: str = "1",
    insee: str = PARIS,
    licence_plate: str = "AB-123-CD",
    professional_licence: str = "75-0001",
    departement: str = "75",
    **others: Any,
) -> dict[str, Any]:
    """The body of POST /taxis, of what the three functions above make."""
    return {
        "ads": {"numero": numero, "insee": insee},
        "vehicle": {"licence_plate": licence_plate},
        "driver": {"professional_licence": professional_licence, "departement": departement},
        **others,
    }


def register_parts(
    caller: Caller,
    *,
    driver: Mapping[str, Any] | None = None,
    ads: Mapping[str, Any] | None = None,
    vehicle: Mapping[str, Any] | None = None,
) -> None:
    """Registers a driver, an ADS and a vehicle, each with what is given changed."""
    for path, body in (
        ("/drivers", a_driver(**driver or {})),
        ("/ads", an_ads(**ads or {})),
        ("/vehicles", a_vehicle(**vehicle or {})),
    ):
        answer = caller.post(path, body)
        assert answer.status in (200, 201), answer.text
