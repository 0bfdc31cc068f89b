"""Query and answers of `GET /zupc` and `/zupc/live`: areas with their taxis [contract: Territory pages]."""

from collections.abc import Collection, Mapping

from marshmallow import Schema, fields, validate

from chalicelib.foundation.geo import MAX_LAT
from chalicelib.foundation.http.json_schema import (
    MULTI_POLYGON,
    TEXT,
    UUID,
    WHOLE,
    Shape,
    always,
    map_of,
    record,
)
from chalicelib.taxis.stats.active.rules import ActiveCounts
from chalicelib.taxis.territory.rules import Town, Zone
from chalicelib.taxis.vocabulary import Account, Role


class Point(Schema):
    """A point on the map, both coordinates required."""

    lon = fields.Float(required=True, allow_nan=False, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, allow_nan=False, validate=validate.Range(-MAX_LAT, MAX_LAT))


_STATS = record("Stats", {}, optional={"total": WHOLE, "operators": map_of(WHOLE)})
AREA: Shape = {
    "anyOf": [
        record("TownArea", {"type": always("city"), "insee": TEXT, "name": TEXT, "stats": _STATS}),
        record(
            "ZoneArea", {"type": always("ZUPC"), "zupc_id": UUID, "name": TEXT, "stats": _STATS}
        ),
    ]
}
DRAWN_ZONE = record("Zone", {"id": UUID, "nom": TEXT, "geojson": MULTI_POLYGON, "stats": _STATS})


def town_area(shown: Town, *, counts: ActiveCounts, viewer: Account) -> dict[str, object]:
    """A town that is in no zone, as the area round a point."""
    return {
        "type": "city",
        "insee": shown.insee,
        "name": shown.name,
        "stats": _stats([shown.insee], counts=counts, viewer=viewer),
    }


def zone_area(zone: Zone, *, counts: ActiveCounts, viewer: Account) -> dict[str, object]:
    """A zone as the area round a point."""
    return {
        "type": "ZUPC",
        "zupc_id": zone.zone_id,
        "name": zone.nom,
        "stats": _stats(zone.members, counts=counts, viewer=viewer),
    }


def drawn_zone(
    zone: Zone, geojson: Mapping[str, object], *, counts: ActiveCounts, viewer: Account
) -> dict[str, object]:
    """A zone with its shape."""
    return {
        "id": zone.zone_id,
        "nom": zone.nom,
        "geojson": geojson,
        "stats": _stats(zone.members, counts=counts, viewer=viewer),
    }


def _stats(insees: Collection[str], *, counts: ActiveCounts, viewer: Account) -> dict[str, object]:
    """The total is for admins, an operator sees its own figure."""
    stats: dict[str, object] = {}
    if viewer.has(Role.ADMIN):
        stats["total"] = counts.in_towns(insees)
    if viewer.has(Role.OPERATEUR):
        stats["operators"] = {viewer.email: counts.of_operator(viewer.owner, insees)}
    return stats
