"""`GET /stats/*`: what admins and the public see of the registry's activity (letaxi-api 19)."""

from typing import Any

from msgspec import to_builtins

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.json_schema import Sent
from chalicelib.foundation.http.messages import JSON, Reply, encode
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.envelope import Request, reply
from chalicelib.taxis.stats import schemas, service
from chalicelib.taxis.stats.active import service as active
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.stats.hails import service as hails
from chalicelib.taxis.stats.rules import (
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

routes = Routes()

ADMINS = (Role.ADMIN,)
_FILTERS = schemas.FilterSchema()


def _one(kind: Any) -> Sent:  # noqa: ANN401  # a Struct type
    return json_schema.one(json_schema.shape_of(kind))


def _several(kind: Any) -> Sent:  # noqa: ANN401
    return json_schema.several(json_schema.shape_of(kind))


def _filters(request: Request) -> Filter:
    return service.filters(**request.asked())


@routes.get(
    "/stats/taxis",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: _one(TaxiStatistics)},
)
def get_stats_taxis(request: Request) -> Reply:
    """How many taxis there are and were, and what they are doing."""
    return reply(to_builtins([service.taxis(_filters(request), now=request.now)]))


@routes.get(
    "/stats/hails",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: json_schema.one(schemas.HAIL_STATISTICS)},
)
def get_stats_hails(request: Request) -> Reply:
    """What became of hails."""
    found = hails.statistics(_filters(request), now=request.now)
    return reply([schemas.hail_statistics(found)])


@routes.get(
    "/stats/groupements",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: _one(Groups)},
)
def get_stats_groupements(request: Request) -> Reply:
    """How many of its taxis each group has registered."""
    return reply(to_builtins([service.groups(_filters(request))]))


@routes.get(
    "/stats/adsmap",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: _several(DepartementCount)},
)
def get_stats_adsmap(request: Request) -> Reply:
    """Taxis by the departement of their licence."""
    return reply(to_builtins(service.departements(_filters(request))))


@routes.get(
    "/stats/groups",
    roles=ADMINS,
    query=schemas.GroupSearch(),
    answers={200: _several(AccountChoice)},
)
def get_stats_groups(request: Request) -> Reply:
    """The groups to choose from."""
    return reply(to_builtins(service.group_accounts(request.asked()["search"])))


@routes.get("/stats/managers", roles=ADMINS, answers={200: _several(AccountChoice)})
def get_stats_managers(_: Request) -> Reply:
    """The managers to choose from."""
    return reply(to_builtins(service.managers()))


@routes.get(
    "/stats/searches",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: _one(SearchStatistics)},
)
def get_stats_searches(request: Request) -> Reply:
    """What searches came to, and whose they were."""
    return reply(to_builtins([service.search_statistics(_filters(request), now=request.now)]))


@routes.get("/stats/heatmap_hails", roles=ADMINS, answers={200: _one(Heat)})
def get_stats_heatmap_hails(request: Request) -> Reply:
    """Where taxis were hailed."""
    return reply([{"points": hails.heat(now=request.now)}])


@routes.get("/stats/heatmap_taxis", roles=ADMINS, answers={200: _one(Heat)})
def get_stats_heatmap_taxis(_: Request) -> Reply:
    """Where taxis are."""
    return reply([{"points": active.taxi_heat()}])


@routes.get("/stats/heatmap_searches", roles=ADMINS, answers={200: _one(Heat)})
def get_stats_heatmap_searches(_: Request) -> Reply:
    """Where taxis were searched for."""
    return reply([{"points": searches.heat()}])


@routes.get(
    "/stats/letaxi",
    roles=None,
    answers={200: json_schema.Sent(json_schema.shape_of(PublicFigures))},
)
def get_stats_letaxi(request: Request) -> Reply:
    """What anybody may see; without the envelope."""
    found = service.public_figures(now=request.now)
    return Reply(200, encode(to_builtins(found)), {"Content-Type": JSON})
