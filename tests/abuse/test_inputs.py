"""Whatever is sent to whichever operation: no fault of ours, and nothing of another partner's.

In every run a few thousand inputs, the same ones; `make abuse` sends `MARAUDE_ABUSE_INPUTS` of them.
"""

import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from app import app
from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import forget as forget_settings
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from tests import factories
from tests.abuse.inputs import A_BATCH, OPERATIONS, Input, batches
from tests.calls import Caller
from tests.conftest import empty_registry
from tests.taxis.hails.hail_factories import Scene

INPUTS = int(os.environ.get("MARAUDE_ABUSE_INPUTS", "2500"))
SEED = int(os.environ.get("MARAUDE_ABUSE_SEED", "5"))

# What is the owner's, the hailer's or their customer's alone, and short enough to be sure of.
SECRETS = {
    "a driver's name": "Quillfeather",
    "a licence of a driver": "PRO-77-4411",
    "a plate": "QZ-771-XK",
    "an ADS's owner": "Wimplethorpe",
    "a customer's phone": "0798989898",
    "a customer's address": "Impasse du Secret",
    "a customer": "customer-secret-1",
    "a webhook's secret": "hook-value-9f9f",
    "a technical e-mail": "night-shift@victim.example",
}


class World:
    """A partner with something to lose, and everybody who has no business with it."""

    def __init__(self) -> None:
        scene = Scene()
        administration.add(
            "operateur", hook=("https://1.1.1.1/", "X-Hook", SECRETS["a webhook's secret"])
        )
        owner = scene.as_operateur
        factories.register_parts(
            owner,
            driver={
                "last_name": SECRETS["a driver's name"],
                "professional_licence": SECRETS["a licence of a driver"],
            },
            ads={"numero": "victim", "owner_name": SECRETS["an ADS's owner"]},
            vehicle={"licence_plate": SECRETS["a plate"]},
        )
        made = owner.post(
            "/taxis",
            factories.a_taxi(
                numero="victim",
                licence_plate=SECRETS["a plate"],
                professional_licence=SECRETS["a licence of a driver"],
            ),
        )
        self.taxi_id: str = made.data[0]["id"]
        owner.put(f"/taxis/{self.taxi_id}", {"status": "free"})
        scene.report(self.taxi_id, at=scene.now)
        self.hail = scene.hail(
            taxi_id=self.taxi_id,
            customer_id=SECRETS["a customer"],
            customer_phone_number=SECRETS["a customer's phone"],
            customer_address=SECRETS["a customer's address"],
        )
        self.user = f"/users/{scene.operateur.id}"
        owner.put(self.user, {"email_technical": SECRETS["a technical e-mail"]})
        self.owner, self.hailer = owner, scene.as_moteur
        self.keys = {name: administration.add(name)[1] for name in ("operateur", "moteur")}
        self.named = {
            "taxi_id": self.taxi_id,
            "hail_id": self.hail.hail_id,
            "user_id": str(scene.operateur.id),
            "customer_id": SECRETS["a customer"],
        }
        both = scene.caller("both", Role.OPERATEUR, Role.MOTEUR)[1]
        # Who may do most comes most often, for what is refused at the door breaks nothing.
        self.strangers = [
            both,
            Caller(app),
            both,
            Caller(app, key="no such key"),
            both,
            Caller(app, key=administration.add("nobody")[1]),
            scene.caller("other operateur", Role.OPERATEUR)[1],
            scene.caller("other moteur", Role.MOTEUR)[1],
        ]
        self.admin = scene.caller("admin", Role.ADMIN)[1]

    def seen_by_its_owner(self) -> Mapping[str, Any]:
        """All of the partner's that nobody else may change."""
        taxi = self.owner.get(f"/taxis/{self.taxi_id}").data[0]
        hail = self.hailer.get(f"/hails/{self.hail.hail_id}").data[0]
        # The hail's time runs out while strangers call; who it is for and where does not change.
        kept = [name for name in hail if name.startswith("customer") or name == "id"]
        return {
            "taxi": {name: taxi[name] for name in ("id", "ads", "driver", "vehicle", "operator")},
            "hail": {name: hail[name] for name in kept},
            "account": self.owner.get(self.user).data[0],
            "fleet": self.owner.get("/taxis/all").json["meta"]["total"],
        }


