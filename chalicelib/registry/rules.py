"""Licences, vehicles, drivers and the taxis they make together: pure."""

from enum import StrEnum


class TaxiStatus(StrEnum):
    """What a vehicle description is doing (positions 5); only `free` is found and can be hailed."""

    FREE = "free"
    OCCUPIED = "occupied"
    OFF = "off"
    ANSWERING = "answering"
    ONCOMING = "oncoming"
