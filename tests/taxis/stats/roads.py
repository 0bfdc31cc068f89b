"""Taxis on the road of a simulated day, as the jobs that count them find them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chalicelib.foundation.geo import LngLat
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.registry.rows import TaxiRow
from chalicelib.taxis.vocabulary import TaxiStatus
from tests.taxis.positions import fleets

PARIS, LYON, BASTIA = "75056", "69123", "2B033"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
FREE, OCCUPIED = TaxiStatus.FREE, TaxiStatus.OCCUPIED


@dataclass
class Road:
    """Taxis by number; each is free in Paris and of operator 1 unless said otherwise."""

    registry: fleets.Registry = field(default_factory=fleets.Registry)

    def license(self, *numbers: int, insee: str = PARIS, owner: str = "1") -> None:
        """Registers taxis, or gives them another town."""
        with TaxiRow.batch_write() as batch:
            for number in numbers:
                batch.save(
                    TaxiRow(
                        fleets.taxi_id(number),
                        owner=owner,
                        operator=f"operator{owner}",
                        vehicle_id=number,
                        ads_id=f"ads{number}",
                        driver_id=f"driver{number}",
                        insee=insee,
                        added_at=fleets.NOON - 30 * DAY,
                        details_version=0,
                        licence_plate=f"AA-{number}",
                        characteristics=[],
                    )
                )

    def report(
        self,
        *numbers: int,
        at: datetime,
        status: TaxiStatus = FREE,
        point: LngLat = fleets.PARIS,
    ) -> None:
        """The taxis report, as what they are doing at that time."""
        for number in numbers:
            self.registry.change(number, status, changed_at=at)
        report = fleets.a_report(*((number, point) for number in numbers), seen_at=at)
        fleets.stored([report], now=at, registry=self.registry)
        for number in numbers:
            self.registry.show(number, now=at)


def run(name: str, *, now: datetime, dry_run: bool = False) -> dict[str, int]:
    """Runs a job; what it did."""
    return dict(jobs.run(name, now=now, dry_run=dry_run).done)
