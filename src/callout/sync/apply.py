"""The database half of a merge: what came from them goes into the incident, what goes to them is recorded as pending.

Runs inside one transaction, with link and incident locked; the same code serves a webhook that told everything and a visit that has
just read the ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.incidents import IncidentEdit
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket
from callout.ports.values import Actor, ActorKind, Channel, Origin, Person
from callout.sync import links
from callout.sync.links import CommentPair, Link, LinkStatus
from callout.sync.mapping import FieldMappings, incident_values, ours_of, person_prefix, theirs_of
from callout.sync.merge import MergeResult, ValueKind, merge

if TYPE_CHECKING:
    from callout.storage import AccountTx
    from callout.sync.context import Target


@dataclass(frozen=True, slots=True)
class Told:
    """A ticket's state as it was told: `known` ticket fields only (None: all of them), by whom and when."""

    ticket: Ticket
    known: frozenset[str] | None = None
    actor: Person | None = None
    at: datetime | None = None
    read: bool = False
    """True when we read it ourselves just now; else it was told and may be out of date."""


def origin_of(target: Target, link: Link, actor: Person | None) -> Origin:
    """Return the origin of a change that came over `link`."""
    who = actor or Person(target.integration_id, target.title)
    return Origin(
        channel=Channel.SYNC,
        actor=Actor(
            ActorKind.VENDOR_USER, person_prefix(target.integration_id) + who.id, who.name or target.title
        ),
        integration_id=target.integration_id,
        link_id=link.id,
        hops=1,
    )


def must_read(link: Link, told: Told, mappings: FieldMappings, target: Target) -> bool:
    """Return whether what was told is not enough to act on: it is older than what we know, or its text may only look different.

    Webhooks carry text in another dialect than reads do, so a text that differs from its base is read again before it counts.
    """
    if told.read:
        return False
    updated = told.ticket.updated_at
    if updated is None or (link.seen_at is not None and updated < link.seen_at):
        return True
    values = theirs_of(told.ticket, told.known)
    for name, rule in mappings.rules(target.integration_id).items():
        if rule.kind is ValueKind.TEXT and name in values:
            base = link.merge.bases.get(name)
            if base is None or base.theirs != values[name]:
                return True
    return False


def take(
    edit: IncidentEdit, link: Link, told: Told, mappings: FieldMappings, target: Target
) -> tuple[Link, MergeResult]:
    """Merge what was told into the incident being edited; return the link with its new state, and what is left to send."""
    rules = mappings.rules(target.integration_id)
    result = merge(link.merge, ours_of(edit.incident), theirs_of(told.ticket, told.known), rules)
    origin = origin_of(target, link, told.actor)
    if result.to_ours:
        values, status = incident_values(result.to_ours)
        edit.change(values, status=status, origin=origin, at=told.at)
    for conflict in result.conflicts:
        data = {
            "field": conflict.field,
            "ours": conflict.ours,
            "theirs": conflict.theirs,
            "integration": target.name,
        }
        edit.entry("sync_conflict", data, origin=origin)
    for lost in result.overridden:
        data = {
            "field": lost.field,
            "kept": lost.kept,
            "set_aside": lost.lost,
            "side": lost.side,
            "integration": target.name,
        }
        edit.entry("sync_overridden", data, origin=origin)
    ticket = told.ticket
    return replace(
        link,
        status=LinkStatus.ACTIVE,
        merge=result.state,
        ticket_key=ticket.key or link.ticket_key,
        ticket_url=ticket.url or link.ticket_url,
        project=ticket.project or link.project,
        seen_at=max(filter(None, (ticket.updated_at, link.seen_at)), default=None),
        ticket_version=ticket.version or link.ticket_version,
    ), result


async def take_comments(
    tx: AccountTx,
    edit: IncidentEdit,
    link: Link,
    found: Iterable[tuple[Comment, Person | None]],
    *,
    target: Target,
    now: datetime,
) -> int:
    """Add each comment that is not known yet as a note of the same audience; return how many were new.

    A comment that carries our mark is the one we wrote ourselves, whose answer was lost: it is paired, not added.
    """
    pairs = await links.comments(tx, link.id)
    known = {pair.comment_id for pair in pairs if pair.comment_id}
    open_marks = {pair.mark: pair for pair in pairs if pair.comment_id is None}
    added = 0
    for comment, actor in found:
        if comment.id in known or not comment.content.strip():
            continue
        known.add(comment.id)
        ours = open_marks.pop(comment.mark, None) if comment.mark else None
        if ours is not None:
            await links.finish_comment(tx, link.id, ours.note_id, comment.id)
            continue
        author = comment.author or actor
        note = edit.note(
            comment.content,
            comment.audience,
            origin=origin_of(target, link, author),
            author=None if author is None else _ours(author, target),
            at=comment.created_at,
        )
        pair = CommentPair(note.id, comment.id, comment.mark)
        await links.pair_comment(tx, link.id, pair, now)
        added += 1
    return added


def _ours(person: Person, target: Target) -> Person:
    return Person(person_prefix(target.integration_id) + person.id, person.name, person.email)


def told_by(change: Change) -> Told | None:
    """Return what a change told of its ticket, or None when it told nothing but that something happened."""
    if change.ticket is None or change.kind is ChangeKind.DELETED:
        return None
    return Told(change.ticket, change.known if change.partial else None, change.actor, change.occurred_at)


def draft_bases(
    ours: Mapping[str, Any], ticket: Ticket, mappings: FieldMappings, target: Target
) -> Mapping[str, tuple[Any, Any]]:
    """Return the bases after a creation: what we asked for, and what the vendor made of it.

    A status cannot be asked for at creation: its base is the first status, so that a later one of ours is still to be pushed.
    """
    theirs = theirs_of(ticket)
    rules = mappings.rules(target.integration_id)
    return {name: ("open" if name == "status" else ours[name], theirs[name]) for name in rules}
