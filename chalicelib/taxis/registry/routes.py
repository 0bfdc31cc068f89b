"""Routes of drivers, ADS, vehicles and taxis [contract: Registration]."""

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import PAGE_SIZE, Request, meta, reply
from chalicelib.taxis.registry import departements, schemas, service
from chalicelib.taxis.vocabulary import Role

routes = Routes()

REGISTRARS = (Role.ADMIN, Role.OPERATEUR)


def _registered(shape: json_schema.Shape) -> json_schema.Answers:
    """201 for what is new, 200 for what was there already."""
    return {200: json_schema.one(shape), 201: json_schema.one(shape)}


@routes.post(
    "/drivers",
    roles=REGISTRARS,
    body=schemas.DriverSchema(),
    answers=_registered(schemas.DRIVER),
    refuses=(departements.DepartementUnknown, departements.DepartementAmbiguous, service.Busy),
)
def post_driver(request: Request) -> Reply:
    """Registers a driver, or replaces the one there is."""
    given = request.one()
    driver, departement, is_new = service.register_driver(request.viewer, **given, now=request.now)
    return reply([schemas.driver_object(driver, departement)], status=201 if is_new else 200)


@routes.post(
    "/ads",
    roles=REGISTRARS,
    body=schemas.AdsSchema(),
    answers=_registered(schemas.ADS),
    refuses=(service.VehicleUnknown, service.TownUnknown, service.Busy),
)
def post_ads(request: Request) -> Reply:
    """Registers a parking licence (ADS), or replaces the one there is."""
    ads = request.one()
    is_new = service.register_ads(request.viewer, ads, now=request.now)
    return reply([schemas.ads_object(ads)], status=201 if is_new else 200)


@routes.post(
    "/vehicles",
    roles=REGISTRARS,
    body=schemas.VehicleSchema(),
    answers=_registered(schemas.VEHICLE),
    refuses=(service.Busy,),
)
def post_vehicle(request: Request) -> Reply:
    """Describes a vehicle, or adds to its description."""
    given = request.one()
    description, is_new = service.register_vehicle(request.viewer, given, now=request.now)
    return reply([schemas.vehicle_object(description)], status=201 if is_new else 200)


@routes.post(
    "/taxis",
    roles=REGISTRARS,
    body=schemas.NewTaxiSchema(),
    answers=_registered(schemas.TAXI),
    refuses=(service.PartsUnknown, service.Busy),
)
def post_taxi(request: Request) -> Reply:
    """Registers a taxi from a vehicle, an ADS and a driver, or shows the one there is."""
    parts = request.one()
    found, is_new = service.register_taxi(request.viewer, parts, now=request.now)
    return reply([schemas.taxi_object(found, None)], status=201 if is_new else 200)


@routes.get(
    "/taxis/all",
    roles=(Role.OPERATEUR,),
    query=schemas.ListSchema(),
    answers={200: json_schema.page_of(schemas.TAXI)},
)
def get_own_taxis(request: Request) -> Reply:
    """The operator's own taxis, newest first."""
    query = request.parameters()
    page = request.page()
    taxis, total = service.list_taxis(
        request.viewer,
        ids=query["id"],
        licence_plates=query["licence_plate"],
        page=page,
        per_page=PAGE_SIZE,
    )
    shown = [schemas.taxi_object(found, None) for found in taxis]
    return reply(shown, meta=meta(page=page, total=total))


@routes.get(
    "/taxis/{taxi_id}",
    roles=REGISTRARS,
    answers={200: json_schema.one(schemas.TAXI)},
    refuses=(service.TaxiUnknown,),
)
def get_taxi(request: Request, taxi_id: str) -> Reply:
    """A taxi of the viewer's, with its last position."""
    found = service.find_taxi(request.viewer, taxi_id)
    last = service.last_position(found.taxi, now=request.now)
    return reply([schemas.taxi_object(found, last)])


@routes.put(
    "/taxis/{taxi_id}",
    roles=REGISTRARS,
    body=schemas.TaxiChangeSchema(partial=True),
    body_required=False,
    answers={200: json_schema.one(schemas.TAXI)},
    refuses=(service.TaxiUnknown, service.Busy),
)
def put_taxi(request: Request, taxi_id: str) -> Reply:
    """Changes a taxi's status or radius. An unknown taxi is refused before a bad body."""
    found = service.find_taxi(request.viewer, taxi_id)
    changes = request.one()
    changed = service.change_taxi(found, changes, now=request.now)
    last = service.last_position(found.taxi, now=request.now)
    return reply([schemas.taxi_object(changed, last)])


@routes.put("/taxis/all", roles=REGISTRARS)
def put_taxi_all(request: Request) -> Reply:
    """`all` is a taxi's id to this verb [contract: Changing a taxi], and no taxi has it."""
    return put_taxi(request, "all")
