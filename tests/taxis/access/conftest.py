"""An app with accounts, the console's login and the journal, and callers of it."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.client import BaseClient

from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.access.routes import routes as accounts
from chalicelib.taxis.activity.routes import routes as journal
from chalicelib.taxis.contract import LeTaxi
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.vocabulary import Role
from tests import factories
from tests.calls import Caller

Call = Callable[..., Caller]


def _others() -> Routes:
    """Two routes of other domains: one for operators, and the one that is called all the time."""
    routes = Routes()

    @routes.post("/things", roles=(Role.OPERATEUR,))
    def post_thing(_: Request) -> Reply:
        return Reply(201, "")

    @routes.post("/geotaxi", roles=(Role.OPERATEUR,))
    def post_positions(_: Request) -> Reply:
        return Reply(200, "")

    return routes


@pytest.fixture
def app(store: None) -> Application:  # noqa: ARG001  # where its accounts are
    """The app."""
    app = Application("tests", LeTaxi())
    app.serve(accounts, journal, _others())
    return app


@pytest.fixture
def anonymous(app: Application) -> Caller:
    """Calls without a key."""
    return Caller(app)


@pytest.fixture
def call(app: Application) -> Call:
    """Makes an account of a name, an operator unless other roles are given, and calls as it."""

    def calling(
        email: str, *roles: Role, logas: str | None = None, manager: str | None = None
    ) -> Caller:
        _, key = factories.an_account(email, *roles, manager=manager)
        return Caller(app, key=key, logas=logas)

    return calling


@pytest.fixture
def aws_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the calls of AWS from here on, whoever makes them."""
    names: list[str] = []
    really = BaseClient._make_api_call  # type: ignore[attr-defined]  # it is not in the stubs

    def noted(client: BaseClient, name: str, parameters: Any) -> Any:
        names.append(name)
        return really(client, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", noted)
    return names
