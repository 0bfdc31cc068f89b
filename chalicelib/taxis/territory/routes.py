"""`GET /towns`, `/zupc`, `/zupc/live` and the stations: the territory as partners and the public see it."""

from datetime import datetime, timedelta
from email.utils import format_datetime

from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.http import json_schema
from chalicelib.taxis.access.rules import Role
from chalicelib.taxis.stats.active.service import active_now
from chalicelib.taxis.territory import schemas, service
from chalicelib.taxis.territory.rules import Town
from chalicelib.taxis.web import Nothing, Reply, Request, Routes, encode, reply

routes = Routes()

PLAIN = "text/plain; charset=utf-8"


@routes.get(
    "/towns",
    roles=(Role.ADMIN, Role.MOTEUR, Role.OPERATEUR),
    query=schemas.TownSearch(),
    answers={200: json_schema.several(schemas.TOWN)},
)
def get_towns(request: Request) -> Reply:
    """All towns whose names begin with `search`, by name."""
    asked = request.asked()
    return reply([schemas.town(town) for town in service.towns(asked["search"])])


@routes.get(
    "/zupc", roles=(), query=schemas.Point(), answers={200: json_schema.several(schemas.AREA)}
)
def get_zupc(request: Request) -> Reply:
    """The zones round a point, or else its towns, each with the taxis now on the road."""
    asked = request.asked()
    towns = service.place_of(LngLat(asked["lon"], asked["lat"])).towns
    if not towns:
        return reply([])
    counts, viewer = active_now(), request.viewer
    zones = service.zones_of(towns)
    if zones:
        return reply([schemas.zone_area(zone, counts=counts, viewer=viewer) for zone in zones])
    names = service.town_names(towns)
    return reply(
        [
            schemas.town_area(Town(insee, names.get(insee, "")), counts=counts, viewer=viewer)
            for insee in towns
        ]
    )


@routes.get(
    "/zupc/live",
    roles=(),
    query=Nothing(),
    answers={200: json_schema.several(schemas.DRAWN_ZONE)},
)
def get_zupc_live(request: Request) -> Reply:
    """Every zone with its shape and the taxis now on the road."""
    request.asked()
    counts = active_now()
    return reply(
        [
            schemas.drawn_zone(zone, geojson, counts=counts, viewer=request.viewer)
            for zone, geojson in service.drawn_zones()
        ]
    )


@routes.get("/stations/all", roles=None, answers={200: json_schema.several(schemas.STATION)})
def get_stations(_: Request) -> Reply:
    """Every station."""
    return reply([schemas.station(station) for station in service.stations()])


@routes.get("/stations/stations.csv", roles=None, answers={200: json_schema.Sent(None, PLAIN)})
def get_stations_csv(request: Request) -> Reply:
    """Every station, as a CSV file."""
    return _file(schemas.stations_csv(service.stations()), "csv", now=request.now)


@routes.get("/stations/stations.json", roles=None, answers={200: json_schema.Sent(None, PLAIN)})
def get_stations_json(request: Request) -> Reply:
    """Every station, as a GeoJSON file."""
    found = schemas.stations_geojson(service.stations(), now=request.now)
    return _file(encode(found), "json", now=request.now)


def _file(text: str, suffix: str, *, now: datetime) -> Reply:
    """A file that anybody may keep for a day."""
    return Reply(
        200,
        text,
        {
            "Content-Type": PLAIN,
            "Content-Disposition": f'inline; filename="stationstaxi_LeTaxi_{now:%Y%m%d}.{suffix}"',
            "Cache-Control": "public,max-age=86400",
            "Expires": format_datetime(now + timedelta(days=1), usegmt=True),
        },
    )
