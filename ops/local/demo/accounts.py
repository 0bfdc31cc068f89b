"""Accounts of the demonstration: added once, found again, and never made by who only looks."""

from dataclasses import dataclass

from chalicelib.foundation import sealing
from chalicelib.taxis.access.rules import Record
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.errors import CannotGoOn
from ops.local.client import Client
from ops.local.demo import fleet as demo


class AccountUnfit(CannotGoOn):
    """The account cannot play this part."""


@dataclass(frozen=True, slots=True)
class Accounts:
    """The demonstration's accounts."""

    operator: Record
    group: Record
    search_app: Record
    integration: Record  # that the official console's two simulators act as
    admin: Record
    driver_app: Record


def emails() -> tuple[str, ...]:
    """The e-mails, in the order of `Accounts`."""
    integration = settings().integration_account_email
    return demo.OPERATOR, demo.GROUP, demo.SEARCH_APP, integration, demo.ADMIN, demo.DRIVER_APP


def add() -> Accounts:
    """Adds those that are missing; those that are there get the roles and the manager that they lack."""
    operator, group, search_app, integration, admin, driver_app = emails()
    administration.add(admin, roles=[Role.ADMIN], name="Administration de démonstration")
    for email, name in ((operator, "Taxis de démonstration"), (group, "Taxis du tour de Paris")):
        administration.add(
            email,
            roles=[Role.OPERATEUR, Role.GROUPEMENT],
            name=name,
            manager=admin,
            fleet_size=demo.FLEET_SIZES[email],
        )
    administration.add(search_app, roles=[Role.MOTEUR], name="Appli de démonstration")
    administration.add(
        integration, roles=[Role.OPERATEUR, Role.MOTEUR], name="Simulateurs de la console"
    )
    administration.add(driver_app, roles=[Role.EDITEUR], name="Logiciel de démonstration")
    return find()


def find() -> Accounts:
    """Those there are. Raises AccountUnknown where one is missing."""
    return Accounts(*map(administration.find, emails()))


def fit(email: str, role: Role) -> Record:
    """The account, which is active and has the role. Raises AccountUnfit."""
    try:
        record = administration.find(email)
    except administration.AccountUnknown:
        raise AccountUnfit(
            f"There is no account {email!r}; `maraude account list` shows those there are."
        ) from None
    if not record.account.active:
        raise AccountUnfit(f"{email} is suspended: `maraude account resume {email}` first.")
    if not record.account.has(role):
        raise AccountUnfit(
            f"{email} has not the role {role}: `maraude account add {email} --role {role}` gives it."
        )
    return record


def key_of(record: Record) -> str:
    """The API key of an account."""
    return sealing.unseal(record.sealed_key)


def client_of(record: Record, url: str, *, agent: str = "maraude") -> Client:
    """Calls the API as this account."""
    return Client(url, key_of(record), agent=agent)


def send_hails_to(addresses: dict[str, str]) -> None:
    """Sends the hails of these accounts to these addresses from now on; `""` is no address."""
    for email, address in addresses.items():
        administration.add(email, hook=(address, "", ""))
