"""Hails, the customers who are behind them, and sessions (letaxi-api 15 to 17, 20.2)."""

from chalicelib.foundation.http import json_schema
from chalicelib.taxis.access import service as access
from chalicelib.taxis.access.rules import Role
from chalicelib.taxis.hails import listing, rules, schemas, service
from chalicelib.taxis.web import PAGE_SIZE, Paged, Reply, Request, Routes, meta, reply

routes = Routes()

SEARCHERS = (Role.ADMIN, Role.MOTEUR)
PARTIES = (*SEARCHERS, Role.OPERATEUR)

SUPPORT_PAGE_SIZE = 100

IDEMPOTENCY_KEY = "The same key and body are the same hail for 24 hours."


@routes.post(
    "/hails",
    roles=SEARCHERS,
    body=schemas.HailSchema(),
    headers={"Idempotency-Key": IDEMPOTENCY_KEY},
    answers={201: json_schema.one(schemas.HAIL)},
    refuses=(
        *(service.TaxiGone, service.CustomerBanned, service.TaxiUnavailable),
        *(service.SessionUnknown, service.KeyReused, service.Busy),
    ),
)
def post_hail(request: Request) -> Reply:
    """Hails a taxi."""
    wanted = request.one()
    key = request.headers.get("idempotency-key")
    hail, last = service.create(
        request.viewer, wanted, key=key, entry=request.entry, now=request.now
    )
    shown = schemas.hail_object(hail, viewer=request.viewer, last=last, just_changed=True)
    return reply([shown], status=201)


@routes.get(
    "/hails",
    roles=PARTIES,
    query=schemas.HailListSchema(),
    answers={200: json_schema.page_of(schemas.LINE)},
)
def get_hails(request: Request) -> Reply:
    """The hails that concern the viewer, newest first."""
    asked = request.asked()
    page = request.page()
    hails, total = listing.list_hails(
        request.viewer, asked, page=page, per_page=PAGE_SIZE, now=request.now
    )
    shown = [schemas.line_object(line, request.viewer) for line in hails]
    return reply(shown, meta=meta(page=page, total=total))


@routes.get(
    "/hails/{hail_id}",
    roles=PARTIES,
    answers={200: json_schema.one(schemas.HAIL)},
    refuses=(service.HailUnknown, service.HailForbidden),
)
def get_hail(request: Request, hail_id: str) -> Reply:
    """A hail that concerns the viewer."""
    hail = service.find(request.viewer, hail_id, now=request.now)
    last = service.where_is_taxi(hail, now=request.now)
    return reply([schemas.hail_object(hail, viewer=request.viewer, last=last)])


@routes.put(
    "/hails/{hail_id}",
    roles=PARTIES,
    body=schemas.HailChangeSchema(),
    body_required=False,
    answers={200: json_schema.one(schemas.HAIL)},
    refuses=(
        *(service.HailUnknown, service.HailForbidden),
        *(rules.StepRefused, rules.FieldRefused, service.Busy),
    ),
)
def put_hail(request: Request, hail_id: str) -> Reply:
    """Moves a hail on, or changes what is said of it. An unknown hail is told before a bad body."""
    hail = service.find(request.viewer, hail_id, now=request.now)
    asked = request.one()
    changed = service.change(request.viewer, hail, asked, now=request.now)
    last = service.where_is_taxi(changed, now=request.now)
    moved = changed.status is not hail.status
    shown = schemas.hail_object(changed, viewer=request.viewer, last=last, just_changed=moved)
    return reply([shown])


@routes.put(
    "/customers/{customer_id}",
    roles=SEARCHERS,
    body=schemas.CustomerSchema(),
    answers={200: json_schema.one(schemas.CUSTOMER)},
    refuses=(service.CustomerUnknown,),
)
def put_customer(request: Request, customer_id: str) -> Reply:
    """Bans a customer of the viewer's, or lets them hail again."""
    sent = request.one()
    asked = {name: at and schemas.in_utc(at) for name, at in sent.items()}
    customer = service.change_customer(request.viewer, customer_id, asked)
    return reply([schemas.customer_object(customer, sent)])


@routes.get(
    "/internal/customers",
    roles=(Role.ADMIN,),
    query=schemas.SupportListSchema(),
    answers={200: json_schema.page_of(schemas.SUPPORT_HAIL)},
)
def get_customers(request: Request) -> Reply:
    """Everybody's hails of more than twelve hours ago, newest first, for customer support."""
    asked = request.asked()
    page = request.page()
    hails, total = listing.list_for_support(
        request.viewer, asked, page=page, per_page=SUPPORT_PAGE_SIZE, now=request.now
    )
    shown = [schemas.support_object(hail) for hail in hails]
    return reply(shown, meta=meta(page=page, total=total, per_page=SUPPORT_PAGE_SIZE))


@routes.get(
    "/sessions",
    roles=SEARCHERS,
    query=Paged(),
    answers={200: json_schema.page_of(schemas.SESSION)},
)
def get_sessions(request: Request) -> Reply:
    """The viewer's hails by session, the session that began last first."""
    request.asked()
    page = request.page()
    groups, total = listing.list_sessions(
        request.viewer, page=page, per_page=PAGE_SIZE, now=request.now
    )
    names = access.names_of(
        account
        for group in groups
        for hail in group.hails
        for account in (hail.moteur_id, hail.operateur_id)
    )
    shown = [schemas.session_object(group, viewer=request.viewer, names=names) for group in groups]
    return reply(shown, meta=meta(page=page, total=total))
