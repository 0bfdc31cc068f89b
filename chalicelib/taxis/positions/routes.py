"""Route of reported positions, `POST /geotaxi` [contract: Positions of a batch]."""

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import HTML, Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.positions import accept, schemas
from chalicelib.taxis.vocabulary import Role

routes = Routes()


@routes.post(
    "/geotaxi",
    roles=(Role.ADMIN, Role.OPERATEUR),
    body=schemas.BatchSchema(),
    answers={200: json_schema.Sent(None, HTML)},
    refuses=(accept.TaxisUnknown, accept.StreamUnavailable),
)
def post_positions(request: Request) -> Reply:
    """Reports positions of taxis, all of them or none."""
    accept.report(request.viewer, request.one(), now=request.now)
    return Reply(200, "", {"Content-Type": HTML})
