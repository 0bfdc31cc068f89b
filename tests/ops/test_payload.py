"""Events of API Gateway's HTTP API, as the local gateway and the rehearsal make them."""

import base64
from typing import Any

import pytest
from chalice import Chalice, Response

from ops.local import payload
from ops.release.format_2 import format_1


def an_event(**changed: Any) -> dict[str, Any]:
    """A search, as the gateway hands it on."""
    about: dict[str, Any] = {
        "method": "GET",
        "path": "/taxis",
        "query": "lon=2.4&lon=2.5&lat=",
        "headers": {"x-api-key": "k", "user-agent": "curl"},
        "body": None,
        "encoded": False,
        "source": "192.0.2.1",
        "request_id": "r",
    }
    return payload.event(**about | changed)


def test_chalice_reads_the_event() -> None:
    app = Chalice("reads", configure_logs=False)
    seen: dict[str, Any] = {}

    def view() -> Response:
        request = app.current_request
        assert request is not None
        assert request.query_params is not None
        seen["lon"] = request.query_params.getlist("lon")
        seen["key"] = request.headers["X-Api-Key"]
        seen["method"] = request.method
        return Response("", status_code=204)

    app.route(payload.DEFAULT, methods=["GET"])(view)

    answer = app(an_event(), None)

    assert answer["statusCode"] == 204
    assert seen == {"lon": ["2.4", "2.5"], "key": "k", "method": "GET"}


def test_of_a_parameter_that_is_given_twice_the_event_has_both_values_and_the_last_one() -> None:
    found = an_event()

    assert found["multiValueQueryStringParameters"] == {"lon": ["2.4", "2.5"], "lat": [""]}
    assert found["queryStringParameters"] == {"lon": "2.5", "lat": ""}


def test_without_a_query_there_are_no_parameters() -> None:
    found = an_event(query="")

    assert found["multiValueQueryStringParameters"] is None
    assert found["queryStringParameters"] is None


@pytest.mark.parametrize(
    ("path", "handed_on"),
    [
        ("/customers/auth0%7C1", "/customers/auth0|1"),
        ("/customers/a%2Fb%3Fc", "/customers/a/b?c"),
        ("/customers/%C3%A9%20", "/customers/é "),
        ("/customers/a%257Cb", "/customers/a%257Cb"),
        ("/customers/100%25", "/customers/100%25"),
        ("/customers/a%b", "/customers/a%b"),
        ("/customers/%FF", "/customers/�"),
        ("//customers//", "//customers//"),
    ],
)
def test_a_path_is_handed_on_decoded_but_for_the_percent_sign(path: str, handed_on: str) -> None:
    assert payload.decoded(path) == handed_on


@pytest.mark.parametrize(
    "kind",
    ["application/json", "Application/JSON; charset=utf-8", "text/plain", "application/xml"],
)
def test_a_body_of_a_text_s_type_is_text(kind: str) -> None:
    assert payload.text("{é}".encode(), kind) == ("{é}", False)


@pytest.mark.parametrize("kind", ["", "application/x-www-form-urlencoded", "image/png"])
def test_a_body_of_any_other_type_is_in_base64(kind: str) -> None:
    assert payload.text(b"{}", kind) == (base64.b64encode(b"{}").decode(), True)


def test_bytes_that_are_no_text_are_in_base64_whatever_their_type_says() -> None:
    assert payload.text(b"\xff\x00", "application/json") == ("/wA=", True)


def test_no_body_is_none() -> None:
    assert payload.text(b"", "application/json") == (None, False)


# As in the developer guide of API Gateway, shortened:
# https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
FORMAT_2: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/taxis",
    "rawQueryString": "lon=2.4&lon=2.5&lat=",
    "headers": {"x-api-key": "k", "user-agent": "curl"},
    "queryStringParameters": {"lon": "2.4,2.5", "lat": ""},
    "requestContext": {
        "http": {
            "method": "GET",
            "path": "/taxis",
            "protocol": "HTTP/1.1",
            "sourceIp": "192.0.2.1",
            "userAgent": "curl",
        },
        "requestId": "r",
        "routeKey": "$default",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}


def test_an_event_of_format_2_becomes_that_of_format_1() -> None:
    assert format_1(FORMAT_2) == an_event()


def test_a_body_of_format_2_stays_as_it_is() -> None:
    found = format_1(FORMAT_2 | {"body": "e30=", "isBase64Encoded": True})

    assert (found["body"], found["isBase64Encoded"]) == ("e30=", True)
