"""A `curl` command for an operation of the API document: pure."""

import json
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

Json = Mapping[str, Any]  # a piece of the document


def command(verb: str, path: str, operation: Json) -> str:
    """The command, with the examples of what must be given; `$registry` and `$key` are the reader's own."""
    given = [one for one in operation["parameters"] if one.get("required")]
    query = {}
    for one in given:
        if one["in"] == "path":
            path = path.replace(f"{{{one['name']}}}", quote(str(one["example"]), safe=""))
        elif one["in"] == "query":
            query[one["name"]] = one["example"]
    url = f'"$registry{path}{f"?{urlencode(query)}" if query else ""}"'
    parts = ["curl", "-s", *([] if verb == "GET" else ["-X", verb]), url]
    if operation["security"]:
        parts += ["-H", '"X-Api-Key: $key"']
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        body = json.dumps(content.get("example", {"data": [{}]}), ensure_ascii=False)
        parts += ["-H", shlex.quote(f"Content-Type: {media_type}"), "-d", shlex.quote(body)]
    return " ".join(parts)
