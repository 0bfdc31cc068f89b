"""Who may do what: every operation of the contract, asked for by everybody [contract: Roles].

The operator `owner` has the taxi, the search app `hailer` has hailed it. A manager without a role of
its own manages the owner, and comes once as itself and once as the owner (`X-Logas`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from app import app
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import store as accounts
from chalicelib.taxis.vocabulary import Account, Role
from ops.cli import administration
from tests import factories
from tests.calls import Answer, Caller
from tests.taxis.hails.hail_factories import Scene, a_wish

pytestmark = pytest.mark.usefixtures("store")


class World(NamedTuple):
    """A taxi, a hail for it, and everybody who may come."""

    owner: Account
    owner_key: str
    taxi_id: str
    hail_id: str
    callers: Mapping[str, Caller]


def a_world() -> World:
    scene = Scene()
    hail = scene.hail()
    nobody, nobody_key = administration.add("nobody")
    assert nobody.roles == frozenset()
    _, manager_key = administration.add("manager")
    owner, owner_key = administration.add("operateur", manager="manager")
    return World(
        owner,
        owner_key,
        scene.taxi_id,
        hail.hail_id,
        {
            "anonymous": Caller(app),
            "nobody": Caller(app, key=nobody_key),
            "manager": Caller(app, key=manager_key),
            "owner": scene.as_operateur,
            "manager as owner": Caller(app, key=manager_key, logas="operateur"),
            "operateur": scene.caller("other operateur", Role.OPERATEUR)[1],
            "hailer": scene.as_moteur,
            "moteur": scene.caller("other moteur", Role.MOTEUR)[1],
            "both": scene.caller("both", Role.OPERATEUR, Role.MOTEUR)[1],
            "admin": scene.caller("admin", Role.ADMIN)[1],
            "stranger as owner": Caller(
                app, key=factories.an_account("stranger", Role.OPERATEUR)[1], logas="operateur"
            ),
        },
    )


CALLERS = (
    *("anonymous", "nobody", "manager", "owner", "manager as owner"),
    *("operateur", "hailer", "moteur", "both", "admin"),
)


def everybody(status: int) -> tuple[int, ...]:
    return (status,) * len(CALLERS)


ANY_ACCOUNT = (401, *(200,) * 9)
ADMINS = (401, *(403,) * 8, 200)

# What each caller is answered, in the order of `CALLERS`; an account and what it logs in as are one
# account, so the second of the two that registers something finds it there.
#                  anon  none  mgr  owner mgr+o oper  hailer moteur both admin
NEW_OF_OPERATORS = (401, 403, 403, 201, 200, 201, 403, 403, 201, 201)
TAXI_OF_OWNER = (401, 403, 403, 200, 200, 404, 403, 403, 404, 404)
PARTIES = (401, 403, 403, 200, 200, 200, 200, 200, 200, 200)
OWN_HAIL = (401, 403, 403, 200, 200, 403, 200, 403, 403, 200)
SELF_OR_ADMIN = (401, 403, 403, 200, 200, 403, 403, 403, 403, 200)
SEARCH_APPS = (401, 403, 403, 403, 403, 403, 200, 200, 200, 200)

ANSWERS: Mapping[str, tuple[int, ...]] = {
    "GET /": everybody(200),
    "GET /doc": everybody(200),
    "GET /health": everybody(200),
    "GET /swagger.json": everybody(200),
    "POST /internal/auth": everybody(200),
    "GET /users": ANY_ACCOUNT,
    "GET /users/{user_id}": SELF_OR_ADMIN,
    "PUT /users/{user_id}": SELF_OR_ADMIN,
    "POST /drivers": NEW_OF_OPERATORS,
    "POST /ads": NEW_OF_OPERATORS,
    "POST /vehicles": NEW_OF_OPERATORS,
    "POST /taxis": TAXI_OF_OWNER,
    "GET /taxis": PARTIES,
    "GET /taxis/all": (401, 403, 403, 200, 200, 200, 403, 403, 200, 200),
    "GET /taxis/{taxi_id}": TAXI_OF_OWNER,
    "PUT /taxis/{taxi_id}": TAXI_OF_OWNER,
    "POST /geotaxi": (401, 403, 403, 200, 200, 400, 403, 403, 400, 400),
    "POST /hails": (401, 403, 403, 403, 403, 403, 400, 400, 400, 400),  # it is hailed already
    "GET /hails": PARTIES,
    "GET /hails/{hail_id}": OWN_HAIL,
    "PUT /hails/{hail_id}": OWN_HAIL,
    "PUT /customers/{customer_id}": (401, 403, 403, 403, 403, 403, 200, 404, 404, 404),
    "GET /sessions": SEARCH_APPS,
    "GET /towns": PARTIES,
    "GET /zupc": ANY_ACCOUNT,
    "GET /zupc/live": ANY_ACCOUNT,
    "GET /stations/all": everybody(200),
    "GET /stations/stations.csv": everybody(200),
    "GET /stations/stations.json": everybody(200),
    "GET /stats/taxis": ADMINS,
    "GET /stats/hails": ADMINS,
    "GET /stats/groupements": ADMINS,
    "GET /stats/adsmap": ADMINS,
    "GET /stats/groups": ADMINS,
    "GET /stats/managers": ADMINS,
    "GET /stats/searches": ADMINS,
    "GET /stats/heatmap_hails": ADMINS,
    "GET /stats/heatmap_taxis": ADMINS,
    "GET /stats/heatmap_searches": ADMINS,
    "GET /stats/letaxi": everybody(200),
    "GET /internal/customers": ADMINS,
    "GET /activity_logs": ADMINS,
}


def body_of(operation: str, world: World) -> dict[str, Any]:
    """A good body: of the world's taxi where one is spoken of."""
    return {
        "POST /internal/auth": {"email": "operateur", "apikey": world.owner_key},
        "POST /drivers": factories.a_driver(professional_licence="new"),
        "POST /ads": factories.an_ads(numero="new"),
        "POST /vehicles": factories.a_vehicle(licence_plate="NE-001-WW"),
        "POST /taxis": factories.a_taxi(
            numero="1", licence_plate="AA-001-BB", professional_licence="1"
        ),
        "POST /geotaxi": {"positions": [{"taxi_id": world.taxi_id, "lon": 2.35, "lat": 48.86}]},
        "POST /hails": a_wish(world.taxi_id, customer_id="somebody else"),
    }.get(operation, {})


