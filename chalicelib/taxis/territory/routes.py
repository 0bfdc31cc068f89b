"""`GET /towns` and the stations: the territory as partners and the public see it."""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from email.utils import format_datetime
from typing import NamedTuple

from chalicelib.foundation.cache import Memory
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import JSON, Reply, encode
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request, reply
from chalicelib.taxis.territory import schemas, service
from chalicelib.taxis.territory.rules import Station
from chalicelib.taxis.vocabulary import Role

routes = Routes()

PLAIN = "text/plain; charset=utf-8"


class _Text(NamedTuple):
    """The stations in some form, as they were on a day."""

    stations: Sequence[Station]
    day: date
    text: str


_texts: Memory[str, _Text] = Memory(lambda: 3, lambda: 86_400.0)


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
def get_stations(request: Request) -> Reply:
    """Every station."""
    text = _text(
        "all", lambda found: reply([schemas.station(one) for one in found]).body, now=request.now
    )
    return Reply(200, text, {"Content-Type": JSON})


@routes.get("/stations/stations.csv", roles=None, answers={200: json_schema.Sent(None, PLAIN)})
def get_stations_csv(request: Request) -> Reply:
    """Every station, as a CSV file."""
    return _file(_text("csv", schemas.stations_csv, now=request.now), "csv", now=request.now)


@routes.get("/stations/stations.json", roles=None, answers={200: json_schema.Sent(None, PLAIN)})
def get_stations_json(request: Request) -> Reply:
    """Every station, as a GeoJSON file."""
    now = request.now
    text = _text("json", lambda found: encode(schemas.stations_geojson(found, now=now)), now=now)
    return _file(text, "json", now=now)


def _text(form: str, write: Callable[[Sequence[Station]], str], *, now: datetime) -> str:
    """The stations in a form, written once for a load and a day: anybody may ask, and 3,000 take some 20 ms."""
    stations, day = service.stations(), now.date()
    known = _texts.get(form)
    if known is None or known.stations is not stations or known.day != day:
        known = _Text(stations, day, write(stations))
        _texts.put(form, known)
    return known.text


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
