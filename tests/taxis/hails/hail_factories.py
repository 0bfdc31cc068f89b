"""Hails with one keyword to change, and a scene with all that it takes to hail a taxi."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from app import app
from chalicelib.foundation import clock
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.foundation.values import replace
from chalicelib.taxis.hails import change, create, dispatch, rules, service
from chalicelib.taxis.hails.rules import Hail, HailRequest, Status, Transition
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.registry import availability
from chalicelib.taxis.registry import service as registry
from chalicelib.taxis.registry.rules import Description
from chalicelib.taxis.vocabulary import Account, Role
from tests import factories
from tests.calls import Answer, Caller

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
CUSTOMER = LngLat(2.35, 48.86)
TAXI = LngLat(2.352, 48.861)
PHONE = "0611223344"

WAITS: rules.Waits = {
    Status.RECEIVED: timedelta(seconds=30),
    Status.SENT_TO_OPERATOR: timedelta(seconds=30),
    Status.RECEIVED_BY_OPERATOR: timedelta(seconds=10),
    Status.RECEIVED_BY_TAXI: timedelta(seconds=30),
    Status.ACCEPTED_BY_TAXI: timedelta(seconds=30),
    Status.ACCEPTED_BY_CUSTOMER: timedelta(minutes=30),
    Status.CUSTOMER_ON_BOARD: timedelta(hours=2),
}

MOTEUR = Account(1, "moteur", frozenset({Role.MOTEUR}))
OPERATEUR = Account(2, "operateur", frozenset({Role.OPERATEUR}))
ADMIN = Account(3, "admin", frozenset({Role.ADMIN}))
STRANGER = Account(4, "stranger", frozenset({Role.MOTEUR, Role.OPERATEUR}))

# The way from a new hail to each status; who is not named is the registry.
WAYS: Mapping[Status, tuple[Status, ...]] = {
    Status.RECEIVED: (),
    Status.RECEIVED_BY_OPERATOR: (Status.RECEIVED_BY_OPERATOR,),
    Status.RECEIVED_BY_TAXI: (Status.RECEIVED_BY_OPERATOR, Status.RECEIVED_BY_TAXI),
    Status.ACCEPTED_BY_TAXI: (
        *(Status.RECEIVED_BY_OPERATOR, Status.RECEIVED_BY_TAXI, Status.ACCEPTED_BY_TAXI),
    ),
    Status.ACCEPTED_BY_CUSTOMER: (
        *(Status.RECEIVED_BY_OPERATOR, Status.RECEIVED_BY_TAXI, Status.ACCEPTED_BY_TAXI),
        Status.ACCEPTED_BY_CUSTOMER,
    ),
    Status.CUSTOMER_ON_BOARD: (
        *(Status.RECEIVED_BY_OPERATOR, Status.RECEIVED_BY_TAXI, Status.ACCEPTED_BY_TAXI),
        *(Status.ACCEPTED_BY_CUSTOMER, Status.CUSTOMER_ON_BOARD),
    ),
    Status.FINISHED: (
        *(Status.RECEIVED_BY_OPERATOR, Status.RECEIVED_BY_TAXI, Status.ACCEPTED_BY_TAXI),
        *(Status.ACCEPTED_BY_CUSTOMER, Status.CUSTOMER_ON_BOARD, Status.FINISHED),
    ),
}


def a_hail(status: Status = Status.RECEIVED, **changes: Any) -> Hail:
    """A hail of MOTEUR's for a taxi of OPERATEUR's, so since NOON; its log has one entry."""
    hail = Hail(
        hail_id="abcdef0",
        status=status,
        created_at=NOON,
        last_status_change=NOON,
        last_update_at=NOON,
        deadline=rules.deadline(status, NOON, WAITS),
        transitions=(Transition(None, Status.RECEIVED, NOON, MOTEUR.id, None),),
        session_id="5a6d6e9c-8f5e-4c53-9e52-ae5e2c7d2b1f",
        moteur_id=MOTEUR.id,
        moteur=MOTEUR.email,
        operateur_id=OPERATEUR.id,
        operateur=OPERATEUR.email,
        customer_id="somebody",
        customer_lon=CUSTOMER.lng,
        customer_lat=CUSTOMER.lat,
        customer_address="20 avenue de Ségur, Paris",
        customer_phone_number="0799887766",
        taxi_id="aaaaaaa",
        shown_taxi_id="temporary",
        description_id="2#1",
        initial_taxi_lon=TAXI.lng,
        initial_taxi_lat=TAXI.lat,
        licence_plate="AB-123-CD",
        color="blue",
        nb_seats=4,
        characteristics=("wifi",),
        first_name="Anne",
        last_name="Lescaut",
    )
    return replace(hail, **changes)


def a_wish(taxi_id: str, **changes: Any) -> dict[str, Any]:
    """The body of POST /hails."""
    return {
        "customer_id": "somebody",
        "customer_lon": CUSTOMER.lng,
        "customer_lat": CUSTOMER.lat,
        "customer_address": "20 avenue de Ségur, Paris",
        "customer_phone_number": "0799887766",
        "taxi_id": taxi_id,
        **changes,
    }


class Scene:
    """An operator with a free taxi that reported at `now`, and a search app."""

    def __init__(self, *, with_towns: bool = True) -> None:
        if with_towns:
            factories.known_towns()
        self.now = clock.now()
        self.moteur, moteur_key = factories.an_account("moteur", Role.MOTEUR)
        self.operateur, operateur_key = factories.an_account("operateur", Role.OPERATEUR)
        self.as_moteur = Caller(app, key=moteur_key)
        self.as_operateur = Caller(app, key=operateur_key)
        self.count = 0
        self.taxi_id = self.taxi()

    def caller(self, email: str, *roles: Role) -> tuple[Account, Caller]:
        """Somebody else, and calls as them."""
        account, key = factories.an_account(email, *roles)
        return account, Caller(app, key=key)

    def taxi(
        self, *, caller: Caller | None = None, at: datetime | None = None, plate: str | None = None
    ) -> str:
        """One more free taxi; its id. `at` is when it reported."""
        caller = caller or self.as_operateur
        self.count += 1
        number = str(self.count)
        plate = plate or f"AA-{self.count:03}-BB"
        factories.register_parts(
            caller,
            driver={"professional_licence": number},
            ads={"numero": number},
            vehicle={"licence_plate": plate, "color": "blue"},
        )
        body = factories.a_taxi(numero=number, licence_plate=plate, professional_licence=number)
        taxi_id: str = caller.post("/taxis", body).data[0]["id"]
        caller.put(f"/taxis/{taxi_id}", {"status": "free"})
        self.report(taxi_id, at=at or self.now)
        return taxi_id

    def report(self, taxi_id: str, *, at: datetime) -> None:
        """Stores a position as the ingest function does."""
        number = codec.number_of(taxi_id)
        assert number is not None
        lng_e7, lat_e7 = to_e7(TAXI)
        report = Report(codec.tick(at), [number], [lat_e7], [lng_e7])
        positions.store_window(
            [report], availability_of=availability.availability_of, now=clock.now()
        )

    def post(self, taxi_id: str | None = None, **changes: Any) -> Answer:
        """POST /hails, by the search app."""
        return self.as_moteur.post("/hails", a_wish(taxi_id or self.taxi_id, **changes))

    def hail(
        self, status: Status = Status.RECEIVED, *, after: timedelta = timedelta(0), **changes: Any
    ) -> Hail:
        """A hail that was created so long after `now`, and brought to a status at once."""
        wanted = HailRequest(**a_wish(**{"taxi_id": self.taxi_id, **changes}))
        hail, _ = create.create_hail(self.moteur, wanted, now=self.now + after)
        return self.drive(hail, *WAYS[status], after=after)

    def drive(self, hail: Hail, *statuses: Status, after: timedelta = timedelta(0)) -> Hail:
        """The hail after these steps, each by who may take it."""
        now = self.now + after
        for status in statuses:
            party = rules.STEPS[hail.status][status]
            if status is Status.RECEIVED_BY_OPERATOR:
                dispatch.confirm(hail.hail_id, taxi_phone_number=PHONE, now=now)
            else:
                account = self.moteur if party is rules.Party.MOTEUR else self.operateur
                change.change_hail(account, self.read(hail), {"status": status}, now=now)
            hail = self.read(hail)
        return hail

    def read(self, hail: Hail) -> Hail:
        """The hail as it is stored."""
        return service.history(hail.hail_id).hail

    def description(self, taxi_id: str | None = None) -> Description:
        """The taxi's description as it is stored."""
        taxi_id = taxi_id or self.taxi_id
        licence = availability.licences([taxi_id])[taxi_id]
        found = registry.described(licence.description_id)
        assert found is not None
        return found

    def free(self) -> None:
        """The operator sets the taxi free."""
        self.as_operateur.put(f"/taxis/{self.taxi_id}", {"status": "free"})

    def taxi_status(self, taxi_id: str | None = None) -> str:
        """What the taxi is doing."""
        return self.description(taxi_id).status.value


def refused(answer: Answer) -> tuple[int, list[str]]:
    """Status, and the dotted paths of what is wrong."""

    def paths(tree: Any, at: str) -> list[str]:
        if isinstance(tree, list):
            return [at]
        return [path for key, value in tree.items() for path in paths(value, f"{at}.{key}")]

    return answer.status, [path.removeprefix(".") for path in paths(answer.errors, "")]
