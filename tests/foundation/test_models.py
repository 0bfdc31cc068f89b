"""What all models share."""

import pytest
from botocore.awsrequest import AWSPreparedRequest
from pynamodb.models import Model

from chalicelib.foundation.aws import clients
from chalicelib.foundation.store.writes import connection
from chalicelib.taxis.access.store import AccountRow
from chalicelib.taxis.hails.rows import HailRow


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("model", [AccountRow, HailRow])
def test_every_model_s_client_is_of_the_one_session(model: type[Model]) -> None:
    model._get_connection()
    theirs = model._connection.connection.session  # type: ignore[union-attr]  # it is there by now

    assert theirs is clients.session()
    assert connection().session is clients.session()


@pytest.mark.usefixtures("store")
def test_every_call_says_who_calls_in_one_word_that_is_not_spelled_anew() -> None:
    said = []

    def look(request: AWSPreparedRequest, **_: object) -> None:
        said.append(request.headers["User-Agent"])

    direct, transactions = clients.dynamodb(), connection()
    for client in (direct, transactions.client):
        client.meta.events.register_first("before-send.dynamodb.*", look)
    direct.list_tables()
    transactions.list_tables()

    assert said == [b"maraude", b"maraude"]
