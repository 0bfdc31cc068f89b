"""Messages as SQS hands them to the functions of the application."""

from app import app


def feed(name: str, *bodies: str) -> list[str]:
    """Hands messages to a function: the ids of those that failed, `m0` for the first."""
    records = [
        {
            "messageId": f"m{place}",
            "receiptHandle": "r",
            "body": body,
            "attributes": {},
            "messageAttributes": {},
            "eventSourceARN": f"arn:aws:sqs:eu-west-3:0:{name}",
        }
        for place, body in enumerate(bodies)
    ]
    answer = app.handler_map[name]({"Records": records}, None)
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]
