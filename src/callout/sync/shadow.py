"""Shadow mode: an integration is read and merged as usual, and what would be written to it is kept here instead.

With `"shadow": true` in its sync settings no ticket is created, no field sent, no comment written. Nothing pretends that a write
happened: a link's bases stay so that what is ours still counts as changed, and a creation stays to be done. When the setting is
taken out, each link that something was held back for gets one visit: it sends what differs *then*, not what came and went before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select

from callout.jobs import Consumer, Job, Lane, NewJob, transactional
from callout.ports.values import Status
from callout.storage.upsert import insert_or_ignore
from callout.sync import links
from callout.sync.context import RETRY
from callout.sync.links import Link, LinkStatus
from callout.sync.merge import NEVER, NO_MEANING, Base, FieldRule, LinkState, ValueKind
from callout.sync.reactions import VISIT
from callout.sync.tables import sync_shadow
from callout.sync.trouble import system_origin

if TYPE_CHECKING:
    from callout.incidents import Incident
    from callout.storage import AccountTx, Tx
    from callout.sync.context import SyncContext

ENDED = "sync.shadow_ended"
SHOWN = 100
"""So many of the writes held back are shown at once, the newest first."""
LONGEST = 2_000
"""Characters of a text that are kept: enough to see what it is about."""


class ShadowKind(StrEnum):
    """What would have been written."""

    CREATE = "create"
    PATCH = "patch"
    COMMENT = "comment"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class HeldBack:
    """One write that shadow mode held back. `what` is the field, or the id of the note; `times` counts different values.

    `waiting` says that it would still be written: it was neither taken back nor made needless since.
    """

    kind: ShadowKind
    incident_id: str
    link_id: str
    ticket_key: str
    what: str
    value: Any
    times: int
    waiting: bool
    at: datetime

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**dataclasses.asdict(self), "kind": self.kind.value, "at": self.at.isoformat()}


def unsent_state(state: LinkState, to_theirs: Mapping[str, Any], rules: Mapping[str, FieldRule]) -> LinkState:
    """Return the state of a link after a merge whose pushes are held back: nothing is pending, and ours still counts as changed.

    The base of ours must differ from ours, or the change would be forgotten. For texts and sets it becomes what theirs says now,
    since that was merged into ours already and is what both sides have in common.
    """
    bases, pending = dict(state.bases), dict(state.pending)
    for name in to_theirs:
        sent = pending.pop(name, None)
        if sent is None:
            continue
        rule, base = rules[name], bases[name]
        common = rule.decode(base.theirs)
        candidates = [] if common is NO_MEANING else [common]
        if rule.kind not in {ValueKind.TEXT, ValueKind.SET}:
            candidates.insert(0, base.ours)
        left = next((one for one in candidates if rule.identity(one) != rule.identity(sent.ours)), NEVER)
        bases[name] = Base(left, base.theirs)
    return LinkState(bases, pending, state.conflicts, state.accounted)


def _shown(value: Any) -> Any:  # noqa: ANN401  # a field's JSON value
    if isinstance(value, str) and len(value) > LONGEST:
        return f"{value[:LONGEST]}… ({len(value)} characters)"
    return value


async def keep(tx: AccountTx, link: Link, kind: ShadowKind, writes: Mapping[str, Any], now: datetime) -> None:
    """Remember what would have been written to a link's ticket; of its kind, what is not in `writes` would not be any more."""
    rows = await tx.all(
        tx.select(sync_shadow).where(sync_shadow.c.link_id == link.id, sync_shadow.c.kind == kind.value)
    )
    known = {row["what"]: row for row in rows}
    for what, value in writes.items():
        shown = _shown(value)
        row = known.get(what)
        if row is None:
            fresh = {
                "account_id": tx.account_id,
                "integration_id": link.integration_id,
                "link_id": link.id,
                "kind": kind.value,
                "what": what,
                "incident_id": link.incident_id,
                "ticket_key": link.ticket_key,
                "value": shown,
                "times": 1,
                "held_back": True,
                "at": now,
            }
            await tx.system.execute(insert_or_ignore(tx.system, sync_shadow, fresh))
        elif not row["held_back"] or row["value"] != shown:
            await _update(
                tx, link.id, kind, what, value=shown, times=row["times"] + 1, held_back=True, at=now
            )
    if kind in {ShadowKind.COMMENT, ShadowKind.FILE}:
        return  # a note or a file is never taken back
    for what, row in known.items():
        if what not in writes and row["held_back"]:
            await _update(tx, link.id, kind, what, held_back=False)


