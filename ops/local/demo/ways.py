"""Routes of the demonstration's taxis: corners of a few main streets of Paris."""

import math

from ops.local import trips
from ops.local.trips import LonLat, Trip

STAND_M = (60.0, 420.0)  # from the square to the nearest and the farthest taxi that waits round it

STEP_M = 100.0  # each 15 s: 24 km/h

STREETS: tuple[tuple[LonLat, ...], ...] = (
    # Champs-Élysées, Rivoli, Saint-Antoine, Nation
    ((2.2950, 48.8738), (2.3212, 48.8656), (2.3376, 48.8610), (2.3522, 48.8566), (2.3690, 48.8532), (2.3959, 48.8484)),
    # Sébastopol, Saint-Michel, Port-Royal
    ((2.3585, 48.8765), (2.3542, 48.8690), (2.3470, 48.8583), (2.3438, 48.8530), (2.3395, 48.8465), (2.3370, 48.8400)),
    # Grands Boulevards, from the Madeleine to the Bastille
    ((2.3244, 48.8700), (2.3328, 48.8716), (2.3425, 48.8718), (2.3554, 48.8694), (2.3639, 48.8675), (2.3690, 48.8532)),
    # Saint-Germain, from the Assemblée to the Institut du monde arabe
    ((2.3190, 48.8617), (2.3270, 48.8555), (2.3337, 48.8536), (2.3443, 48.8520), (2.3520, 48.8497), (2.3570, 48.8490)),
    # Montparnasse to the Étoile
    ((2.3210, 48.8421), (2.3105, 48.8470), (2.3080, 48.8565), (2.3010, 48.8645), (2.2950, 48.8738)),
    # Gare de Lyon, Bercy, Bibliothèque, Place d'Italie
    ((2.3735, 48.8443), (2.3790, 48.8395), (2.3760, 48.8300), (2.3660, 48.8300), (2.3556, 48.8313)),
    # Gare du Nord, La Villette, Porte de Pantin
    ((2.3553, 48.8805), (2.3690, 48.8826), (2.3800, 48.8870), (2.3910, 48.8890)),
    # Clichy, Pigalle, Barbès, Stalingrad
    ((2.3270, 48.8838), (2.3372, 48.8822), (2.3497, 48.8838), (2.3690, 48.8842)),
    # République, Belleville, Gambetta, Porte de Montreuil
    ((2.3639, 48.8675), (2.3770, 48.8720), (2.3900, 48.8660), (2.3985, 48.8650), (2.4105, 48.8535)),
    # Boulogne, Porte de Saint-Cloud, Trocadéro
    ((2.2400, 48.8370), (2.2560, 48.8385), (2.2690, 48.8480), (2.2860, 48.8628)),
)  # fmt: skip


def way(number: int) -> tuple[Trip, float]:
    """The way of a taxi and how many seconds ahead on it the taxi starts; the same at each start."""
    trip = trips.along(STREETS[number % len(STREETS)], step_m=STEP_M)
    return trip, (number * 0.381966) % 1.0 * 2 * trip.duration_s  # spread by the golden section


def waiting(place: int, of: int, centre: LonLat) -> LonLat:
    """Where the taxi at a place of so many waits round a centre: on a sunflower's spiral."""
    near_m, far_m = STAND_M
    away_m = near_m + (far_m - near_m) * math.sqrt(place / max(1, of - 1))
    angle = place * 2.399963  # the golden angle
    # A plane is near enough: a degree is 111 km, of longitude 73 km in Paris.
    return (
        centre[0] + away_m * math.cos(angle) / 73_000,
        centre[1] + away_m * math.sin(angle) / 111_000,
    )
