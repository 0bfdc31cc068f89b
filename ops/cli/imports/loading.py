"""An import: every line of every file is checked, then all are written.

Where a line is faulty nothing is written, unless faulty lines are to be left out. A second run finds
everything the same; so does one after a run that was broken off, as far as that had come.
"""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from marshmallow import ValidationError

from chalicelib.foundation.errors import Refusal
from chalicelib.foundation.values import replace
from chalicelib.taxis.access import store as accounts_store
from chalicelib.taxis.access.rules import Record
from chalicelib.taxis.access.store import RecordMoved
from chalicelib.taxis.registry.rules import Ads
from chalicelib.taxis.territory import service as territory
from chalicelib.taxis.vocabulary import Account
from ops.cli.imports import files
from ops.cli.imports.accounts import Accounts
from ops.cli.imports.files import Fault, FileRefused, Line
from ops.cli.imports.kinds import BATCH, Key, Kind, Read, Verdict, Wrong, wrong
from ops.cli.imports.parts import Drivers, Licences, Vehicles
from ops.cli.imports.taxis import Taxis
from ops.cli.territory.progress import Progress
from ops.errors import CannotGoOn


class Faulty(CannotGoOn):
    """Lines of the export cannot be taken."""


@dataclass
class File:
    """A file of the export, with a verdict for each of its things, in their order, once it is checked."""

    kind: Kind
    path: Path
    verdicts: bytearray = field(default_factory=bytearray)

    def count(self, verdict: Verdict) -> int:
        """How many things have this verdict."""
        return self.verdicts.count(verdict)

    def fault(self, line: int, what: Wrong) -> Fault:
        """What is wrong with one of its lines."""
        return Fault(self.path.name, line, what.at, what.what)


