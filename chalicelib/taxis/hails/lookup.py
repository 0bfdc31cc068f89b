"""One hail as it is now, who may see it, and where its taxi is."""

from datetime import datetime, timedelta

from chalicelib.foundation.errors import in_url
from chalicelib.taxis.hails import expiry, presentation, rules, store
from chalicelib.taxis.hails.rules import Hail, HailForbidden, HailUnknown
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import LastPosition
from chalicelib.taxis.settings import settings
from chalicelib.taxis.vocabulary import Account, Role


def current(hail_id: str, *, now: datetime) -> Hail | None:
    """The hail, its deadline applied."""
    hail = store.hail(hail_id) if rules.is_hail_id(hail_id) else None
    if hail is not None and hail.is_late(now):
        return expiry.expire(hail_id, now=now, way="read")
    return hail


def find(viewer: Account, hail_id: str, *, now: datetime) -> Hail:
    """The hail, as it is now. Raises HailUnknown, HailForbidden."""
    hail = current(hail_id, now=now)
    kept = timedelta(days=settings().hail_visible_days)
    if hail is None or not rules.is_visible(hail.created_at, viewer, now=now, kept=kept):
        raise HailUnknown(in_url("Hail not found"))
    if not (viewer.has(Role.ADMIN) or hail.concerns(viewer)):
        raise HailForbidden(in_url("You do not have the permissions to view this hail"))
    return hail


def where_is_taxi(hail: Hail, *, now: datetime) -> LastPosition | None:
    """The position of the hail's taxi, for its two parties, as long as the hail is not over."""
    if not presentation.sees_taxi(hail.status):
        return None
    return positions.where_is([hail.taxi_id], now=now).get(hail.taxi_id)
