"""Routes of `GET /`, the installation's console or a word on what is here, and of `GET /health`."""

from html import escape

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation.errors import Unavailable, in_request
from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import HTML, Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.foundation.store import documents
from chalicelib.foundation.store.reads import StoreBusy
from chalicelib.taxis.envelope import Request, reply
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


class StoreSilent(Unavailable):
    """The store does not answer."""


@routes.get(
    "/health",
    roles=None,
    refuses=(StoreSilent,),
    answers={
        200: json_schema.one(json_schema.record("Health", {"status": json_schema.always("pass")}))
    },
)
def get_health(_: Request) -> Reply:
    """For monitors: whether requests are answered. Asks the store for next to nothing, each time."""
    try:
        documents.ask_for_none()
    except (BotoCoreError, ClientError, StoreBusy) as error:
        raise StoreSilent(in_request("The store does not answer.")) from error
    answer = reply([{"status": "pass"}])
    return Reply(answer.status, answer.body, {**answer.headers, "Cache-Control": "no-store"})
