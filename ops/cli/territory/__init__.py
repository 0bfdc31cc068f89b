"""`maraude territory`: loading towns, zones, conurbations and stations from public files.

Each load reads and checks its whole file, writes what is new beside what there is, and makes it
current by one last write: what was interrupted or refused has changed nothing.
"""

from ops.cli.territory.command import add_parser as add_parser
from ops.cli.territory.conurbations import load_conurbations as load_conurbations
from ops.cli.territory.exclusions import load_exclusion as load_exclusion
from ops.cli.territory.loads import load_towns as load_towns
from ops.cli.territory.loads import load_zones as load_zones
from ops.cli.territory.station_loads import load_stations as load_stations
