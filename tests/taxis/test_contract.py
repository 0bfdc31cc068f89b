"""The body gate, the envelope, the order of checks, and the answers that are nobody's view."""

import json
from typing import Any

import pytest
from chalice.local import LambdaContext
from hypothesis import given
from hypothesis import strategies as st
from marshmallow import Schema, fields

from chalicelib.foundation import errors
from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.refusals import listed
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.contract import LeTaxi, parsed
from chalicelib.taxis.envelope import Paged, Request, meta, reply
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.local import payload
from tests.calls import Answer, Caller

JSON = {"Content-Type": "application/json"}


class Thing(Schema):
    """A body for these tests."""

    size = fields.Integer(required=True)
    inner = fields.Nested({"word": fields.String()})


class Gone(errors.Conflict):
    """A refusal for these tests."""


def an_app() -> Application:
    routes = Routes()

    @routes.post("/things", roles=(Role.OPERATEUR,), body=Thing())
    def post_thing(request: Request) -> Reply:
        return reply([request.one()], status=201)

    @routes.put("/things/{thing_id}", roles=None, body=Thing(partial=True), body_required=False)
    def put_thing(request: Request, thing_id: str) -> Reply:
        return reply([{"id": thing_id, **request.one()}])

    @routes.get("/things", roles=None, query=Paged())
    def get_things(request: Request) -> Reply:
        request.parameters()
        return reply([], meta=meta(page=request.page(), total=61))

    @routes.get("/viewer", roles=())
    def get_viewer(request: Request) -> Reply:
        return reply([request.viewer.email])

    @routes.get("/broken", roles=None)
    def get_broken(_: Request) -> Reply:
        raise RuntimeError("a fault of ours with the secret word mellon")

    @routes.post("/gone", roles=None)
    def post_gone(_: Request) -> Reply:
        raise Gone(errors.in_body("ads.insee", "moved"), errors.in_body("ads.numero", "moved"))

    @routes.get("/geotaxi", roles=None)
    def get_nothing(_: Request) -> Reply:
        return reply([])

    app = Application("tests", LeTaxi())
    app.serve(routes)
    return app


@pytest.fixture
def client() -> Caller:
    return Caller(an_app())


def errors_of(response: Answer) -> Any:
    return response.errors


NOT_JSON = {"": ["No data provided, or data is not valid JSON."]}
NO_TYPE = {"": ["PUT requests require to set the Content-Type header to application/json"]}


@pytest.mark.parametrize(
    ("body", "tree"),
    [
        (b"", NOT_JSON),
        (b"{", NOT_JSON),
        (b"\xff\xfe", NOT_JSON),
        (b'{"data":[{"inner":{"word":"\\ud800"}}]}', NOT_JSON),
        (b'{"data":[{"inner":{"word":"\xed\xa0\x80"}}]}', NOT_JSON),
        (b"[" * 100_000, NOT_JSON),
        (b'{"data":[{"size":' + b"1" * 5000 + b"}]}", NOT_JSON),
        (b"null", {"_schema": ["Invalid input type."]}),
        (b"[]", {"_schema": ["Invalid input type."]}),
        (b'"x"', {"_schema": ["Invalid input type."]}),
        (b"12", {"_schema": ["Invalid input type."]}),
        (b'{"data":null}', {"data": ["Field may not be null."]}),
        (b'{"data":{}}', {"data": ["Not a valid list."]}),
        (b'{"data":[]}', {"data": ["data should be a list of one element."]}),
        (b'{"data":[{},{}]}', {"data": ["data should be a list of one element."]}),
        (b'{"data":[null]}', {"data": {"0": ["Field may not be null."]}}),
        (b'{"data":["x"]}', {"data": {"0": {"_schema": ["Invalid input type."]}}}),
        (b'{"data":[{}],"more":1}', {"more": ["Unknown field."]}),
        (b'{"data":[{"size":"x"}]}', {"data": {"0": {"size": ["Not a valid integer."]}}}),
        (b'{"data":[{"size":NaN}]}', {"data": {"0": {"size": ["Not a valid integer."]}}}),
        (
            b'{"data":[{"inner":{"word":1}}]}',
            {"data": {"0": {"inner": {"word": ["Not a valid string."]}}}},
        ),
        (b'{"data":[{"other":1}]}', {"data": {"0": {"other": ["Unknown field."]}}}),
    ],
)
def test_a_body_that_is_not_as_the_contract_says_is_refused(
    client: Caller, body: bytes, tree: dict[str, Any]
) -> None:
    response = client.send("PUT", "/things/a", headers=JSON, body=body)

    assert (response.status, errors_of(response)) == (400, tree)


