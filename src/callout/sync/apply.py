"""The database half of a merge: what came from them goes into the incident, what goes to them is recorded as pending.

Runs inside one transaction, with link and incident locked; the same code serves a webhook that told everything and a visit that has
just read the ticket.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.incidents import IncidentEdit, store
from callout.incidents.model import FIELDS, TEXT_LIMIT
from callout.ports.errors import InvalidRequestError
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket
from callout.ports.values import Actor, ActorKind, Audience, Channel, Origin, Person
from callout.sync import links
from callout.sync.links import CommentPair, Link, LinkStatus
from callout.sync.loops import answered
from callout.sync.mapping import (
    FieldMappings,
    canonical_text,
    incident_values,
    ours_of,
    person_prefix,
    theirs_of,
)
from callout.sync.merge import (
    NEVER,
    Base,
    FieldRule,
    LinkState,
    MergeResult,
    Pending,
    ValueKind,
    fold,
    merge,
)
from callout.sync.overwritten import Trace, merge_found, stamped
from callout.sync.provenance import applied_rules

if TYPE_CHECKING:
    from callout.storage import AccountTx
    from callout.sync.context import Target


CONFLICT_EVENT = "incident.conflict"
"""Published when a conflict appears, changes or ends; `link_id` says where."""
SHORTEST_LIMIT = 32
"""No vendor cuts a text shorter, in characters."""


@dataclass(frozen=True, slots=True)
class Told:
    """A ticket's state as it was told: `known` ticket fields only (None: all of them), by whom and when."""

    ticket: Ticket
    known: frozenset[str] | None = None
    actor: Person | None = None
    at: datetime | None = None
    read: bool = False
    """True when we read it ourselves just now; else it was told and may be out of date."""
    cause: str = ""
    """What told us, or had us read: `webhook:ID`, or the visit's reason."""


def origin_of(target: Target, link: Link, actor: Person | None, cause: str = "", *, hops: int = 1) -> Origin:
    """Return the origin of a change that came over `link`, the last of `hops` automatic steps."""
    return origin_over(target, link.id, actor, cause, hops=hops)


def origin_over(
    target: Target, link_id: str, actor: Person | None, cause: str = "", *, hops: int = 1
) -> Origin:
    """Return the same for the link of that id, which may not be stored yet."""
    who = actor or Person(target.integration_id, target.title)
    return Origin(
        channel=Channel.SYNC,
        actor=Actor(
            ActorKind.VENDOR_USER, person_prefix(target.integration_id) + who.id, who.name or target.title
        ),
        integration_id=target.integration_id,
        link_id=link_id,
        causation=cause,
        hops=hops,
    )


def must_read(link: Link, told: Told, rules: Mapping[str, FieldRule]) -> bool:
    """Return whether what was told is not enough to act on: it is older than what we know, or its text may only look different.

    Two changes within one tick of the vendor's clock may arrive in any order: what differs then is read again, too.
    Webhooks carry text in another dialect than reads do, so a text that differs from its base is read again before it counts.
    """
    if told.read:
        return False
    updated = told.ticket.updated_at
    if updated is None or (link.seen_at is not None and updated < link.seen_at):
        return True
    values = theirs_of(told.ticket, told.known)
    if link.merge.pending.keys() & values.keys():
        return (
            True  # the fate of a write of ours is open, and what was told may be of before it: a read tells
        )
    for name, rule in rules.items():
        if name in values and (rule.kind is ValueKind.TEXT or updated == link.seen_at):
            base = link.merge.bases.get(name)
            if base is None or base.theirs != values[name]:
                return True
    return False


def take(
    edit: IncidentEdit,
    link: Link,
    told: Told,
    rules: Mapping[str, FieldRule],
    target: Target,
    *,
    now: datetime,
) -> tuple[Link, MergeResult]:
    """Merge what was told into the incident being edited; return the link with its new state, and what is left to send."""
    ours = ours_of(edit.incident)
    result = merge(link.merge, ours, theirs_of(told.ticket, told.known), rules)
    result = _carried(edit, link, told, result, rules, target, read=link.merge, now=now)
    ticket = told.ticket
    return replace(
        link,
        # A link that a person stopped meanwhile stays so.
        status=LinkStatus.STOPPED if link.status is LinkStatus.STOPPED else LinkStatus.ACTIVE,
        merge=stamped(result.state, result.to_theirs, ticket),
        ticket_key=ticket.key or link.ticket_key,
        ticket_url=ticket.url or link.ticket_url,
        project=ticket.project or link.project,
        seen_at=link.seen_until(ticket),
        ticket_version=ticket.version or link.ticket_version,
    ), result


