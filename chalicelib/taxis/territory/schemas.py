"""What is asked about the territory, and what is shown of it (letaxi-api 18)."""

import csv
import io
from collections.abc import Iterable, Mapping
from datetime import datetime

from marshmallow import Schema, fields, validate

from chalicelib.foundation.geo import E7, MAX_LAT
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import (
    ANYTHING,
    NUMBER,
    TEXT,
    UUID,
    WHOLE,
    always,
    list_of,
    map_of,
    record,
)
from chalicelib.taxis.access.rules import Account, Role
from chalicelib.taxis.stats.active.rules import ActiveCounts
from chalicelib.taxis.territory.rules import Station, Town, Zone


class TownSearch(Schema):
    """The beginning of the towns' names."""

    search = fields.String(load_default="")


class Point(Schema):
    """A point on the map, both coordinates required."""

    lon = fields.Float(required=True, allow_nan=False, validate=validate.Range(-180, 180))
    lat = fields.Float(required=True, allow_nan=False, validate=validate.Range(-MAX_LAT, MAX_LAT))


_STATS = record("Stats", {}, optional={"total": WHOLE, "operators": map_of(WHOLE)})
TOWN = record("Town", {"insee": TEXT, "name": TEXT})
AREA: json_schema.Shape = {
    "anyOf": [
        record("TownArea", {"type": always("city"), "insee": TEXT, "name": TEXT, "stats": _STATS}),
        record(
            "ZoneArea", {"type": always("ZUPC"), "zupc_id": UUID, "name": TEXT, "stats": _STATS}
        ),
    ]
}
_GEOJSON = record(
    "MultiPolygon", {"type": always("MultiPolygon"), "coordinates": list_of(list_of(ANYTHING))}
)
DRAWN_ZONE = record("Zone", {"id": UUID, "nom": TEXT, "geojson": _GEOJSON, "stats": _STATS})
_POINT = record("Point", {"type": always("Point"), "coordinates": list_of(NUMBER)})
_POLYGON = record(
    "Polygon", {"type": always("Polygon"), "coordinates": list_of(list_of(list_of(NUMBER)))}
)
STATION = record(
    "Station",
    {
        "id": TEXT,
        "name": TEXT,
        "places": WHOLE,
        "geojson": {"anyOf": [_POINT, _POLYGON, _GEOJSON]},
    },
)


def town(shown: Town) -> dict[str, object]:
    """A town in a list."""
    return {"insee": shown.insee, "name": shown.name}


def town_area(shown: Town, *, counts: ActiveCounts, viewer: Account) -> dict[str, object]:
    """A town that is in no zone, as the area round a point."""
    stats = _stats(
        viewer,
        total=counts.in_town(shown.insee),
        own=counts.of_operator_in_town(viewer.owner, shown.insee),
    )
    return {"type": "city", **town(shown), "stats": stats}


def zone_area(zone: Zone, *, counts: ActiveCounts, viewer: Account) -> dict[str, object]:
    """A zone as the area round a point."""
    return {
        "type": "ZUPC",
        "zupc_id": zone.zone_id,
        "name": zone.nom,
        "stats": _zone_stats(zone, counts=counts, viewer=viewer),
    }


def drawn_zone(
    zone: Zone, geojson: Mapping[str, object], *, counts: ActiveCounts, viewer: Account
) -> dict[str, object]:
    """A zone with its shape."""
    return {
        "id": zone.zone_id,
        "nom": zone.nom,
        "geojson": geojson,
        "stats": _zone_stats(zone, counts=counts, viewer=viewer),
    }


def _zone_stats(zone: Zone, *, counts: ActiveCounts, viewer: Account) -> dict[str, object]:
    return _stats(
        viewer,
        total=counts.in_zone(zone.members),
        own=counts.of_operator_in_zone(viewer.owner, zone.members),
    )


def _stats(viewer: Account, *, total: int, own: int) -> dict[str, object]:
    """The total is for admins, an operator sees its own figure."""
    stats: dict[str, object] = {}
    if viewer.has(Role.ADMIN):
        stats["total"] = total
    if viewer.has(Role.OPERATEUR):
        stats["operators"] = {viewer.email: own}
    return stats


# --- stations -------------------------------------------------------------------------------------


def station(shown: Station) -> dict[str, object]:
    """A station on the map."""
    return {
        "id": shown.station_id,
        "name": shown.name,
        "places": shown.places,
        "geojson": _location(shown),
    }


def _location(shown: Station) -> dict[str, object]:
    """A point, a polygon, or several as a multipolygon."""
    if shown.polygons:
        drawn = [
            [
                [[x / E7, y / E7] for x, y in zip(path.xs, path.ys, strict=True)]
                for path in outline.paths
            ]
            for outline in shown.polygons
        ]
        if len(drawn) == 1:
            return {"type": "Polygon", "coordinates": drawn[0]}
        return {"type": "MultiPolygon", "coordinates": drawn}
    return {"type": "Point", "coordinates": [shown.lng, shown.lat]}


def _exported(shown: Station) -> dict[str, object]:
    """A station's fields by the names of the published schema."""
    return {
        "id": shown.station_id,
        "nom": shown.name,
        "insee": shown.insee,
        "geopoint": f"{shown.lng}, {shown.lat}",
        "adresse": shown.address,
        "emplacements": shown.places or "",
        "no_appel": shown.call_number,
        "info": shown.info,
    }


_COLUMNS = ("id", "nom", "insee", "geopoint", "adresse", "emplacements", "no_appel", "info")


def stations_csv(stations: Iterable[Station]) -> str:
    """The stations in the published schema's CSV form (stationstaxi 0.1.2), every cell quoted.

    A drawn station is there with a point inside.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, delimiter=";", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(_exported(shown) for shown in stations)
    return text.getvalue()


def stations_geojson(stations: Iterable[Station], *, now: datetime) -> dict[str, object]:
    """The stations as a FeatureCollection; what is empty is left out."""
    return {
        "type": "FeatureCollection",
        "properties": {
            "version": "0.0.3",
            "date": now.date().isoformat(),
            "producteur": "le.taxi",
        },
        "features": [
            {
                "type": "Feature",
                "geometry": _location(shown),
                "properties": {
                    name: value
                    for name, value in _exported(shown).items()
                    if value and name != "geopoint"
                },
            }
            for shown in stations
        ],
    }
