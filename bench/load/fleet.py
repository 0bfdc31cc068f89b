"""Fleet of a load test: `bench.fleets`' A, every taxi at work, each report distinct."""

from dataclasses import dataclass, replace

import numpy as np

from bench import fleets
from bench.fleets import Fleet, Whole
from chalicelib.taxis.positions import codec

OPERATORS = fleets.OPERATORS
POST = fleets.POST
MARKS = 1000  # a report is known by the last three digits of its latitude: eleven metres


@dataclass(frozen=True, slots=True)
class Places:
    """Longitudes and latitudes in 1e-7 degree, by taxi."""

    lngs_e7: Whole
    lats_e7: Whole

    @classmethod
    def of(cls, fleet: Fleet) -> "Places":
        """Where the taxis of a fleet are."""
        return cls(*fleet.e7())


def simulate(size: int) -> Fleet:
    """A fleet of just so many taxis, all of them at work; the same each time."""
    whole = fleets.simulate("A", size)
    kept = np.sort(whole.rng.choice(len(whole.lng), size, replace=False))
    return replace(
        whole,
        lng=whole.lng[kept],
        lat=whole.lat[kept],
        home=whole.home[:, kept],
        spread_m=whole.spread_m[kept],
        speed_m_s=whole.speed_m_s[kept],
        heading=whole.heading[kept],
        on=np.ones(size, dtype=bool),
        free=whole.free[kept],
    )


def taxi_ids(fleet: Fleet) -> list[str]:
    """The ids of its taxis."""
    return [codec.id_of(fleets.number(taxi)) for taxi in range(fleet.size)]


def operator(number: int) -> str:
    """The e-mail of an operator."""
    return f"operator-{number}@load.example"


SEARCH_APP = "search-app@load.example"
