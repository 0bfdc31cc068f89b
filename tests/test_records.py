"""What all models share."""

import pytest
from pynamodb.models import Model

from chalicelib import aws
from chalicelib.access.store import AccountRow
from chalicelib.hails.rows import HailRow
from chalicelib.registry.writes import connection


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("model", [AccountRow, HailRow])
def test_every_model_s_client_is_of_the_one_session(model: type[Model]) -> None:
    model._get_connection()
    theirs = model._connection.connection.session  # type: ignore[union-attr]  # it is there by now

    assert theirs is aws.session()
    assert connection().session is aws.session()
