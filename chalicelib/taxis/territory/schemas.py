"""Query and response schemas of towns, zones and stations [contract: Territory pages]."""

import csv
import io
from collections.abc import Iterable
from datetime import datetime

from marshmallow import Schema, fields

from chalicelib.foundation.geo import E7
from chalicelib.foundation.http.json_schema import (
    MULTI_POLYGON,
    NUMBER,
    TEXT,
    WHOLE,
    always,
    list_of,
    record,
)
from chalicelib.taxis.territory.rules import Station, Town


class TownSearch(Schema):
    """The query of GET /towns: the beginning of names."""

    search = fields.String(load_default="")


TOWN = record("Town", {"insee": TEXT, "name": TEXT})
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
        "geojson": {"anyOf": [_POINT, _POLYGON, MULTI_POLYGON]},
    },
)


def town(shown: Town) -> dict[str, object]:
    """A town in a list."""
    return {"insee": shown.insee, "name": shown.name}


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
