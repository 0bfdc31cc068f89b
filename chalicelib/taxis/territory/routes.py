"""`GET /towns` and the stations: the territory as partners and the public see it."""

from datetime import datetime, timedelta
from email.utils import format_datetime

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply, encode
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request, reply
from chalicelib.taxis.territory import schemas, service
from chalicelib.taxis.vocabulary import Role

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
    query = request.parameters()
    return reply([schemas.town(town) for town in service.towns(query["search"])])


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
