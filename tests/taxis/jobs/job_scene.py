"""An operator's taxis of some age, seen or hailed or neither, and jobs that are run a year later."""

from datetime import datetime, timedelta
from typing import Any

from chalicelib.foundation.aws import clients
from chalicelib.taxis.hails.rules import Hail, Status
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.registry import registration
from chalicelib.taxis.registry.rules import TaxiParts
from tests import factories
from tests.factories import PARIS
from tests.taxis.hails.hail_factories import Scene

YEAR = timedelta(days=365)
DAY = timedelta(days=1)


class Fleet(Scene):
    """What was registered when the scene began is old at `later`, 366 days after."""

    def __init__(self, *, with_towns: bool = True) -> None:
        super().__init__(with_towns=with_towns)
        self.later = self.now + YEAR + DAY

    def registered(self, number: str, *, at: datetime | None = None) -> str:
        """The id of a taxi of parts of its own that was added then, has not reported, and is off."""
        plate = f"ZZ-{number}-ZZ"
        factories.register_parts(
            self.as_operateur,
            driver={"professional_licence": f"d{number}"},
            ads={"numero": f"a{number}"},
            vehicle={"licence_plate": plate},
        )
        parts = TaxiParts(PARIS, f"a{number}", plate, "75", f"d{number}")
        return registration.register_taxi(self.operateur, parts, now=at or self.now)[0].taxi.taxi_id

    def rode(self, taxi_id: str, *, at: datetime) -> Hail:
        """A hail that ended in the moment at which the taxi reported."""
        self.as_operateur.put(f"/taxis/{taxi_id}", {"status": "free"})
        self.report(taxi_id, at=at)
        hail = self.hail(taxi_id=taxi_id, after=at - self.now)
        return self.drive(hail, Status.DECLINED_BY_CUSTOMER, after=at - self.now)

    def taxi_ids(self) -> set[str]:
        """The taxis that there are."""
        return {item["taxi_id"]["S"] for item in items("taxis")}

    def run(self, name: str, **options: Any) -> dict[str, int]:
        """What a job does at `later`."""
        return dict(jobs.run(name, now=self.later, **options).done)


def items(table: str) -> list[dict[str, Any]]:
    """All that a table holds."""
    answer: Any = clients.dynamodb().scan(TableName=f"maraude-test-{table}")
    found: list[dict[str, Any]] = answer["Items"]
    return found
