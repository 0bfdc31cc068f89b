"""The departement that a driver's licence is of, by its name or number (letaxi-api 11.1): pure."""

from msgspec import Struct

from chalicelib.foundation.departements import NAMES
from chalicelib.foundation.errors import Conflict, Fault, Unknown, in_body

_BY_NAME = {nom.lower(): numero for numero, nom in NAMES.items()}


class DepartementUnknown(Unknown):
    """No departement has this name or number."""


class DepartementAmbiguous(Conflict):
    """The name is one departement's, the number another's."""


class Departement(Struct, frozen=True):
    """One of the departements."""

    numero: str
    nom: str


def find(*, nom: str = "", numero: str = "") -> Departement:
    """The one that has the name, in any letter case, or the number; a misspelt name harms no number.

    Raises DepartementUnknown, DepartementAmbiguous.
    """
    found = {number for number in (_BY_NAME.get(nom.lower()), numero) if number in NAMES}
    if not found:
        raise DepartementUnknown(*_both("Departement not found"))
    if len(found) > 1:
        raise DepartementAmbiguous(*_both("The name and the number are of two departements"))
    (number,) = found
    return Departement(number, NAMES[number])


def _both(message: str) -> tuple[Fault, Fault]:
    return in_body("departement.nom", message), in_body("departement.numero", message)
