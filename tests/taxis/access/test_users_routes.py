"""Accounts over HTTP: who sees whom, what may be changed, and the lists."""

from typing import Any

import boto3
import pytest

from chalicelib.foundation import clock, passwords
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.foundation.settings import table
from chalicelib.taxis.access import service, users
from chalicelib.taxis.access.rules import AccountFilter, Line, visible
from chalicelib.taxis.access.schemas import UserSchema
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from tests import factories
from tests.calls import Caller
from tests.taxis.access.conftest import Call

NOT_FOUND = {"url": ["API endpoint not found."]}
FORBIDDEN = {"url": ["You do not have the permissions to access this user."]}
KEY_REQUIRED = {"": ["Header X-Api-Key required."]}


def id_of(email: str) -> int:
    return administration.find(email).account.id


def path_of(email: str) -> str:
    return f"/users/{id_of(email)}"


def field_errors(answer: Any) -> Any:
    assert answer.status == 400, answer.text
    return answer.errors["data"]["0"]


# --- one account ---------------------------------------------------------------------------------


def test_an_account_sees_all_of_itself(call: Call) -> None:
    call("fleet", Role.MOTEUR)
    _, key = administration.add(
        "operator", roles=[Role.OPERATEUR, Role.MOTEUR], name="Taxis du Port", manager="fleet"
    )
    call("driver-app", manager="operator")
    operator = call("operator")

    answer = operator.get(path_of("operator"))

    assert answer.status == 200
    assert answer.data == [
        {
            "id": id_of("operator"),
            "name": "Taxis du Port",
            "email": "operator",
            "apikey": key,
            "roles": [{"name": "moteur"}, {"name": "operateur"}],
            "email_customer": "",
            "email_technical": "",
            "phone_number_customer": "",
            "phone_number_technical": "",
            "hail_endpoint_production": "",
            "operator_header_name": "",
            "operator_api_key": "",
            "manager": {"id": id_of("fleet"), "email": "fleet", "name": "fleet"},
            "managed": [{"id": id_of("driver-app"), "email": "driver-app", "name": "driver-app"}],
        }
    ]


@pytest.mark.parametrize("roles", [(Role.OPERATEUR,), (Role.MOTEUR,), (Role.GROUPEMENT,)])
@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_an_account_may_not_touch_another(call: Call, verb: str, roles: tuple[Role, ...]) -> None:
    call("other")
    caller = call("somebody", *roles)

    answer = caller.send(verb, path_of("other"), "{}" if verb == "PUT" else None)

    assert (answer.status, answer.errors) == (403, FORBIDDEN)


@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_an_admin_may_touch_every_account(call: Call, verb: str) -> None:
    call("other")
    boss = call("boss", Role.ADMIN)

    answer = boss.send(verb, path_of("other"), "{}" if verb == "PUT" else None)

    assert (answer.status, answer.data[0]["email"]) == (200, "other")


def test_a_manager_touches_a_managed_account_only_as_that_account(call: Call) -> None:
    manager = call("manager")
    call("managed", manager="manager")

    refused = manager.get(path_of("managed"))
    answered = call("manager", logas="managed").get(path_of("managed"))

    assert (refused.status, answered.status) == (403, 200)


@pytest.mark.parametrize("verb", ["GET", "PUT"])
def test_no_account_is_shown_without_a_key(call: Call, anonymous: Caller, verb: str) -> None:
    call("other")

    answer = anonymous.send(verb, path_of("other"), "{}" if verb == "PUT" else None)

    assert (answer.status, answer.errors) == (401, KEY_REQUIRED)


@pytest.mark.parametrize("roles", [(Role.ADMIN,), (Role.OPERATEUR,)])
def test_an_unknown_account_is_told_before_a_forbidden_one(
    call: Call, roles: tuple[Role, ...]
) -> None:
    somebody = call("somebody", *roles)

    for number in ("0", "999", "9" * 18):
        answer = somebody.get(f"/users/{number}")
        assert (answer.status, answer.errors) == (404, {"url": [f"User {number} not found."]})


