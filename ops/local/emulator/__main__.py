"""The repaired MiniStack as a process: `python -m ops.local.emulator`, set up by MiniStack's variables.

uvicorn with httptools serves it, where MiniStack would start Hypercorn: half the CPU of a call (0.34 ms
instead of 0.67 for GetItem), which is paid for everything that the local system does.
"""

import os

import uvicorn
from ministack.app import app

from ops.local.emulator import callers, kinesis, queries

KEEP_ALIVE_S = 75  # as MiniStack has it; botocore's pools keep their connections


def main() -> None:
    """Serves until SIGTERM or SIGINT, then finishes what is under way and writes the state."""
    kinesis.repair()
    queries.repair()
    uvicorn.run(
        callers.for_programs(app, os.environ.get("MARAUDE_API_DOMAIN", "")),
        host=os.environ["BIND_HOST"],
        port=int(os.environ["GATEWAY_PORT"]),
        http="httptools",
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        date_header=False,  # MiniStack's
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
    )


if __name__ == "__main__":
    main()