@pytest.mark.usefixtures("store")
def test_an_empty_object_stands_for_no_change_only_where_nothing_is_required(
    client: Caller,
) -> None:
    _, key = administration.add("op", roles=[Role.OPERATEUR])

    changed = client.send("PUT", "/things/a", headers=JSON, body=b"{}")
    made = client.send("POST", "/things", headers={**JSON, "X-Api-Key": key}, body=b"{}")

    assert changed.status == 200
    assert errors_of(made) == {"data": ["Missing data for required field."]}


TEXTS = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
        st.sampled_from([10**400, -(2**63) - 1, 5e-324, -0.0]),
    ),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
).map(lambda value: json.dumps(value, ensure_ascii=len(repr(value)) % 2 == 0))


@given(
    text=TEXTS,
    cut=st.integers(0, 400),
    put=st.sampled_from(["", "1", "\\ud83d", ",", '"', "\ufeff"]),
)
def test_json_is_read_as_the_standard_library_reads_it(text: str, cut: int, put: str) -> None:
    sent = (text[:cut] + put + text[cut:]).encode(errors="surrogatepass")
    try:
        read = json.loads(sent)
        json.dumps(read, ensure_ascii=False).encode()
    except ValueError:
        with pytest.raises(ValueError):  # noqa: PT011  # whichever of the two refuses it
            parsed(sent)
        return

    assert repr(parsed(sent)) == repr(read)


@pytest.mark.parametrize("said", ["text/html", "application/x-www-form-urlencoded", ""])
def test_a_body_that_is_not_said_to_be_json_is_refused(client: Caller, said: str) -> None:
    response = client.send("PUT", "/things/a", headers={"Content-Type": said}, body=b"{}")

    assert (response.status, errors_of(response)) == (400, NO_TYPE)


@pytest.mark.parametrize("headers", [{}, {"content-type": "application/json; charset=utf-8"}])
def test_json_may_be_left_unsaid_or_said_with_parameters(
    client: Caller, headers: dict[str, str]
) -> None:
    assert client.send("PUT", "/things/a", headers=headers, body=b"{}").status == 200


def test_a_body_over_the_limit_is_refused(client: Caller) -> None:
    response = client.send("PUT", "/things/a", headers=JSON, body=b" " * 1_048_577)

    assert response.status == 413


def test_the_body_gate_stands_before_routing_and_keys(client: Caller) -> None:
    assert client.send("POST", "/nowhere", headers=JSON, body=b"{").status == 400
    assert client.send("POST", "/things", headers=JSON, body=b"{").status == 400
    assert client.send("POST", "/nowhere", headers=JSON, body=b"{}").status == 404


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_a_path_that_no_route_has_is_a_json_404(client: Caller, method: str) -> None:
    body = b"{}" if method == "PATCH" else b""
    response = client.send(method, "/no/such/place", headers=JSON, body=body)

    assert (response.status, errors_of(response)) == (
        404,
        {"url": ["API endpoint not found."]},
    )


@pytest.mark.parametrize("verb", ["DELETE", "TRACE", "BREW"])
def test_another_verb_is_a_json_405_that_names_the_verbs(client: Caller, verb: str) -> None:
    response = client.send(verb, "/things/a")

    assert (response.status, errors_of(response)) == (
        405,
        {"url": ["This endpoint only accepts requests of type: OPTIONS, PUT."]},
    )


def test_another_verb_of_a_path_declared_with_a_slash_is_a_404_without_it(client: Caller) -> None:
    assert client.send("DELETE", "/geotaxi").status == 404
    assert client.send("DELETE", "/geotaxi/").status == 405


def test_a_trailing_slash_is_answered_directly(client: Caller) -> None:
    assert client.send("GET", "/things/").status == 200
    response = client.send("PUT", "/things/caf%C3%A9/", headers=JSON, body=b"{}")
    assert response.data == [{"id": "café"}]


@pytest.mark.parametrize(
    ("sent", "meant"),
    [("auth0%7C1", "auth0|1"), ("auth0|1", "auth0|1"), ("a%257Cb", "a%7Cb"), ("100%25", "100%")],
)
def test_a_parameter_of_a_path_is_decoded_once(client: Caller, sent: str, meant: str) -> None:
    response = client.send("PUT", f"/things/{sent}", headers=JSON, body=b"{}")

    assert response.data == [{"id": meant}]


@pytest.mark.parametrize("handed_on", ["/things/auth0%7C1", "/things/auth0|1"])
def test_a_path_is_the_event_s_whether_its_gateway_decodes_it_or_not(handed_on: str) -> None:
    event = payload.event(
        "PUT", handed_on, "", JSON, "{}", encoded=False, source="192.0.2.1", request_id="r"
    )
    event["requestContext"]["path"] = "/prod/things/other"
    event["pathParameters"] = {"proxy": "things/another"}

    answer = an_app()(event, LambdaContext("api", 256))

    assert json.loads(answer["body"])["data"] == [{"id": "auth0|1"}]


