"""Stops a link whose ticket is written again and again by machines that answer each other, and says so; `loops` judges."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import structlog

from callout.ports.values import Channel, Origin
from callout.sync import links
from callout.sync.links import Link, LinkStatus, SyncProblem
from callout.sync.loops import Write, loop_of, pushed_back, tokens
from callout.sync.mapping import canonical_text
from callout.sync.trouble import system_origin

if TYPE_CHECKING:
    from callout.incidents import Note
    from callout.jobs import Job
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext, Target
    from callout.sync.merge import LinkState

CODE: Final = "LOOP"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """What a visit is about to write: `to_theirs` over what it has `read`, and the notes that are new there.

    `before` is what the link knew before the merge, `jobs` are what had the visit made.
    """

    before: LinkState
    read: Mapping[str, Any]
    to_theirs: Mapping[str, Any]
    fresh: Sequence[Note]
    jobs: Sequence[Job]


async def trips(context: SyncContext, tx: AccountTx, link: Link, target: Target, step: Step) -> bool:
    """Return whether nothing must be written any more: the link is then stopped, and link and timeline say why.

    Other links of the incident go on. What people write down here counts for nothing; what comes from other tickets does.
    """
    now = context.clock.now()
    carried = [note for note in step.fresh if note.origin.channel is Channel.SYNC]
    comments = tuple(token for note in carried for token in tokens({"comment": canonical_text(note.text)}))
    if not step.to_theirs and not carried:
        return False
    behind = [_asked(step.jobs), *(note.origin.hops + 1 for note in carried)]
    behind.append(pushed_back(step.before, step.read, step.to_theirs, link.writes, now))
    next_write = Write(now, max(behind), tokens(step.to_theirs) + comments)
    how_often = loop_of(link.writes, next_write)
    if how_often:
        last = _last_origin(step.jobs, carried)
        await _stop(context, tx, link, target, how_often=how_often, last=last)
    elif comments:
        counted = link.with_write(replace(next_write, what=comments))
        await links.save(tx, counted, now)
    return bool(how_often)


def written(link: Link, sent: Collection[str], jobs: Sequence[Job], now: datetime) -> Write:
    """Return the write of the fields `sent`, which are pending still."""
    values = {name: link.merge.pending[name].sent for name in sorted(sent) if name in link.merge.pending}
    return Write(now, _asked(jobs), tokens(values))


def _asked(jobs: Sequence[Job]) -> int:
    return max((int(job.payload.get("hops", 1)) for job in jobs), default=1)


def _last_origin(jobs: Sequence[Job], carried: Sequence[Note]) -> Origin | None:
    if carried:
        return carried[-1].origin
    told = [job.payload["after"] for job in jobs if "after" in job.payload]
    return Origin.from_json(told[-1]) if told else None


async def _stop(
    context: SyncContext, tx: AccountTx, link: Link, target: Target, *, how_often: str, last: Origin | None
) -> None:
    now = context.clock.now()
    incident = await context.incidents.get(tx, link.incident_id)
    who = "" if last is None else f"; the last change came from {await _words(context, tx, last)}"
    problem = SyncProblem(
        CODE,
        f"stopped: {link.ticket_key} in {target.name} was written {how_often}{who}: something answers every change of ours",
        f"Find the other product or rule that writes to {link.ticket_key}, or to this incident's other tickets, and stop it. Then start"
        f" this link again: callout incident link {incident.key} resume --integration {target.name}",
        now,
    )
    stopped = replace(link, status=LinkStatus.STOPPED, problem=problem, failures=0, retry_at=None)
    await links.save(tx, stopped, now)
    data = {**problem.to_json(), "ticket": link.ticket_key, "integration": target.name, "link_id": link.id}
    await context.incidents.add_entry(tx, link.incident_id, "sync_stopped", data, system_origin(link))
    _log.warning(
        "sync_loop", link_id=link.id, integration=target.name, ticket=link.ticket_key, often=how_often
    )


async def _words(context: SyncContext, tx: AccountTx, origin: Origin) -> str:
    name = origin.actor.name or origin.actor.id
    if not origin.integration_id:
        return f"{name} ({origin.channel.value})"
    source = await context.target(tx, origin.integration_id)
    return f"{name} in {origin.integration_id if source is None else source.name}"
