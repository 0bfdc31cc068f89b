"""`GET /`: where a person who opens the registry's address is sent."""

from collections.abc import Iterator

import pytest
from botocore.exceptions import EndpointConnectionError

from app import app
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import BadSetting, read
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.taxis.settings import Settings
from tests.calls import Caller


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An installation's own console."""
    url = "https://console.example/fr/?a=1&b=2"
    monkeypatch.setenv("MARAUDE_CONSOLE_URL", url)
    forget_settings()
    yield url
    monkeypatch.undo()
    forget_settings()


def test_a_person_is_sent_to_the_installation_s_console(console: str) -> None:
    answer = Caller(app).get("/")

    assert (answer.status, answer.headers["Location"]) == (302, console)
    assert 'href="https://console.example/fr/?a=1&amp;b=2"' in answer.text


def test_where_there_is_no_console_nobody_is_sent_to_another_host() -> None:
    answer = Caller(app).get("/")

    assert answer.status == 200
    assert "Location" not in answer.headers
    assert "://" not in answer.text
    assert '<a href="/doc">' in answer.text


@pytest.mark.parametrize("url", ["console.example", "javascript:alert(1)", "https://a b", "/doc"])
@pytest.mark.parametrize("variable", ["MARAUDE_CONSOLE_URL", "MARAUDE_GUIDES_URL"])
def test_what_is_at_no_address_is_named(variable: str, url: str) -> None:
    with pytest.raises(BadSetting, match=variable):
        read(Settings, {variable: url})


@pytest.mark.usefixtures("store")
def test_a_monitor_is_told_that_the_store_answers() -> None:
    answer = Caller(app).get("/health")

    assert (answer.status, answer.data) == (200, [{"status": "pass"}])
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_monitor_is_told_that_the_store_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise EndpointConnectionError(endpoint_url="https://dynamodb.example")

    monkeypatch.setattr(clients.dynamodb(), "batch_get_item", refuse)
    answer = Caller(app).get("/health")

    assert (answer.status, answer.errors) == (503, {"": ["The store does not answer."]})
