"""Data folder of the local system: state, secrets, logs, and the lock of a running system.

state/         what the state service keeps between two runs
secrets.json   the keys that the state is encrypted with; made once, read by the owner only
logs/          one file for each process
run.json       where the running system answers, and the processes it is made of
lock           held by `maraude up` as long as it runs
state.lock     held by the state service, which may live on a little to write its state
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import msgspec
from cryptography.fernet import Fernet

from ops.errors import CannotGoOn

REGION = "eu-west-3"
STAGE = "local"


class PlaceBroken(CannotGoOn):
    """The data folder cannot be used. It names the file and the trouble."""

    exit_code = 2


class PlaceBusy(CannotGoOn):
    """Another `maraude up` runs on this data folder."""


class NotRunning(CannotGoOn):
    """No local system runs on this data folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """A running system. `endpoint` is of its AWS-compatible services, `url` of its API."""

    endpoint: str
    url: str
    pids: Mapping[str, int]
    started_at: str


class _Secrets(msgspec.Struct, forbid_unknown_fields=False):
    """Fernet keys of both rings (`sealing.Ring`), newest first, separated by commas."""

    secret_keys: str
    hook_secret_keys: str


class _Saved(msgspec.Struct, rename={"format": "__ministack_format__"}):
    """A state file, as far as one must look into it to know that it is whole."""

    format: int
    payload: msgspec.Raw


def _broken(path: Path, trouble: object) -> NoReturn:
    reason = trouble.strerror if isinstance(trouble, OSError) else trouble
    raise PlaceBroken(
        f"The data folder cannot be used: {path}: {reason}. Repair it, or name another with "
        "--data DIR (make: DATA=DIR)."
    )


@dataclass(frozen=True, slots=True)
class Place:
    """One data folder. `root` is absolute."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    def _make(self) -> None:
        for folder in (self.root, self.state, self.logs):
            try:
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                probe = folder / f".probe-{os.getpid()}"
                probe.touch()
                probe.unlink()
            except FileExistsError:
                _broken(folder, "it is not a folder")
            except OSError as error:
                _broken(folder, error)

    def secrets(self) -> _Secrets:
        """The secret keys; what is not there yet is made. Raises PlaceBroken."""
        path = self.root / "secrets.json"
        try:
            there = msgspec.json.decode(path.read_bytes(), type=dict) if path.exists() else {}
            missing = set(_Secrets.__struct_fields__) - there.keys()
            if missing:
                there |= {name: Fernet.generate_key().decode() for name in missing}
                _write(path, there)
            secrets = msgspec.convert(there, _Secrets)
            for keys in msgspec.structs.astuple(secrets):
                for key in keys.split(","):
                    Fernet(key)
        except (OSError, ValueError, msgspec.DecodeError) as error:
            _broken(path, error)
        return secrets

    def _check_state(self) -> None:
        # MiniStack starts empty when it cannot read a file, and overwrites the file when it stops.
        decoder = msgspec.json.Decoder(_Saved)
        for path in sorted(self.state.glob("*.json")):
            try:
                decoder.decode(path.read_bytes())
            except (OSError, ValueError, msgspec.DecodeError) as error:
                _broken(path, error)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keeps the folder for this process, complete and checked.

        Raises PlaceBroken, and PlaceBusy while another process has it.
        """
        self._make()
        with _lock(self.root / "lock", wait=False):
            run = self.root / "run.json"
            run.unlink(missing_ok=True)  # of a run that was killed
            self.secrets()
            self._check_state()
            try:
                yield
            finally:
                run.unlink(missing_ok=True)

    @contextmanager
    def state_lock(self, *, wait: bool) -> Iterator[int]:
        """The lock to be inherited by the state service, as a file descriptor. Raises PlaceBusy."""
        with _lock(self.root / "state.lock", wait=wait) as held:
            yield held

    def write_run(self, run: Run) -> None:
        """Tells the other commands where the running system answers."""
        _write(self.root / "run.json", asdict(run))

    def running(self) -> Run:
        """The system that runs here. Raises NotRunning."""
        try:
            with _lock(self.root / "lock", wait=False):
                pass
        except PlaceBusy:
            try:
                return msgspec.json.decode((self.root / "run.json").read_bytes(), type=Run)
            except (OSError, msgspec.DecodeError):
                pass  # it is just starting
        except OSError:
            pass
        raise NotRunning(
            f"No local system is running on {self.root}: start it with `make run` or `maraude up` first."
        )

    def environment(self, endpoint: str) -> dict[str, str]:
        """What a process of the local system needs to be told, besides the rest of its environment."""
        secrets = self.secrets()
        without_proxy = [name for name in (os.environ.get("NO_PROXY", ""),) if name]
        return {
            "MARAUDE_STAGE": STAGE,
            "MARAUDE_ENDPOINT": endpoint,
            "MARAUDE_REGION": REGION,
            "MARAUDE_DATA": str(self.root),
            "MARAUDE_SECRET_KEYS": secrets.secret_keys,
            "MARAUDE_HOOK_SECRET_KEYS": secrets.hook_secret_keys,
            "MARAUDE_ALLOW_LOOPBACK_HOOKS": "true",
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            # botocore would send even these calls through a proxy
            "NO_PROXY": ",".join([*without_proxy, "127.0.0.1", "localhost"]),
        }


# Of the user's own AWS set-up: nothing of it may reach a process of the local system.
FOREIGN = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_ENDPOINT_URL",
    "AWS_REGION",
    "MARAUDE_SECRET_ID",
    "MARAUDE_HOOK_SECRET_ID",
)


def of(data: str | None, *, service: str = ".") -> Place:
    """The place that `--data` names, or MARAUDE_DATA, or `.maraude` in the current folder.

    `service` is a service's own folder in it.
    """
    return Place(Path(data or os.environ.get("MARAUDE_DATA") or ".maraude", service).absolute())


def _write(path: Path, content: object) -> None:
    """Puts a file there whole, for its owner's eyes only."""
    new = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(content, file)
    new.replace(path)


@contextmanager
def _lock(path: Path, *, wait: bool) -> Iterator[int]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            raise PlaceBusy(
                f"Another `maraude up` is running on {path.parent}: stop it, or name another folder "
                "with --data DIR (make: DATA=DIR)."
            ) from None
        yield descriptor
    finally:
        os.close(descriptor)
