"""Stations from the two forms of the published schema, each fault with its row and column.

`COLUMNS` says all that the schema files of stationstaxi 0.1.2 (CSV) and stationstaxi GeoJSON ask
for; a column of one is a property of the other. Both forms are held to the same, so that what is
loaded from one can be exported as the other.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import phonenumbers

from chalicelib.foundation.geo import E7, LngLat
from chalicelib.taxis.territory import interior
from chalicelib.taxis.territory.borders import Shape
from chalicelib.taxis.territory.rules import Station
from ops.cli.territory import geojson
from ops.reading import Fault, FileFaulty, FileRefused, lng_lat, table, text, text_of


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the CSV form and the property of the same name of the GeoJSON form."""

    name: str
    kind: Literal["string", "integer", "geopoint"] = "string"
    required: bool = False
    pattern: re.Pattern[str] | None = None  # of the whole text
    unique: bool = False
    telephone: bool = False  # the schema's own check, phone-number-value


_INSEE = r"([013-9]\d|2[AB1-9])\d{3}"
COLUMNS = (
    Column("id", required=True, pattern=re.compile(_INSEE + r"-T-\d{3}", re.ASCII), unique=True),
    Column("nom", required=True),
    Column("insee", required=True, pattern=re.compile(_INSEE, re.ASCII)),
    Column("geopoint", "geopoint", required=True),  # the geometry of the GeoJSON form
    Column("adresse"),
    Column("emplacements", "integer"),
    Column("no_appel", telephone=True),
    Column("info"),
)
MISSING = ("", "null")  # what stands for no value in the CSV form

MAX_PLACES = 9999

# Where French numbers are given out, the overseas regions by codes of their own.
_PHONE_REGIONS = ("FR", "GP", "MQ", "GF", "RE", "YT")

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_GEOPOINT = re.compile(rf"\s*({_NUMBER})\s*,\s*({_NUMBER})\s*")


@dataclass(frozen=True, slots=True)
class _Location:
    """A point; where the station is drawn, the polygons too, which the point is inside."""

    point: LngLat
    polygons: Shape = ()


@dataclass(frozen=True, slots=True)
class _Row:
    """What a file gives for one station; `place` says where. `geojson` is False for cells of text."""

    place: str
    given: Mapping[str, object]
    geojson: bool

    def checked(self, column: Column) -> Any:  # noqa: ANN401  # a text, a number or a _Location
        """The value of a column, None where there is none. Raises Fault."""
        value = self.given.get(column.name)
        missing = column.name not in self.given or (not self.geojson and value in MISSING)
        if missing and column.required:
            raise Fault("is missing")
        if missing:
            return None
        if column.kind == "geopoint":
            return _drawn(value) if self.geojson else _Location(_written_point(str(value)))
        if column.kind == "integer":
            return _places(value if self.geojson else _written_integer(str(value)))
        return _text(column, value)

    def named(self, column: Column) -> str:
        """A column as this form calls it."""
        if not self.geojson:
            return f"column {column.name}"
        return "geometry" if column.kind == "geopoint" else f"property {column.name}"


@dataclass(frozen=True, slots=True)
class ListedStation:
    """A station of a file; `place` says where it stands."""

    place: str
    station: Station


def read(path: Path) -> list[ListedStation]:
    """The stations of a file of either form. Raises FileRefused, FileFaulty."""
    faults: list[str] = []
    is_geojson = text_of(path).lstrip()[:1] == "{"
    rows = _rows_of_geojson(path, faults) if is_geojson else _rows_of_csv(path, faults)
    found: list[ListedStation] = []
    seen: dict[tuple[str, object], str] = {}
    for row in rows:
        values: dict[str, Any] = {}
        for column in COLUMNS:
            try:
                value = values[column.name] = row.checked(column)
                if column.unique and seen.setdefault((column.name, value), row.place) != row.place:
                    raise Fault(f"{value!r} is there already, at {seen[column.name, value]}")
            except Fault as fault:
                faults.append(f"{row.place}, {row.named(column)}: {fault}")
        if not faults:
            found.append(ListedStation(row.place, _station(values)))
    if faults:
        raise FileFaulty(path, faults)
    if not found:
        raise FileRefused(path, 1, "there is no station in it")
    return found


