"""The smallest service: a page that counts knocks, by a queue, and minutes, by a schedule."""

from collections.abc import Mapping

from chalice import Rate

from chalicelib.foundation import errors
from chalicelib.foundation.aws import clients
from chalicelib.foundation.http.application import Application
from chalicelib.foundation.http.contract import Contract
from chalicelib.foundation.http.refusals import status_of
from chalicelib.foundation.http.replies import Reply, encode
from chalicelib.foundation.http.requests import Request
from chalicelib.foundation.http.routes import Route, Routes
from chalicelib.foundation.settings import table


class Open(Contract):
    """Whoever calls may ask, with any body."""

    def body(self, method: str, headers: Mapping[str, str], sent: bytes) -> object:  # noqa: ARG002
        return sent

    def serve(self, route: Route, request: Request) -> Reply:  # noqa: ARG002
        return route.view()

    def refused(self, refusal: errors.Refusal) -> Reply:
        return Reply(status_of(type(refusal)), encode({"error": str(refusal)}))

    def fault(self, request_id: str) -> Reply:
        return Reply(500, encode({"error": request_id}))

    def headers(self, method: str, headers: Mapping[str, str]) -> Mapping[str, str]:  # noqa: ARG002
        return {}

    def preflight(self) -> Reply:
        return Reply(204, "")


routes = Routes()


def _count(name: str) -> None:
    clients.dynamodb().update_item(
        TableName=table("toy-counts"),
        Key={"name": {"S": name}},
        UpdateExpression="ADD times :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


@routes.get("/counts", roles=None)
def counts() -> Reply:
    """How often each thing was counted."""
    items = clients.dynamodb().scan(TableName=table("toy-counts"))["Items"]
    return Reply(200, encode({item["name"]["S"]: int(item["times"]["N"]) for item in items}))


@routes.post("/knocks", roles=None)
def knock() -> Reply:
    """Sends a knock to be counted."""
    url = clients.sqs().get_queue_url(QueueName=table("toy-knocks"))["QueueUrl"]
    clients.sqs().send_message(QueueUrl=url, MessageBody="knock")
    return Reply(202, "")


app = Application("toy", Open())
app.serve(routes)


@app.on_sqs_message(queue=table("toy-knocks"), batch_size=1)
def count_knock(_: object) -> None:
    """Counts a knock."""
    _count("knocks")


@app.schedule(Rate(1, unit=Rate.MINUTES))
def count_minute(_: object) -> None:
    """Counts a minute."""
    _count("minutes")
