"""`GET /`: where a person who opens the registry's address is sent."""

from app import app
from chalicelib.taxis.settings import settings
from tests.calls import Caller


def test_a_person_is_sent_to_the_console() -> None:
    answer = Caller(app).get("/")

    assert (answer.status, answer.headers["Location"]) == (301, settings().console_url)
    assert f'<a href="{settings().console_url}">' in answer.text
