"""Incidents made of tickets by rule: incident, link with both bases as read, and the comments as notes, in one commit.

What decides which ticket becomes one, and of what it is made, holds for those of the past, too, which :mod:`callout.sync.importing` stores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import orjson
from sqlalchemy import and_, select

from callout.incidents import DeclareIncident, Incident
from callout.incidents.model import FIELDS, TAG_LIMIT, WORD_LIMIT
from callout.kit.ids import new_id
from callout.ports.errors import InvalidRequestError
from callout.storage.schema import micros
from callout.sync import files, links
from callout.sync.apply import first_comments, origin_over
from callout.sync.links import Link, LinkStatus, mark_of
from callout.sync.mapping import FieldMappings, incident_values, ours_of, theirs_of
from callout.sync.merge import NO_MEANING, Base, LinkState
from callout.sync.tables import sync_decided, sync_link

if TYPE_CHECKING:
    from datetime import datetime

    from callout.incidents import IncidentEdit
    from callout.ports.ticketing import Comment, Ticket
    from callout.ports.values import Origin, Status
    from callout.storage import AccountTx
    from callout.sync.context import SyncContext, Target
    from callout.sync.links import CommentPair
    from callout.sync.merge import FieldRule
    from callout.sync.rules import Rule

OUR_MARK: Final = "callout-"
"""So begins our key on every ticket that Callout made of an incident, this installation or another."""
API_MARK: Final = "callout-api-"
"""So it begins, where the vendor's field asks for the prefix, on a ticket that a program made by the unified API: it has no incident."""
PAST: Final = "imported"
"""Why a ticket of the past was decided on: see `sync_decided.why`."""
_DECIDE_SQLITE = (
    "INSERT INTO sync_decided (integration_id, ticket_id, account_id, why, at) SELECT ?1, value, ?2, ?3, ?4"
    " FROM json_each(?5) WHERE true ON CONFLICT DO NOTHING RETURNING ticket_id"
)
_DECIDE_POSTGRES = (
    "INSERT INTO sync_decided (integration_id, ticket_id, account_id, why, at) SELECT $1, t, $2, $3, $4::bigint"
    " FROM unnest($5::text[]) AS t ON CONFLICT DO NOTHING RETURNING ticket_id"
)


@dataclass(frozen=True, slots=True)
class ReadTicket:
    """A ticket as it was read, with the rule by which it becomes an incident, and what had it read."""

    ticket: Ticket
    comments: Sequence[Comment]
    rule: Rule
    cause: str


def is_ours(ticket: Ticket) -> bool:
    """Return whether Callout made the ticket: then it has its incident, here or in another installation."""
    return any(mark.startswith(OUR_MARK) and not mark.startswith(API_MARK) for mark in ticket.marks)


async def decide(
    tx: AccountTx, integration_id: str, ticket_ids: Sequence[str], *, why: str, now: datetime
) -> set[str]:
    """Remember that tickets have their incident, or were taken off it: no rule takes them again. Returns those not known before."""
    # Whoever inserts the same row at this moment is waited for: that makes one incident of two readers. In order, so that two who
    # decide on many do not wait for each other.
    wanted = sorted(set(ticket_ids))
    listed: object = orjson.dumps(wanted).decode() if tx.system.dialect == "sqlite" else wanted
    values = (integration_id, tx.account_id, why, micros(now), listed)
    rows = await tx.system.driver_all(_DECIDE_SQLITE, _DECIDE_POSTGRES, values)
    return {row[0] for row in rows}


async def is_quiet(tx: AccountTx, incident_id: str) -> bool:
    """Return whether an incident was made of a ticket of the past, which it still has."""
    joined = sync_link.join(
        sync_decided,
        and_(
            sync_decided.c.integration_id == sync_link.c.integration_id,
            sync_decided.c.ticket_id == sync_link.c.ticket_id,
        ),
    )
    found = select(sync_link.c.id).select_from(joined)
    found = found.where(sync_link.c.incident_id == incident_id, sync_decided.c.why == PAST)
    return await tx.one(tx.scope(found).limit(1)) is not None


async def siblings(context: SyncContext, tx: AccountTx, target: Target) -> list[str]:
    """Return the account's other enabled integrations that see the same tickets."""
    if not target.site:
        return []
    others = await context.targets(tx)
    return [
        one.integration_id
        for one in others
        if one.site == target.site and one.integration_id != target.integration_id
    ]


async def decide_everywhere(
    context: SyncContext, tx: AccountTx, target: Target, ticket_ids: Sequence[str], *, why: str
) -> set[str]:
    """Decide on tickets for all integrations that see them; return those that have no incident by any of them."""
    now, others = context.clock.now(), await siblings(context, tx, target)
    fresh = set(ticket_ids)
    for integration_id in sorted([target.integration_id, *others]):  # in order, see `decide`
        fresh &= await decide(tx, integration_id, ticket_ids, why=why, now=now)
    for integration_id in others:
        # Those that a person linked, and those of before this integration was there, were never decided on.
        fresh -= (await links.of_tickets(tx, integration_id, ticket_ids)).keys()
    return fresh