def fold_traced(  # noqa: PLR0917  # the parts of one merge
    edit: IncidentEdit,
    link: Link,
    told: Told,
    found: Trace,
    names: Iterable[str],
    rules: Mapping[str, FieldRule],
    target: Target,
    *,
    now: datetime,
) -> Link:
    """Fold the writes of `names` into the link, and take in what people edited around them: nothing that they wrote is lost in silence.

    What somebody changed after our write counts as a change of theirs. What our write took the place of is merged as if it had been
    read in time: by the field's rule, or as a conflict that keeps it.
    """
    theirs, before = theirs_of(told.ticket), link.merge
    written = {name: theirs[name] for name in names}
    link = replace(link, merge=fold(before, written, rules, moved=found.moved))
    result = merge_found(link.merge, ours_of(edit.incident), found, before, rules)
    by = {found.by[name] for name in found.replaced}
    told = replace(told, actor=by.pop() if len(by) == 1 else None)
    result = _carried(edit, link, told, result, rules, target, read=before, now=now)
    return replace(link, merge=result.state)


def _carried(  # noqa: PLR0917  # the parts of one merge
    edit: IncidentEdit,
    link: Link,
    told: Told,
    result: MergeResult,
    rules: Mapping[str, FieldRule],
    target: Target,
    *,
    read: LinkState,
    now: datetime,
) -> MergeResult:
    """Write into the incident what a merge made of it, and on its timeline what people have to know; return the result as stored.

    `read` is the state on which the merge stood.
    """
    ours = ours_of(edit.incident)
    hops = answered(link.writes, result.to_ours, now) + 1
    origin = origin_of(target, link, told.actor, told.cause, hops=hops)
    if result.to_ours:
        values, status = incident_values(result.to_ours)
        for name, error in _unfit(values).items():
            # Such a value must not hold up the other fields; it stays there, and is told of here.
            data = {
                "field": name,
                "why": error.message,
                "remediation": error.remediation,
                "integration": target.name,
            }
            edit.entry("sync_refused", data, origin=origin)
            del values[name]
        about = {"ticket": told.ticket.key or link.ticket_key, "integration": target.name}
        because = {"rules": applied_rules(read, ours, result, rules), **about}
        edit.change(values, status=status, origin=origin, at=told.at, about=because)
        stored = ours_of(edit.incident)
        result = replace(result, state=_as_stored(result, stored))
    _tell_conflicts(edit, link, result, target, origin)
    for lost in result.overridden:
        data = {
            "field": lost.field,
            "kept": lost.kept,
            "set_aside": lost.lost,
            "side": lost.side,
            "integration": target.name,
        }
        edit.entry("sync_overridden", data, origin=origin)
    return result


def _tell_conflicts(
    edit: IncidentEdit, link: Link, result: MergeResult, target: Target, origin: Origin
) -> None:
    """Show which conflicts appeared, changed, or ended by themselves."""
    where = {"integration": target.name, "ticket": link.ticket_key, "link_id": link.id}
    for conflict in result.conflicts:
        data = {"field": conflict.field, "ours": conflict.ours, "theirs": conflict.theirs, **where}
        if conflict.overwritten:
            data["overwritten"] = True
        edit.entry("sync_conflict", data, origin=origin)
    ended = link.merge.conflicts.keys() - result.state.conflicts.keys()
    for name in sorted(ended):
        edit.entry("sync_conflict_ended", {"field": name, **where}, origin=origin)
    if result.conflicts or ended:
        edit.event(CONFLICT_EVENT, {"link_id": link.id}, origin=origin)


def _unfit(values: Mapping[str, Any]) -> dict[str, InvalidRequestError]:
    """Return the fields whose values an incident cannot hold, with the reason."""
    found: dict[str, InvalidRequestError] = {}
    for name, value in values.items():
        try:
            FIELDS[name](value)
        except InvalidRequestError as error:
            found[name] = error
    return found