def test_an_encoded_slash_is_a_slash_as_on_aws(client: Caller) -> None:
    assert client.send("PUT", "/things/a%2Fb", headers=JSON, body=b"{}").status == 404


def test_head_is_get_without_its_body(client: Caller) -> None:
    response = client.send("HEAD", "/things")

    assert (response.status, response.text) == (200, "")


def test_a_preflight_needs_no_key_and_echoes_what_it_asks(client: Caller) -> None:
    asked = {"Origin": "https://console.example", "Access-Control-Request-Headers": "x-api-key"}

    response = client.send("OPTIONS", "/things", headers=asked)

    assert (response.status, response.text) == (200, "")
    assert response.headers["Access-Control-Allow-Origin"] == "https://console.example"
    assert response.headers["Access-Control-Allow-Headers"] == "x-api-key"
    assert "PATCH" in response.headers["Access-Control-Allow-Methods"]


def test_refusals_carry_cors_headers_too(client: Caller) -> None:
    assert client.send("GET", "/nowhere").headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("method", "path", "headers", "kept"),
    [
        ("GET", "/things", {}, True),
        ("HEAD", "/things", {}, True),
        ("GET", "/things", {"X-Api-Key": "wrong"}, False),
        ("GET", "/viewer", {"x-api-key": "wrong"}, False),
        ("GET", "/nowhere", {"X-API-KEY": "wrong"}, False),
        ("PUT", "/things/a", JSON, False),  # as a login is
        ("POST", "/things", {}, False),
        ("BREW", "/things", {}, False),
    ],
)
def test_no_cache_keeps_what_a_key_opens_or_a_request_changes(
    client: Caller, method: str, path: str, headers: dict[str, str], *, kept: bool
) -> None:
    response = client.send(method, path, headers=headers, body=b"{}")

    assert response.headers.get("Cache-Control") == (None if kept else "no-store")
    assert response.headers["Vary"] == "Origin, Cookie, X-Api-Key, X-Logas"


def test_a_preflight_varies_on_the_headers_that_it_asks_for(client: Caller) -> None:
    assert (
        client.send("OPTIONS", "/things")
        .headers["Vary"]
        .endswith(", X-Logas, Access-Control-Request-Headers")
    )


def test_a_gateway_that_answers_by_itself_is_given_the_headers_of_every_answer() -> None:
    asked = {"origin": "https://console.example", "x-request-id": "mine"}

    headers = an_app().own_headers("GET", asked)

    assert headers == {
        "Access-Control-Allow-Origin": "https://console.example",
        "Vary": "Origin, Cookie, X-Api-Key, X-Logas",
        "X-Request-Id": "mine",
    }
    assert an_app().own_headers("GET", {})["X-Request-Id"].isalnum()


def test_a_refusal_shows_every_fault_at_its_place(client: Caller) -> None:
    response = client.send("POST", "/gone", headers=JSON, body=b"{}")

    assert (response.status, errors_of(response)) == (
        409,
        {"data": {"0": {"ads": {"insee": ["moved"], "numero": ["moved"]}}}},
    )


def test_of_very_many_faults_the_first_are_shown_known_fields_before_unknown_ones() -> None:
    unknown = {f"field{number}": ["Unknown field."] for number in range(200_000)}

    shown = listed({**unknown, "data": {0: {**unknown, "size": ["Not a valid integer."]}}})

    assert shown["data"] == {"0": {"size": ["Not a valid integer."]}}
    assert shown[""] == ["399901 more errors are not listed."]
    assert len(shown) == 1 + 99 + 1


def test_a_hundred_faults_are_all_shown() -> None:
    tree = {"": ["a"], **{f"field{number}": ["Unknown field."] for number in range(99)}}

    assert listed(tree) == tree
    assert listed({**tree, "one": ["b", "c"]})[""] == ["a", "1 more errors are not listed."]


@pytest.mark.usefixtures("store")
def test_a_refusal_is_never_much_longer_than_what_it_refuses() -> None:
    _, key = administration.add("op", roles=[Role.OPERATEUR])
    caller = Caller(an_app(), key=key)
    bodies = {
        "many names": {f"é{number}": None for number in range(40_000)},
        "one name": {"é" * 200_000: 1},
        "names inside": {"data": [{f"n{number}": 1 for number in range(40_000)}]},
    }

    for what, body in bodies.items():
        sent = json.dumps(body, ensure_ascii=False).encode()
        answer = caller.send("POST", "/things", headers=JSON, body=sent)
        assert answer.status == 400, what
        assert len(answer.text) < 10_000, what


