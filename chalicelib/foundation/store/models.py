"""Base configuration of all PynamoDB models: region, endpoint, timeouts."""

import os

from pynamodb.connection import base

from chalicelib.foundation.aws import clients

# PynamoDB makes a botocore session for each model, and each of them reads DynamoDB's description
# anew. It has no other place to say this; a test holds it to it.
base.get_session = clients.session  # type: ignore[attr-defined,assignment]  # a name of its own

# The place is read when a model is defined, which needs nothing set; `settings.py` checks it.


class Place:
    """The base of each model's `Meta`: adds only `table_name`."""

    region = os.environ.get("MARAUDE_REGION", "eu-west-3")
    host = os.environ.get("MARAUDE_ENDPOINT") or None
    connect_timeout_seconds = 2
    read_timeout_seconds = 5
    max_retry_attempts = 3
    max_pool_connections = 32
