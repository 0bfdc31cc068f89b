"""Loads of stations."""

from pathlib import Path

import pytest

from chalicelib.taxis.territory import service
from ops.cli.territory import station_loads

pytestmark = pytest.mark.usefixtures("store")

HEAD = "id;nom;insee;geopoint;adresse;emplacements;no_appel;info\n"
ROW = '"38185-T-001";"Vallier";38185;"5.71, 45.18";"Boulevard Vallier";6;;null\n'


def test_stations_load_from_csv_and_are_upserted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "stations.csv"
    path.write_text(HEAD + ROW + ROW.replace("T-001", "T-002"))
    station_loads.load_stations(path)
    path.write_text(HEAD + ROW.replace("Vallier", "Renamed"))

    station_loads.load_stations(path)

    assert [(one.station_id, one.name, one.places, one.info) for one in service.stations()] == [
        ("38185-T-001", "Renamed", 6, ""),
        ("38185-T-002", "Vallier", 6, ""),
    ]
    said = capsys.readouterr().out.splitlines()
    assert said[0].startswith("stations: 2 new, 0 changed, 0 unchanged; 2 in all; 2 in a town")
    assert said[2].startswith("stations: 0 new, 1 changed, 0 unchanged; 2 in all")
