"""The state service: MiniStack, repaired, as a child process which keeps its state in the data folder.

What outlives a clean stop and start (MiniStack 1.5.33, each by a test): tables and their items,
TTL settings, Kinesis shards and records with their sequence numbers, queues and their messages.
What does not: the records of DynamoDB streams, which is why the runner drains them before the end,
and everything since the last clean stop when it is killed or its machine stops.
"""

import http.client
import shutil
import socket
import time
from collections.abc import Mapping

from ops.errors import CannotGoOn
from ops.local.place import Place
from ops.local.process import Process

START_S = 30
_OURS = ("dynamodb.json", "kinesis.json", "sqs.json")  # that all of the registry is in
STOP_S = 120  # 3.9 s with 60,000 taxis; killing it loses everything, so there is no hurry


class StateFailed(CannotGoOn):
    """The state service does not start, or did not write its state."""


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class StateService:
    """MiniStack on one data folder. `settings`: more of its environment."""

    def __init__(self, place: Place, settings: Mapping[str, str] | None = None) -> None:
        self._place = place
        self._settings = settings or {}
        self.port = free_port()
        self.process: Process | None = None

    @property
    def endpoint(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it and waits until it answers. Raises StateFailed.

        Waits, too, for the state service of a killed run, which may still be writing.
        """
        with self._place.state_lock(wait=True) as lock:
            self.process = Process(
                "ops.local.emulator",
                [],
                self._place.logs / "state.log",
                {
                    "BIND_HOST": "127.0.0.1",
                    "GATEWAY_PORT": str(self.port),
                    "IOT_MTLS_ENABLED": "0",
                    "SFTP_ENABLED": "0",
                    "PERSIST_STATE": "1",
                    "STATE_DIR": str(self._place.state),
                    "LOG_LEVEL": "WARNING",
                    # it would remove the containers of any other MiniStack on this machine
                    "DOCKER_HOST": "unix:///nowhere",
                    "NO_PROXY": "*",
                    **self._settings,
                },
                keeps=[lock],
            )
            self.process.start()
        deadline = time.monotonic() + START_S
        while not self._answers():
            if self.process.ended() is not None or time.monotonic() > deadline:
                failed, self.process = self.process, None
                failed.stop(timeout_s=1)
                raise StateFailed(
                    f"The state service did not start; {failed.log} ends with: {failed.last_words()}"
                )
            time.sleep(0.05)

    def _answers(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def stop(self) -> None:
        """Stops it and waits until its state is written. Raises StateFailed when it is not."""
        if self.process is None:
            return
        since = time.time()
        polite = self.process.stop(timeout_s=STOP_S)
        old = [name for name in _OURS if self._is_older(name, since)]
        if polite and not old:
            return
        # On a full disk the log has no word of it.
        free_kb = shutil.disk_usage(self._place.root).free // 1024
        why = self.process.last_words() if free_kb else "the disk is full"
        raise StateFailed(
            f"The state could not be written to {self._place.state} ({', '.join(old) or 'killed'}): "
            f"{why or 'its log says nothing'}. What these files held before is still there; "
            "everything since the last clean stop is lost."
        )

    def _is_older(self, name: str, since: float) -> bool:
        """Whether a file was not written; one that was never there may be of a service without state."""
        path = self._place.state / name
        if not path.exists():
            return name == _OURS[0]
        return path.stat().st_mtime < since - 1