def test_what_is_no_number_is_no_endpoint(call: Call) -> None:
    boss = call("boss", Role.ADMIN)

    for name in ("abc", "-1", "1.5", "9" * 5000):
        answer = boss.get(f"/users/{name}")
        assert (answer.status, answer.errors) == (404, NOT_FOUND), name


def test_an_unknown_or_forbidden_account_is_told_before_a_bad_body(call: Call) -> None:
    call("other")
    caller = call("somebody")
    bad = {"password": 12}

    assert caller.put("/users/999", bad).status == 404
    assert caller.put(path_of("other"), bad).status == 403


# --- changes -------------------------------------------------------------------------------------

WRITABLE = {
    "name": "Taxis du Port",
    "email_customer": "client@port.example",
    "email_technical": "tech@port.example",
    "phone_number_customer": "+33 1 00 00 00 00",
    "phone_number_technical": "01 00 00 00 01",
    "hail_endpoint_production": "https://93.184.216.34/hails",
    "operator_header_name": "X-Token",
    "operator_api_key": "mellon",
}


def test_what_an_account_says_of_itself_is_kept(call: Call) -> None:
    operator = call("operator")

    put = operator.put(path_of("operator"), WRITABLE)
    got = operator.get(path_of("operator"))

    assert put.status == 200
    assert put.data == got.data
    assert {name: got.data[0][name] for name in WRITABLE} == WRITABLE


def test_null_takes_a_text_away(call: Call) -> None:
    operator = call("operator")
    operator.put(path_of("operator"), WRITABLE)

    answer = operator.put(path_of("operator"), dict.fromkeys(WRITABLE))

    assert {name: answer.data[0][name] for name in WRITABLE} == dict.fromkeys(WRITABLE, "")
    assert operator.get(path_of("operator")).data == answer.data


def test_what_is_not_sent_stays(call: Call) -> None:
    operator = call("operator")
    before = operator.put(path_of("operator"), WRITABLE).data

    bodies = ("{}", '{"data": [{}]}')
    answers = [operator.send("PUT", path_of("operator"), body) for body in bodies]

    assert [(answer.status, answer.data) for answer in answers] == [(200, before)] * 2


def test_an_account_may_send_back_all_that_it_read(call: Call) -> None:
    call("fleet")
    operator = call("operator", manager="fleet")
    call("driver-app", manager="operator")
    read = operator.get(path_of("operator")).data[0]

    answer = operator.put(path_of("operator"), {**read, "name": "Other"})

    assert (answer.status, answer.data) == (200, [{**read, "name": "Other"}])


def test_roles_key_email_id_and_neighbours_cannot_be_changed(call: Call) -> None:
    operator = call("operator")
    before = operator.get(path_of("operator")).data

    answer = operator.put(
        path_of("operator"),
        {
            "id": 99,
            "email": "boss",
            "apikey": "mine",
            "roles": [{"name": "admin"}],
            "manager": {"id": 99, "email": "boss", "name": "boss"},
            "managed": [{"id": 98, "email": "x", "name": "x"}],
        },
    )

    assert (answer.status, answer.data) == (200, before)
    assert not administration.find("operator").account.has(Role.ADMIN)


BAD_FIELDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"commercial_name": "x"}, {"commercial_name": ["Unknown field."]}),
    ({"fleet_size": 3}, {"fleet_size": ["Unknown field."]}),
    ({"name": 12}, {"name": ["Not a valid string."]}),
    ({"name": "x" * 256}, {"name": ["Longer than maximum length 255."]}),
    ({"name": "a\0b"}, {"name": ["NUL characters are not permitted."]}),
    (
        {"phone_number_customer": "\0"},
        {"phone_number_customer": ["NUL characters are not permitted."]},
    ),
    ({"password": None}, {"password": ["Field may not be null."]}),
    ({"password": "1234567"}, {"password": ["Shorter than minimum length 8."]}),
    ({"roles": [{"id": 1}]}, {"roles": {"0": {"id": ["Unknown field."]}}}),
    ({"manager": {"apikey": "x"}}, {"manager": {"apikey": ["Unknown field."]}}),
    ({"managed": [{"roles": []}]}, {"managed": {"0": {"roles": ["Unknown field."]}}}),
    (
        {"operator_header_name": "a:b"},
        {"operator_header_name": ["This is not a valid header name."]},
    ),
    ({"operator_api_key": "a\nb"}, {"operator_api_key": ["This is not a valid header value."]}),
]


