"""`maraude backup`: export and restore of every table that cannot be rebuilt (docs/runbook.md).

A file a table, compressed JSON lines in DynamoDB's own form, a manifest of counts and hashes, and the
manifest's HMAC with a key that is derived from the secret keys, which are elsewhere: who can write to the
folder alone can change nothing unnoticed. An
export reads all of it by scans, half a unit per 4 KB twice over, for it reads strongly; while the
registry runs it is no picture of one moment, which point-in-time recovery is. It holds personal data:
only its owner may read it.
"""

import argparse
import base64
import gzip
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from chalicelib.foundation.retry import Retry
from ops.apps import App
from ops.cli import asking, manifests, target
from ops.cli.manifests import BackupRefused
from ops.cli.territory.progress import Progress

if TYPE_CHECKING:
    from argparse import _SubParsersAction

ITEMS_A_WRITE = 25  # BatchWriteItem's limit
UNPROCESSED = Retry(tries=8, pause_s=0.05)  # of what DynamoDB leaves: some 5 s in all


def add_parser(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command and its actions."""
    backup = commands.add_parser("backup", help="every table that cannot be made again, and back")
    actions = backup.add_subparsers(dest="action", required=True, metavar="ACTION")
    out = actions.add_parser("export", help="into a new folder, which only you can read")
    out.set_defaults(run=_export)
    back = actions.add_parser("restore", help="from a folder, into tables that are empty")
    back.add_argument(
        "--over",
        action="store_true",
        help="into tables that are not: what is there may be replaced",
    )
    back.add_argument(
        "--unsigned",
        action="store_true",
        help="one that an earlier version made, which nothing tells from one that was changed",
    )
    # Its entry in the journal comes after it: it wants tables that are empty.
    back.set_defaults(run=_restore, journal_after=True)
    for action in (out, back):
        action.add_argument("folder", metavar="FOLDER", type=Path)
    copied = actions.add_parser(
        "copy",
        help="from a table that was restored to a point in time, into the one it was made of",
    )
    copied.add_argument("--from", dest="source", required=True, metavar="TABLE")
    copied.add_argument("--to", dest="name", required=True, metavar="TABLE")
    copied.add_argument("--dry-run", action="store_true", help="change nothing, count only")
    copied.set_defaults(run=_copy)
    for action in (back, copied):
        asking.add_argument(action)
    for action in actions.choices.values():
        target.add_arguments(action)


def tables(app: App) -> list[str]:
    """The tables that CloudFormation retains, by their names without the stage."""
    from ops.templates import resources

    return [
        resource["Properties"]["TableName"]["Fn::Sub"].rpartition("}-")[2]
        for resource in resources(app).values()
        if resource["Type"] == "AWS::DynamoDB::Table" and resource["DeletionPolicy"] == "Retain"
    ]


def _export(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation import clock

    counts = export(arguments.app, arguments.folder, now=clock.now())
    print(
        f"{sum(counts.values())} items of {len(counts)} tables are in {arguments.folder}; it holds "
        "personal data and keys: keep it encrypted, delete it when it has served."
    )


def _restore(arguments: argparse.Namespace) -> None:
    from chalicelib.foundation.settings import settings

    if arguments.over:
        about = _manifest(arguments.app, arguments.folder, unsigned=arguments.unsigned)
        items = sum(one["items"] for one in about["tables"].values())
        asking.confirm(
            arguments,
            f"{items} items of {len(about['tables'])} tables, exported from the stage {about['stage']} at "
            f"{about['made_at']}, would be written over what the stage {settings().stage} has.",
        )
    counts = restore(
        arguments.app, arguments.folder, over=arguments.over, unsigned=arguments.unsigned
    )
    print(
        f"{sum(counts.values())} items of {len(counts)} tables are restored, all that there were."
    )


def _copy(arguments: argparse.Namespace) -> None:
    if not arguments.dry_run:
        asking.confirm(
            arguments,
            f"Each item of {arguments.source} would be written over the one of {arguments.name}; with "
            "--dry-run they are counted.",
        )
    items = copy(arguments.app, arguments.source, arguments.name, dry_run=arguments.dry_run)
    would = "would be" if arguments.dry_run else "were"
    print(f"{items} items {would} copied from {arguments.source} to {arguments.name}.")


# --- out ------------------------------------------------------------------------------------------


def export(app: App, folder: Path, *, now: datetime, quiet: bool = False) -> Mapping[str, int]:
    """Writes the backup, the manifest last; how many items each table has.

    Raises BackupRefused, and BadSetting where there are no secret keys.
    """
    from chalicelib.foundation.settings import settings, table

    manifests.check_keys()
    try:
        folder.mkdir(mode=0o700)
    except OSError as error:
        raise BackupRefused(f"{folder} cannot be made: {error.strerror}.") from None
    progress = Progress(quiet=quiet)
    kept: dict[str, dict[str, Any]] = {}
    for name in tables(app):
        path = _file(folder, name)
        count = 0
        with manifests.private(path) as raw, gzip.GzipFile(fileobj=raw, mode="wb", mtime=0) as file:
            for item in _items(table(name)):
                file.write(json.dumps(item, sort_keys=True, default=_text).encode() + b"\n")
                count += 1
                progress.step(f"{name} exported", count)
        kept[name] = {"items": count, "sha256": _digest(path)}
    about = {"stage": settings().stage, "made_at": now.isoformat(), "tables": kept}
    manifests.write(folder, about)
    return {name: one["items"] for name, one in kept.items()}


def _items(table_name: str) -> Iterator[Mapping[str, Any]]:
    from chalicelib.foundation.aws import clients

    pages = clients.dynamodb().get_paginator("scan")
    for page in pages.paginate(TableName=table_name, ConsistentRead=True):
        yield from page["Items"]


def _file(folder: Path, name: str) -> Path:
    return folder / f"{name}.jsonl.gz"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text(value: object) -> Mapping[str, str]:
    if not isinstance(value, bytes):
        raise TypeError(f"DynamoDB has no {type(value).__name__}")
    return {"base64": base64.b64encode(value).decode()}


def _bytes(found: dict[str, Any]) -> Any:  # noqa: ANN401  # bytes, or what it was
    # An attribute of this name has a typed value, never a bare text.
    text = found.get("base64")
    return base64.b64decode(text) if len(found) == 1 and isinstance(text, str) else found


# --- back -----------------------------------------------------------------------------------------


def restore(
    app: App, folder: Path, *, over: bool, unsigned: bool = False, quiet: bool = False
) -> Mapping[str, int]:
    """Restores a backup into its tables; how many items each got.

    Nothing is written unless all is complete and as it was exported. `unsigned` takes one without an HMAC, too.
    Raises BackupRefused, and BadSetting where there are no secret keys.
    """
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import table

    kept = _whole(app, folder, unsigned=unsigned)
    if not over:
        full = [n for n in kept if clients.dynamodb().scan(TableName=table(n), Limit=1)["Items"]]
        if full:
            raise BackupRefused(
                f"There are items in {', '.join(full)} already; --over writes over those that are the "
                "backup's too."
            )
    progress = Progress(quiet=quiet)
    counts: dict[str, int] = {}
    for name in kept:
        counts[name] = 0
        with gzip.open(_file(folder, name), "rt", encoding="utf-8") as file:
            items = (json.loads(line, object_hook=_bytes) for line in file)
            for written in _write_items(table(name), items):
                counts[name] += written
                progress.step(f"{name} restored", counts[name], kept[name])
    if counts != kept:
        raise BackupRefused(f"{counts} items were restored where the manifest has {kept}.")
    return counts


def _whole(app: App, folder: Path, *, unsigned: bool) -> Mapping[str, int]:
    """How many items of each table a backup has. Raises BackupRefused where a file is not as it was."""
    return {
        name: one["items"]
        for name, one in _manifest(app, folder, unsigned=unsigned)["tables"].items()
    }


def _manifest(app: App, folder: Path, *, unsigned: bool) -> Mapping[str, Any]:
    """The manifest of a backup. Raises BackupRefused where a file is not as it was."""
    try:
        about: Mapping[str, Any] = manifests.read(folder, unsigned=unsigned)
        if missing := {"stage", "made_at", "tables"} - about.keys():
            raise BackupRefused(
                f"{folder / manifests.MANIFEST} lacks {', '.join(sorted(missing))}."
            )
        for name, one in about["tables"].items():
            if _digest(_file(folder, name)) != one["sha256"]:
                raise BackupRefused(f"{_file(folder, name)} is not as it was exported.")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BackupRefused(f"{folder} is no whole backup: {error}.") from None
    strangers = about["tables"].keys() - set(tables(app))
    if strangers:
        raise BackupRefused(f"There are no tables {', '.join(sorted(strangers))}.")
    return about


def _write_items(table_name: str, items: Iterator[Mapping[str, Any]]) -> Iterator[int]:
    """Puts all items, and says of each batch how many it had. Raises BackupRefused."""
    while batch := list(islice(items, ITEMS_A_WRITE)):
        _put(table_name, batch)
        yield len(batch)


def _put(table_name: str, items: Iterable[Mapping[str, Any]]) -> None:
    """Puts at most `ITEMS_A_WRITE`, again and again those that DynamoDB leaves. Raises BackupRefused."""
    from chalicelib.foundation.aws import clients

    waiting: Any = {table_name: [{"PutRequest": {"Item": item}} for item in items]}
    for _ in UNPROCESSED.attempts():
        waiting = clients.dynamodb().batch_write_item(RequestItems=waiting).get("UnprocessedItems")
        if not waiting:
            return
    raise BackupRefused(
        f"DynamoDB keeps refusing writes to {table_name}; run it again with --over."
    )


# --- from table to table ----------------------------------------------------------------------------


def copy(app: App, source: str, to: str, *, dry_run: bool, quiet: bool = False) -> int:
    """Puts every item of a table into one of this stage's that is kept; how many. Full names of tables.

    What is there under the same key is replaced, what is only there stays. Half a unit per 4 KB twice over
    to read, and what the items cost to write. Raises BackupRefused where the tables are not alike.
    """
    from chalicelib.foundation.aws import clients
    from chalicelib.foundation.settings import table

    if to not in {table(name) for name in tables(app)}:
        raise BackupRefused(f"--to: {to} is no table of this stage that is kept.")
    client = clients.dynamodb()
    keys = []
    for option, name in (("--from", source), ("--to", to)):
        try:
            keys.append(client.describe_table(TableName=name)["Table"]["KeySchema"])
        except client.exceptions.ResourceNotFoundException:
            raise BackupRefused(f"{option}: there is no table {name}.") from None
    if source == to or keys[0] != keys[1]:
        raise BackupRefused(f"--from: {source} is no copy of {to}.")
    items = _items(source)
    if dry_run:
        return sum(1 for _ in items)
    progress = Progress(quiet=quiet)
    copied = 0
    for written in _write_items(to, items):
        copied += written
        progress.step(f"items copied to {to}", copied)
    return copied
