"""Route of the activity log [contract: Journal of activities]."""

from chalicelib.foundation.http import json_schema
from chalicelib.foundation.http.replies import Reply
from chalicelib.foundation.http.routes import Routes
from chalicelib.taxis.activity import schemas, service
from chalicelib.taxis.envelope import PAGE_SIZE, Request, meta, reply
from chalicelib.taxis.vocabulary import Role

routes = Routes()


@routes.get(
    "/activity_logs",
    roles=(Role.ADMIN,),
    query=schemas.JournalSchema(),
    answers={200: json_schema.page_of(schemas.ENTRY)},
)
def get_activity_logs(request: Request) -> Reply:
    """Activities of accounts, newest first."""
    filters = request.parameters()
    page = request.page()
    found, total = service.list_entries(filters, page=page, per_page=PAGE_SIZE, now=request.now)
    shown = [schemas.entry_object(entry) for entry in found]
    return reply(shown, meta=meta(page=page, total=total))
