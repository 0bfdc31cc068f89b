"""Routes of accounts and of the console's login [contract: Accounts] [contract: Console login]."""

import re
from functools import partial

from chalicelib.foundation import login_attempts
from chalicelib.foundation.errors import in_url
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.refusals import NOT_FOUND, EndpointUnknown
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import schemas, service, users
from chalicelib.taxis.access.rules import Record
from chalicelib.taxis.envelope import PAGE_SIZE, Request, meta, reply

routes = Routes()

ANY_ACCOUNT = ()
_ID = re.compile(r"[0-9]{1,18}")


@routes.get(
    "/users",
    roles=ANY_ACCOUNT,
    query=schemas.UserListSchema(),
    answers={200: json_schema.page_of(schemas.USER)},
)
def get_users(request: Request) -> Reply:
    """All accounts for admins, for others those that they manage, by id."""
    filters = request.parameters()
    page = request.page()
    found, total = users.list_users(request.viewer, filters, page=page, per_page=PAGE_SIZE)
    _confirm(request)
    shown = [schemas.user_object(user) for user in found]
    return reply(shown, meta=meta(page=page, total=total))


@routes.get(
    "/users/{user_id}",
    roles=ANY_ACCOUNT,
    answers={200: json_schema.one(schemas.USER)},
    refuses=(EndpointUnknown, users.UserUnknown, users.UserForbidden),
)
def get_user(request: Request, user_id: str) -> Reply:
    """The viewer's own account, or any for admins."""
    record = _find(request, user_id)
    _confirm(request)
    return reply([schemas.user_object(users.user(record))])


@routes.put(
    "/users/{user_id}",
    roles=ANY_ACCOUNT,
    body=schemas.UserSchema(),
    body_required=False,
    answers={200: json_schema.one(schemas.USER)},
    refuses=(
        *(EndpointUnknown, users.UserUnknown, users.UserForbidden),
        *(users.HookRefused, users.PasswordWrong, users.Busy, login_attempts.TooManyAttempts),
    ),
)
def put_user(request: Request, user_id: str) -> Reply:
    """Changes an account's own fields. An unknown account is refused before a bad body."""
    record = _find(request, user_id)
    changes = request.one()
    changed = users.change(
        record,
        changes,
        confirm=partial(_confirm, request),
        source=request.source,
        now=request.now,
    )
    if request.entry is not None:
        entry, names = request.entry.activity, users.changed_fields(record, changed)
        request.entry.activity = replace(entry, extra={**entry.extra, "changed": names})
    return reply([schemas.user_object(users.user(changed))])


@routes.post(
    "/internal/auth",
    roles=None,
    body=schemas.LoginSchema(),
    answers={200: json_schema.one(schemas.USER)},
    refuses=(users.CredentialsWrong, login_attempts.TooManyAttempts),
)
def post_auth(request: Request) -> Reply:
    """The console's login: the account of a password or an API key."""
    given = request.one()
    user = users.log_in(**given, source=request.source, now=request.now)
    return reply([schemas.user_object(user)])


def _find(request: Request, user_id: str) -> Record:
    """The account of the URL. Raises EndpointUnknown for what is no number, and what `find` raises."""
    if not _ID.fullmatch(user_id):
        raise EndpointUnknown(in_url(NOT_FOUND))
    return users.find(request.viewer, int(user_id))


def _confirm(request: Request) -> None:
    """Authenticates the request again, now that an account was read.

    So no key of after a rotation is shown to the one from before it. Raises KeyUnknown.
    """
    key, logas = request.headers["x-api-key"], request.headers.get("x-logas")
    service.confirm(key=key, logas=logas, now=request.now)
