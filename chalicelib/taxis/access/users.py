"""Accounts as callers see them: listing, changing one's own, logging in [contract: Accounts] [contract: Console login]."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from msgspec import Struct

from chalicelib.foundation import login_attempts, passwords, sealing
from chalicelib.foundation.errors import (
    Fault,
    Forbidden,
    Malformed,
    Part,
    Unavailable,
    Unidentified,
    Unknown,
    in_body,
    in_request,
    in_url,
)
from chalicelib.foundation.outbound import addresses
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import hooks, lists, rules, store
from chalicelib.taxis.access.rules import AccountFilter, Line
from chalicelib.taxis.activity import service as activity
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Action, Activity, Resource, Role

RETRY = Retry(tries=6)  # of a change that others are in the way of: a quarter of a second in all
LOOK_UP_S = 3  # the name of a webhook's host


class UserUnknown(Unknown):
    """No account has this id."""


class UserForbidden(Forbidden):
    """The account is somebody else's."""


class HookRefused(Malformed):
    """The webhook's URL may not be called."""


class PasswordWrong(Malformed):
    """The password that the account has was not sent, or another one was."""


class Busy(Unavailable):
    """The account kept changing; the request may be sent again."""


class CredentialsWrong(Unidentified):
    """No account that may log in has this e-mail with this password or key."""


class User(Struct, frozen=True):
    """An account with its manager and the accounts that it manages. Its secrets are in clear."""

    record: rules.Record
    manager: Line | None
    managed: Sequence[Line]

    @property
    def api_key(self) -> str:
        """The account's API key, in clear."""
        return sealing.unseal(self.record.sealed_key)

    @property
    def operator_api_key(self) -> str:
        """The value of its webhook's own header, in clear."""
        return hooks.header_value(self.record)


def list_users(
    viewer: Account, filters: AccountFilter, *, page: int, per_page: int
) -> tuple[list[User], int]:
    """A page of the accounts that the viewer may see, by id, and how many there are in all.

    Two calls for an admin, who reads the list of all; for a manager one more an account on the page.
    """
    is_admin = viewer.has(Role.ADMIN)
    lines = lists.every() if is_admin else lists.managed_by(viewer.id)
    found = rules.visible(lines, filters, viewer=viewer)
    shown = found[(page - 1) * per_page : page * per_page]
    if not shown:
        return [], len(found)
    read = store.by_ids({viewer.id, *(line.id for line in shown)})
    records = {record.account.id: record for record in read}
    managers = {line.id: line for line in (*lines, records[viewer.id].line)}

    def managed_by(manager: Line) -> Sequence[Line]:
        if not is_admin:
            return lists.managed_by(manager.id)
        return [line for line in lines if line.manager_id == manager.id]

    users = [
        User(
            records[line.id],
            None if line.manager_id is None else managers.get(line.manager_id),
            managed_by(line),
        )
        for line in shown
    ]
    return users, len(found)


def find(viewer: Account, user_id: int) -> rules.Record:
    """An account that is the viewer's own, or any for admins. Raises UserUnknown, UserForbidden."""
    record = store.by_id(user_id)
    if record is None:
        raise UserUnknown(in_url(f"User {user_id} not found."))
    if viewer.id != user_id and not viewer.has(Role.ADMIN):
        raise UserForbidden(in_url("You do not have the permissions to access this user."))
    return record


def user(record: rules.Record) -> User:
    """The account with its manager and the accounts that it manages."""
    manager_id = record.account.manager_id
    manager = None if manager_id is None else store.by_id(manager_id)
    return User(record, manager.line if manager else None, lists.managed_by(record.account.id))


