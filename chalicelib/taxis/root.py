"""Route of `GET /`: a redirect to the installation's console, or a word on what is here."""

from html import escape

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import HTML, Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request
from chalicelib.taxis.settings import settings

routes = Routes()

_HERE = """<!doctype html>
<html lang="en">
<title>Registry of available taxis</title>
<p>This is the API of a registry of available taxis: <a href="/doc">how it is used</a>, and the same
<a href="/swagger.json">as OpenAPI</a>.</p>
"""


@routes.get(
    "/",
    roles=None,
    answers={200: json_schema.Sent(None, HTML), 302: json_schema.Sent(None, HTML)},
)
def get_root(_: Request) -> Reply:
    """Redirects to the console, where the installation has one [contract: Root and documentation].

    For now, not for good (301): a browser would go on to it after the setting has changed.
    """
    there = settings().console_url
    if not there:
        return Reply(200, _HERE, {"Content-Type": HTML})
    body = f'<!doctype html>\n<title>Redirecting</title>\n<p><a href="{escape(there)}">{escape(there)}</a></p>\n'
    return Reply(302, body, {"Content-Type": HTML, "Location": there})
