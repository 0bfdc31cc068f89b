"""Event-source mappings of streams and queues to functions, with AWS's names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ops.apps import App
from ops.templates import resources, text_of


@dataclass(frozen=True, slots=True)
class EventSourceMapping:
    """The values of an `AWS::Lambda::EventSourceMapping` that the local runner heeds.

    -1 means without limit, as on AWS. `on_failure` is the name of a queue.
    """

    batch_size: int = 100
    maximum_batching_window_in_seconds: float = 0
    bisect_batch_on_function_error: bool = False
    maximum_record_age_in_seconds: int = -1
    maximum_retry_attempts: int = -1
    report_batch_item_failures: bool = False
    on_failure: str | None = None
    maximum_concurrency: int = 1  # of a queue; a shard has one invocation at a time

    @classmethod
    def of(
        cls, properties: Mapping[str, Any], *, on_failure: str | None = None
    ) -> "EventSourceMapping":
        """From the properties of the resource, or of a SAM event, which has the same names.

        The destination of the failures is given apart, for in a template it is a reference.
        """
        return cls(
            batch_size=properties.get("BatchSize", 100),
            maximum_batching_window_in_seconds=properties.get("MaximumBatchingWindowInSeconds", 0),
            bisect_batch_on_function_error=properties.get("BisectBatchOnFunctionError", False),
            maximum_record_age_in_seconds=properties.get("MaximumRecordAgeInSeconds", -1),
            maximum_retry_attempts=properties.get("MaximumRetryAttempts", -1),
            report_batch_item_failures="ReportBatchItemFailures"
            in properties.get("FunctionResponseTypes", ()),
            on_failure=on_failure,
        )


@dataclass(frozen=True, slots=True)
class Source:
    """What feeds a function: `kind` is SAM's (`Kinesis`, `DynamoDB`), `name` of the stream or table."""

    kind: str
    name: str
    mapping: EventSourceMapping


def sources(app: App, function: str, stage: str) -> list[Source]:
    """The streams that feed a function of a service's templates, by its logical name."""
    declared = resources(app)

    def name(reference: Mapping[str, Any]) -> str:
        properties = declared[reference["Fn::GetAtt"][0]]["Properties"]
        named = next(
            properties[key] for key in ("Name", "TableName", "QueueName") if key in properties
        )
        return text_of(named, stage)

    found = []
    for event in declared[function]["Properties"]["Events"].values():
        properties = event["Properties"]
        failures = properties.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        mapping = EventSourceMapping.of(properties, on_failure=name(failures) if failures else None)
        found.append(Source(event["Type"], name(properties["Stream"]), mapping))
    return found
