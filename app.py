"""The registry's entry points for HTTP, queues and schedules: makes the Chalice application, decides nothing."""

from chalicelib.foundation import process

process.start()

from chalice import Cron, Rate
from chalice.app import SQSEvent

from chalicelib.foundation import clock
from chalicelib.foundation.http.application import Application
from chalicelib.foundation.observe import guard
from chalicelib.foundation.settings import table
from chalicelib.taxis import root
from chalicelib.taxis.access import routes as access
from chalicelib.taxis.activity import routes as activity
from chalicelib.taxis.contract import LeTaxi
from chalicelib.taxis.hails import handlers
from chalicelib.taxis.hails import routes as hails
from chalicelib.taxis.openapi import routes as openapi
from chalicelib.taxis.positions import routes as positions
from chalicelib.taxis.registry import routes as registry
from chalicelib.taxis.search import routes as search
from chalicelib.taxis.stats import routes as stats
from chalicelib.taxis.stats.active import routes as areas
from chalicelib.taxis.territory import routes as territory

app = Application("maraude", LeTaxi())
app.serve(
    root.routes,
    access.routes,
    registry.routes,
    positions.routes,
    search.routes,
    hails.routes,
    areas.routes,
    territory.routes,
    activity.routes,
    stats.routes,
    openapi.routes_for(app.table),
)

for kind in ("scheduled", "sqs"):
    app.register_middleware(guard.guard, kind)


def _run(job: str) -> None:
    from chalicelib.taxis.jobs import service as jobs  # noqa: PLC0415  # the API, which starts cold, has none

    jobs.run(job, now=clock.now())


@app.schedule(Rate(1, unit=Rate.MINUTES))
def count_active(_: object) -> None:
    """Counts the taxis that report, for the maps and `GET /zupc`."""
    _run("count-active")


@app.schedule(Cron(5, "*", "*", "*", "?", "*"))
def count_active_hour(_: object) -> None:
    """Counts the distinct taxis of the hour that is over."""
    _run("count-active-hour")


@app.schedule(Cron(20, 0, "*", "*", "?", "*"))
def count_active_day(_: object) -> None:
    """Counts the distinct taxis of the day that is over, and of the week that ends with it."""
    _run("count-active-day")


@app.schedule(Cron(20, "*", "*", "*", "?", "*"))
def count_fleets(_: object) -> None:
    """Counts all registered taxis, for the statistics."""
    _run("count-fleets")


@app.schedule(Rate(1, unit=Rate.DAYS))
def retire_cells(_: object) -> None:
    """Keeps positions that are too old for a cell as last positions, and removes empty cells."""
    _run("retire-cells")


@app.on_sqs_message(queue=table("hail-dispatch"), batch_size=1, maximum_concurrency=100)
def call_operators(event: SQSEvent) -> handlers.Failures:
    """Sends new hails to their operators' servers."""
    return handlers.each(event.to_dict(), handlers.call_operator)


@app.on_sqs_message(queue=table("hail-deadlines"), batch_size=10, maximum_concurrency=20)
def apply_deadlines(event: SQSEvent) -> handlers.Failures:
    """Ends the hails in which somebody has been silent for too long."""
    return handlers.each(event.to_dict(), handlers.apply_deadline)


@app.schedule(Rate(1, unit=Rate.MINUTES))
def sweep_hails(_: object) -> None:
    """Applies overdue deadlines whose message is late or lost."""
    handlers.sweep()


@app.schedule(Cron(0, 4, "*", "*", "?", "*"))
def blur_positions(_: object) -> None:
    """Takes from last positions of two months ago where they were."""
    _run("blur-positions")


@app.schedule(Cron(2, 4, "*", "*", "?", "*"))
def blur_hails(_: object) -> None:
    """Takes from hails of two months ago what tells who and where."""
    _run("blur-hails")


@app.schedule(Cron(4, 4, "*", "*", "?", "*"))
def delete_old_hails(_: object) -> None:
    """Deletes the hails of a year ago."""
    _run("delete-old-hails")


@app.schedule(Cron(6, 4, "*", "*", "?", "*"))
def delete_old_taxis(_: object) -> None:
    """Deletes the taxis that nobody has seen for a year."""
    _run("delete-old-taxis")


@app.schedule(Cron(8, 4, "*", "*", "?", "*"))
def delete_orphans(_: object) -> None:
    """Deletes the drivers, ADS and descriptions that no taxi is made of any more."""
    _run("delete-orphans")


@app.schedule(Cron(10, 4, "*", "*", "?", "*"))
def count_hails(_: object) -> None:
    """Counts the hails of the days that are over, for the statistics."""
    _run("count-hails")


@app.schedule(Cron(20, 4, "*", "*", "?", "*"))
def fold_searches(_: object) -> None:
    """Adds the searches of a day that is complete to those of all days."""
    _run("fold-searches")