async def make_incidents(
    context: SyncContext, tx: AccountTx, target: Target, reads: Sequence[ReadTicket]
) -> set[str]:
    """Make incident, link and notes of each ticket, unless somebody did, or Callout made the ticket; return those it was done for."""
    now = context.clock.now()
    by_id = {read.ticket.id: read for read in reads if not is_ours(read.ticket)}
    if not by_id:
        return set()
    fresh = await decide_everywhere(context, tx, target, list(by_id), why="accepted")
    wanted = [read for ticket_id, read in by_id.items() if ticket_id in fresh]
    if not wanted:
        return set()
    mappings = target.mappings()
    rules = mappings.rules(target.integration_id)
    begun = [_begun(read, target, rules) for read in wanted]
    edits = await context.incidents.begin(tx, [(one.draft, one.origin) for one in begun])
    pairs: list[tuple[str, CommentPair]] = []
    made: list[Link] = []
    for one, edit in zip(begun, edits, strict=True):
        pairs += [(one.link_id, pair) for pair in _fill(edit, one, target, mappings)]
        made.append(_linked(one, edit.incident, target, rules, now=now))
    await context.incidents.save_new(tx, edits)
    await links.insert(tx, *made)
    await links.pair_comments(tx, pairs, now)
    if mappings.files.inbound:
        with_files = {one.read.ticket.id for one in begun if one.read.ticket.attachments}
        jobs = [files.job_for(link, reason="accepted") for link in made if link.ticket_id in with_files]
        await context.queue.enqueue_many(tx, jobs)
    return fresh


@dataclass(frozen=True, slots=True)
class _Begun:
    read: ReadTicket
    link_id: str
    theirs: Mapping[str, Any]
    origin: Origin
    draft: DeclareIncident
    status: Status | None
    refused: Mapping[str, str]


def _begun(read: ReadTicket, target: Target, rules: Mapping[str, FieldRule]) -> _Begun:
    ticket, link_id = read.ticket, new_id()
    theirs = theirs_of(ticket)
    values, status, refused = fit(read, theirs, rules)
    origin = origin_over(target, link_id, ticket.creator, read.cause)
    return _Begun(read, link_id, theirs, origin, DeclareIncident(**values), status, refused)


def _linked(
    one: _Begun, incident: Incident, target: Target, rules: Mapping[str, FieldRule], *, now: datetime
) -> Link:
    """Return the link, its bases being what the incident holds now and what the ticket told: neither side has changed since."""
    ticket, ours = one.read.ticket, ours_of(incident)
    return Link(
        id=one.link_id,
        account_id=target.account_id,
        incident_id=incident.id,
        integration_id=target.integration_id,
        mark=mark_of(incident.key, one.link_id),
        status=LinkStatus.ACTIVE,
        created_at=now,
        ticket_id=ticket.id,
        ticket_key=ticket.key,
        ticket_url=ticket.url,
        project=ticket.project,
        merge=LinkState({name: Base(ours[name], one.theirs[name]) for name in rules}),
        seen_at=ticket.updated_at,
        ticket_version=ticket.version,
    )


def _fill(edit: IncidentEdit, one: _Begun, target: Target, mappings: FieldMappings) -> list[CommentPair]:
    """Give a new incident the ticket's status, its place and its comments."""
    ticket = one.read.ticket
    if one.status not in {None, edit.incident.status}:
        edit.change({}, status=one.status, origin=one.origin)
    for name, why in one.refused.items():
        data = {"field": name, "why": why, "integration": target.name}
        edit.entry("sync_refused", data, origin=one.origin)
    told = {"ticket": ticket.key, "url": ticket.url, "integration": target.name, "accepted": True}
    edit.entry("ticket_linked", told, origin=one.origin)
    if not mappings.comments.inbound:
        return []
    return first_comments(edit, one.link_id, one.read.comments, target)


def fit(
    read: ReadTicket, theirs: Mapping[str, Any], rules: Mapping[str, FieldRule]
) -> tuple[dict[str, Any], Status | None, dict[str, str]]:
    """Return the fields of the incident to be, the status to walk to, and the fields that an incident cannot hold, with the reason.

    What the ticket is called and what it says is taken in any case: it is what the incident is about. Else the field's direction counts.
    The values are as the checks of an incident's fields return them.
    """
    ticket = read.ticket
    taken: dict[str, Any] = {}
    for name, rule in rules.items():
        value = rule.decode(theirs[name])
        if value is not NO_MEANING and (rule.direction.inbound or name in {"title", "description"}):
            taken[name] = value
    values, status = incident_values(taken)
    sets: Mapping[str, Any] = read.rule.get("set", {})
    values |= {name: sets[name] for name in ("service", "team") if name in sets}
    if ticket.tags or "tags" in sets:
        tags = [tag for tag in (*sets.get("tags", ()), *ticket.tags) if len(tag) <= WORD_LIMIT]
        values["tags"] = tuple(dict.fromkeys(tags))[:TAG_LIMIT]
    values["title"] = values.get("title") or ticket.key
    fitting: dict[str, Any] = {}
    refused: dict[str, str] = {}
    for name, value in values.items():
        try:
            fitting[name] = FIELDS[name](value)
        except InvalidRequestError as error:
            refused[name] = error.message
    fitting.setdefault("title", ticket.key)
    return fitting, status, refused
