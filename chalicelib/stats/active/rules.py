"""What is counted of the taxis that report: pure (stats-and-ops 3)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple


class ActiveTaxi(NamedTuple):
    """A taxi that reported in the last minute: its licence's town, its operator, whether it is free."""

    insee: str
    owner: str
    free: bool


@dataclass(frozen=True, slots=True)
class ActiveCounts:
    """One minute's counters; a key that is missing counts 0.

    Whole territories count every taxi, an operator's own figures only the free ones, as the
    reference does: so an operator may see 0 where the total is 1.
    """

    towns: Mapping[str, int]
    zones: Mapping[str, int]
    operators_in_towns: Mapping[tuple[str, str], int]
    operators_in_zones: Mapping[tuple[str, str], int]

    def in_town(self, insee: str) -> int:
        """Taxis with a licence of the town."""
        return self.towns.get(insee, 0)

    def in_zone(self, zone_id: str) -> int:
        """Taxis with a licence of any town of the zone."""
        return self.zones.get(zone_id, 0)

    def of_operator_in_town(self, owner: str, insee: str) -> int:
        """The operator's free taxis with a licence of the town."""
        return self.operators_in_towns.get((owner, insee), 0)

    def of_operator_in_zone(self, owner: str, zone_id: str) -> int:
        """The operator's free taxis with a licence of any town of the zone."""
        return self.operators_in_zones.get((owner, zone_id), 0)


NOTHING = ActiveCounts({}, {}, {}, {})


def count(taxis: Iterable[ActiveTaxi], zones: Mapping[str, Collection[str]]) -> ActiveCounts:
    """The counters of a fleet; `zones` are the member towns of each zone."""
    zones_of_town: dict[str, list[str]] = {}
    for zone_id, members in zones.items():
        for insee in members:
            zones_of_town.setdefault(insee, []).append(zone_id)
    towns: Counter[str] = Counter()
    in_zones: Counter[str] = Counter()
    own_towns: Counter[tuple[str, str]] = Counter()
    own_zones: Counter[tuple[str, str]] = Counter()
    for taxi in taxis:
        its_zones = zones_of_town.get(taxi.insee, ())
        towns[taxi.insee] += 1
        in_zones.update(its_zones)
        if taxi.free:
            own_towns[taxi.owner, taxi.insee] += 1
            own_zones.update((taxi.owner, zone_id) for zone_id in its_zones)
    return ActiveCounts(towns, in_zones, own_towns, own_zones)