def change(
    record: rules.Record,
    changes: Mapping[str, str],
    *,
    confirm: Callable[[], object] = lambda: None,
    source: str = "",
    now: datetime,
) -> rules.Record:
    """Changes an account's own fields; `password` is in clear, and empty for no change.

    `current_password`, where there is one, is the one that the account has, `source` the caller's address.
    `confirm` is called after the account was read, and once more where it has to be read again: what it finds
    right is so when the change is stored, unless the account changed. Raises PasswordWrong, TooManyAttempts,
    HookRefused, Busy, and what `confirm` raises.
    """
    fields: dict[str, Any] = dict(changes)
    _check_password(record, fields, source=source, now=now)
    _check_hook(fields.get("hail_endpoint_production", ""))
    if password := fields.pop("password", ""):
        fields["password"] = passwords.hashed(password)
    current: rules.Record | None = record
    for attempt in RETRY.attempts():
        if attempt:
            current = store.by_id(record.account.id)
        if current is None:
            break
        confirm()
        changed = hooks.changed(current, fields)
        if changed == current:
            return current
        with suppress(store.RecordMoved):
            return store.put(changed, before=current, unheld_at=now)
    raise Busy(in_request("The account is being changed. Please try again."))


def _check_password(
    record: rules.Record, fields: dict[str, Any], *, source: str, now: datetime
) -> None:
    """Takes `current_password` out of the fields, and holds it to the one that the account has, if it has one.

    Without it, and where the installation asks for it, what opens the account or takes its hails elsewhere
    stays as it is. Raises PasswordWrong, TooManyAttempts.
    """
    given = fields.pop("current_password", None)
    if not record.password:
        return
    if given is None:
        if settings().password_confirms and _is_grave(record, fields):
            raise PasswordWrong(in_body("current_password", "Missing data for required field."))
        return
    email = record.account.email
    login_attempts.take(email, source, now=now)
    if not passwords.matches(given, record.password):
        raise PasswordWrong(in_body("current_password", "This is not the account's password."))
    login_attempts.give_back(email, source, now=now)


def _is_grave(record: rules.Record, fields: Mapping[str, Any]) -> bool:
    """Whether this changes the password or the webhook; the console sends back all that it has read."""
    hook = {name: value for name, value in fields.items() if name in hooks.FIELDS}
    return bool(fields.get("password")) or hooks.changed(record, hook) != record


def changed_fields(before: rules.Record, after: rules.Record) -> list[str]:
    """The names of an account's fields that a change has changed, never what they hold."""
    return [
        name
        for name in rules.Record.__struct_fields__
        if name != "version" and getattr(before, name) != getattr(after, name)
    ]


def _check_hook(url: str) -> None:
    """Validates a webhook's URL [contract: Webhook addresses]. Raises HookRefused."""
    if not url:
        return
    loopback = settings().allow_loopback_hooks
    try:
        addresses.resolve(addresses.read(url), timeout_s=LOOK_UP_S, allow_loopback=loopback)
    except addresses.EndpointRefused as error:
        raise HookRefused(in_body("hail_endpoint_production", str(error))) from error


def log_in(
    email: str,
    *,
    password: str = "",
    api_key: str = "",
    referrer: int | None = None,
    source: str,
    now: datetime,
) -> User:
    """The account of an e-mail and a password, or an e-mail and an API key.

    `referrer` is the account that the caller had before, `source` the address that they call from.
    An unknown account takes as long as a known one. Raises TooManyAttempts, CredentialsWrong.
    """
    login_attempts.take(email, source, now=now)
    record = store.by_email(email)
    known = record if record is not None and record.account.active else None
    if password:
        is_right = passwords.matches(password, known.password if known else "")
    else:
        digest = sealing.digest(api_key)
        is_right = known is not None and known.opens_with(digest, now=now)
    if known is None or not is_right:
        raise CredentialsWrong(Fault(Part.BODY, ("",), "Invalid credentials."))
    login_attempts.give_back(email, source, now=now)
    if password and passwords.is_weak(known.password):
        anew = replace(known, password=passwords.hashed(password))
        with suppress(store.RecordMoved):  # it may have another password by now, or none
            known = store.put(anew, before=known, unheld_at=now)
    activity.record(
        Activity(
            now,
            Resource.USER,
            str(known.account.id),
            Action.LOGIN_PASSWORD if password else Action.LOGIN_APIKEY,
            {"referrer": referrer},
        )
    )
    return user(known)
