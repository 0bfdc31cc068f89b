"""Words of the public contract that several domains use: roles, the status of taxis, their ids: pure."""

import re
from enum import StrEnum


class Role(StrEnum):
    """Roles of accounts [contract: Roles]. `groupement` and `editeur` are labels for statistics."""

    ADMIN = "admin"
    OPERATEUR = "operateur"
    MOTEUR = "moteur"
    GROUPEMENT = "groupement"
    EDITEUR = "editeur"


class TaxiStatus(StrEnum):
    """Status of a taxi [contract: Status of a taxi]; only `free` ones are found and can be hailed."""

    FREE = "free"
    OCCUPIED = "occupied"
    OFF = "off"
    ANSWERING = "answering"
    ONCOMING = "oncoming"


# In the contract's order [contract: The taxi object].
CHARACTERISTICS = (
    "pet_accepted",
    "bike_accepted",
    "baby_seat",
    "wifi",
    "vasp_handicap",
    "amex_accepted",
    "bank_check_accepted",
)


# 57 characters that nobody takes for one another (shortuuid's).
TAXI_ID_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
TAXI_ID_LENGTH = 7
_TAXI_ID = re.compile(f"[{TAXI_ID_ALPHABET}]{{{TAXI_ID_LENGTH}}}")


def is_taxi_id(text: str) -> bool:
    """Whether a taxi could have this id."""
    return _TAXI_ID.fullmatch(text) is not None
