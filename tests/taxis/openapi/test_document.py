"""`/swagger.json` and `/doc`: valid, whole, and one with what the routes do."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import openapi_spec_validator
import pytest
from marshmallow import Schema, fields

from app import app
from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.json_schema import TEXT, WHOLE, one, record
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Route, Routes
from chalicelib.taxis.contract import LeTaxi
from chalicelib.taxis.envelope import Request, reply
from chalicelib.taxis.openapi import curl, words
from chalicelib.taxis.openapi.document import document
from chalicelib.taxis.openapi.page import page
from chalicelib.taxis.openapi.recipes import recipes
from chalicelib.taxis.vocabulary import Role
from tests import factories
from tests.calls import Caller

# Bodies that drop what they do not know, as the contract says.
REFERENCES = {"AdsReferenceSent", "VehicleReferenceSent", "DriverReferenceSent"}
OPEN_BODIES = {"NewTaxiSent", "TaxiChangeSent", *REFERENCES}

PATHS = Caller(app).get("/swagger.json").json["paths"]


class Word(Schema):
    """A body for these tests; makes nothing of it."""

    word = fields.String(required=True)


def an_app(*, answer: str = "Thing") -> Application:
    routes = Routes()

    @routes.post(
        "/things",
        roles=(Role.ADMIN,),
        body=Word(),
        answers={201: one(record(answer, {"size": WHOLE}))},
    )
    def post_thing(request: Request) -> Reply:
        """Keeps <b>bold</b> & other things. Twice."""
        return reply([{"size": len(request.one()["word"])}], status=201)

    @routes.get("/words", roles=None, answers={200: one(record("Found", {"word": TEXT}))})
    def get_word(_: Request) -> Reply:
        return reply([{"word": 1}])

    @routes.get("/odd", roles=None, answers={})
    def get_odd(_: Request) -> Reply:
        return Reply(202, "{}")

    app = Application("tests", LeTaxi())
    app.serve(routes)
    return app


def test_it_is_valid_openapi_3_1() -> None:
    answer = Caller(app).get("/swagger.json")

    assert answer.headers["Content-Type"] == "application/json"
    assert answer.json["openapi"] == "3.1.0"
    openapi_spec_validator.validate(answer.json)


def test_it_documents_every_route_but_the_path_that_only_seems_to_be_one() -> None:
    routed = {
        (path, verb.lower())
        for path, verbs in app.table.items()
        for verb in verbs
        if verb != "HEAD"
    }
    documented = {(path, verb) for path, verbs in PATHS.items() for verb in verbs}

    assert routed - documented == {("/taxis/all", "put")}
    assert documented <= routed


def test_citations_of_the_code_are_not_shown_to_partners() -> None:
    cited = [view for verbs in app.table.values() for view in verbs.values() if _cites(view)]
    text = json.dumps(Caller(app).get("/swagger.json").json)

    assert cited
    assert not re.search(r"\[[a-z-]+: ", text)


def _cites(route: Route) -> bool:
    return "[contract: " in (route.view.__doc__ or "")


def test_a_body_is_described_by_the_schema_that_reads_it() -> None:
    made = document(an_app().table)

    operation = made["paths"]["/things"]["post"]
    data = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]["data"]
    assert data["items"] == {"$ref": "#/components/schemas/WordSent"}
    assert made["components"]["schemas"]["WordSent"] == {
        "type": "object",
        "properties": {"word": {"type": "string"}},
        "required": ["word"],
        "additionalProperties": False,
        "description": "A body for these tests.",
    }


def test_two_shapes_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two different shapes are called Found"):
        document(an_app(answer="Found").table)


def test_limits_that_are_settings_are_those_of_this_deployment() -> None:
    schemas = document(app.table)["components"]["schemas"]

    radius = schemas["TaxiChangeSent"]["properties"]["radius"]
    assert (radius["minimum"], radius["maximum"]) == (150, 500)
    assert schemas["BatchSent"]["properties"]["positions"]["maxItems"] == 50


def test_keys_roles_and_refusals_are_told() -> None:
    post_hail = PATHS["/hails"]["post"]

    assert post_hail["security"] == [{"ApiKeyAuth": []}]
    assert post_hail["x-roles"] == ["admin", "moteur"]
    assert post_hail["tags"] == ["client"]
    assert set(post_hail["responses"]) == {
        *("201", "400", "401", "403", "404", "409", "413", "429", "500", "503"),
    }
    assert "banned" in post_hail["responses"]["403"]["description"]
    assert {"X-Logas", "Idempotency-Key"} == {one["name"] for one in post_hail["parameters"]}
    assert PATHS["/stations/all"]["get"]["security"] == []


def test_whoever_calls_with_a_key_is_told_that_it_may_be_used_too_often() -> None:
    for verbs in PATHS.values():
        for operation in verbs.values():
            told = operation["responses"].get("429", {"description": ""})
            assert ("key is used too often" in told["description"]) is bool(operation["security"])


def test_an_answer_that_no_document_names_fails_a_test() -> None:
    with pytest.raises(AssertionError, match="answered 202"):
        Caller(an_app()).get("/odd")
    with pytest.raises(ValueError, match='1 is not of type "string"'):
        Caller(an_app()).get("/words")


class _Links(HTMLParser):
    """What a page links to, and the names that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.to: list[str] = []
        self.names: list[str] = []
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("href", "src"):
                self.to.append(value or "")
            if name == "id":
                self.names.append(value or "")


def test_the_page_needs_no_file_of_any_host() -> None:
    answer = Caller(app).get("/doc")

    found = _Links(answer.text)
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert (
        "default-src 'none'; style-src 'unsafe-inline'" in answer.headers["Content-Security-Policy"]
    )
    assert {to for to in found.to if not to.startswith("#")} == {"/swagger.json"}
    assert not found.tags & {"script", "link", "img", "iframe", "object"}
    assert not re.search(r"url\(|@import", answer.text)


