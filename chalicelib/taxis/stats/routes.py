"""`GET /stats/*`: what admins and the public see of the registry's activity (letaxi-api 19)."""

from chalicelib.foundation.http import json_schema
from chalicelib.taxis.access.rules import Role
from chalicelib.taxis.stats import schemas, service
from chalicelib.taxis.stats.filters import Filter
from chalicelib.taxis.web import JSON, Reply, Request, Routes, encode, reply

routes = Routes()

ADMINS = (Role.ADMIN,)
_FILTERS = schemas.FilterSchema()


def _filters(request: Request) -> Filter:
    return service.filters(**request.asked())


@routes.get(
    "/stats/taxis",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: json_schema.one(schemas.TAXI_STATISTICS)},
)
def get_stats_taxis(request: Request) -> Reply:
    """How many taxis there are and were, and what they are doing."""
    found = service.taxis(_filters(request), now=request.now)
    return reply([schemas.taxi_statistics(found)])


@routes.get(
    "/stats/hails",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: json_schema.one(schemas.HAIL_STATISTICS)},
)
def get_stats_hails(request: Request) -> Reply:
    """What became of hails."""
    found = service.hail_statistics(_filters(request), now=request.now)
    return reply([schemas.hail_statistics(found)])


@routes.get(
    "/stats/groupements",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: json_schema.one(schemas.GROUPS)},
)
def get_stats_groupements(request: Request) -> Reply:
    """How many of its taxis each group has registered."""
    return reply([schemas.groups(service.groups(_filters(request)))])


@routes.get(
    "/stats/adsmap",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: json_schema.several(schemas.DEPARTEMENT)},
)
def get_stats_adsmap(request: Request) -> Reply:
    """Taxis by the departement of their licence."""
    return reply([schemas.departement(one) for one in service.departements(_filters(request))])


@routes.get(
    "/stats/groups",
    roles=ADMINS,
    query=schemas.GroupSearch(),
    answers={200: json_schema.several(schemas.ACCOUNT)},
)
def get_stats_groups(request: Request) -> Reply:
    """The groups to choose from."""
    asked = request.asked()
    return reply([schemas.account(line) for line in service.group_accounts(asked["search"])])


@routes.get("/stats/managers", roles=ADMINS, answers={200: json_schema.several(schemas.ACCOUNT)})
def get_stats_managers(_: Request) -> Reply:
    """The managers to choose from."""
    return reply([schemas.account(line) for line in service.managers()])


@routes.get(
    "/stats/searches",
    roles=ADMINS,
    query=_FILTERS,
    answers={200: json_schema.one(schemas.SEARCH_STATISTICS)},
)
def get_stats_searches(request: Request) -> Reply:
    """What searches came to, and whose they were."""
    found = service.search_statistics(_filters(request), now=request.now)
    return reply([schemas.search_statistics(found)])


@routes.get("/stats/heatmap_hails", roles=ADMINS, answers={200: json_schema.one(schemas.HEAT)})
def get_stats_heatmap_hails(request: Request) -> Reply:
    """Where taxis were hailed."""
    return reply([schemas.heat(service.hail_heat(now=request.now))])


@routes.get("/stats/heatmap_taxis", roles=ADMINS, answers={200: json_schema.one(schemas.HEAT)})
def get_stats_heatmap_taxis(_: Request) -> Reply:
    """Where taxis are."""
    return reply([schemas.heat(service.taxi_heat())])


@routes.get("/stats/heatmap_searches", roles=ADMINS, answers={200: json_schema.one(schemas.HEAT)})
def get_stats_heatmap_searches(_: Request) -> Reply:
    """Where taxis were searched for."""
    return reply([schemas.heat(service.search_heat())])


@routes.get("/stats/letaxi", roles=None, answers={200: json_schema.Sent(schemas.PUBLIC_FIGURES)})
def get_stats_letaxi(request: Request) -> Reply:
    """What anybody may see; without the envelope."""
    found = service.public_figures(now=request.now)
    return Reply(200, encode(schemas.public_figures(found)), {"Content-Type": JSON})
