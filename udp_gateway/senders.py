"""Look-up of operators that send datagrams. Called in worker threads only.

| question                 | cost                                            | asked                      |
| ------------------------ | ----------------------------------------------- | -------------------------- |
| an operator, its keys and| 1 unit, strong; its fleet's pages at 0.5 unit   | each `account_cache_s`,    |
| its taxis                | each where they are `fleet_cache_s` old; 1 unit | and once a second while it |
|                          | more for a taxi that is not among them          | sends what does not fit    |
"""

from collections.abc import Iterable
from typing import NamedTuple

from chalicelib.foundation import clock, sealing
from chalicelib.taxis.access import service as access
from chalicelib.taxis.fleets import service as fleets
from chalicelib.taxis.positions.accept import accept
from chalicelib.taxis.vocabulary import Role, is_taxi_id
from udp_gateway.datagram import Datagram


class Sender(NamedTuple):
    """An operator that may send."""

    keys: tuple[bytes, ...]  # that it signs with: two, while an old one is let go
    taxi_ids: frozenset[str]


def look_up(operator: str, waiting: Iterable[Datagram]) -> Sender | None:
    """The sender of this e-mail; None where no active account of that name may send positions.

    What waits says which taxis are missed: those of unsigned datagrams are not looked for.
    """
    found = access.signer(operator, now=clock.now())
    if found is None:
        return None
    account, api_keys = found
    if not account.has(Role.ADMIN, Role.OPERATEUR):
        return None
    keys = tuple(key.encode() for key in api_keys)
    expected = [
        one.taxi_id for one in waiting if is_taxi_id(one.taxi_id) and one.is_signed_with(*keys)
    ]
    return Sender(keys, fleets.taxi_ids_of(account.owner, expecting=expected))


def warm_up() -> None:
    """Makes the clients and reads the keys, which would take too long while datagrams come.

    Raises BadSetting, or what AWS raises, where the door could not work.
    """
    sealing.unseal(sealing.seal(""))
    access.signer("nobody", now=clock.now())
    accept([], now=clock.now())
