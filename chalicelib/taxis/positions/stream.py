"""The stream of positions: reports in, grouped by region, so that a window of it touches few cells."""

from collections.abc import Sequence

from botocore.exceptions import BotoCoreError, ClientError

from chalicelib.foundation.aws import kinesis
from chalicelib.foundation.errors import Unavailable, in_request
from chalicelib.foundation.settings import table

# A report stays far below 1 MB, the limit of a record, and a call below 5 MB and 500 records.
POSITIONS_A_REPORT = 10_000  # 140 kB
REPORTS_A_CALL = 35


class StreamUnavailable(Unavailable):
    """The stream did not take every position. Sending all of them again is harmless."""


_NOT_STORED = in_request("The positions could not be stored, send them again")


def send(reports: Sequence[tuple[str, bytes]]) -> None:
    """Puts reports (region, bytes) into the stream: one call, and one for each time some were refused.

    Raises StreamUnavailable.
    """
    for start in range(0, len(reports), REPORTS_A_CALL):
        try:
            refused = kinesis.put(table("positions"), reports[start : start + REPORTS_A_CALL])
        except (BotoCoreError, ClientError) as error:
            raise StreamUnavailable(_NOT_STORED) from error
        if refused:
            raise StreamUnavailable(_NOT_STORED)
