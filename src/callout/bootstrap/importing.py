"""Taking in an export: into an installation with nothing in it, in one transaction, with all that would go out switched off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select
from sqlalchemy.exc import IntegrityError

import callout
from callout.access import DEFAULT_ACCOUNT
from callout.access.tables import accounts, organizations, tokens
from callout.bootstrap.core import build_core, load_keys, prepare_database
from callout.bootstrap.export_file import BadExportError, Manifest, NewerExportError, Part, Reader
from callout.bootstrap.import_quiet import quiet
from callout.bootstrap.portability import FILLED, TO_READ, TRAVELS
from callout.integrations.tables import integrations
from callout.kit.clock import SystemClock
from callout.kit.crash import crash_point
from callout.ports.errors import ConflictError
from callout.ports.values import Actor
from callout.storage import DuplicateRowError, open_database, portable
from callout.storage import backup as copying
from callout.storage import migrate as migrations
from callout.storage.portable import BadRowError

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.bootstrap.exporting import Progress
    from callout.bootstrap.settings import Settings
    from callout.storage import Tx
    from callout.storage.portable import Portable, Row

_OPERATOR: Final = Actor.system("callout import")
_BYTES_AT_ONCE: Final = 8 << 20
_NUL: Final = "\x00"


class NotEmptyError(ConflictError):
    """There is something already where an import would go."""

    code = "NOT_EMPTY"
    default_remediation = "Import into a new installation: another data directory, or another database."


class InUseError(ConflictError):
    """Callout is running there."""

    code = "IN_USE"


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken in, and what of it is switched off or was ended."""

    manifest: Manifest
    integrations: int
    endpoints: int
    escalations: int
    """So many were running and were stopped."""
    doubtful: Mapping[str, int]
    """How many tickets, channels and messages were being made when the export was made."""


async def import_into(settings: Settings, source: Path, *, progress: Progress) -> Imported:
    """Take in an export, wholly or not at all; a new database is made where there is none yet.

    Raises InUseError, NotReadyError, and what `take_in` raises.
    """
    check(await asyncio.to_thread(read_manifest, source))
    await _refuse_in_use(settings)
    keys = load_keys(settings)
    await prepare_database(settings)
    database = await open_database(settings.database, pool_size=2)
    try:
        core = build_core(settings, database, keys, SystemClock())
        return await take_in(core, source, progress=progress)
    finally:
        await database.close()


async def _refuse_in_use(settings: Settings) -> None:
    if settings.embedded:
        path = Path(settings.database.removeprefix("sqlite:///"))
        there = await asyncio.to_thread(path.exists)
        busy = there and await asyncio.to_thread(copying.is_in_use, path)
    else:
        busy = bool(await copying.users_of(settings.database))
    if busy:
        raise InUseError("the database is in use: stop `callout serve` first, everywhere")


async def take_in(core: Core, source: Path, *, progress: Progress) -> Imported:
    """Take in an export, wholly or not at all; nothing else may be running on the database.

    Raises NotEmptyError, NotAnExportError, NewerExportError, DamagedExportError, BadExportError, StorageUnavailableError.
    """
    try:
        # In one transaction: a process that dies in the middle of it leaves an empty installation.
        return await core.database.transaction(lambda tx: _take_in(core, tx, source, progress))
    except DuplicateRowError as error:
        raise BadExportError("the export holds a row twice", detail=str(error)) from error
    except IntegrityError as error:
        raise BadExportError(
            "rows of the export refer to rows that it does not hold", detail=str(error)
        ) from error


def read_manifest(source: Path) -> Manifest:
    """Return what an export says of itself. Raises as `take_in` does."""
    with Reader(source) as reader:
        return reader.manifest()


def check(manifest: Manifest) -> None:
    """Raise NewerExportError or BadExportError unless this program can take in all that the manifest names."""
    known = {one.name for one in (*TRAVELS, *TO_READ)}
    names = [part.table for part in manifest.parts]
    if manifest.schema not in migrations.known() or not manifest.schema:
        raise NewerExportError(
            f"the export is of schema {manifest.schema[:50]}, which this program ({callout.__version__}) does not know",
            remediation=f"Import it with version {manifest.version[:50]} or newer.",
        )
    strange = [name for name in names if name not in known]
    if strange or len(set(names)) != len(names):
        raise BadExportError(
            f"the manifest of the export names {(strange or ['a part twice'])[0][:100]!r}, which no export holds"
        )
    missing = [one.name for one in TRAVELS if one.name not in names]
    if missing and manifest.schema == migrations.head():
        raise BadExportError(f"the manifest of the export does not name {missing[0]}")


