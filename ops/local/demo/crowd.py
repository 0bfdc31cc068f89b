"""Customers in the background of the demonstration: hails go on all the time, and end in all kinds of ways."""

import itertools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import urllib3

from ops.local.client import ApiRefused, Client
from ops.local.demo.customer import CONFIRMS, Customer, NoTaxi, Place

LOOK_S = 4.0  # between two looks at a hail: nobody watches it, and each costs
SOON_S, SOON = 2.0, 6  # so long after one hail comes the next, for the first few
PAUSE_S = 25.0  # and later

# What a customer does in which state of the hail; where nothing is said, the registry's deadline comes.
WITHDRAWS = {"accepted_by_taxi": "declined_by_customer"}
IMPATIENT = {"received_by_taxi": "declined_by_customer"}
GONE: Mapping[str, str] = {}
AWAY = {**CONFIRMS, "accepted_by_customer": "incident_customer"}
HABITS = (
    CONFIRMS,
    CONFIRMS,
    WITHDRAWS,
    CONFIRMS,
    AWAY,
    CONFIRMS,
    GONE,
    CONFIRMS,
    CONFIRMS,
    IMPATIENT,
)

# All of them far enough from the square that its taxis stay there.
PLACES = (
    Place(2.3690, 48.8532, "Place de la Bastille, Paris"),
    Place(2.3244, 48.8700, "Place de la Madeleine, Paris"),
    Place(2.3553, 48.8805, "18 rue de Dunkerque, Paris"),
    Place(2.3395, 48.8465, "Place Edmond-Rostand, Paris"),
    Place(2.2950, 48.8738, "Place Charles-de-Gaulle, Paris"),
    Place(2.3372, 48.8822, "Place Pigalle, Paris"),
    Place(2.3210, 48.8421, "Place Raoul-Dautry, Paris"),
    Place(2.2690, 48.8480, "Porte d'Auteuil, Paris"),
    Place(2.3735, 48.8443, "Place Louis-Armand, Paris"),
    Place(2.3639, 48.8675, "Place de la République, Paris"),
    Place(2.3190, 48.8617, "Quai d'Orsay, Paris"),
)

log = logging.getLogger("maraude.demo")


@dataclass(frozen=True, slots=True)
class Crowd:
    """One customer after the other, each at another place."""

    search_app: Client
    wait: Callable[[float], object] = time.sleep

    def hail(self, habits: Mapping[str, str], place: Place, *, number: int) -> None:
        """One customer's hail, to its end."""
        customer = Customer(
            self.search_app,
            log.debug,
            place=place,
            answers=habits,
            customer_id=f"demo-{number % 40:02}",
            look_s=LOOK_S,
            again_s=LOOK_S,
            tries=1,
        )
        try:
            customer.ride()
        except NoTaxi:
            log.debug("customer %s has gone without a taxi", number)
        except (ApiRefused, urllib3.exceptions.HTTPError) as error:
            log.warning("the hail of customer %s came to nothing: %s", number, error)

    def go_on(self) -> None:
        """Customers, until the process is stopped."""
        habits, places = itertools.cycle(HABITS), itertools.cycle(PLACES)
        for number in itertools.count():
            self.hail(next(habits), next(places), number=number)
            self.wait(SOON_S if number < SOON else PAUSE_S)
