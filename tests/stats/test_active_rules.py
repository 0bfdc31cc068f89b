"""What is counted of the taxis that report."""

from chalicelib.stats.active.rules import ActiveTaxi, count

ZONES = {"north": ["59001", "59002"], "border": ["59002", "62001"]}


def test_a_taxi_counts_in_its_town_and_in_every_zone_of_its_town() -> None:
    counts = count([ActiveTaxi("59002", "1", free=True)], ZONES)

    assert counts.in_town("59002") == 1
    assert (counts.in_zone("north"), counts.in_zone("border")) == (1, 1)


def test_an_operator_counts_its_own_free_taxis_only() -> None:
    fleet = [
        ActiveTaxi("59001", "1", free=True),
        ActiveTaxi("59001", "1", free=False),
        ActiveTaxi("59001", "2", free=True),
    ]

    counts = count(fleet, ZONES)

    assert counts.in_town("59001") == 3
    assert counts.of_operator_in_town("1", "59001") == 1
    assert counts.of_operator_in_zone("1", "north") == 1


def test_what_nobody_is_in_counts_zero() -> None:
    counts = count([], ZONES)

    assert counts.in_zone("north") == counts.in_town("59001") == 0
    assert counts.of_operator_in_zone("1", "north") == counts.of_operator_in_town("1", "59001") == 0