def test_a_bad_field_is_refused_at_its_place(call: Call) -> None:
    operator = call("operator")

    for element, tree in BAD_FIELDS:
        assert field_errors(operator.put(path_of("operator"), element)) == tree


@pytest.mark.parametrize("body", ['{"data": []}', '{"data": null}', '{"data": [null]}'])
def test_an_empty_envelope_is_refused(call: Call, body: str) -> None:
    assert call("operator").send("PUT", path_of("operator"), body).status == 400


@pytest.mark.parametrize(
    ("name", "is_legal"),
    [
        ("", True),
        ("X-Token", True),
        ("X-Jeton-é", False),
        ("X:Token", False),
        (" X-Token", False),
        ("X-Token\r\nEvil: 1", False),
        ("X-Token\n", False),
        ("X-Token ", False),
        ("X Token", False),
        ("X(Token)", False),
        ("X\tToken", False),
        ("x!#$%&'*+.^_`|~-9", True),
        ("Authorization", True),
        ("Transfer-Encoding ", False),
        ("Transfer-Encoding", False),
        ("CONNECTION", False),
        ("te", False),
        ("Host", False),
        ("Content-Length", False),
        ("Accept-Encoding", False),
    ],
)
def test_a_header_name_is_one_that_can_be_sent(name: str, *, is_legal: bool) -> None:
    faults = UserSchema().validate({"operator_header_name": name})

    assert list(faults) == ([] if is_legal else ["operator_header_name"])


@pytest.mark.parametrize(
    ("value", "is_legal"),
    [
        ("", True),
        ("a: b", True),
        ("a\tb", True),
        ("folded\r\n line", False),
        ("folded\n\tline", False),
        ("\x7f", False),
        ("é", False),
        ("x\r\nEvil: 1", False),
        ("x\n", False),
        ("x\rEvil", False),
    ],
)
def test_a_header_value_is_one_that_can_be_sent(value: str, *, is_legal: bool) -> None:
    faults = UserSchema().validate({"operator_api_key": value})

    assert list(faults) == ([] if is_legal else ["operator_api_key"])


INVALID, UNRESOLVED = "This endpoint is invalid.", "This URL could not be resolved."


NO_PLACES_FOR_HAILS = {
    "ftp://93.184.216.34/": INVALID,
    "hails": INVALID,
    "http://": INVALID,
    "http://127.0.0.1/": INVALID,
    "http://2130706433/": INVALID,
    "http://10.1.2.3:8080/hails": INVALID,
    "http://169.254.169.254/latest/meta-data": INVALID,
    "http://nowhere.invalid/": UNRESOLVED,
}


def test_hails_go_to_the_public_internet_only(call: Call) -> None:
    operator = call("operator")

    for url, text in NO_PLACES_FOR_HAILS.items():
        answer = operator.put(
            path_of("operator"), {"hail_endpoint_production": url, "name": "Other"}
        )
        assert field_errors(answer) == {"hail_endpoint_production": [text]}, url

    assert operator.get(path_of("operator")).data[0]["name"] == "operator"


