"""Manifest of a backup, and its HMAC, so that a change of either or of a file that it names is seen.

The HMAC's key is derived from the secret keys, which are not in the folder.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ops.errors import CannotGoOn

MANIFEST = "manifest.json"
HMAC = "manifest.hmac"  # HMAC-SHA256 of the manifest's bytes, in hexadecimal


class BackupRefused(CannotGoOn):
    """The folder is no complete backup of ours, or its target is not empty."""


def check_keys() -> None:
    """Raises BadSetting where there are no secret keys to sign with."""
    _marks(b"")


def write(folder: Path, about: Mapping[str, Any]) -> None:
    """Writes the manifest and its HMAC into the folder of a backup."""
    manifest = json.dumps(about, indent=2).encode()
    for name, content in ((HMAC, _marks(manifest)[0].encode()), (MANIFEST, manifest)):
        with private(folder / name) as file:
            file.write(content)


def read(folder: Path, *, unsigned: bool) -> Any:  # noqa: ANN401  # of a form that the caller checks
    """The manifest as it was exported; `unsigned` takes one that has no HMAC, too.

    Raises BackupRefused, OSError, ValueError, and BadSetting where there are no secret keys.
    """
    path = folder / MANIFEST
    manifest = path.read_bytes()
    if (folder / HMAC).exists():
        mark = (folder / HMAC).read_bytes()
        if not any(hmac.compare_digest(mark, one.encode()) for one in _marks(manifest)):
            raise BackupRefused(
                f"{path} is not as it was exported, or was signed with a secret key that is not here: "
                "put that behind the others in MARAUDE_SECRET_KEYS or its secret."
            )
    elif not unsigned:
        raise BackupRefused(
            f"{path} is not signed: an earlier version made it, or somebody has changed it. --unsigned "
            "restores it, where you know that nobody has."
        )
    return json.loads(manifest)


def private(path: Path) -> Any:  # noqa: ANN401  # a binary file, as gzip takes it
    """A new file that only its owner may read, opened to be written."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _marks(manifest: bytes) -> list[str]:
    """HMACs of a manifest, one for each of the secret keys, newest first. Raises BadSetting."""
    from chalicelib.foundation import sealing

    keys = sealing.derived_keys("backup manifest")
    return [hmac.new(key, manifest, hashlib.sha256).hexdigest() for key in keys]
