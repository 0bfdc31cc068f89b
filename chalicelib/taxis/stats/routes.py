"""Routes of the statistics, `GET /stats/*` [contract: Statistics pages]."""

from collections.abc import Callable
from functools import wraps
from typing import Annotated, TypeVar, get_args, get_origin, get_type_hints

from marshmallow import Schema
from msgspec import to_builtins

from chalicelib.foundation.http.json_schema import Sent, one, several, shape_of
from chalicelib.foundation.http.replies import JSON, Reply, encode
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request, reply
from chalicelib.taxis.stats import schemas, service
from chalicelib.taxis.stats.active import service as active
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.hails import service as hails
from chalicelib.taxis.stats.pages import (
    AccountChoice,
    DepartementCount,
    Groups,
    Heat,
    PublicFigures,
    SearchStatistics,
    TaxiStatistics,
)
from chalicelib.taxis.stats.searches import service as searches
from chalicelib.taxis.vocabulary import Role

T = TypeVar("T")

routes = Routes()

_FILTERS = schemas.FilterSchema()


def _page(
    path: str, query: Schema | None = None
) -> Callable[[Callable[[Request], T]], Callable[[Request], T]]:
    """Shows admins what a view answers, in the envelope: several if its type is a list, or else one."""

    def serve(view: Callable[[Request], T]) -> Callable[[Request], T]:
        kind = get_type_hints(view, include_extras=True)["return"]
        is_list = get_origin(kind) is list
        answer = several(shape_of(*get_args(kind))) if is_list else one(shape_of(kind))

        @routes.get(path, roles=(Role.ADMIN,), query=query, answers={200: answer})
        @wraps(view)
        def get(request: Request) -> Reply:
            found = view(request)
            return reply(to_builtins(found if is_list else [found]))

        return view

    return serve


def _filters(request: Request) -> Filter:
    return service.filters(**request.parameters())


@_page("/stats/taxis", _FILTERS)
def get_stats_taxis(request: Request) -> TaxiStatistics:
    """Registered and connected taxis, now and at the milestones."""
    return service.taxis(_filters(request), now=request.now)


@_page("/stats/hails", _FILTERS)
def get_stats_hails(request: Request) -> Annotated[dict[str, object], schemas.HAIL_STATISTICS]:
    """Hails by outcome, with mean times and distance."""
    found = hails.statistics(_filters(request), now=request.now)
    return schemas.hail_statistics(found)


@_page("/stats/groupements", _FILTERS)
def get_stats_groupements(request: Request) -> Groups:
    """The registered taxis of each group."""
    return service.groups(_filters(request))


@_page("/stats/adsmap", _FILTERS)
def get_stats_adsmap(request: Request) -> list[DepartementCount]:
    """Taxis by the departement of their licence."""
    return service.departements(_filters(request))


@_page("/stats/groups", schemas.GroupSearch())
def get_stats_groups(request: Request) -> list[AccountChoice]:
    """The groups to choose from."""
    return service.group_accounts(request.parameters()["search"])


@_page("/stats/managers")
def get_stats_managers(_: Request) -> list[AccountChoice]:
    """The managers to choose from."""
    return service.managers()


@_page("/stats/searches", _FILTERS)
def get_stats_searches(request: Request) -> SearchStatistics:
    """Quartiles of search results, and the accounts that search most."""
    return service.search_statistics(_filters(request), now=request.now)


@_page("/stats/heatmap_hails")
def get_stats_heatmap_hails(request: Request) -> Heat:
    """Heat map of hails."""
    return Heat(hails.heat(now=request.now))


@_page("/stats/heatmap_taxis")
def get_stats_heatmap_taxis(_: Request) -> Heat:
    """Heat map of taxis."""
    return Heat(active.taxi_heat())


@_page("/stats/heatmap_searches")
def get_stats_heatmap_searches(_: Request) -> Heat:
    """Heat map of searches."""
    return Heat(searches.heat())


@routes.get("/stats/letaxi", roles=None, answers={200: Sent(shape_of(PublicFigures))})
def get_stats_letaxi(request: Request) -> Reply:
    """Public figures, without the envelope."""
    found = service.public_figures(now=request.now)
    return Reply(200, encode(to_builtins(found)), {"Content-Type": JSON})
