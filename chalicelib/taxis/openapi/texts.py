"""What the API document says in words: summaries, roles and groups of operations, from docstrings."""

import re
from typing import Any

from chalicelib.foundation.http.routes import Route
from chalicelib.taxis.vocabulary import Role

TAGS = {
    "operator": "For operators: drivers' back-offices.",
    "client": "For search apps: customers' back-offices.",
    "both": "For operators and search apps.",
    "admin": "For the registry's staff.",
    "public": "For anybody, without a key.",
}

# Where a docstring names the rule that it follows, which is not for partners.
_CITATION = re.compile(r" \[[a-z-]+: [^\]]+\]")


def plain(docstring: str | None) -> str:
    """A docstring on one line, without citations."""
    return _CITATION.sub("", " ".join((docstring or "").split()))


def summary(route: Route) -> dict[str, Any]:
    """Summary, description and roles of a route."""
    short, _, more = plain(route.view.__doc__).partition(". ")
    if route.roles is None:
        who = "Needs no key."
    elif route.roles:
        who = f"For the roles {', '.join(sorted(route.roles))}."
    else:
        who = "For any account."
    return {
        "summary": short.rstrip("."),
        "description": f"{more} {who}".strip(),
        "x-roles": None if route.roles is None else sorted(route.roles),
    }


def tag(route: Route) -> str:
    """The group of a route, one of `TAGS`."""
    if route.roles is None:
        return "public"
    partners = route.roles & {Role.OPERATEUR, Role.MOTEUR}
    if route.roles and not partners:
        return "admin"
    if len(partners) == 1:
        return "operator" if Role.OPERATEUR in partners else "client"
    return "both"


def first_line(documented: type[object]) -> str:
    """A class's description for readers of the API document."""
    text = plain((documented.__doc__ or "").partition("\n\n")[0])
    return text.partition("; ")[0].rstrip(".") + "."