def test_a_registry_on_a_desk_takes_webhooks_of_its_own_machine_besides_public_ones(
    call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARAUDE_ALLOW_LOOPBACK_HOOKS", "true")
    forget_settings()
    operator = call("operator")
    own = {"http://127.0.0.1:9000/", "http://[::1]/", "http://2130706433/"}

    kept = {
        url: operator.put(path_of("operator"), {"hail_endpoint_production": url})
        for url in (*own, *NO_PLACES_FOR_HAILS)
    }

    monkeypatch.undo()
    forget_settings()
    for url, answer in kept.items():
        if url in own or url.startswith("http://127."):
            assert answer.data[0]["hail_endpoint_production"] == url
        else:
            assert field_errors(answer) == {"hail_endpoint_production": [NO_PLACES_FOR_HAILS[url]]}


def test_hails_go_where_the_account_says(call: Call) -> None:
    call("operator").put(path_of("operator"), WRITABLE)

    hook = service.hook_of(id_of("operator"), now=clock.now())
    assert hook is not None
    assert hook[:3] == (WRITABLE["hail_endpoint_production"], "X-Token", "mellon")


def test_a_password_is_kept_only_as_a_hash_and_shown_never(call: Call) -> None:
    answer = call("operator").put(path_of("operator"), {"password": "correct horse"})

    kept = administration.find("operator").password
    items = boto3.client("dynamodb").scan(TableName=table("accounts"))["Items"]
    assert passwords.matches("correct horse", kept)
    assert "correct horse" not in str(items)
    assert "password" not in answer.data[0]
    assert kept not in answer.text


def test_an_empty_password_changes_nothing(call: Call) -> None:
    operator = call("operator")
    operator.put(path_of("operator"), {"password": "correct horse"})
    kept = administration.find("operator").password

    answer = operator.put(path_of("operator"), {"password": ""})

    assert answer.status == 200
    assert administration.find("operator").password == kept


def test_two_changes_at_once_are_both_kept(call: Call) -> None:
    call("operator")
    read_by_both = administration.find("operator")

    for field in ("name", "email_customer"):
        users.change(read_by_both, {field: "changed"}, now=clock.now())

    after = administration.find("operator")
    assert (after.name, after.email_customer) == ("changed", "changed")


# --- lists ---------------------------------------------------------------------------------------


def listed(caller: Caller, **query: object) -> list[str]:
    answer = caller.get("/users", **query)
    assert answer.status == 200, answer.text
    return [user["email"] for user in answer.data]


def test_no_list_without_a_key(anonymous: Caller) -> None:
    answer = anonymous.get("/users")

    assert (answer.status, answer.errors) == (401, KEY_REQUIRED)


@pytest.mark.parametrize("roles", [(Role.OPERATEUR,), (Role.MOTEUR,), (Role.GROUPEMENT,)])
def test_an_account_that_manages_none_has_an_empty_list(
    call: Call, roles: tuple[Role, ...]
) -> None:
    call("other")

    answer = call("somebody", *roles).get("/users")

    assert (answer.status, answer.data) == (200, [])
    assert answer.json["meta"] == {
        "next_page": None,
        "prev_page": None,
        "per_page": 30,
        "pages": 0,
        "total": 0,
    }


def test_a_manager_has_the_accounts_that_it_manages_with_their_keys(call: Call) -> None:
    manager = call("manager")
    _, key = factories.an_account("managed", manager="manager")
    call("below", manager="managed")
    call("other")

    answer = manager.get("/users")

    assert [(user["email"], user["apikey"]) for user in answer.data] == [("managed", key)]
    assert answer.data[0]["manager"] == {
        "id": id_of("manager"),
        "email": "manager",
        "name": "manager",
    }
    assert [user["email"] for user in answer.data[0]["managed"]] == ["below"]


def test_an_admin_has_all_accounts_as_each_sees_itself(call: Call) -> None:
    manager = call("manager")
    managed = call("managed", manager="manager")
    boss = call("boss", Role.ADMIN)

    answer = boss.get("/users")

    assert answer.data == [
        caller.get(path_of(email)).data[0]
        for caller, email in ((manager, "manager"), (managed, "managed"), (boss, "boss"))
    ]


def test_a_new_account_is_listed_at_the_next_request(call: Call) -> None:
    boss = call("boss", Role.ADMIN)
    manager = call("manager")
    assert (listed(boss), listed(manager)) == (["boss", "manager"], [])

    call("new", manager="manager")

    assert (listed(boss), listed(manager)) == (["boss", "manager", "new"], ["new"])


def test_a_new_name_is_listed_at_the_next_request(call: Call) -> None:
    call("manager")
    managed, manager = call("managed", manager="manager"), call("manager")

    managed.put(path_of("managed"), {"name": "Taxis du Port"})

    assert listed(manager, name="port") == ["managed"]
    assert manager.get(path_of("manager")).data[0]["managed"][0]["name"] == "Taxis du Port"


def test_an_account_leaves_the_list_of_the_manager_that_it_had(call: Call) -> None:
    one, other = call("one"), call("other")
    call("managed", manager="one")

    administration.add("managed", manager="other")

    assert (listed(one), listed(other)) == ([], ["managed"])


FINDINGS: list[tuple[dict[str, str], list[str]]] = [
    ({"email": "PORT"}, ["port", "airport"]),
    ({"name": "taxis"}, ["port"]),
    ({"name": "%"}, []),
    ({"manager": "OR"}, ["airport"]),
    ({"role": "moteur"}, ["airport", "boss"]),
    ({"role": "mot"}, []),
    ({"role": "prefecture"}, []),
    ({"email": "port", "role": "operateur"}, ["port"]),
    ({"email": "", "name": "", "manager": "", "role": ""}, ["port", "airport", "boss"]),
]


def test_an_admin_finds_accounts_by_email_name_manager_and_role(call: Call) -> None:
    administration.add("port", roles=[Role.OPERATEUR], name="Taxis")
    call("airport", Role.MOTEUR, manager="port")
    boss = call("boss", Role.ADMIN)

    for query, emails in FINDINGS:
        assert listed(boss, **query) == emails, query


def test_a_manager_asks_for_names_but_not_for_managers_or_roles(call: Call) -> None:
    manager = call("manager")
    call("one", manager="manager")
    call("two", manager="manager")

    assert listed(manager, email="ONE") == ["one"]
    assert listed(manager, name="two") == ["two"]
    assert listed(manager, manager="nobody", role="admin") == ["one", "two"]


def test_of_any_list_an_account_sees_only_those_that_it_manages() -> None:
    lines = [Line(number, f"account{number}", "", frozenset(), number - 1) for number in (2, 3)]

    for viewer_id, ids in ((1, [2]), (2, [3]), (3, [])):
        viewer = Account(viewer_id, "viewer", frozenset({Role.OPERATEUR}))
        assert [line.id for line in visible(lines, AccountFilter(), viewer=viewer)] == ids


BAD_QUERIES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"size": "5"}, {"size": ["Unknown field."]}),
    ({"p": "x"}, {"p": {"0": ["Not a valid integer."]}}),
    ({"p": ["1", "2"]}, {"p": ["Argument `p` is specified more than once"]}),
    *(
        (
            {name: ["a", "b"]},
            {"_schema": [f"Argument `{name}` should not be specified more than once"]},
        )
        for name in ("email", "name", "manager", "role")
    ),
]