def test_a_fault_of_ours_is_a_json_500_whose_id_is_in_the_log(
    client: Caller, caplog: pytest.LogCaptureFixture
) -> None:
    response = client.send("GET", "/broken", headers={"X-Request-Id": "abc-1"})

    assert response.status == 500
    assert "Internal server error" in errors_of(response)[""][0]
    assert "mellon" not in response.text
    assert response.headers["X-Request-Id"] == "abc-1"
    assert "abc-1" in caplog.text
    assert "RuntimeError" in caplog.text
    assert "get_broken" in caplog.text
    assert "mellon" not in caplog.text


def test_an_id_that_could_break_a_log_line_is_replaced(client: Caller) -> None:
    response = client.send("GET", "/things", headers={"X-Request-Id": 'x" , "status": 200'})

    assert response.headers["X-Request-Id"].isalnum()


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"prev_page": None, "next_page": 2}),
        ("?p=0", {"prev_page": None, "next_page": 2}),
        ("?p=-4", {"prev_page": None, "next_page": 2}),
        ("?p=3", {"prev_page": 2, "next_page": None}),
        ("?p=9", {"prev_page": 8, "next_page": None}),
    ],
)
def test_pages_are_counted_as_the_contract_says(
    client: Caller, query: str, expected: dict[str, int | None]
) -> None:
    meta = json.loads(client.send("GET", f"/things{query}").text)["meta"]

    assert meta == {"per_page": 30, "pages": 3, "total": 61, **expected}


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("p=x", {"p": {"0": ["Not a valid integer."]}}),
        ("p=", {"p": {"0": ["Not a valid integer."]}}),
        ("p=1&p=2", {"p": ["Argument `p` is specified more than once"]}),
        ("q=1", {"q": ["Unknown field."]}),
    ],
)
def test_a_query_that_the_list_does_not_take_is_refused(
    client: Caller, query: str, tree: dict[str, Any]
) -> None:
    response = client.send("GET", f"/things?{query}")

    assert (response.status, errors_of(response)) == (400, tree)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("headers", "text"),
    [
        ({}, "Header X-Api-Key required."),
        ({"X-Logas": "op"}, "Header X-Api-Key required."),
        ({"X-Api-Key": ""}, "Header X-Api-Key not valid."),
        ({"X-Api-Key": "nobody's"}, "Header X-Api-Key not valid."),
        ({"X-Api-Key": "n", "X-Logas": "op"}, "Header X-Api-Key and/or X-Logas not valid."),
    ],
)
def test_a_caller_that_is_not_known_is_told_which_header_is_wrong(
    client: Caller, headers: dict[str, str], text: str
) -> None:
    response = client.send("GET", "/viewer", headers=headers)

    assert (response.status, errors_of(response)) == (401, {"": [text]})
    assert response.headers["WWW-Authenticate"] == ' realm="Authentication Required"'


@pytest.mark.usefixtures("store")
def test_a_known_caller_without_the_role_is_refused_before_its_body_is_looked_at(
    client: Caller,
) -> None:
    _, key = administration.add("app", roles=[Role.MOTEUR])

    response = client.send(
        "POST", "/things", headers={**JSON, "X-Api-Key": key}, body=b'{"data":[]}'
    )

    assert response.status == 403
    assert "permissions" in errors_of(response)[""][0]


@pytest.mark.usefixtures("store")
def test_keys_are_sorted_and_letters_escaped_on_the_wire(client: Caller) -> None:
    _, key = administration.add("opérateur")

    response = client.send("GET", "/viewer", headers={"X-Api-Key": key})

    assert response.text == '{"data":["op\\u00e9rateur"]}\n'


class Curt(LeTaxi):
    """A contract whose faults are not in the envelope of le.taxi."""

    def fault(self, request_id: str) -> Reply:  # noqa: ARG002  # it says nothing
        return Reply(500, "sorry", {"Content-Type": "text/plain"})


def test_a_fault_is_told_and_logged_once_in_whatever_form_the_contract_has(
    caplog: pytest.LogCaptureFixture,
) -> None:
    routes = Routes()

    @routes.get("/broken", roles=None)
    def get_broken(_: Request) -> Reply:
        raise RuntimeError("a fault of ours")

    app = Application("tests", Curt())
    app.serve(routes)
    about = {"httpMethod": "GET", "resourcePath": "$default", "path": "/broken", "identity": {}}
    event = {"path": "/broken", "headers": {}, "requestContext": about, "pathParameters": None}
    event |= {"body": None, "stageVariables": None, "multiValueQueryStringParameters": None}

    answer = app(event, None)

    assert (answer["statusCode"], answer["body"]) == (500, "sorry")
    assert [record.name for record in caplog.records if "request_failed" in record.message] == [
        "maraude.http"
    ]
