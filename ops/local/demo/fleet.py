"""Accounts, drivers and cars of the demonstration, all invented."""

from datetime import timedelta

from ops.local.fleet import Car

OPERATOR, SEARCH_APP = "demo-operateur", "demo-moteur"
GROUP = "demo-groupement"  # another operator, whose taxis are of the towns round Paris
ADMIN = "demo-admin"
DRIVER_APP = "demo-editeur"  # of drivers' software, which the public figures count

CENTRE = (2.3522, 48.8566)  # the square before the Hôtel de Ville
PARIS = "75056"
SUBURBS = ("92012", "92051", "93066", "93048", "94018", "94080")
TOWNS = (PARIS, *SUBURBS)

FIRST_NAMES = ("Awa", "Bruno", "Chloé", "Driss", "Elsa", "Farid", "Gaëlle", "Hugo", "Inès", "Jean")
LAST_NAMES = ("Martin", "Diallo", "Petit", "Nguyen", "Moreau", "Haddad", "Lopes", "Roux")
MODELS = (("Peugeot", "508"), ("Toyota", "Corolla"), ("Skoda", "Superb"), ("Renault", "Trafic"))


def car(number: int, insee: str = PARIS) -> Car:
    """The demonstration's car of a number, the same at each start."""
    constructor, model = MODELS[number % len(MODELS)]
    return Car(
        number=number,
        plate=f"DM-{number:03}-AA",
        insee=insee,
        departement=insee[:2],
        first_name=FIRST_NAMES[number % len(FIRST_NAMES)],
        last_name=LAST_NAMES[number % len(LAST_NAMES)],
        constructor=constructor,
        model=model,
        seats=7 if model == "Trafic" else 4,
        wheelchair=model == "Trafic",
    )


STAND = tuple(car(number) for number in range(1, 19))  # wait round the square, always free
FIRST = STAND[:13]  # of them: before the system is ready
CRUISING = tuple(car(number) for number in (*range(19, 61), *range(103, 263)))
OF_GROUP = tuple(car(number, SUBURBS[number % len(SUBURBS)]) for number in range(263, 343))
READERS = car(100)  # for whoever copies the printed lines: parked, moved by the third
SPARE = car(101)  # its driver, vehicle and licence are there; the second line makes the taxi
SIMULATED = car(102)  # of the integration account: for the official console's driver simulator

DRIVEN = (*STAND, *CRUISING, *OF_GROUP)  # by the simulator, in the order in which they are added
FLEET_SIZES = {OPERATOR: 260, GROUP: 120}  # as each states it

GROWN_OVER = timedelta(
    days=400
)  # the fleet came to be what it is; more than a year, for comparison


def age(place: int) -> timedelta:
    """How long ago the taxi at this place of `DRIVEN` was added; the last one a day ago."""
    return timedelta(days=1) + (GROWN_OVER - timedelta(days=1)) * (1 - place / (len(DRIVEN) - 1))
