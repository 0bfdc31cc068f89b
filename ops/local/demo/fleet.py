"""Accounts, drivers and cars of the demonstration, all invented."""

from ops.local.fleet import Car

OPERATOR, SEARCH_APP = "demo-operateur", "demo-moteur"
CENTRE = (2.3522, 48.8566)  # the square before the Hôtel de Ville

FIRST_NAMES = ("Awa", "Bruno", "Chloé", "Driss", "Elsa", "Farid", "Gaëlle", "Hugo", "Inès", "Jean")
LAST_NAMES = ("Martin", "Diallo", "Petit", "Nguyen", "Moreau", "Haddad", "Lopes", "Roux")
MODELS = (("Peugeot", "508"), ("Toyota", "Corolla"), ("Skoda", "Superb"), ("Renault", "Trafic"))


def car(number: int) -> Car:
    """The demonstration's car of a number, the same at each start."""
    constructor, model = MODELS[number % len(MODELS)]
    return Car(
        number=number,
        plate=f"DM-{number:03}-AA",
        insee="75056",
        departement="75",
        first_name=FIRST_NAMES[number % len(FIRST_NAMES)],
        last_name=LAST_NAMES[number % len(LAST_NAMES)],
        constructor=constructor,
        model=model,
        seats=7 if model == "Trafic" else 4,
        wheelchair=model == "Trafic",
    )


DRIVEN = tuple(car(number) for number in range(1, 61))  # by the simulator
READERS = car(100)  # for whoever copies the printed lines: parked, moved by the third
SIMULATED = car(102)  # of the integration account: for the official console's driver simulator
SPARE = car(101)  # its driver, vehicle and licence are there; the second line makes the taxi