async def _take_in(core: Core, tx: Tx, source: Path, progress: Progress) -> Imported:
    await _require_empty(tx)
    await tx.execute(delete(accounts))
    await tx.execute(delete(organizations))
    travelling = {one.name: one for one in TRAVELS}
    with Reader(source) as reader:
        manifest = reader.manifest()
        check(manifest)
        done = 0
        for part in manifest.parts:
            one = travelling.get(part.table)
            told = _counting(progress, done, manifest.rows)
            if one is None or not part.taken_in:
                for _ in reader.lines(part):
                    pass
                continue
            await _rows(tx, reader, part, one, told)
            done += part.rows
            crash_point("import.part")
        reader.end()
    found = await quiet(core, tx)
    await core.version.bump(tx)
    await core.audit.record(
        tx,
        action="installation.imported",
        actor=_OPERATOR,
        subject_type="export",
        subject_id=manifest.exported_at.isoformat(),
        data={
            "version": manifest.version,
            "schema": manifest.schema,
            "database": manifest.database,
            "rows": manifest.rows,
            "incidents": manifest.rows_of("incident"),
        },
    )
    crash_point("import.written")
    doubtful = {name: found[name] for name in ("tickets", "channels", "messages")}
    return Imported(manifest, found["integrations"], found["endpoints"], found["escalations"], doubtful)


async def _require_empty(tx: Tx) -> None:
    """Raise NotEmptyError when there is more than a first start leaves: the organization and its default account."""
    there = {
        one.name: await portable.count(tx, one)
        for one in TRAVELS
        if one.table not in {organizations, accounts}
    }
    there["tokens"] = int(await tx.scalar(select(func.count()).select_from(tokens)))
    there["accounts"] = int(
        await tx.scalar(select(func.count()).select_from(accounts).where(accounts.c.name != DEFAULT_ACCOUNT))
    )
    full = {name: number for name, number in there.items() if number}
    if full:
        what = ", ".join(f"{number:,} in {name}" for name, number in sorted(full.items())[:4])
        raise NotEmptyError(f"there is something in this installation already: {what}")


def _counting(progress: Progress, before: int, total: int) -> Callable[[int], None]:
    return lambda done: progress("taking in", before + done, total)


async def _rows(tx: Tx, reader: Reader, part: Part, one: Portable, told: Callable[[int], None]) -> None:
    """Insert the rows of one part, some at a time. Raises BadExportError, DamagedExportError."""
    filled = FILLED.get(one.name, {})
    waiting: list[Row] = []
    size = 0
    for number, data in reader.lines(part):
        try:
            row = portable.from_json(one, data, filled=filled)
        except BadRowError as error:
            raise BadExportError(f"{part.name}, line {number}: {error}") from error
        if tx.dialect == "postgresql" and _holds_nul(row):
            raise BadExportError(
                f"{part.name}, line {number}: it holds a character NUL, which PostgreSQL cannot keep",
                remediation="Take it out of that text where it was exported, and export again.",
            )
        if one.table is integrations:
            row["hook_token_hash"] = row["id"]  # until `quiet` gives it one
        waiting.append(row)
        size += _size(row)
        if len(waiting) >= one.at_once or size >= _BYTES_AT_ONCE:
            await portable.add(tx, one, waiting)
            told(number)
            waiting, size = [], 0
    await portable.add(tx, one, waiting)
    told(part.rows)


def _size(row: Row) -> int:
    return sum(len(value) for value in row.values() if isinstance(value, (str, bytes)))


def _holds_nul(row: Row) -> bool:
    """Return whether a text holds what PostgreSQL cannot keep; documents are kept as JSON, which writes it as letters."""
    return any(isinstance(value, str) and _NUL in value for value in row.values())


__all__ = ["Imported", "InUseError", "NotEmptyError", "check", "import_into", "read_manifest", "take_in"]