async def _update(tx: AccountTx, link_id: str, kind: ShadowKind, what: str, **values: object) -> None:
    place = (
        sync_shadow.c.link_id == link_id,
        sync_shadow.c.kind == kind.value,
        sync_shadow.c.what == what,
    )
    await tx.execute(tx.update(sync_shadow).where(*place).values(**values))


async def counts(tx: AccountTx, integration_id: str) -> dict[str, dict[str, int]]:
    """Return, by kind, how many writes were held back, and how many of them would be made if the mode ended now."""
    statement = (
        tx.select(
            sync_shadow.c.kind,
            func.sum(sync_shadow.c.times).label("held_back"),
            func.sum(case((sync_shadow.c.held_back, 1), else_=0)).label("waiting"),
        )
        .where(sync_shadow.c.integration_id == integration_id)
        .group_by(sync_shadow.c.kind)
    )
    found = {kind.value: {"held_back": 0, "waiting": 0} for kind in ShadowKind}
    for row in await tx.all(statement):
        found[row["kind"]] = {"held_back": int(row["held_back"]), "waiting": int(row["waiting"])}
    return found


async def newest(tx: AccountTx, integration_id: str, *, limit: int = SHOWN) -> list[HeldBack]:
    """Return the writes held back last, the newest first."""
    statement = (
        tx.select(sync_shadow)
        .where(sync_shadow.c.integration_id == integration_id)
        .order_by(sync_shadow.c.at.desc(), sync_shadow.c.link_id, sync_shadow.c.what)
        .limit(min(max(limit, 1), SHOWN))
    )
    return [
        HeldBack(
            kind=ShadowKind(row["kind"]),
            incident_id=row["incident_id"],
            link_id=row["link_id"],
            ticket_key=row["ticket_key"],
            what=row["what"],
            value=row["value"],
            times=row["times"],
            waiting=row["held_back"],
            at=row["at"],
        )
        for row in await tx.all(statement)
    ]


def held_back_words(counted: Mapping[str, Mapping[str, int]]) -> str:
    """Return the counts of :func:`counts` in words."""
    parts = [
        f"{of['held_back']} of {kind} ({of['waiting']} waiting)"
        for kind, of in counted.items()
        if of["held_back"]
    ]
    return "held back " + ", ".join(parts) if parts else "nothing was held back yet"


class ShadowEnd:
    """Goes on with the integrations whose shadow mode has ended."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def look(self, tx: Tx, _jobs: Sequence[Job]) -> None:
        """Set one visit for each link that something was held back for, where nothing is held back any more."""
        seen = select(sync_shadow.c.account_id, sync_shadow.c.integration_id).distinct()
        for row in await tx.all(seen):
            scoped = tx.account(row["account_id"])
            target = await self._context.target(scoped, row["integration_id"])
            if target is not None and not target.shadow:
                await self._end(scoped, row["integration_id"])

    async def _end(self, tx: AccountTx, integration_id: str) -> None:
        mine = sync_shadow.c.integration_id == integration_id
        waiting = tx.select(sync_shadow.c.link_id).where(mine, sync_shadow.c.held_back).distinct()
        ids = [row["link_id"] for row in await tx.all(waiting)]
        jobs: list[NewJob] = []
        for link_id in ids:
            link = await links.load(tx, link_id, lock=True)
            if link.status is LinkStatus.CREATING and link.create_begun_at is None:
                incident = await self._context.incidents.get(tx, link.incident_id)
                if incident.status is Status.CLOSED:
                    # It came and went unseen there: a ticket made now would only be news of something over.
                    await self._drop(tx, link, incident)
                    continue
            payload = {"link_id": link.id, "integration_id": integration_id, "reason": "shadow mode ended"}
            # In the lane of backfills: what happens now goes first, and the vendor's budget holds for the rest.
            jobs.append(NewJob(VISIT, payload, key=link.partition(), lane=Lane.BACKFILL))
        await self._context.queue.enqueue_many(tx, jobs)
        await tx.execute(tx.delete(sync_shadow).where(mine))

    async def _drop(self, tx: AccountTx, link: Link, incident: Incident) -> None:
        await links.save(tx, replace(link, status=LinkStatus.STOPPED), self._context.clock.now())
        data = {"why": "closed while the integration was in shadow mode"}
        await self._context.incidents.add_entry(
            tx, incident.id, "ticket_not_created", data, system_origin(link)
        )


def consumers(context: SyncContext) -> tuple[Consumer, ...]:
    """Return the consumer of the look for ended shadow modes, for bootstrap to bind."""
    return (Consumer(ENDED, transactional(ShadowEnd(context).look), batch=64, retry=RETRY),)


__all__ = [
    "ENDED",
    "HeldBack",
    "ShadowKind",
    "consumers",
    "counts",
    "held_back_words",
    "keep",
    "newest",
    "unsent_state",
]
