"""The new towns of the licences whose towns merged, and of their taxis.

| question                    | table         | key                | cost               |
| --------------------------- | ------------- | ------------------ | ------------------ |
| the ADS and taxis of towns  | ads, taxis    | scan               | 1 unit per 4 KB    |
| an ADS in its new town      | ads, taxis,   | their keys         | 4 write units, 6 a |
|                             | fleets        |                    | taxi               |
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct
from pynamodb.transactions import TransactWrite

from chalicelib.foundation.store.writes import Moved, connection, run_write, setting
from chalicelib.foundation.values import replace
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.registry import rows, rules
from chalicelib.taxis.registry.rows import AdsRow, TaxiRow
from chalicelib.taxis.registry.rules import Ads, Taxi

TAXIS_A_MOVE = 32  # of one ADS: three actions each, of the hundred that a transaction takes


class MovedAds(Struct, frozen=True):
    """Counts of moved licences of merged towns."""

    moved: int  # ADS that are their new town's
    taxis: int  # with such an ADS
    left: int  # ADS whose owner has the same number in the new town, and others that could not be moved


def move_ads(new_towns: Mapping[str, str]) -> MovedAds:
    """Moves the ADS of merged towns, and their taxis, to the new towns [contract: Merged towns].

    `new_towns` maps each old code to the new one. May be broken off and repeated.
    """
    taxis: dict[str, list[Taxi]] = {}
    for taxi in taxis_of_towns(new_towns.keys()):
        taxis.setdefault(taxi.ads_id, []).append(taxi)
    moved = moved_taxis = left = 0
    for owner, ads in list(ads_of_towns(new_towns.keys())):
        its_taxis = taxis.get(rules.ads_id(owner, ads.insee, ads.numero), [])
        try:
            if len(its_taxis) > TAXIS_A_MOVE:
                raise Moved
            _move(owner, ads, new_towns[ads.insee], its_taxis)
        except Moved:
            left += 1
        else:
            moved, moved_taxis = moved + 1, moved_taxis + len(its_taxis)
    return MovedAds(moved, moved_taxis, left)


def ads_of_towns(insees: Collection[str]) -> Iterator[tuple[str, Ads]]:
    """Owner and ADS of every licence of these towns: a scan."""
    for row in AdsRow.scan(consistent_read=True):
        if row.insee in insees:
            yield row.owner, rows.ads(row)


def taxis_of_towns(insees: Collection[str]) -> Iterator[Taxi]:
    """Every taxi with a licence of these towns: a scan."""
    for row in TaxiRow.scan(consistent_read=True):
        if row.insee in insees:
            yield rows.taxi(row)


def _move(owner: str, ads: Ads, insee: str, taxis: Sequence[Taxi]) -> None:
    """Gives an ADS and all its taxis (at most `TAXIS_A_MOVE`) another town, all at once.

    Raises Moved where the owner has the same number there already, or something has changed.
    """
    old_id, new_id = (
        rules.ads_id(owner, ads.insee, ads.numero),
        rules.ads_id(owner, insee, ads.numero),
    )

    def write() -> None:
        with TransactWrite(connection=connection()) as transaction:
            transaction.save(
                rows.ads_row(owner, replace(ads, insee=insee)),
                condition=AdsRow.ads_id.does_not_exist(),
            )
            transaction.delete(AdsRow(old_id), condition=AdsRow.ads_id.exists())
            for taxi in taxis:
                moved = replace(taxi, ads_id=new_id, insee=insee)
                transaction.update(
                    TaxiRow(taxi.taxi_id),
                    actions=setting(TaxiRow, {"ads_id": new_id, "insee": insee}),
                    condition=TaxiRow.ads_id == old_id,
                )
                fleets.change_key(transaction, taxi, moved)

    run_write(write)
