"""The registry's entry points for HTTP, queues and schedules: makes the Chalice application, decides nothing."""

from chalice import Rate

from chalicelib import clock, root
from chalicelib.access import routes as access
from chalicelib.activity import routes as activity
from chalicelib.positions import service as positions
from chalicelib.registry import routes as registry
from chalicelib.search import routes as search
from chalicelib.stats import service as stats
from chalicelib.territory import routes as territory
from chalicelib.web import Registry

app = Registry("maraude")
app.serve(
    root.routes,
    access.routes,
    registry.routes,
    search.routes,
    territory.routes,
    activity.routes,
)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def count_active(_: object) -> None:
    """Counts the taxis that report, for the maps and `GET /zupc`."""
    stats.count_active(now=clock.now())


@app.schedule(Rate(1, unit=Rate.DAYS))
def retire_cells(_: object) -> None:
    """Keeps positions that are too old for a cell as last positions, and removes empty cells."""
    positions.retire_cells(now=clock.now())
