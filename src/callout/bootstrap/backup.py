"""Backing up an installation while it runs, putting a backup back, and letting go what a restore holds.

What was on its way out when the backup was made may have gone out since. So after a restore nothing goes out by itself: writes are
paused everywhere, webhook endpoints are switched off, until somebody has looked and says `callout resume`.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, func, select, update

import callout
from callout.access.tables import chat_codes, sessions, setup_links
from callout.bootstrap import backup_file
from callout.bootstrap.backup_file import Manifest
from callout.bootstrap.core import build_core, require_engine
from callout.bootstrap.doctor_place import check_keys
from callout.bootstrap.sealed import Sealed, try_all
from callout.bootstrap.tables import METADATA
from callout.chatops.store import ChannelState, MessageState
from callout.chatops.tables import chat_channel, chat_message
from callout.incidents.tables import incident_counter
from callout.jobs.tables import job, lease, slot
from callout.kit.clock import Clock, SystemClock
from callout.ports.errors import NotFoundError
from callout.ports.values import Actor
from callout.storage import StorageError, open_database
from callout.storage import backup as copying
from callout.storage import migrate as migrations
from callout.storage.backup import BackupError
from callout.sync import LinkStatus
from callout.sync.tables import sync_link
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings
    from callout.kit.secrets import KeyRing
    from callout.storage import Tx

SKIPPED_NUMBERS: Final = 100
"""So many incident numbers are left out after a restore: incidents declared since the backup may have had them, in tickets and chats."""
RESTORED: Final = "restored from a backup"
"""Why a restore switches endpoints off; `callout resume` switches on those with this reason."""
_OPERATOR: Final = Actor.system("callout restore")
_TABLES: Final = tuple(sorted(METADATA.tables))


@dataclass(frozen=True, slots=True)
class Restored:
    """What a restore put in place, and what it holds."""

    manifest: Manifest
    migrated_to: str
    """The schema it was brought to; empty: it was up to date."""
    put_aside: str
    """Where what was there before is now; empty: nothing was."""
    secrets: Sealed
    waiting: Mapping[str, int]
    """How many jobs of each kind wait."""
    endpoints: int
    """So many webhook endpoints were switched off."""
    doubtful: Mapping[str, int]
    """How many tickets, channels and messages were still to be made, and may have been made since."""


def _keys(settings: Settings) -> KeyRing:
    ring, findings = check_keys(settings)
    if ring is None:
        raise BackupError(
            f"no encryption keys: {findings[-1].what}; put them back first (a backup never holds keys)"
        )
    return ring


def _path(settings: Settings) -> Path:
    return Path(settings.database.removeprefix("sqlite:///"))


# ------------------------------------------------------------------------------------------------------ backup


async def make_backup(settings: Settings, target: Path, *, clock: Clock | None = None) -> Manifest:
    """Write a backup of everything but the keys to the new file `target`; whoever writes meanwhile is not held up.

    Raises BackupError, StorageUnavailableError, OSError.
    """
    begun_at = (clock or SystemClock()).now()
    keys = _keys(settings)
    if await asyncio.to_thread(target.exists):
        raise BackupError(
            f"{target} exists already: a backup never takes the place of another; name a file that is not there yet"
        )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".callout-backup-") as folder:
        kind = "sqlite" if settings.embedded else "postgresql"
        copy = Path(folder) / backup_file.MEMBERS[kind]
        if settings.embedded:
            if not await asyncio.to_thread(_path(settings).exists):
                raise BackupError(f"there is no database {_path(settings)}")
            await copying.copy_sqlite(_path(settings), copy)
            schema = await migrations.current(f"sqlite:///{copy}")
            counts = await asyncio.to_thread(copying.count_sqlite, copy, _TABLES)
        else:
            counts, schema = await copying.dump_postgres(settings.database, copy, _TABLES)
        manifest = Manifest(
            version=callout.__version__,
            database=kind,
            schema=schema,
            begun_at=begun_at,
            counts=counts,
            size=(await asyncio.to_thread(copy.stat)).st_size,
            sha256=await asyncio.to_thread(backup_file.digest_of, copy),
            keys=await _versions_in(settings, keys, schema),
        ).signed(keys)
        await asyncio.to_thread(backup_file.write, target, manifest, copy)
    return manifest


async def _versions_in(settings: Settings, keys: KeyRing, schema: str) -> tuple[str, ...]:
    if schema != migrations.head():
        return keys.versions  # what seals in a schema of another time is not known: ask for all of them
    database = await open_database(settings.database, pool_size=2)
    try:
        tried = await database.read(lambda tx: try_all(tx, keys))
    finally:
        await database.close()
    return tuple(sorted({*tried.versions, keys.primary}))


# ----------------------------------------------------------------------------------------------------- restore


async def restore(
    settings: Settings,
    source: Path,
    *,
    replace: bool = False,
    skip_numbers: int = SKIPPED_NUMBERS,
    clock: Clock | None = None,
) -> Restored:
    """Put a backup in place, with everything held that would go out. Where it fails, all is as it was.

    Args:
        settings: of the installation that gets it; nothing of it may be running.
        source: the backup.
        replace: whether what is there may be put aside; else the database must be empty.
        skip_numbers: so many incident numbers are left out.
        clock: ours.

    Raises BackupError, NotReadyError, StorageUnavailableError, OSError.
    """
    require_engine(settings)
    clock = clock or SystemClock()
    manifest = await asyncio.to_thread(backup_file.read_manifest, source)
    kind = "sqlite" if settings.embedded else "postgresql"
    if manifest.database != kind:
        raise BackupError(f"the backup is of {manifest.database}, and this installation is on {kind}")
    if manifest.schema not in migrations.known() or not manifest.schema:
        raise BackupError(
            f"the backup is of schema {manifest.schema}, which this program ({callout.__version__}) does not know:"
            f" restore it with version {manifest.version} or newer"
        )
    keys = _keys(settings)
    backup_file.verify_keys(manifest, keys)
    aside = f"{copying.REPLACED}{clock.now():%Y%m%d_%H%M%S}"

    async def settle(url: str) -> tuple[str, _Held]:
        old = manifest.schema != migrations.head()
        if old:
            await migrations.upgrade(url)
        if not settings.embedded:
            from callout.jobs.procrastinate import ensure_schema  # noqa: PLC0415  # an optional extra

            await ensure_schema(url)
        database = await open_database(url, pool_size=2)
        try:
            core = build_core(settings, database, keys, clock)
            held = await database.transaction(lambda tx: _hold(core, tx, manifest, skip_numbers))
        finally:
            await database.close()
        return (migrations.head() if old else ""), held

    put = _put_sqlite if settings.embedded else _put_postgres
    where, migrated, held = await put(settings, source, manifest, replace=replace, aside=aside, settle=settle)
    return Restored(manifest, migrated, where, held.secrets, held.waiting, held.endpoints, held.doubtful)


async def _put_sqlite(
    settings: Settings,
    source: Path,
    manifest: Manifest,
    *,
    replace: bool,
    aside: str,
    settle: Callable[[str], Awaitable[tuple[str, _Held]]],
) -> tuple[str, str, _Held]:
    target = _path(settings)
    there = await asyncio.to_thread(target.exists)
    if there and not replace:
        raise BackupError(f"{target} exists already: --replace puts it aside")
    if there and await asyncio.to_thread(copying.is_in_use, target):
        raise BackupError(f"{target} is in use: stop `callout serve` first")
    await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".callout-restore-") as folder:
        fresh = Path(folder) / target.name
        await asyncio.to_thread(backup_file.extract, source, manifest, fresh)
        migrated, held = await settle(f"sqlite:///{fresh}")
        if await asyncio.to_thread(copying.is_in_use, fresh):  # also leaves one file, without a log beside it
            raise BackupError("the restored database could not be closed")
        kept = ""
        if there:
            before = target.with_name(f"{target.name}.{aside}")
            await asyncio.to_thread(target.rename, before)
            kept = str(before)
        await asyncio.to_thread(fresh.rename, target)
    return kept, migrated, held


async def _put_postgres(
    settings: Settings,
    source: Path,
    manifest: Manifest,
    *,
    replace: bool,
    aside: str,
    settle: Callable[[str], Awaitable[tuple[str, _Held]]],
) -> tuple[str, str, _Held]:
    url = settings.database
    there = await copying.tables_of(url)
    if there and not replace:
        raise BackupError(f"the database has {there} tables already: --replace puts them aside")
    if await copying.users_of(url):
        raise BackupError("the database is in use: stop `callout serve` everywhere first")
    with tempfile.TemporaryDirectory(prefix="callout-restore-") as folder:
        dump = Path(folder) / backup_file.MEMBERS["postgresql"]
        await asyncio.to_thread(backup_file.extract, source, manifest, dump)
        if there:
            await copying.put_aside(url, aside)
        try:
            await copying.restore_postgres(url, dump)
            migrated, held = await settle(url)
        except BaseException:
            with contextlib.suppress(StorageError):
                await (copying.bring_back(url, aside) if there else copying.clear(url))
            raise
    return (f"schema {aside}" if there else ""), migrated, held


# --------------------------------------------------------------------------------------------- what is held back


@dataclass(frozen=True, slots=True)
class _Held:
    secrets: Sealed
    waiting: Mapping[str, int]
    endpoints: int
    doubtful: Mapping[str, int]


async def _hold(core: Core, tx: Tx, manifest: Manifest, skip_numbers: int) -> _Held:
    """Keep anything from going out, and end what must not come back to life."""
    reason = f"{RESTORED} of {manifest.begun_at:%Y-%m-%d %H:%M} UTC: look what happened since, then `callout resume`"
    with contextlib.suppress(NotFoundError):  # the backup may have been made in such a pause
        await core.pauses.resume(tx, "everything", actor=_OPERATOR)
    await core.pauses.pause(tx, "everything", reason=reason, actor=_OPERATOR)
    endpoints = 0
    on = select(webhook_endpoint.c.account_id, webhook_endpoint.c.id).where(
        webhook_endpoint.c.state == "enabled"
    )
    for row in await tx.all(on):
        await core.outbound.endpoints.disable(
            tx.account(row["account_id"]), row["id"], why=RESTORED, actor=_OPERATOR
        )
        endpoints += 1
    doubtful = await _doubt(tx, manifest)
    # Who worked then does not work now: what they held is free at once.
    await tx.execute(delete(lease))
    await tx.execute(delete(slot))
    # Whoever was signed in, and any link that was given out, may have been ended since.
    for table in (sessions, setup_links, chat_codes):
        await tx.execute(delete(table))
    await tx.execute(update(incident_counter).values(last=incident_counter.c.last + skip_numbers))
    rows = await tx.all(
        select(job.c.kind, func.count().label("number")).where(job.c.state == "waiting").group_by(job.c.kind)
    )
    await core.audit.record(
        tx,
        action="backup.restored",
        actor=_OPERATOR,
        subject_type="backup",
        subject_id=manifest.sha256,
        data={"begun_at": manifest.begun_at, "schema": manifest.schema, "version": manifest.version},
    )
    return _Held(
        await try_all(tx, core.keys), {row["kind"]: int(row["number"]) for row in rows}, endpoints, doubtful
    )


async def _doubt(tx: Tx, manifest: Manifest) -> Mapping[str, int]:
    """Note for everything that was still to be made that its making may have begun; return how many of what.

    That is how a crash in the middle of it would have left them: tickets and channels are searched for before they are made, and a
    message that nobody can search for is shown as perhaps sent, to be sent again by a person.
    """
    began = manifest.begun_at
    links, channels, messages = sync_link.c, chat_channel.c, chat_message.c
    tickets = (
        update(sync_link)
        .where(links.state == LinkStatus.CREATING.value, links.create_begun_at.is_(None))
        .values(create_begun_at=began)
    )
    rooms = (
        update(chat_channel)
        .where(channels.state == ChannelState.CREATING.value, channels.attempted_at.is_(None))
        .values(attempted_at=began)
    )
    posts = (
        update(chat_message)
        .where(messages.state == MessageState.PENDING.value, messages.attempted_at.is_(None))
        .values(attempted_at=began)
    )
    return {
        "tickets": await tx.execute(tickets),
        "channels": await tx.execute(rooms),
        "messages": await tx.execute(posts),
    }


async def resume(core: Core, tx: Tx, *, send_held: bool) -> int:
    """End the pause of everything everywhere and switch on the endpoints that a restore switched off; return how many.

    `send_held`: whether deliveries that waited are sent; else they are dropped. Raises NotFoundError when nothing is held.
    """
    held = await tx.all(
        select(webhook_endpoint.c.account_id, webhook_endpoint.c.id).where(
            webhook_endpoint.c.state == "disabled", webhook_endpoint.c.disabled_why == RESTORED
        )
    )
    operator = Actor.system("callout resume")
    try:
        await core.pauses.resume(tx, "everything", actor=operator)
    except NotFoundError:
        if not held:
            raise
    for row in held:
        await core.outbound.endpoints.enable(
            tx.account(row["account_id"]), row["id"], actor=operator, send_held=send_held
        )
    return len(held)


__all__ = [
    "RESTORED",
    "SKIPPED_NUMBERS",
    "BackupError",
    "Manifest",
    "Restored",
    "make_backup",
    "restore",
    "resume",
]
