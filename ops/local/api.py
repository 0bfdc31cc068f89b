"""The API process of a service: its application behind the local gateway.

python -m ops.local.api --app NAME --port N
"""

import argparse
import importlib
import logging
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial

from chalicelib.foundation.settings import settings
from ops import apps
from ops.local.log_lines import Request
from ops.local.process import told_to_stop
from ops.local.server import Server, listen

log = logging.getLogger("maraude.gateway")


def log_request(
    account_of: Callable[[Mapping[str, str]], str],
    method: str,
    target: str,
    headers: Mapping[str, str],
    status: int,
    took_ms: float,
) -> None:
    """Writes the log's line on a request. Whatever becomes of it, the request is answered."""
    try:
        account = account_of(headers)
    except Exception:  # whatever it is, the request is answered
        log.exception("whose request it was is not known")
        account = ""
    line = Request(
        at_ms=int(time.time() * 1000),
        method=method,
        target=target,
        status=status,
        ms=round(took_ms, 1),
        account=account,
        agent=headers.get("user-agent", ""),
    )
    with suppress(OSError):  # the disk may be full
        sys.stdout.write(line.text() + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serves until SIGTERM, then finishes the requests under way."""
    parser = argparse.ArgumentParser(prog="python -m ops.local.api", description=__doc__)
    parser.add_argument("--app", type=apps.find, required=True, help="a service, or its folder")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--port", type=int, help="listen on this port of 127.0.0.1")
    where.add_argument("--fd", type=int, help="serve an inherited socket that listens already")
    parser.add_argument("--read-timeout", type=float, default=20.0, metavar="SECONDS")
    args = parser.parse_args()
    stopped = told_to_stop()  # before the application is loaded, which takes a while

    application = apps.application(args.app)
    start = importlib.import_module(args.app.home.start) if args.app.home.start else None
    server = Server(
        application,
        listen(args.port) if args.fd is None else socket.socket(fileno=args.fd),
        body_limit_bytes=settings().body_limit_bytes,
        own_headers=application.own_headers,
        pages=start.pages() if start else lambda *_: None,
        served=partial(log_request, start.account_of if start else lambda _: ""),
        read_timeout_s=args.read_timeout,
    )
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    stopped.wait()
    server.stop()


if __name__ == "__main__":
    main()