def test_a_bad_query_is_refused(call: Call) -> None:
    somebody = call("somebody")

    for query, tree in BAD_QUERIES:
        answer = somebody.get("/users", **query)
        assert (answer.status, answer.errors) == (400, tree), query


def test_pages_hold_thirty_accounts_by_id(call: Call) -> None:
    boss = call("boss", Role.ADMIN)
    for number in range(30, 0, -1):
        administration.add(f"account{number}")

    pages = [boss.get("/users", p=page) for page in (0, 1, 2, 3)]

    ids = [[user["id"] for user in page.data] for page in pages]
    assert ids[0] == ids[1]
    assert [len(page) for page in ids] == [30, 30, 1, 0]
    assert ids[1] + ids[2] == sorted(ids[1] + ids[2])
    assert pages[2].json["meta"] == {
        "next_page": None,
        "prev_page": 1,
        "per_page": 30,
        "pages": 2,
        "total": 31,
    }
    assert pages[3].json["meta"]["total"] == 31


def test_an_admins_page_is_read_in_two_calls_between_two_of_its_key(
    call: Call, aws_calls: list[str]
) -> None:
    boss = call("boss", Role.ADMIN)
    for number in range(5):
        administration.add(f"account{number}", manager="boss")
    boss.get("/users")
    aws_calls.clear()

    assert len(listed(boss)) == 6

    assert aws_calls == ["BatchGetItem", "Query", "BatchGetItem", "BatchGetItem"]
