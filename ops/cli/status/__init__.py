"""`maraude status`: what the registry is doing, from its tables and its metrics.

The metrics are those that the functions print: on a stage CloudWatch has them, at home the logs of the data folder.
"""

from ops.cli.status.command import add_parser as add_parser
