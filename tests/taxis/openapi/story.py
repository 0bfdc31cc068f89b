"""Plays the story of the document's examples, on a registry that has no accounts yet.

An example's ids and times are its own, so an id of an example stands for the one that was really
made, here and in every later request. An exchange may name `jobs` that run before it. `record`
writes what comes beside the requests.
"""

import json
import re
import tempfile
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from app import app
from chalicelib.foundation import cache, clock
from chalicelib.foundation.geo import LngLat, to_e7
from chalicelib.foundation.http.replies import JSON
from chalicelib.taxis.jobs import service as jobs
from chalicelib.taxis.openapi.story import EXAMPLES
from chalicelib.taxis.positions import codec
from chalicelib.taxis.positions import service as positions
from chalicelib.taxis.positions.codec import Report
from chalicelib.taxis.registry import availability as registry
from chalicelib.taxis.vocabulary import Role
from ops.cli import administration
from ops.cli.territory import conurbations, station_loads
from tests.calls import Answer, Caller
from tests.taxis.territory import loaded

# What differs from one registry to another: times, and ids by the names of their fields.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?([+-]\d\d:\d\d)?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_IDS = {
    *("id", "taxi_id", "hail_id", "session_id", "vehicle_id", "apikey", "added_by_id"),
    *("resource_id", "user"),
}


CONURBATION = {
    "conurbation_id": "paris",
    "name": "Paris",
    "declared_ads": 20,
    "members": [loaded.PARIS, loaded.CHARENTON],
}


class Registry:
    """A registry with a territory and three accounts, none of whom has done anything."""

    def __init__(self, caller: type[Caller] = Caller) -> None:
        with tempfile.TemporaryDirectory() as folder:
            loaded.load_towns(Path(folder), loaded.PARIS, loaded.CHARENTON)
            loaded.load_zone(Path(folder), loaded.PARIS, loaded.CHARENTON)
            loaded.load_exclusion(Path(folder))
            station = loaded.a_feature(
                {"id": "75056-T-001", "nom": "Bastille", "insee": loaded.PARIS, "emplacements": 4},
                [2.3695, 48.8531],
                kind="Point",
            )
            station_loads.load_stations(
                loaded.a_file(Path(folder) / "stations", [station]), quiet=True
            )
            listed = Path(folder) / "conurbations.json"
            listed.write_text(json.dumps([CONURBATION]), "utf-8")
            conurbations.load_conurbations(listed, quiet=True)
        self.callers: dict[str | None, Caller] = {None: caller(app)}
        for name, *roles in (
            ("admin", Role.ADMIN),
            ("operator", Role.OPERATEUR, Role.GROUPEMENT),
            ("app", Role.MOTEUR),
        ):
            _, key = administration.add(f"{name}@example.org", roles=roles, name=name.title())
            self.callers[name] = caller(app, key=key)
        administration.set_fleet_size("operator@example.org", 20)
        administration.set_password("app@example.org", "correct horse")

    def play(self, one: Mapping[str, Any]) -> Answer:
        """One exchange, and what the ingest function makes of it."""
        for job in one.get("jobs", ()):
            # A second on: what was made a moment ago is there already
            jobs.run(job, now=clock.now() + timedelta(seconds=1))
            cache.forget_all()
        verb, _, path = one["operation"].partition(" ")
        for name, value in one.get("path", {}).items():
            path = path.replace(f"{{{name}}}", quote(str(value), safe=""))
        if "query" in one:
            path = f"{path}?{urlencode(one['query'], doseq=True)}"
        body = json.dumps(one["body"]) if "body" in one else None
        answer = self.callers[one["as"]].send(verb, path, body, one.get("headers"))
        if path == "/geotaxi" and answer.status == 200:
            for position in one["body"]["data"][0]["positions"]:
                _take_in(**position)
        return answer


def _take_in(taxi_id: str, lon: float, lat: float) -> None:
    """Stores a position as the ingest function does."""
    number = codec.number_of(taxi_id)
    assert number is not None
    lng_e7, lat_e7 = to_e7(LngLat(lon, lat))
    report = Report(codec.tick(clock.now()), [number], [lat_e7], [lng_e7])
    positions.store_window([report], availability_of=registry.availability_of, now=clock.now())


def played(
    caller: type[Caller] = Caller,
) -> Iterator[tuple[Mapping[str, Any], Answer, dict[str, Any]]]:
    """Each exchange as it stands, what came, and the ids that its ids stand for by then.

    `caller` is what makes the requests.
    """
    here = Registry(caller)
    stands_for: dict[str, Any] = {}
    for one in json.loads(EXAMPLES.read_text("utf-8")):
        answer = here.play(_real(one, stands_for))
        yield one, answer, stands_for


def _real(told: Any, stands_for: Mapping[str, Any]) -> Any:
    """A request with the ids of this registry."""
    if isinstance(told, dict):
        return {name: _real(value, stands_for) for name, value in told.items()}
    if isinstance(told, list):
        return [_real(value, stands_for) for value in told]
    return stands_for.get(repr(told), told)


def body(answer: Answer) -> Any:
    """What came, read where it is JSON."""
    return answer.json if answer.headers["Content-Type"] == JSON else answer.text


def differences(
    told: Any, came: Any, stands_for: dict[str, Any], *, name: str = "", at: str = ""
) -> Iterator[str]:
    """Where the answer is not what the example tells, but for ids and times.

    An id is learned where it is met first, and must be the same one from then on. `name` is of the
    field that is compared.
    """
    if isinstance(told, dict) and isinstance(came, dict) and told.keys() == came.keys():
        for key in told:
            yield from differences(told[key], came[key], stands_for, name=key, at=f"{at}/{key}")
    elif isinstance(told, list) and isinstance(came, list) and len(told) == len(came):
        for one, other in zip(told, came, strict=True):
            yield from differences(one, other, stands_for, name="[]", at=at)
    elif not _is_same(told, came, stands_for, name=name):
        yield f"{at}: {told!r} is told, {came!r} came"


def _is_same(told: Any, came: Any, stands_for: dict[str, Any], *, name: str) -> bool:
    if type(told) is not type(came):
        return False
    if name in _IDS and isinstance(told, str):
        return bool(stands_for.setdefault(repr(told), came) == came)
    if isinstance(told, str) and _TIME.fullmatch(told):
        return _TIME.fullmatch(came) is not None
    if isinstance(told, str) and _DAY.fullmatch(told):
        return _DAY.fullmatch(came) is not None
    if isinstance(told, str) and not name:  # a whole file
        return _DAY.sub("", told) == _DAY.sub("", came)
    return bool(name == "last_update" or told == came)


def record() -> None:
    """Writes what came into the examples, with the ids of this registry in the requests too."""
    story = []
    for one, answer, stands_for in played():
        came = body(answer)
        asked = _real({name: one[name] for name in one if name != "answer"}, stands_for)
        _learn(one.get("answer"), came, stands_for)
        told = {"answer": came} if "answer" in one else {}
        story.append({**asked, "status": answer.status, **told})
    EXAMPLES.write_text(json.dumps(story, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _learn(told: Any, came: Any, stands_for: dict[str, Any]) -> None:
    """The ids of an old answer, as far as it has them, and what they were now."""
    if isinstance(told, dict) and isinstance(came, dict):
        for key in told.keys() & came.keys():
            if key in _IDS and isinstance(told[key], str):
                stands_for.setdefault(repr(told[key]), came[key])
            _learn(told[key], came[key], stands_for)
    elif isinstance(told, list) and isinstance(came, list):
        for one, other in zip(told, came, strict=False):
            _learn(one, other, stands_for)
