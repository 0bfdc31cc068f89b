"""The smallest service: a page that counts knocks, by a queue, and minutes, by a schedule."""

from chalice import Chalice, Rate

from chalicelib.foundation.aws import clients
from chalicelib.foundation.settings import table

app = Chalice("toy")


def _count(name: str) -> None:
    clients.dynamodb().update_item(
        TableName=table("toy-counts"),
        Key={"name": {"S": name}},
        UpdateExpression="ADD times :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )


@app.route("/")
def counts() -> dict[str, int]:
    """How often each thing was counted."""
    items = clients.dynamodb().scan(TableName=table("toy-counts"))["Items"]
    return {item["name"]["S"]: int(item["times"]["N"]) for item in items}


@app.route("/", methods=["POST"])
def knock() -> None:
    """Sends a knock to be counted."""
    url = clients.sqs().get_queue_url(QueueName=table("toy-knocks"))["QueueUrl"]
    clients.sqs().send_message(QueueUrl=url, MessageBody="knock")


@app.on_sqs_message(queue=table("toy-knocks"), batch_size=1)
def count_knock(_: object) -> None:
    """Counts a knock."""
    _count("knocks")


@app.schedule(Rate(1, unit=Rate.MINUTES))
def count_minute(_: object) -> None:
    """Counts a minute."""
    _count("minutes")