def ask(operation: str, caller: Caller, world: World) -> Answer:
    verb, path = operation.split()
    path = path.format(
        user_id=world.owner.id, taxi_id=world.taxi_id, hail_id=world.hail_id, customer_id="somebody"
    )
    if verb == "GET":
        where = {"lon": 2.35, "lat": 48.86} if path in ("/taxis", "/zupc") else {}
        return caller.get(path, **where)
    send = caller.post if verb == "POST" else caller.put
    return send(path, body_of(operation, world))


@pytest.mark.parametrize("operation", ANSWERS)
def test_everybody_is_answered_as_the_contract_says(operation: str) -> None:
    world = a_world()

    answers = {name: ask(operation, world.callers[name], world) for name in CALLERS}
    stranger = ask(operation, world.callers["stranger as owner"], world)

    found = {name: answer.status for name, answer in answers.items()}
    assert found == dict(zip(CALLERS, ANSWERS[operation], strict=True))
    assert stranger.status == found["anonymous"]  # a name opens nothing that a key does not
    if found["anonymous"] == 401:
        assert answers["anonymous"].errors == {"": ["Header X-Api-Key required."]}
    if found["nobody"] == 403 and "{user_id}" not in operation:
        assert "permissions" in answers["nobody"].errors[""][0]


def test_every_operation_of_the_app_has_its_row() -> None:
    served = {
        f"{verb} {path}" for path, verbs in app.table.items() for verb in verbs if verb != "HEAD"
    }

    assert served - ANSWERS.keys() == {"PUT /taxis/all"}  # `all` is a taxi's id there
    assert ANSWERS.keys() - served == set()
    assert len(ANSWERS) == 42  # of the reference, and GET /health


def test_a_role_that_is_asked_for_is_the_admins_own() -> None:
    """An account that is only an admin passes as one, and has no fleet of its own to list."""
    _, key = administration.add("admin only", roles=[Role.ADMIN])
    record = administration.find("admin only")
    alone = replace(record.account, roles=frozenset({Role.ADMIN}))  # the command gives it two more
    accounts.put(replace(record, account=alone), before=record)
    admin = Caller(app, key=key)

    assert admin.get("/hails").status == 200
    assert admin.get("/taxis/all").status == 403
