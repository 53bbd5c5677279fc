"""Writing out what the organization owns, from one snapshot, while everybody goes on writing."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select

import callout
from callout.access.tables import accounts, members, tokens
from callout.bootstrap import export_file
from callout.bootstrap.export_file import ExportFailedError, Manifest, Part, Spool
from callout.bootstrap.portability import TO_READ, TRAVELS, leaving
from callout.integrations.credential_kinds import KINDS
from callout.integrations.credentials import references
from callout.integrations.problems import IMPORTED
from callout.integrations.tables import credentials, integration_problem, integrations, oauth_tokens
from callout.jobs.tables import job
from callout.storage import migrate as migrations
from callout.storage import portable
from callout.webhooks.tables import webhook_endpoint

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.bootstrap.core import Core
    from callout.storage import Tx
    from callout.storage.portable import Portable

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many rows are done, and how many there are."""
IDLE: Final = ("audit.", "schedule", "retention.", "integrations.watch", "sync.poll", "incident.")
"""Beginnings of the kinds of jobs that always wait, or that an import makes again."""


@dataclass(frozen=True, slots=True)
class Exported:
    """An export that was made."""

    manifest: Manifest
    sha256: str


async def export(core: Core, target: Path, *, progress: Progress) -> Exported:
    """Write an export to the new file `target`. Raises ExportFailedError, StorageUnavailableError, OSError."""
    if await asyncio.to_thread(target.exists):
        raise ExportFailedError(
            f"{target} exists already: an export never takes the place of another",
            remediation="Name a file that is not there yet.",
        )
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".callout-export-") as name:
        folder = Path(name)
        manifest = await core.database.read(lambda tx: _spool(core, tx, folder, progress))
        progress("packing", manifest.rows, manifest.rows)
        digest = await asyncio.to_thread(export_file.write, target, manifest, folder)
    return Exported(manifest, digest)


async def _spool(core: Core, tx: Tx, folder: Path, progress: Progress) -> Manifest:
    """Write every table's rows into the folder: all of them as they are at one moment."""
    now = core.clock.now()
    every = [(one, True) for one in TRAVELS] + [(one, False) for one in TO_READ]
    total = sum([await portable.count(tx, one) for one, _ in every])
    held = frozenset(
        row["integration_id"]
        for row in await tx.all(
            select(integration_problem.c.integration_id).where(integration_problem.c.kind == IMPORTED)
        )
    )
    parts: list[Part] = []
    done = 0
    for one, taken_in in every:
        spool = Spool(folder, one.name, taken_in=taken_in)
        async for rows in portable.pages(tx, one):
            _write(spool, one, rows, held)
            done += len(rows)
            progress("reading", done, total)
        parts.append(spool.done())
    return Manifest(
        version=callout.__version__,
        schema=migrations.head(),
        database=tx.dialect,
        exported_at=now,
        parts=tuple(parts),
        to_enter_again=tuple(await _secrets(tx)),
        left_behind=await _waiting(tx),
    )


def _write(spool: Spool, one: Portable, rows: Sequence[RowMapping], held: frozenset[str]) -> None:
    for row in rows:
        spool.add(leaving(one.table, portable.to_json(one, row), held=held))


async def _waiting(tx: Tx) -> dict[str, int]:
    rows = await tx.all(
        select(job.c.kind, func.count().label("number")).where(job.c.state == "waiting").group_by(job.c.kind)
    )
    return {row["kind"]: int(row["number"]) for row in rows if not row["kind"].startswith(IDLE)}


async def _secrets(tx: Tx) -> list[dict[str, str]]:
    """Return every secret that does not travel, in words: whose it is, and what is to be done for it."""
    names = {row["id"]: row["name"] for row in await tx.all(select(accounts.c.id, accounts.c.name))}
    kept = {row["id"]: row for row in await tx.all(select(credentials))}
    signed_in = {row["integration_id"] for row in await tx.all(select(oauth_tokens.c.integration_id))}
    found: list[dict[str, str]] = []
    query = select(integrations).order_by(integrations.c.account_id, integrations.c.name)
    for row in await tx.all(query):
        whose = {"account": names[row["account_id"]], "integration": row["name"]}
        lacking = _of_integration(row, kept, signed_in=row["id"] in signed_in)
        found += [{**whose, "what": what} for what in lacking]
    columns = (webhook_endpoint.c.account_id, webhook_endpoint.c.name)
    for row in await tx.all(select(*columns).order_by(*columns)):
        whose = {"account": names.get(row["account_id"], ""), "endpoint": row["name"]}
        found.append({**whose, "what": "its signing secret: it gets a new one"})
    with_password = await tx.scalar(
        select(func.count()).select_from(members).where(members.c.password_hash.is_not(None))
    )
    if with_password:
        found.append({"what": f"the passwords of {with_password} members"})
    living = await tx.scalar(
        select(func.count())
        .select_from(tokens)
        .where(tokens.c.revoked_at.is_(None), tokens.c.owner_type == "organization")
    )
    if living:
        found.append({"what": f"{living} tokens of the API: make new ones"})
    return found


def _of_integration(row: RowMapping, kept: dict[str, RowMapping], *, signed_in: bool) -> list[str]:
    found = []
    for field, credential_id in sorted(references(row["provider_config"]).items()):
        credential = kept.get(credential_id)
        if credential is not None:
            parts = [name for name in KINDS[credential["kind"]].secret if name in credential["sealed"]]
            found.append(f"{field} ({credential['kind']}: {', '.join(parts) or 'secret'})")
    if signed_in:
        found.append("its sign-in at the vendor: connect again")
    if (row["webhook_config"] or {}).get("provider_key"):
        found.append("the key that its webhooks are signed with (--webhook)")
    elif row["category"] == "ticketing":
        found.append("the token in the address of its webhooks: it gets a new one")
    return found


__all__ = ["IDLE", "Exported", "Progress", "export"]
