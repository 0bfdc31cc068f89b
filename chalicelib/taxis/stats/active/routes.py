"""`GET /zupc` and `/zupc/live`: zones and towns with the taxis now on the road."""

from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Nothing, Request, reply
from chalicelib.taxis.stats.active import schemas, service
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.territory.rules import Town

routes = Routes()


@routes.get(
    "/zupc", roles=(), query=schemas.Point(), answers={200: json_schema.several(schemas.AREA)}
)
def get_zupc(request: Request) -> Reply:
    """The zones round a point, or else its towns, each with the taxis now on the road."""
    query = request.parameters()
    towns = territory.place_of(LngLat(query["lon"], query["lat"])).towns
    if not towns:
        return reply([])
    counts, viewer = service.active_now(), request.viewer
    zones = territory.zones_of(towns)
    if zones:
        return reply([schemas.zone_area(zone, counts=counts, viewer=viewer) for zone in zones])
    names = territory.town_names(towns)
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
    request.parameters()
    counts = service.active_now()
    return reply(
        [
            schemas.drawn_zone(zone, geojson, counts=counts, viewer=request.viewer)
            for zone, geojson in territory.drawn_zones()
        ]
    )
