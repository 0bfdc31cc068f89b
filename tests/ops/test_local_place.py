"""The data folder: what it keeps, who may use it, and what is said when it is broken."""

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from ops.local import place as places
from ops.local.place import NotRunning, Place, PlaceBroken, PlaceBusy, Run

RUN = Run("http://127.0.0.1:1", "http://127.0.0.1:2", {"api": 3}, "2026-11-20T15:00:00+00:00")


def test_the_keys_are_made_once_and_for_the_owners_eyes_only(place: Place) -> None:
    first = place.secrets()

    assert place.secrets() == first
    assert stat.S_IMODE((place.root / "secrets.json").stat().st_mode) == 0o600


def test_the_keys_of_webhooks_come_to_a_place_that_has_the_others_only(tmp_path: Path) -> None:
    key = Fernet.generate_key().decode()
    (tmp_path / "secrets.json").write_text(json.dumps({"secret_keys": key}))

    made = Place(tmp_path).secrets()

    assert (made.secret_keys, made.hook_secret_keys == key) == (key, False)
    assert Place(tmp_path).secrets() == made
    assert Place(tmp_path).environment("")["MARAUDE_HOOK_SECRET_KEYS"] == made.hook_secret_keys


def test_two_places_have_different_keys(tmp_path: Path) -> None:
    for name in ("a", "b"):
        with Place(tmp_path / name).held():
            pass

    assert Place(tmp_path / "a").secrets() != Place(tmp_path / "b").secrets()


def a_file_in_its_place(root: Path) -> None:
    root.write_text("")


def a_file_above_it(root: Path) -> None:
    root.parent.rmdir()
    root.parent.write_text("")


def a_file_for_the_state(root: Path) -> None:
    root.mkdir()
    (root / "state").write_text("")


def secrets_that_are_no_json(root: Path) -> None:
    root.mkdir()
    (root / "secrets.json").write_text("{")


def secrets_that_are_no_key(root: Path) -> None:
    root.mkdir()
    (root / "secrets.json").write_text('{"secret_keys": "short"}')


def secrets_that_are_a_folder(root: Path) -> None:
    (root / "secrets.json").mkdir(parents=True)


def half_a_state(root: Path) -> None:
    (root / "state").mkdir(parents=True)
    (root / "state" / "dynamodb.json").write_text('{"__ministack_format__": 2, "payload": {"a')


def a_state_of_something_else(root: Path) -> None:
    (root / "state").mkdir(parents=True)
    (root / "state" / "dynamodb.json").write_text('{"tables": {}}')


@pytest.mark.parametrize(
    "breaks",
    [
        a_file_in_its_place,
        a_file_above_it,
        a_file_for_the_state,
        secrets_that_are_no_json,
        secrets_that_are_no_key,
        secrets_that_are_a_folder,
        half_a_state,
        a_state_of_something_else,
    ],
)
def test_a_broken_place_is_refused_in_one_sentence(
    tmp_path: Path, breaks: Callable[[Path], None]
) -> None:
    root = tmp_path / "above" / "place"
    root.parent.mkdir()
    breaks(root)

    with pytest.raises(PlaceBroken) as broken, Place(root).held():
        pass

    assert str(tmp_path) in str(broken.value)
    assert "\n" not in str(broken.value)
    assert broken.value.exit_code == 2


def test_a_place_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(PlaceBroken), Place(Path("/proc/maraude")).held():
        pass


def test_a_place_is_held_by_one_at_a_time(place: Place) -> None:
    with place.held(), pytest.raises(PlaceBusy), place.held():
        pass

    with place.held():
        pass


def test_a_running_system_is_found(place: Place) -> None:
    with place.held():
        place.write_run(RUN)

        assert place.running() == RUN


def test_a_system_that_was_killed_is_not_running(place: Place) -> None:
    place.write_run(RUN)

    with pytest.raises(NotRunning, match="make run"):
        place.running()


def test_a_system_that_is_just_starting_is_not_running_yet(place: Place) -> None:
    place.write_run(RUN)  # of an earlier run, which was killed

    with place.held(), pytest.raises(NotRunning):
        place.running()


def test_nothing_runs_where_there_is_no_place(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        Place(tmp_path / "nowhere").running()


def test_the_option_comes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARAUDE_DATA", "/from/environment")

    assert places.of("/from/option").root == Path("/from/option")
    assert places.of(None).root == Path("/from/environment")
