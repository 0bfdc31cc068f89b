"""Index of positions for other domains: search, last positions, availability.

The ingest function has modules of its own to ask, for it starts without PynamoDB.
"""

from chalicelib.taxis.positions.accept import StreamUnavailable, accept, report
from chalicelib.taxis.positions.availability import show_availability
from chalicelib.taxis.positions.ingest import WindowReport, store_window
from chalicelib.taxis.positions.lookup import (
    LATE_S,
    Sighting,
    Trail,
    near,
    sight,
    sighting,
    trail,
    where_is,
)
from chalicelib.taxis.positions.retention import blur, delete_unknown, forget, retire_cells
from chalicelib.taxis.positions.survey import MapAnnounced, Reporting, refit, reporting

__all__ = [
    "LATE_S",
    "MapAnnounced",
    "Reporting",
    "Sighting",
    "StreamUnavailable",
    "Trail",
    "WindowReport",
    "accept",
    "blur",
    "delete_unknown",
    "forget",
    "near",
    "refit",
    "report",
    "reporting",
    "retire_cells",
    "show_availability",
    "sight",
    "sighting",
    "store_window",
    "trail",
    "where_is",
]
