"""Route of the search for free taxis, `GET /taxis`."""

from chalicelib.foundation.geo import LngLat
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request, reply
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.search import schemas, service
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Role

routes = Routes()


@routes.get(
    "/taxis",
    roles=(Role.ADMIN, Role.MOTEUR, Role.OPERATEUR),
    query=schemas.Where(),
    answers={200: json_schema.several(schemas.FOUND_TAXI, debug=json_schema.list_of(schemas.STEP))},
    refuses=(service.CruisingForbidden,),
)
def get_taxis(request: Request) -> Reply:
    """The taxis, nearest first; `debug` adds what each step of the search left."""
    where = request.parameters()
    answer = service.search(
        LngLat(where["lon"], where["lat"]), viewer=request.viewer, now=request.now
    )
    if answer is None:
        return reply([], debug=schemas.NO_TOWN) if "debug" in where else reply([])
    ids = registry.temporary_ids_of(
        [taxi.position.taxi_id for taxi in answer.seen], viewer=request.viewer, now=request.now
    )
    taxis = [
        schemas.found_taxi(taxi, temporary_id=own, viewer=request.viewer, settings=settings())
        for taxi, own in zip(answer.seen, ids, strict=True)
    ]
    if "debug" in where:
        return reply(taxis, debug=schemas.explanation(answer))
    return reply(taxis)
