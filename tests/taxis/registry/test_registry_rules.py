"""Ids, filters, changes of status and departements, on values alone."""

import time
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from chalicelib.foundation.values import milliseconds, moment, replace
from chalicelib.taxis.registry import departements, rules
from chalicelib.taxis.registry.departements import DepartementAmbiguous, DepartementUnknown
from chalicelib.taxis.registry.rules import AvailabilityAsked, Description, Vehicle
from chalicelib.taxis.vocabulary import TaxiStatus, is_taxi_id

NOON = datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC)


def a_description(**changes: Any) -> Description:
    description = Description(
        owner="7",
        vehicle=Vehicle(1, "AB-123-CD"),
        status=TaxiStatus.OFF,
        radius_m=None,
        availability_changed_at=NOON - timedelta(hours=1),
        status_changed_at=None,
        taxis=frozenset({"aaaaaaa"}),
        details_version=1,
    )
    return replace(description, **changes)


def test_a_change_of_status_stamps_both_times_in_whole_milliseconds() -> None:
    changed = a_description().changed({"status": "free"}, now=NOON)

    assert changed.status is TaxiStatus.FREE
    assert changed.status_changed_at == changed.availability_changed_at
    assert changed.availability_changed_at == NOON.replace(microsecond=123000)


def test_a_change_of_radius_leaves_the_time_of_the_status() -> None:
    changed = a_description().changed({"radius": 200}, now=NOON)

    assert changed.radius_m == 200
    assert changed.status_changed_at is None
    assert changed.availability_changed_at > a_description().availability_changed_at


@pytest.mark.parametrize(
    "asked", [{}, {"status": "off"}, {"radius": None}, {"status": "off", "radius": None}]
)
def test_what_is_so_already_is_no_change(asked: AvailabilityAsked) -> None:
    before = a_description()

    assert before.changed(asked, now=NOON) is before


def test_a_radius_of_none_resets_it() -> None:
    assert a_description(radius_m=200).changed({"radius": None}, now=NOON).radius_m is None


def test_the_time_of_change_rises_even_where_this_clock_is_behind() -> None:
    before = a_description(availability_changed_at=NOON + timedelta(seconds=5))

    changed = before.changed({"status": "free"}, now=NOON)

    assert changed.availability_changed_at == before.availability_changed_at + rules.STEP


def test_a_step_of_a_hail_is_no_change_of_the_operator_s_own() -> None:
    before = a_description(status_changed_at=NOON - timedelta(hours=1))

    hailed = before.hailed(TaxiStatus.ANSWERING, open_hail="abcdef0", now=NOON)

    assert (hailed.status, hailed.open_hail) == (TaxiStatus.ANSWERING, "abcdef0")
    assert hailed.availability_changed_at > before.availability_changed_at
    assert hailed.status_changed_at == before.status_changed_at


@pytest.mark.parametrize(
    ("asked", "licence_plate"),
    [
        ("ab123cd", "AB-123-CD"),
        ("AB-123-CD", "AB-123-CD"),
        ("AB 123 CD", "AB-123-CD"),
        ("ab", "AB-123-CD"),
        ("AB-12", "AB-123-CD"),
        ("", "AB-123-CD"),
        ("123", "123-AB-45"),
        ("ab.123.cd", "AB.123.CD"),
        ("%123%", "AB-123-CD"),
        ("AB_123_CD", "AB-123-CD"),
        ("%", "AB-123-CD"),
        ("[A]B.123.CD", "[a]b.123.cd"),
    ],
)
def test_a_filter_finds_what_the_contract_says(asked: str, licence_plate: str) -> None:
    assert rules.pattern([asked]).match(licence_plate)


@pytest.mark.parametrize(
    ("asked", "licence_plate"),
    [
        ("123", "AB-123-CD"),
        ("ab124", "AB-123-CD"),
        ("b-123-cd", "AB-123-CD"),
        ("AB.123", "AB.123.CD"),
        ("1AB-2", "1AB-234"),
        ("%123", "AB-123-CD"),
        ("AB_23_CD", "AB-123-CD"),
        ("*123*", "AB-123-CD"),
        ("?B.123.CD", "AB.123.CD"),
        ("[A]B.123.CD", "AB.123.CD"),
    ],
)
def test_a_filter_finds_nothing_else(asked: str, licence_plate: str) -> None:
    assert not rules.pattern([asked]).match(licence_plate)


def test_one_of_several_values_is_enough() -> None:
    asked = rules.pattern(["zz", "AB.12"])

    assert asked.match("ZZ-111-ZZ")
    assert asked.match("ab.12")
    assert not asked.match("AB-123-CD")


def test_no_filter_runs_for_long() -> None:
    began = time.process_time()

    rules.pattern(["%_" * 200 + "x", "%a" * 200]).match("a" * 300)

    assert time.process_time() - began < 5  # as one regular expression it has no end


@pytest.mark.parametrize("text", ["PJf62qf", "2222222"])
def test_an_id_of_ours_is_known_as_such(text: str) -> None:
    assert is_taxi_id(text)


@pytest.mark.parametrize(
    "text", ["all", "", "PJf62q0", "PJf62qfa", "PJf62q\n", "PJf62qf\n", "é" * 7]
)
def test_no_taxi_has_any_other_id(text: str) -> None:
    assert not is_taxi_id(text)


def test_milliseconds_and_moments_are_each_other_s_inverse() -> None:
    for count in (0, 1, 1_795_000_000_123, 4_102_444_799_999):
        assert milliseconds(moment(count)) == count


def test_characteristics_are_the_true_ones_in_the_contract_s_order() -> None:
    vehicle = Vehicle(1, "AB-123-CD", wifi=True, pet_accepted=True, baby_seat=False)

    assert vehicle.characteristics == ("pet_accepted", "wifi")


@pytest.mark.parametrize(
    "asked",
    [
        {"numero": "26"},
        {"nom": "Drôme"},
        {"nom": "DRÔME"},
        {"nom": "drôme", "numero": "26"},
        {"nom": "Drome (misspelt)", "numero": "26"},
        {"nom": "", "numero": "26"},
        {"nom": "Drôme", "numero": ""},
        {"nom": "Drôme", "numero": "99"},
    ],
)
def test_a_departement_is_found_by_its_name_or_its_number(asked: dict[str, str]) -> None:
    assert departements.find(**asked).numero == "26"


@pytest.mark.parametrize(
    "asked", [{"numero": "99"}, {"nom": "Drome"}, {"numero": ""}, {"nom": "", "numero": ""}]
)
def test_what_names_no_departement_is_unknown(asked: dict[str, str]) -> None:
    with pytest.raises(DepartementUnknown, match=r"nom.*numero"):
        departements.find(**asked)


def test_a_name_and_a_number_of_two_departements_are_ambiguous() -> None:
    with pytest.raises(DepartementAmbiguous, match=r"nom.*numero"):
        departements.find(nom="Drôme", numero="75")