def _fits(asked: object) -> bool:
    """Whether DynamoDB takes every number of a call: moto takes any."""
    if isinstance(asked, dict):
        if asked.keys() == {"N"}:
            digits = str(asked["N"]).lstrip("-").partition("e")[0].replace(".", "").strip("0")
            return len(digits) <= 38 and abs(float(asked["N"])) < 1e126
        return all(_fits(value) for value in asked.values())
    return all(_fits(value) for value in asked) if isinstance(asked, list | tuple) else True


def _strict(params: Any, **_: object) -> None:
    if not _fits(params):
        raise ValueError("a number that DynamoDB does not take")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """One registry for all inputs, so that what one of them leaves behind meets the next."""
    # Strangers without a key send far more than one address may, and are to be looked at all the same.
    with pytest.MonkeyPatch.context() as environment, empty_registry():
        environment.setenv("MARAUDE_KEYLESS_REQUESTS_A_SECOND", "0")
        forget_settings()
        events = clients.dynamodb().meta.events
        events.register("provide-client-params.dynamodb", _strict)
        yield World()
        events.unregister("provide-client-params.dynamodb", _strict)
    forget_settings()


def send(caller: Caller, sent: Input) -> tuple[int, str]:
    """The status, and all that came back; `Caller` holds it against the API document too."""
    answer = caller.send(sent.verb, sent.path, sent.body, sent.headers)
    headers = " ".join(f"{name}: {value}" for name, value in answer.headers.items())
    return answer.status, f"{headers} {answer.text}"


# The journal is read first, while it is short: every write adds to it, and moto is slow with lists.
@pytest.mark.parametrize("operation", sorted(OPERATIONS, key="GET /activity_logs".__ne__))
def test_no_input_is_a_fault_of_ours_or_shows_what_is_another_partner_s(
    world: World, operation: str, record_property: Callable[[str, object], None]
) -> None:
    before = world.seen_by_its_owner()
    secrets = [*SECRETS.items(), *world.keys.items()]
    verb = operation.partition(" ")[0]
    callers = [*world.strangers, *([world.admin] if verb == "GET" else [])]
    answered: Counter[int] = Counter()

    @seed(SEED)
    @settings(
        max_examples=max(1, -(-INPUTS // (len(OPERATIONS) * A_BATCH))),
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(batch=batches(operation, world.named))
    def attack(batch: list[Input]) -> None:
        for sent, who in zip(batch, itertools.cycle(callers), strict=False):
            status, came = send(who, sent)
            answered[status] += 1

            assert status < 500, sent
            if who is world.admin:  # who may see everything
                continue
            leaks = {name for name, secret in secrets if secret in came and secret not in sent.said}
            assert leaks == set(), sent

    attack()
    record_property("answered", dict(answered))
    assert world.seen_by_its_owner() == before


def test_an_answer_that_shows_a_secret_is_seen(world: World) -> None:
    """The witness is no use if it is blind: the owner's own answers hold what strangers' must not."""
    shown = "".join(
        send(caller, Input("GET", path, None))[1]
        for caller, path in (
            (world.owner, f"/taxis/{world.taxi_id}"),
            (world.owner, world.user),
            (world.hailer, f"/hails/{world.hail.hail_id}"),
        )
    )

    found = {name for name, secret in (*SECRETS.items(), *world.keys.items()) if secret in shown}
    # Two that no answer shows just now: the owner of an ADS, and a phone before the ride is agreed.
    assert found >= {*SECRETS, "operateur"} - {"an ADS's owner", "a customer's phone"}
