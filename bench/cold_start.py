"""Benchmark of a cold start: CPU of import and first request, beside a bare Chalice app.

    python -m bench.cold_start build/taxis/prod

Each figure is the least of some fresh processes on this machine, on the package's own files; its
compiled modules, which are another processor's, are stood in for by this machine's. The first
request reaches DynamoDB, played by a server in this process that has nothing. Ratios compare, times do
not: another machine has others.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from ops.release.deployment_zip import unpacked

RUNS = 7

_EVENT = """
about = {"httpMethod": "GET", "resourcePath": PATH, "path": PATH, "identity": {"sourceIp": "::1"}}
event = dict.fromkeys(("multiValueHeaders", "multiValueQueryStringParameters", "pathParameters",
                       "body", "stageVariables"))
event |= {"path": PATH, "isBase64Encoded": False, "requestContext": about,
          "headers": {"X-Api-Key": "unknown"}}
context = type("Context", (), {"aws_request_id": "1", "function_name": "api"})()
"""

# Each ends with the status, or whatever else tells that the request was served.
_PARTS: Mapping[str, str] = {
    "a bare Chalice app": """
from chalice import Chalice
app = Chalice("bare")
app.route("/")(lambda: {"hello": "world"})
PATH = "/"
"""
    + _EVENT
    + "served = app(event, context)['statusCode'] == 200",
    "the API": """
from app import app
PATH = "/towns"
"""
    + _EVENT
    + "served = app(event, context)['statusCode'] == 401",  # DynamoDB knows no such key
    "the ingest function": """
from base64 import b64encode
from ingest_lambda.handler import handle
from chalicelib.foundation import clock
from chalicelib.taxis.positions import codec
record = {"eventSource": "aws:kinesis", "eventID": "shardId-000000000000:1", "kinesis": {
    "sequenceNumber": "1", "approximateArrivalTimestamp": 1.0,
    "data": b64encode(codec.pack_report(codec.tick(clock.now()), [(1, 488_566_000, 23_522_000)])).decode()}}
served = handle({"Records": [record]}, None) == {"batchItemFailures": []}
""",
}

_MEASURED = """
import sys, time
sys.path.insert(0, FOLDER)
began_s = time.process_time()
PART
took_s = time.process_time() - began_s
assert served
print(took_s)
"""


class _Nothing(BaseHTTPRequestHandler):
    """A DynamoDB with nothing in it."""

    def do_POST(self) -> None:
        """Any call."""
        self.rfile.read(int(self.headers["Content-Length"]))
        body = json.dumps({"Responses": {}, "UnprocessedKeys": {}, "Items": [], "Count": 0})
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.0")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def _dynamodb() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Nothing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def measure(package: Path, *, runs: int = RUNS) -> dict[str, float]:
    """CPU seconds of each part, by name: the least of so many runs, which take turns."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, _dynamodb() as endpoint:
        unpacked(package, Path(folder))
        for _ in range(runs):
            for name, part in _PARTS.items():
                took_s = _run(folder, part, endpoint)
                found[name] = min(took_s, found.get(name, took_s))
    return found


def _run(folder: str, part: str, endpoint: str) -> float:
    script = _MEASURED.replace("FOLDER", repr(folder)).replace("PART", part)
    ran = subprocess.run(  # noqa: S603  # our own words
        [sys.executable, "-I", "-S", "-B", "-c", script],
        env={
            "MARAUDE_STAGE": "dev",
            "MARAUDE_ENDPOINT": endpoint,
            "MARAUDE_SECRET_KEYS": "bWVhc3VyZS1tZWFzdXJlLW1lYXN1cmUtbWVhc3VyZS4=",
            "AWS_ACCESS_KEY_ID": "measure",
            "AWS_SECRET_ACCESS_KEY": "measure",
        },
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(ran.stdout.splitlines()[-1])


def table(found: Mapping[str, float]) -> str:
    """The figures as a table in Markdown."""
    bare_s, *_ = found.values()
    lines = ["| import and first request | CPU, ms | times the bare app |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {1000 * took_s:.0f} | {took_s / bare_s:.1f} |"
        for name, took_s in found.items()
    ]
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> int:
    """Measures a package that `make package` has made, and prints the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.cold_start", description="Cold starts.")
    parser.add_argument("package", type=Path, help="the folder with deployment.zip")
    arguments = parser.parse_args(argv)
    print(table(measure(arguments.package / "deployment.zip")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
