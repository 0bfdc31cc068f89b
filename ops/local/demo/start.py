"""What the start page of a local system says of the taxi registry: the demonstration's logins, and the console."""

from collections.abc import Mapping

from chalicelib.foundation import clock
from chalicelib.taxis.access import service
from chalicelib.taxis.settings import settings
from ops.cli.administration import AccountUnknown
from ops.local import start_page
from ops.local.demo import accounts
from ops.local.server import Pages
from ops.local.start_page import Login


def pages() -> Pages:
    """The start page and the guides."""
    return start_page.pages(logins, lambda: settings().console_url, start_page.running)


def account_of(headers: Mapping[str, str]) -> str:
    """The e-mail of a request's key, and whom it acts as; nothing where it has opened nothing."""
    key, logas = headers.get("x-api-key"), headers.get("x-logas")
    if not key or not service.is_familiar(key):
        return ""
    owner = service.owner_of(key, now=clock.now())
    if owner is None:
        return ""
    return f"{owner.email} as {logas}" if logas and logas != owner.email else owner.email


def logins() -> list[Login]:
    """The demonstration's accounts, none where it does not run."""
    if "demo" not in start_page.running():
        return []
    try:
        those = accounts.find()
    except AccountUnknown:
        return []
    return [
        Login(record.account.email, what, accounts.key_of(record))
        for record, what in (
            (those.search_app, "search app: searches and hails taxis"),
            (those.operator, "operator of 220 taxis in Paris"),
            (those.group, "operator of 80 taxis of the towns round it"),
            (those.admin, "admin: accounts, statistics, journal"),
            (those.integration, "the console's two simulators act as this one"),
        )
    ]