def _as_stored(result: MergeResult, stored: Mapping[str, Any]) -> LinkState:
    """Return the new state with what was really stored in place of what was pulled: a trimmed text is no edit of ours."""
    bases, pending = dict(result.state.bases), dict(result.state.pending)
    for name in result.to_ours:
        if name in pending:
            pending[name] = replace(pending[name], ours=stored[name])
        else:
            bases[name] = Base(stored[name], bases[name].theirs)
    return LinkState(bases, pending, result.state.conflicts, result.state.accounted)


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

    A comment that carries our mark, or the text of a note whose writing was begun, is the one we wrote ourselves, whose answer was
    lost: it is paired, not added.
    """
    pairs = await links.comments(tx, link.id)
    known = {pair.comment_id for pair in pairs if pair.comment_id}
    open_marks = {pair.mark: pair for pair in pairs if pair.comment_id is None}
    found = list(found)
    begun = {p.note_id: p for p in pairs if p.comment_id is None and p.begun_at is not None}
    by_text: dict[str, CommentPair] = {}
    if begun and not all(comment.mark for comment, _ in found):
        # A vendor that keeps no mark of ours shows what we wrote with a lost answer like anybody's: the text tells.
        notes = await store.notes_of(tx, link.incident_id, tuple(Audience))
        by_text = {canonical_text(note.text): begun[note.id] for note in notes if note.id in begun}
    added = 0
    for comment, actor in found:
        text = _text_of(comment)
        if comment.id in known or not text:
            continue
        known.add(comment.id)
        ours = open_marks.pop(comment.mark, None) if comment.mark else by_text.pop(canonical_text(text), None)
        if ours is not None:
            await links.finish_comment(tx, link.id, ours.note_id, comment.id)
            continue
        await links.pair_comment(
            tx, link.id, _noted(edit, link.id, comment, comment.author or actor, target), now
        )
        added += 1
    return added


def first_comments(
    edit: IncidentEdit, link_id: str, found: Iterable[Comment], target: Target
) -> list[CommentPair]:
    """Add the comments of a ticket that is linked just now as notes; return the pairs, to be stored behind the link."""
    by_id = {comment.id: comment for comment in found if _text_of(comment)}
    return [_noted(edit, link_id, comment, comment.author, target) for comment in by_id.values()]


def _text_of(comment: Comment) -> str:
    return comment.content.replace("\x00", "").strip()[:TEXT_LIMIT]


def _noted(
    edit: IncidentEdit, link_id: str, comment: Comment, author: Person | None, target: Target
) -> CommentPair:
    note = edit.note(
        _text_of(comment),
        comment.audience,
        origin=origin_over(target, link_id, author),
        author=None if author is None else _ours(author, target),
        at=comment.created_at,
    )
    return CommentPair(note.id, comment.id, comment.mark)


def _ours(person: Person, target: Target) -> Person:
    return Person(person_prefix(target.integration_id) + person.id, person.name, person.email)


def told_by(change: Change, cause: str = "") -> Told | None:
    """Return what a change told of its ticket, or None when it told nothing but that something happened; `cause` names the webhook."""
    if change.ticket is None or change.kind is ChangeKind.DELETED:
        return None
    known = change.known if change.partial else None
    return Told(change.ticket, known, change.actor, change.occurred_at, cause=cause)


def drafted(ours: Mapping[str, Any], mappings: FieldMappings, target: Target) -> LinkState:
    """Return what a link remembers of a creation that is about to be asked for.

    A status cannot be asked for at creation: it counts as open, so that a later one of ours is still to be pushed.
    """
    rules = mappings.rules(target.integration_id)
    asked = {name: "open" if name == "status" else ours[name] for name in rules}
    return LinkState(
        pending={name: Pending(value, rules[name].encode(value)) for name, value in asked.items()}
    )


def draft_bases(
    asked: LinkState, ticket: Ticket, mappings: FieldMappings, target: Target, *, found_later: bool
) -> dict[str, Base]:
    """Return the bases after a creation: what we asked for, and what the vendor made of it.

    A ticket that was `found_later` (the answer to its creation was lost) may have been edited by people since: what differs there
    from what we asked for counts as their change, unless the vendor's own clock says that nobody has touched it, or it is our text
    cut at a limit of theirs.
    """
    changed = found_later and not _untouched(ticket)
    theirs = theirs_of(ticket)
    bases: dict[str, Base] = {}
    for name, rule in mappings.rules(target.integration_id).items():
        ours = asked.pending[name].ours
        edited = changed and not (rule.same(ours, theirs[name]) or _is_cut(ours, theirs[name]))
        bases[name] = Base(ours, NEVER if edited else theirs[name])
    return bases


def _is_cut(ours: object, theirs: object) -> bool:
    """Return whether a text is the beginning of ours, as a vendor with a limit keeps it; people seldom shorten that way."""
    if not isinstance(ours, str) or not isinstance(theirs, str):
        return False
    kept = " ".join(theirs.split()).removesuffix("…").removesuffix("...").rstrip()
    return len(kept) >= SHORTEST_LIMIT and " ".join(ours.split()).startswith(kept)


def _untouched(ticket: Ticket) -> bool:
    """Return whether a ticket is surely as it was created; a clock of whole seconds cannot tell."""
    at = ticket.updated_at
    return at is not None and at == ticket.created_at and bool(at.microsecond)