def test_every_link_of_the_page_leads_somewhere_and_every_operation_is_there() -> None:
    found = _Links(Caller(app).get("/doc").text)

    inside = {to[1:] for to in found.to if to.startswith("#")}
    assert inside <= set(found.names)
    assert len(found.names) == len(set(found.names))
    operations = sum(len(verbs) for verbs in PATHS.values())
    assert (
        sum(name.startswith(("get-", "post-", "put-")) or name == "get" for name in found.names)
        == operations
    )


class _Opened(HTMLParser):
    """The names that lie within the closed part of a <details>: browsers open it for a link to them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inside: set[str] = set()
        self._open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if "details" in self._open and "summary" not in self._open:
            self.inside |= {value or "" for name, value in attrs if name == "id"}
        if tag in ("details", "summary"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in ("details", "summary"):
            self._open.remove(tag)


def test_a_link_opens_what_it_points_to() -> None:
    text = Caller(app).get("/doc").text

    linked = {to[1:] for to in _Links(text).to if to.startswith("#")}
    assert linked <= _Opened(text).inside


def test_the_recipes_name_operations_of_the_document_and_the_settings_of_this_deployment() -> None:
    told = recipes()

    operations = {f"{verb.upper()} {path}" for path, verbs in PATHS.items() for verb in verbs}
    assert {step for steps in told.values() for step, _ in steps} <= operations
    assert "silent for 120 seconds" in json.dumps(told)
    assert all(side in Caller(app).get("/doc").text for side in told)


@pytest.mark.usefixtures("store")
def test_every_operation_has_a_command_that_asks_for_it() -> None:
    _, key = factories.an_account("everything", Role.ADMIN, Role.OPERATEUR, Role.MOTEUR)
    for path, verbs in PATHS.items():
        for verb, operation in verbs.items():
            asked = typed(curl.command(verb.upper(), path, operation), key)

            answer = Caller(app).send(*asked)
            # On an empty registry most things are not found, which says that they were asked for rightly.
            unknown = any(
                words in answer.text for words in ("Identifiant de taxi inconnu", "Invalid cred")
            )
            assert unknown or answer.status not in (400, 401, 405, 500), (asked, answer.text)
            assert "API endpoint not found" not in answer.text, asked
            assert asked[0] == verb.upper()


def typed(command: str, key: str) -> tuple[str, str, str | None, dict[str, str]]:
    """What a shell makes of a command: verb, path, body and headers."""
    shown = f'curl() {{ printf "%s\\0" "$@"; }}; registry= key={key}; {command}'
    ran = subprocess.run(["bash", "-c", shown], capture_output=True, check=True)  # noqa: S607
    words = ran.stdout.decode().removesuffix("\0").split("\0")
    verb, body, headers, rest = "GET", None, {}, []
    more = iter(words)
    for word in more:
        if word == "-X":
            verb = next(more)
        elif word == "-d":
            body = next(more)
        elif word == "-H":
            name, value = next(more).split(": ", 1)
            headers[name] = value
        else:
            rest.append(word)
    [silent, path] = rest
    assert silent == "-s"
    return verb, path, body, headers


def test_the_page_links_to_the_guides_where_they_are_published() -> None:
    made = document(an_app().table)

    assert (
        "https://guides.example/a?b&c" in _Links(page(made, {}, "https://guides.example/a?b&c")).to
    )
    assert "Guides" not in page(made, {})


def test_texts_are_escaped_on_the_page() -> None:
    table = {path: verbs for path, verbs in an_app().table.items() if path == "/things"}

    shown = page(document(table), {})

    assert "&lt;b&gt;bold&lt;/b&gt; &amp; other things" in shown
    assert "<b>bold</b>" not in shown


def test_what_writes_documents_is_loaded_only_when_one_is_asked_for() -> None:
    script = "import sys, app\nassert 'apispec' not in sys.modules\nassert 'chalicelib.taxis.openapi.document' not in sys.modules\n"

    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )

    assert ran.returncode == 0, ran.stderr


def test_every_field_and_parameter_is_described_and_no_words_are_left_over() -> None:
    made = document(app.table)

    assert [keys[0] for keys, field in words.fields_of(made) if not field.get("description")] == []
    assert set(words.known()) == words.describe(made)


def test_the_words_of_one_record_come_before_those_of_every_field_of_that_name() -> None:
    schemas = document(app.table)["components"]["schemas"]

    assert schemas["FoundTaxi"]["properties"]["crowfly_distance"] == {
        "type": "number",
        "description": "Distance from the taxi to the customer as the crow flies, in metres",
        "examples": [42.8201],
    }
    assert schemas["HailLine"]["properties"]["creation_datetime"]["description"] == (
        "When the hail was made. UTC, without an offset"
    )
    assert schemas["TaxiVehicle"]["properties"]["color"]["description"] == "Colour of the vehicle"
    assert schemas["FoundVehicle"]["properties"]["color"]["description"].startswith("Always empty")


def test_answers_may_have_new_fields_and_bodies_may_not() -> None:
    made = document(app.table)

    schemas = made["components"]["schemas"]
    assert [name for name in schemas if schemas[name].get("additionalProperties") is False] == [
        name for name in schemas if name.endswith("Sent") and name not in OPEN_BODIES
    ]
    assert '"additionalProperties": false' in json.dumps(document(app.table, closed=True)["paths"])
    for verbs in made["paths"].values():
        for operation in verbs.values():
            assert '"additionalProperties": false' not in json.dumps(operation["responses"])
