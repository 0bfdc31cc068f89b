"""`GET /`: where a person who opens the registry's address is sent."""

from html import escape

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.messages import HTML, Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.settings import settings

routes = Routes()


@routes.get("/", roles=None, answers={301: json_schema.Sent(None, HTML)})
def get_root(_: Request) -> Reply:
    """Sends the caller to the console (letaxi-api 9)."""
    there = settings().console_url
    body = f'<!doctype html>\n<title>Redirecting</title>\n<p><a href="{escape(there)}">{escape(there)}</a></p>\n'
    return Reply(301, body, {"Content-Type": HTML, "Location": there})
