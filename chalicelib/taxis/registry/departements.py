"""Look-up of a driver's departement by name or number [contract: Drivers]: pure."""

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
    """The departement of a name, in any case, or a number; a misspelt name does not matter beside a number.

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
