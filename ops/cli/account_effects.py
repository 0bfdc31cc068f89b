"""What a change of an account would do beside what its words say, to be asked about before it is done."""

from collections.abc import Iterator, Mapping

from chalicelib.taxis.access import rules
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role


def of_adding(
    there: rules.Record, roles: frozenset[Role], others: Mapping[str, object]
) -> Iterator[str]:
    """What `account add` would do to an account that is there; `others` are its other new values, by name."""
    new = sorted(rules.implied(roles) - there.account.roles)
    told = [f"{name} {value}" for name, value in others.items() if value is not None]
    if new:
        told.insert(0, f"also the role {', '.join(new)}")
    changes = f", and give it {'; '.join(told)}" if told else ""
    yield f"There is an account {there.account.email!r} already: this would show its key{changes}."


def of_opening(
    email: str, before: Account | None, *, roles: frozenset[Role], manager: Account | None
) -> Iterator[str]:
    """Who could act as an admin that could not before, once an account has these roles and this manager."""
    if Role.ADMIN not in rules.implied(roles):
        return
    was_admin = before is not None and before.has(Role.ADMIN)
    had_it = (
        was_admin and before is not None and manager is not None and before.manager_id == manager.id
    )
    if manager is not None and not manager.has(Role.ADMIN) and not had_it:
        yield f"{manager.email} could do all that an admin may, for it would manage {email}, an admin."
    is_open_to_all = (
        settings().integration_enabled and email == settings().integration_account_email
    )
    if is_open_to_all and not was_admin:
        yield f"Everybody could do all that an admin may, for all may act as {email}."
