"""Changes of a taxi's status and radius, and their way into the cells that searches read."""

import logging
from contextlib import suppress
from datetime import datetime

from chalicelib.foundation.errors import in_request
from chalicelib.foundation.observe import logs
from chalicelib.foundation.retry import Retry
from chalicelib.foundation.store.writes import Moved
from chalicelib.foundation.values import replace
from chalicelib.taxis.activity.rules import taxi_status
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.rules import Availability, CellContended
from chalicelib.taxis.positions.service import Sighting
from chalicelib.taxis.registry import vehicles
from chalicelib.taxis.registry.rules import AvailabilityAsked, Busy, Description, Registered
from chalicelib.taxis.vocabulary import Pending

log = logging.getLogger("maraude.registry")

RETRY = Retry(tries=8)  # of a change that others are in the way of: about 1 s in all


def change_taxi(
    found: Registered,
    changes: AvailabilityAsked,
    *,
    now: datetime,
    entry: Pending | None = None,
) -> Registered:
    """Changes status or radius of a taxi, which its vehicle's other taxis share [contract: Status of a taxi].

    The next search sees it. A hail that is open goes on as it was. Another status goes into the
    journal with `entry`, the request's own, so that it costs no call. Raises Busy.
    """
    description = found.description
    changed = description.changed(changes, now=now)
    if changed is description:
        return found
    for attempt in RETRY.attempts():
        if attempt:
            read = vehicles.description(description.owner, description.vehicle.vehicle_id)
            description = read or description
            changed = description.changed(changes, now=now)
        if changed is description:
            # Somebody wrote the same; or we did, and the answer was lost: it may not be shown yet.
            break
        before, own = description, changed
        with suppress(Moved):
            vehicles.change_availability(before, own)
            break
    else:
        raise Busy(in_request("The taxi's status keeps changing. Please try again."))
    is_own = changed.availability_changed_at == own.availability_changed_at
    if entry is not None and is_own and own.status is not before.status:
        entry.also.append(taxi_status(now, found.taxi.taxi_id, old=before.status, new=own.status))
    show(changed, now=now)
    return replace(found, description=changed)


def show(description: Description, *, now: datetime, sighting: Sighting | None = None) -> None:
    """Shows a description's availability in the cells of its taxis, for the very next search.

    Called after the description is written, so that a request which won is not refused for it: where
    others keep writing the same cells, the stream of descriptions shows it a moment later.
    """
    shown = _availability(description)
    try:
        positions.show_availability(
            dict.fromkeys(description.taxis, shown), now=now, sighting=sighting
        )
    except CellContended as error:
        logs.fault(log, error, "shown_later", taxis=sorted(description.taxis))


def _availability(description: Description) -> Availability:
    return Availability(
        description.status, description.radius_m, description.availability_changed_at
    )
