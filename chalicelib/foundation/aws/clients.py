"""AWS clients of the process: created on first use, shared by threads, with timeouts on every call."""

import threading
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.config import Config
from botocore.handlers import BUILTIN_HANDLERS

from chalicelib.foundation.settings import settings

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_sqs import SQSClient

# A request of the API has 29 s at the gateway; a call that hangs must leave room for a second try.
_LIMITS = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "max_attempts": 3},
    max_pool_connections=32,
    parameter_validation=False,
)


# As botocore's events name the services that are called; handlers of the others are never asked.
_SERVICES = frozenset({"*", "dynamodb", "kinesis", "secrets-manager", "sqs", "sts"})


def _concerns_us(event: str) -> bool:
    """Whether a handler of this event is for all services or one of ours, and not for documentation."""
    kind, _, scope = event.partition(".")
    return kind != "docs" and (not scope or scope.partition(".")[0] in _SERVICES)


class Session(botocore.session.Session):
    """botocore's session, which threads may share: it makes one client at a time.

    Of botocore's own handlers it registers the dozen that concern the services which are called: all
    127 take 5 ms of each cold start.
    """

    _lock = threading.Lock()

    def __init__(self) -> None:
        super().__init__(include_builtin_handlers=False)
        # None of these has a rank, the third of what botocore may say; a test holds it to that.
        for event, handler, *_ in filter(lambda one: _concerns_us(one[0]), BUILTIN_HANDLERS):
            self.register(event, handler)

    def create_client(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # botocore's own
        """A client, as botocore makes it."""
        with self._lock:
            return super().create_client(*args, **kwargs)


@cache
def session() -> Session:
    """The process's one session: the description of a service (50 ms for DynamoDB) is read once."""
    # Not boto3's: it loads its transfer manager for S3, a quarter of the API's cold start.
    new_session = Session()
    # botocore spells its own name anew for each call, which takes a seventh of the call's CPU.
    new_session.set_default_client_config(Config(user_agent="maraude"))
    return new_session


def client(service: str, *, limits: Config = _LIMITS) -> Any:  # noqa: ANN401  # of the service's own kind, which stubs know by name only
    """A client of a service in this deployment, with its timeouts and retries."""
    return session().create_client(
        service,
        region_name=settings().region,
        endpoint_url=settings().endpoint or None,
        config=limits,
    )


@cache
def dynamodb() -> "DynamoDBClient":
    """DynamoDB, for the calls where a model would only be in the way."""
    found: DynamoDBClient = client("dynamodb")
    return found


@cache
def kinesis() -> "KinesisClient":
    """Kinesis, for the stream of positions."""
    found: KinesisClient = client("kinesis")
    return found


@cache
def sqs() -> "SQSClient":
    """SQS, for the queues of hails and of failures."""
    found: SQSClient = client("sqs")
    return found
