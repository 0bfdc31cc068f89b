"""Events of API Gateway's HTTP API in payload format 1.0, of a request that its `$default` route takes.

The form is that of
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html;
what that page leaves open is as others saw it on AWS: the path comes decoded, but for `%25`
(https://github.com/middleapi/standard-server/pull/93, MiniStack's `decode_http_api_path`), and a body is text
only where its type says so (https://github.com/ministackorg/ministack/pull/766). Imports the standard library only: on
the emulated cloud it lies beside the application (`ops/release/format_2.py`).
"""

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, unquote

DEFAULT = "$default"
TEXT = frozenset({"application/javascript", "application/json", "application/xml"})


def event(
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: str | None,
    *,
    encoded: bool,
    source: str,
    request_id: str,
) -> dict[str, Any]:
    """The event of a request; `path` is `decoded`, `query` is not, `body` is in base64 where `encoded` says so."""
    parameters = parse_qs(query, keep_blank_values=True)
    return {
        "version": "1.0",
        "resource": DEFAULT,
        "path": path,
        "httpMethod": method,
        "headers": dict(headers),
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "queryStringParameters": {name: values[-1] for name, values in parameters.items()} or None,
        "multiValueQueryStringParameters": parameters or None,
        "requestContext": {
            "httpMethod": method,
            "identity": {"sourceIp": source, "userAgent": headers.get("user-agent")},
            "path": path,
            "protocol": "HTTP/1.1",
            "requestId": request_id,
            "resourceId": None,
            "resourcePath": DEFAULT,
            "stage": DEFAULT,
        },
        "pathParameters": None,
        "stageVariables": None,
        "body": body,
        "isBase64Encoded": encoded,
    }


def decoded(path: str) -> str:
    """A path as the gateway hands it on: each escape is decoded, but for `%25`, the sign itself."""
    return unquote(re.sub("%25", "%2525", path))


def text(body: bytes, content_type: str) -> tuple[str | None, bool]:
    """A body as the event has it, and whether that is in base64."""
    kind = content_type.partition(";")[0].strip().lower()
    if not body:
        return None, False
    if kind.startswith("text/") or kind in TEXT:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            pass  # not text, whatever its type says: the application must still see its bytes
    return base64.b64encode(body).decode(), True
