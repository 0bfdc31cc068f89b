"""The API process of a service: its application behind the local gateway.

python -m ops.local.api --app NAME --port N
"""

import argparse
import importlib
import socket
import threading

from chalicelib.foundation.settings import settings
from ops import apps
from ops.local.process import told_to_stop
from ops.local.server import Server, listen


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
    start = args.app.home.start
    server = Server(
        application,
        listen(args.port) if args.fd is None else socket.socket(fileno=args.fd),
        body_limit_bytes=settings().body_limit_bytes,
        own_headers=application.own_headers,
        pages=importlib.import_module(start).pages() if start else lambda *_: None,
        read_timeout_s=args.read_timeout,
    )
    threading.Thread(target=server.serve_forever, name="accept", daemon=True).start()
    stopped.wait()
    server.stop()


if __name__ == "__main__":
    main()
