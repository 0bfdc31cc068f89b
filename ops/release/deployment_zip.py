"""Zip of a package: what of Chalice's travels to AWS, compiled; and how it is unpacked on this machine.

What never runs is taken out, the rest is compiled and written in one order and with one date, so that the
same commit and the same Python give the same bytes. Lambda cannot keep what Python compiles there, so a
function would compile all of it at each cold start.
"""

import gzip
import hashlib
import json
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from ops.apps import App

# The services that are called, of the 400 whose descriptions botocore carries. `sts` is looked up
# for credentials.
SERVICES = frozenset({"dynamodb", "kinesis", "secretsmanager", "sqs", "sts"})

SITE = Path(msgspec.__file__).parents[1]  # where this machine's packages are

DATE = (1980, 1, 1, 0, 0, 0)  # the first that a zip can say


def is_foreign(app: App, name: str) -> bool:
    """Whether a file is of another service's package: Chalice packs all of `chalicelib`."""
    first, *rest = PurePosixPath(name).parts
    return first == "chalicelib" and len(rest) > 1 and rest[0] not in {"foundation", app.name}


def travels(name: str) -> bool:
    """Whether a file of Chalice's zip is needed on AWS."""
    path = PurePosixPath(name)
    if path.suffix in {".pyi", ".pyx", ".pxd", ".c", ".h"} or path.name == "py.typed":
        return False
    if path.parts[0] == "docutils" or path.parts[0].startswith("docutils-"):
        return False  # of Chalice's own command
    if path.parts[:2] == ("botocore", "data") and len(path.parts) > 3:
        return path.parts[2] in SERVICES and path.name != "examples-1.json"
    if path.parts[:2] == ("boto3", "data") or path.parts[:2] == ("boto3", "examples"):
        return False  # resources and their texts; only clients are used
    return "tests" not in path.parts[1:-1]


def _trimmed(name: str, content: bytes) -> bytes:
    """botocore's descriptions without what only people read, and without other services' addresses.

    They are parsed at each cold start, at the first client.
    """
    path = PurePosixPath(name)
    if path.parts[:2] != ("botocore", "data"):
        return content
    if path.name == "endpoints.json":
        description = json.loads(content)
        for partition in description["partitions"]:
            services = partition["services"]
            partition["services"] = {one: services[one] for one in services if one in SERVICES}
        return json.dumps(description, separators=(",", ":")).encode()
    if path.name == "service-2.json.gz":
        description = _without_documentation(json.loads(gzip.decompress(content)))
        return gzip.compress(json.dumps(description, separators=(",", ":")).encode(), 9, mtime=0)
    return content


def _without_documentation(value: Any) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, list):
        return [_without_documentation(one) for one in value]
    if isinstance(value, dict):
        # A member of a structure may have that name; its description is no text.
        return {
            name: _without_documentation(one)
            for name, one in value.items()
            if name != "documentation" or not isinstance(one, str)
        }
    return value


def slimmed(app: App, packed: Path, made: Path) -> dict[str, str]:
    """Writes the zip anew, compiled; answers the SHA-256 of each file in it, by name."""
    digests = {}
    with tempfile.TemporaryDirectory() as folder:
        with zipfile.ZipFile(packed) as before:
            for name in before.namelist():
                if is_foreign(app, name) or not travels(name):
                    continue
                file = Path(folder, name)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(_trimmed(name, before.read(name)))
        _compile(Path(folder))
        with zipfile.ZipFile(made, "w") as after:
            for file in sorted(path for path in Path(folder).rglob("*") if path.is_file()):
                name, content = file.relative_to(folder).as_posix(), file.read_bytes()
                entry = zipfile.ZipInfo(name, DATE)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                after.writestr(entry, content)
                digests[name] = hashlib.sha256(content).hexdigest()
    return digests


def _compile(folder: Path) -> None:
    """Compiles every module, never to be compared with its source again (PEP 552).

    In a process of its own, of the Python that no virtual environment has touched: which constants are
    written once and referred to depends on what else the process has loaded, and so would the bytes
    (https://github.com/python/cpython/issues/78274). A template among a package's data that is no
    module stays as it is.
    """
    python = str(Path(sys.executable).resolve())
    how = ["--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/var/task"]
    subprocess.run(
        [python, "-S", "-m", "compileall", "-qq", "-j", "1", *how, str(folder)],
        env={"PYTHONHASHSEED": "0"},
        check=False,
    )


def unpacked(package: Path, folder: Path) -> None:
    """The files of a zip, with this machine's compiled modules in place of the functions' own."""
    with zipfile.ZipFile(package) as files:
        files.extractall(folder)
    for theirs in [*folder.rglob("*.so")]:
        name = theirs.name.replace("aarch64", platform.machine())
        shutil.copy2(SITE / theirs.relative_to(folder).with_name(name), theirs.with_name(name))


def unpacked_bytes(packed: Path) -> int:
    """The size of all files of a zip."""
    with zipfile.ZipFile(packed) as files:
        return sum(entry.file_size for entry in files.infolist())
