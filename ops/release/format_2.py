"""Handler before the API's on the emulated cloud, whose HTTP API sends payload format 2.0 whatever is asked for.

The rehearsal puts it into the package; it makes the event one of format 1.0 (`ops/local/payload.py`).
"""

from typing import Any

from ops.local import payload


def format_1(event: dict[str, Any]) -> dict[str, Any]:
    """The event in payload format 1.0."""
    about = event["requestContext"]
    return payload.event(
        about["http"]["method"],
        event["rawPath"],
        event["rawQueryString"],
        event["headers"],
        event.get("body"),
        encoded=event["isBase64Encoded"],
        source=about["http"]["sourceIp"],
        request_id=about["requestId"],
    )


def handle(event: dict[str, Any], context: object) -> Any:  # noqa: ANN401  # Lambda's
    """The application's answer. Both formats take the same, as long as no header has several values."""
    from app import app  # the package's; here it would make an application

    return app(format_1(event), context)
