"""Routes of hails, customers and sessions [contract: Hails] [contract: Sessions] [contract: Customer support]."""

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.access import service as access
from chalicelib.taxis.envelope import PAGE_SIZE, Paged, Request, meta, reply
from chalicelib.taxis.hails import (
    answers,
    change,
    create,
    customers,
    listing,
    lookup,
    presentation,
    rules,
    schemas,
)
from chalicelib.taxis.hails.rules import Hail
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role

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
    answers={201: json_schema.one(answers.HAIL)},
    refuses=(
        *(create.TaxiGone, create.CustomerBanned, create.TaxiUnavailable),
        *(create.SessionUnknown, create.KeyReused, rules.Busy),
    ),
)
def post_hail(request: Request) -> Reply:
    """Hails a taxi."""
    key = request.headers.get("idempotency-key")
    hail, last = create.create_hail(
        request.viewer, request.one(), key=key, entry=request.entry, now=request.now
    )
    return reply([_hail(hail, request.viewer, last, just_changed=True)], status=201)


@routes.get(
    "/hails",
    roles=PARTIES,
    query=schemas.HailListSchema(),
    answers={200: json_schema.page_of(answers.LINE)},
)
def get_hails(request: Request) -> Reply:
    """The hails that concern the viewer, newest first."""
    matching = request.parameters()
    page = request.page()
    hails, total = listing.list_hails(
        request.viewer, matching, page=page, per_page=PAGE_SIZE, now=request.now
    )
    shown = [presentation.line_object(line, request.viewer) for line in hails]
    return reply(shown, meta=meta(page=page, total=total))


@routes.get(
    "/hails/{hail_id}",
    roles=PARTIES,
    answers={200: json_schema.one(answers.HAIL)},
    refuses=(rules.HailUnknown, rules.HailForbidden),
)
def get_hail(request: Request, hail_id: str) -> Reply:
    """A hail that concerns the viewer."""
    hail = lookup.find(request.viewer, hail_id, now=request.now)
    last = lookup.where_is_taxi(hail, now=request.now)
    return reply([_hail(hail, request.viewer, last)])


@routes.put(
    "/hails/{hail_id}",
    roles=PARTIES,
    body=schemas.HailChangeSchema(),
    body_required=False,
    answers={200: json_schema.one(answers.HAIL)},
    refuses=(
        *(rules.HailUnknown, rules.HailForbidden),
        *(rules.StepRefused, rules.FieldRefused, rules.Busy),
    ),
)
def put_hail(request: Request, hail_id: str) -> Reply:
    """Changes a hail's status or fields. An unknown hail is refused before a bad body."""
    hail = lookup.find(request.viewer, hail_id, now=request.now)
    update = request.one()
    changed = change.change_hail(request.viewer, hail, update, now=request.now)
    last = lookup.where_is_taxi(changed, now=request.now)
    moved = changed.status is not hail.status
    return reply([_hail(changed, request.viewer, last, just_changed=moved)])


def _hail(
    hail: Hail, viewer: Account, last: LastPosition | None, *, just_changed: bool = False
) -> dict[str, object]:
    """The hail as this account sees it."""
    privileged = settings().hail_taxi_vehicle_details.replace(" ", "").split(",")
    return presentation.hail_object(
        hail,
        viewer=viewer,
        last=last,
        details=str(viewer.id) in privileged,
        just_changed=just_changed,
    )


@routes.put(
    "/customers/{customer_id}",
    roles=SEARCHERS,
    body=schemas.CustomerSchema(),
    answers={200: json_schema.one(answers.CUSTOMER)},
    refuses=(customers.CustomerUnknown,),
)
def put_customer(request: Request, customer_id: str) -> Reply:
    """Bans a customer of the viewer's, or ends the ban."""
    sent = request.one()
    bans = {name: at and schemas.in_utc(at) for name, at in sent.items()}
    customer = customers.change_customer(request.viewer, customer_id, bans)
    return reply([presentation.customer_object(customer, sent)])


@routes.get(
    "/internal/customers",
    roles=(Role.ADMIN,),
    query=schemas.SupportListSchema(),
    answers={200: json_schema.page_of(answers.SUPPORT_HAIL)},
)
def get_customers(request: Request) -> Reply:
    """All hails over twelve hours old, newest first, for customer support."""
    matching = request.parameters()
    page = request.page()
    hails, total = listing.list_for_support(
        request.viewer, matching, page=page, per_page=SUPPORT_PAGE_SIZE, now=request.now
    )
    shown = [presentation.support_object(hail) for hail in hails]
    return reply(shown, meta=meta(page=page, total=total, per_page=SUPPORT_PAGE_SIZE))


@routes.get(
    "/sessions",
    roles=SEARCHERS,
    query=Paged(),
    answers={200: json_schema.page_of(answers.SESSION)},
)
def get_sessions(request: Request) -> Reply:
    """The viewer's hails by session, newest session first."""
    request.parameters()
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
    shown = [
        presentation.session_object(group, viewer=request.viewer, names=names) for group in groups
    ]
    return reply(shown, meta=meta(page=page, total=total))
