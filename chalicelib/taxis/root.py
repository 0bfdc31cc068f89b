"""Route of `GET /`: a redirect to the console."""

from html import escape

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import HTML, Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.settings import settings

routes = Routes()


@routes.get("/", roles=None, answers={301: json_schema.Sent(None, HTML)})
def get_root(_: Request) -> Reply:
    """Redirects to the console [contract: Root and documentation]."""
    there = settings().console_url
    body = f'<!doctype html>\n<title>Redirecting</title>\n<p><a href="{escape(there)}">{escape(there)}</a></p>\n'
    return Reply(301, body, {"Content-Type": HTML, "Location": there})
