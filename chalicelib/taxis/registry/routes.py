"""Routes of drivers, ADS, vehicles and taxis [contract: Registration]."""

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import PAGE_SIZE, Request, meta, reply
from chalicelib.taxis.registry import (
    availability_change,
    departements,
    own_taxis,
    presentation,
    registration,
    schemas,
)
from chalicelib.taxis.registry.rules import Busy
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
    answers=_registered(presentation.DRIVER),
    refuses=(departements.DepartementUnknown, departements.DepartementAmbiguous, Busy),
)
def post_driver(request: Request) -> Reply:
    """Registers a driver, or replaces the one there is."""
    given = request.one()
    driver, departement, is_new = registration.register_driver(
        request.viewer, **given, now=request.now
    )
    return reply([presentation.driver_object(driver, departement)], status=201 if is_new else 200)


@routes.post(
    "/ads",
    roles=REGISTRARS,
    body=schemas.AdsSchema(),
    answers=_registered(presentation.ADS),
    refuses=(registration.VehicleUnknown, registration.TownUnknown, Busy),
)
def post_ads(request: Request) -> Reply:
    """Registers a parking licence (ADS), or replaces the one there is."""
    ads, is_new = registration.register_ads(request.viewer, request.one(), now=request.now)
    return reply([presentation.ads_object(ads)], status=201 if is_new else 200)


@routes.post(
    "/vehicles",
    roles=REGISTRARS,
    body=schemas.VehicleSchema(),
    answers=_registered(presentation.VEHICLE),
    refuses=(Busy,),
)
def post_vehicle(request: Request) -> Reply:
    """Describes a vehicle, or adds to its description."""
    given = request.one()
    description, is_new = registration.register_vehicle(request.viewer, given, now=request.now)
    return reply([presentation.vehicle_object(description)], status=201 if is_new else 200)


@routes.post(
    "/taxis",
    roles=REGISTRARS,
    body=schemas.NewTaxiSchema(),
    answers=_registered(presentation.TAXI),
    refuses=(registration.PartsUnknown, Busy),
)
def post_taxi(request: Request) -> Reply:
    """Registers a taxi from a vehicle, an ADS and a driver, or shows the one there is."""
    parts = request.one()
    found, is_new = registration.register_taxi(request.viewer, parts, now=request.now)
    return reply([presentation.taxi_object(found, None)], status=201 if is_new else 200)


@routes.get(
    "/taxis/all",
    roles=(Role.OPERATEUR,),
    query=schemas.ListSchema(),
    answers={200: json_schema.page_of(presentation.TAXI)},
)
def get_own_taxis(request: Request) -> Reply:
    """The operator's own taxis, newest first."""
    query = request.parameters()
    page = request.page()
    taxis, total = own_taxis.list_taxis(
        request.viewer,
        ids=query["id"],
        licence_plates=query["licence_plate"],
        page=page,
        per_page=PAGE_SIZE,
    )
    shown = [presentation.taxi_object(found, None) for found in taxis]
    return reply(shown, meta=meta(page=page, total=total))


@routes.get(
    "/taxis/{taxi_id}",
    roles=REGISTRARS,
    answers={200: json_schema.one(presentation.TAXI)},
    refuses=(own_taxis.TaxiUnknown,),
)
def get_taxi(request: Request, taxi_id: str) -> Reply:
    """A taxi of the viewer's, with its last position."""
    found = own_taxis.find_taxi(request.viewer, taxi_id)
    last = own_taxis.last_position(found.taxi, now=request.now)
    return reply([presentation.taxi_object(found, last)])


@routes.put(
    "/taxis/{taxi_id}",
    roles=REGISTRARS,
    body=schemas.TaxiChangeSchema(partial=True),
    body_required=False,
    answers={200: json_schema.one(presentation.TAXI)},
    refuses=(own_taxis.TaxiUnknown, Busy),
)
def put_taxi(request: Request, taxi_id: str) -> Reply:
    """Changes a taxi's status or radius. An unknown taxi is refused before a bad body."""
    found = own_taxis.find_taxi(request.viewer, taxi_id)
    changes = request.one()
    changed = availability_change.change_taxi(found, changes, now=request.now, entry=request.entry)
    last = own_taxis.last_position(found.taxi, now=request.now)
    return reply([presentation.taxi_object(changed, last)])


@routes.put("/taxis/all", roles=REGISTRARS)
def put_taxi_all(request: Request) -> Reply:
    """`all` is a taxi's id to this verb [contract: Changing a taxi], and no taxi has it."""
    return put_taxi(request, "all")