def _rows_of_csv(path: Path, faults: list[str]) -> Iterator[_Row]:
    """The rows of a CSV file; what is no row is added to the faults."""
    names, rows = table(path)
    for column in COLUMNS:
        if column.required and column.name not in names:
            faults.append(f"line 1: the column {column.name} is missing")
        if names.count(column.name) > 1:
            faults.append(f"line 1: the column {column.name} is there more than once")
    if faults:
        return
    for number, (line, cells) in enumerate(rows, start=1):
        place = f"line {line}, row {number}"
        if len(cells) == len(names):
            yield _Row(place, dict(zip(names, cells, strict=True)), geojson=False)
        else:
            faults.append(f"{place}: {len(cells)} values for {len(names)} columns")


def _rows_of_geojson(path: Path, faults: list[str]) -> Iterator[_Row]:
    """The features of a GeoJSON file; what is no feature is added to the faults."""
    for number, (line, feature) in enumerate(geojson.elements(path), start=1):
        place = f"line {line}, feature {number}"
        if not isinstance(feature, dict) or feature.get("type") != "Feature":
            faults.append(f"{place}: not a GeoJSON Feature")
        elif not isinstance(feature.get("properties"), dict):
            faults.append(f"{place}: the Feature has no properties")
        else:
            given = {**feature["properties"], "geopoint": feature.get("geometry")}
            yield _Row(place, given, geojson=True)


def _station(values: Mapping[str, Any]) -> Station:
    where: _Location = values["geopoint"]
    return Station(
        station_id=values["id"],
        name=values["nom"],
        insee=values["insee"],
        lng=where.point.lng,
        lat=where.point.lat,
        address=values["adresse"] or "",
        places=values["emplacements"] or 0,
        call_number=values["no_appel"] or "",
        info=values["info"] or "",
        polygons=where.polygons,
    )


# --- values ---------------------------------------------------------------------------------------


def _text(column: Column, value: object) -> str:
    if not isinstance(value, str):
        raise Fault(f"{value!r} is not a text")
    kept = text(value, "the value")
    if column.required and _is_nothing(value):
        raise Fault("is missing")
    if _is_nothing(value):
        return ""
    if column.pattern is not None and column.pattern.fullmatch(value) is None:
        raise Fault(f"{value!r} is not of the form {column.pattern.pattern}")
    if column.telephone and not _is_telephone(value):
        raise Fault(f"{value!r} is not a telephone number")
    return kept


def _is_nothing(text: str) -> bool:
    """Whether the CSV form would take a text of the GeoJSON form for none."""
    return text.strip() in MISSING


def _is_telephone(value: str) -> bool:
    """Whether a French or an international number, or one of France's short ones, may be this."""
    for region in _PHONE_REGIONS:
        try:
            number = phonenumbers.parse(value, region)
        except phonenumbers.NumberParseException:
            return False
        if phonenumbers.is_valid_number(number):
            return True
        if phonenumbers.is_valid_short_number_for_region(number, region):
            return True
    return False


def _written_integer(text: str) -> int:
    if re.fullmatch(r"[+-]?[0-9]{1,18}", text) is None:
        raise Fault(f"{text!r} is not a whole number")
    return int(text)


def _places(value: object) -> int:
    # JSON Schema takes 6.0 for a whole number too, and true for none.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise Fault(f"{value!r} is not a whole number")
    if not 0 <= value <= MAX_PLACES:
        raise Fault(f"{value} is not a number of places from 0 to {MAX_PLACES}")
    return value


def _written_point(text: str) -> LngLat:
    """A point of Table Schema's form `lon, lat`."""
    found = _GEOPOINT.fullmatch(text)
    if found is None:
        raise Fault(f"{text!r} is not a longitude and a latitude with a comma between")
    return lng_lat([float(found[1]), float(found[2])])


def _drawn(geometry: object) -> _Location:
    """A GeoJSON point, polygon or multipolygon; of polygons also a point inside."""
    if not isinstance(geometry, dict):
        raise Fault("is missing")
    kind = geometry.get("type")
    if kind == "Point":
        return _Location(lng_lat(geometry.get("coordinates")))
    if kind not in ("Polygon", "MultiPolygon"):
        raise Fault(f"is a {kind}, not a Point, Polygon or MultiPolygon")
    polygons = geojson.shape(geometry)
    inside = interior.interior_point(polygons)
    if inside is None:
        raise Fault("has no inside")
    return _Location(LngLat(inside.lng_e7 / E7, inside.lat_e7 / E7), polygons)
