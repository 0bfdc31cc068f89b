"""An operator of the registry, with its towns, its vehicle, its ADS and its driver."""

from collections.abc import Callable

import pytest

from chalicelib.foundation.http.application import Application
from chalicelib.taxis.contract import LeTaxi
from chalicelib.taxis.positions import routes as positions
from chalicelib.taxis.registry import routes as registry
from chalicelib.taxis.vocabulary import Role
from tests import factories
from tests.calls import Caller
from tests.taxis.access.conftest import aws_calls

__all__ = ["aws_calls", "call", "operator", "taxi_id"]

Call = Callable[..., Caller]


@pytest.fixture
def call(store: None) -> Call:  # noqa: ARG001  # where its accounts are
    """Makes an account of a name, an operator unless other roles are given, and calls as it."""
    factories.known_towns()
    app = Application("tests", LeTaxi())
    app.serve(registry.routes, positions.routes)

    def calling(
        email: str, *roles: Role, logas: str | None = None, manager: str | None = None
    ) -> Caller:
        _, key = factories.an_account(email, *roles, manager=manager)
        return Caller(app, key=key, logas=logas)

    return calling


@pytest.fixture
def operator(call: Call) -> Caller:
    """An operator that has a vehicle, an ADS and a driver, and no taxi yet."""
    caller = call("operator")
    factories.register_parts(caller)
    return caller


@pytest.fixture
def taxi_id(operator: Caller) -> str:
    """The taxi that they make."""
    made: str = operator.post("/taxis", factories.a_taxi()).data[0]["id"]
    return made