class Import:
    """One import of a folder. `on_fault` is called with every fault; `only` names the accounts that are imported."""

    def __init__(
        self,
        folder: Path,
        *,
        on_fault: Callable[[Fault], None],
        tell_key: Callable[[str, str], None] | None,
        only: Collection[str] = (),
        merged: Mapping[str, str] | None = None,
        at_once: int = 8,
        quiet: bool = False,
    ) -> None:
        """`tell_key` is given the keys that are made; None where there is nowhere to put them.

        `merged` has new codes of towns, beside those that the territory keeps.
        """
        self._merged = merged or {}
        self._on_fault, self._only, self._at_once = on_fault, frozenset(only), at_once
        self._progress = Progress(quiet=quiet)
        self._may_make_keys = tell_key is not None
        self._known: dict[str, Account] = {}
        self._bring(accounts_store.every())
        self._accounts = Accounts(self._known, tell_key or (lambda _email, _key: None))
        drivers, vehicles = Drivers(), Vehicles()
        licences = Licences(vehicles)
        # Each finds there what it needs of those before it.
        kinds: tuple[Kind, ...] = (
            *(self._accounts, drivers, vehicles, licences),
            Taxis(drivers, vehicles, licences),
        )
        found = ((kind, files.find(folder, kind.name)) for kind in kinds)
        self._files = [File(kind, path) for kind, path in found if path is not None]
        if not self._files:
            names = ", ".join(kind.name for kind in kinds)
            raise FileRefused(f"{folder} has no file of {names} that ends in .csv or .jsonl.")

    def _bring(self, records: Iterator[Record]) -> None:
        self._known.update((record.account.email, record.account) for record in records)

    def run(self, *, now: datetime, dry_run: bool = False, skip_faulty: bool = False) -> None:
        """Checks, and writes unless it is a dry run. Raises FileRefused, Faulty."""
        for file in self._files:
            self._check(file)
        faulty = sum(file.count(Verdict.FAULTY) for file in self._files)
        refuses = bool(faulty) and not skip_faulty
        if dry_run or refuses:
            for file in self._files:
                self._progress.result(f"{_sentence(file, 'would be ')}")
        if refuses:
            raise Faulty(
                f"{faulty} lines are faulty, so nothing is imported. Mend them, or leave them out with "
                "--skip-faulty."
            )
        if dry_run:
            return
        if self._accounts.needs_keys and not self._may_make_keys:
            raise FileRefused(
                "Some new accounts have no key: say with --keys where to write theirs."
            )
        refused = sum(self._write(file, now=now) for file in self._files)
        if refused:
            raise Faulty(f"{refused} lines were refused by the registry; the others are imported.")

    # --- checking --------------------------------------------------------------------------------

    def _check(self, file: File) -> None:
        """Gives each thing of a file its verdict, and reports the faulty ones."""
        firsts: dict[Key, int] = {}
        things = self._things(file)
        while batch := list(islice(things, file.kind.batch)):
            reads = [thing for thing in batch if isinstance(thing, Read)]
            compared = iter(file.kind.compare(reads) if reads else ())
            for thing in batch:
                fault, found = thing, Verdict.FAULTY
                if isinstance(thing, Read):
                    result = next(compared)
                    first = firsts.setdefault(file.kind.key(thing), thing.line)
                    if first != thing.line:
                        result = Wrong("", f"This is in line {first} already.")
                    if isinstance(result, Wrong):
                        fault = file.fault(thing.line, result)
                    else:
                        found = result
                if isinstance(fault, Fault):
                    self._on_fault(fault)
                file.verdicts.append(found)
            self._progress.step(f"{file.kind.name} checked", len(file.verdicts))

    def _things(self, file: File) -> Iterator[Read | Fault]:
        """What the lines hold, but for what is not to be imported."""
        for line in files.lines(file.path, file.kind.form):
            if isinstance(line, Fault):
                yield line
            elif not self._only or _whose(line) in self._only:
                yield from self._read(file, line)

    def _read(self, file: File, line: Line) -> Iterator[Read | Fault]:
        try:
            beside, body = file.kind.form.load(line.fields)
        except ValidationError as error:
            first = next(_leaves(error.messages_dict))
            yield file.fault(line.number, first)
            return
        operator = beside.get("operator") or beside["email"]
        account = self._known.get(operator)
        if file.kind is not self._accounts and not (account or operator in self._accounts.coming):
            yield file.fault(line.number, Wrong("operator", f"there is no account {operator!r}"))
            return
        yield Read(line.number, operator, account, beside, self._with_present_code(body))

    def _with_present_code(self, body: Any) -> Any:  # noqa: ANN401  # what a form makes
        """A licence or a taxi under the code that its town has now."""
        if isinstance(body, Ads):
            return replace(body, insee=self._present(body.insee))
        if isinstance(body, Mapping) and "ads" in body:
            ads = body["ads"]
            return {**body, "ads": {**ads, "insee": self._present(ads["insee"])}}
        return body

    def _present(self, insee: str) -> str:
        is_town = territory.town_exists(insee)
        return territory.present_code(insee if is_town else self._merged.get(insee, insee))

    # --- writing ---------------------------------------------------------------------------------

    def _write(self, file: File, *, now: datetime) -> int:
        """Writes what is new or changed, and reports what is refused; how many are."""

        def write(read: Read) -> Fault | None:
            try:
                file.kind.write(read, now=now)
            except Refusal as refusal:
                return file.fault(read.line, wrong(refusal))
            except RecordMoved:
                return file.fault(read.line, Wrong("", "the account was changed meanwhile"))
            return None

        began_s = time.monotonic()
        file.kind.prepare()
        due = (
            thing
            for thing, verdict in zip(self._things(file), file.verdicts, strict=True)
            if isinstance(thing, Read) and verdict in (Verdict.NEW, Verdict.CHANGED)
        )
        written = refused = 0
        with ThreadPoolExecutor(self._at_once) as pool:
            while batch := list(islice(due, BATCH)):
                for fault in filter(None, pool.map(write, batch)):
                    self._on_fault(fault)
                    refused += 1
                written += len(batch)
                self._progress.step(f"{file.kind.name} written", written)
        if file.kind is self._accounts:
            self._accounts.set_managers()
            self._bring(accounts_store.every())
        took_s = time.monotonic() - began_s
        rate = f"; {written} written in {took_s:.1f} s, {written / took_s:.0f} a second"
        self._progress.result(_sentence(file, "") + (rate if written else ""))
        return refused


def _whose(line: Line) -> object:
    return line.fields.get("operator", line.fields.get("email"))


def _leaves(messages: Mapping[Any, Any], at: str = "") -> Iterator[Wrong]:
    """A schema's faults one by one."""
    for name, found in messages.items():
        where = at if name == "_schema" else f"{at}.{name}".lstrip(".")
        if isinstance(found, Mapping):
            yield from _leaves(found, where)
        else:
            yield Wrong(where, str(found[0] if isinstance(found, list) else found))


def _sentence(file: File, would_be: str) -> str:
    new, changed, same, faulty = (
        file.count(verdict)
        for verdict in (Verdict.NEW, Verdict.CHANGED, Verdict.SAME, Verdict.FAULTY)
    )
    return f"{file.kind.name}: {would_be}{new} new, {changed} changed, {same} same, {faulty} faulty"
