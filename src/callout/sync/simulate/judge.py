"""The judgement at the end of a history: each property, over everything that people did."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from callout.incidents.model import json_value
from callout.ports.values import Audience
from callout.sync.links import LinkStatus
from callout.sync.merge import SyncDirection
from callout.sync.simulate.judge_files import FileJudge
from callout.sync.simulate.ledger import OURS
from callout.sync.simulate.meaning import FIELDS, TICKET_FIELD, UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.incidents import Incident, Note, TimelineEntry
    from callout.sync.links import Link
    from callout.sync.simulate.play import Outcome
    from callout.sync.simulate.records import Record
    from callout.sync.simulate.vendor import Vendor
    from callout.sync.simulate.world import World

AGREE, LOST, ONE_TICKET, ONE_COPY, AUDIENCE, FALSE_CONFLICT = (
    "sides disagree",
    "edit lost",
    "more than one ticket",
    "not one copy",
    "audience widened",
    "false conflict",
)


def judge(world: World, outcome: Outcome) -> None:
    """Check every property and add what is broken to `outcome`."""
    found = world.links()
    incident = world.incident()
    timeline: list[TimelineEntry] = world.run(lambda tx: _timeline(world, tx))
    notes: list[Note] = world.run(lambda tx: world.incidents.notes(tx, world.incident_id))
    for name, vendor in world.vendors.items():
        outcome.broken.extend(f"{AUDIENCE}: {words}" for words in vendor.broken)
        link = found.get(name)
        if link is None:
            outcome.broken.append(f"{AGREE}: there is no link to {name}")
            continue
        _tickets(outcome, vendor, link)
        record = vendor.records.get(link.ticket_id)
        _state(outcome, link, vendor, record)
        if record is not None and not record.deleted and link.status is LinkStatus.ACTIVE:
            _Agreement(world, outcome, incident, timeline, vendor, link, record).check()
            _notes_there(world, outcome, notes, vendor, link, record)
            _comments_here(world, outcome, notes, vendor, record)
    FileJudge(world, outcome, timeline).judge()
    _edits(world, outcome, timeline)
    _conflicts(world, outcome, timeline)


async def _timeline(world: World, tx: Any) -> list[TimelineEntry]:  # noqa: ANN401
    lines: list[TimelineEntry] = []
    while True:
        page = await world.incidents.timeline(tx, world.incident_id, after=lines[-1].id if lines else "")
        lines.extend(page)
        if len(page) < 200:  # noqa: PLR2004  # the most that one page holds
            return lines


def _tickets(outcome: Outcome, vendor: Vendor, link: Link) -> None:
    outcome.checks[ONE_TICKET] += 1
    made = [
        record.id for record in vendor.records.values() if record.mark == link.mark and not record.deleted
    ]
    if len(made) > 1:
        outcome.broken.append(f"{ONE_TICKET}: {vendor.name} has {len(made)} tickets of one link")
    if not vendor.records and link.problem is None:
        outcome.broken.append(f"{AGREE}: no ticket was made in {vendor.name}, and no problem is shown")


def _state(outcome: Outcome, link: Link, vendor: Vendor, record: Record | None) -> None:
    """A link that is not at work has to say why."""
    outcome.checks["link state"] += 1
    if link.status is not LinkStatus.ACTIVE and link.problem is None:
        outcome.broken.append(
            f"{AGREE}: the link to {vendor.name} is {link.status.value} without a problem shown"
        )
    if record is not None and not record.deleted and link.status is LinkStatus.GONE:
        outcome.broken.append(f"{AGREE}: the link to {vendor.name} is gone, the ticket is there")


class _Agreement:
    """Whether both sides of one link agree on every field."""

    def __init__(  # noqa: PLR0917  # the parts of one link
        self,
        world: World,
        outcome: Outcome,
        incident: Incident,
        timeline: Sequence[TimelineEntry],
        vendor: Vendor,
        link: Link,
        record: Record,
    ) -> None:
        self.meaning = world.meaning
        self.edits = world.ledger.edits
        self.outcome = outcome
        self.incident = incident
        self.timeline = timeline
        self.vendor = vendor
        self.link = link
        self.record = record

    def check(self) -> None:
        """Check all fields."""
        for name in FIELDS:
            self.outcome.checks[AGREE] += 1
            ours = self._ours(name)
            theirs = self.record.value(TICKET_FIELD[name])
            if not self.meaning.agree(self.vendor, name, ours, theirs) and not self._explained(
                name, ours, theirs
            ):
                words = f"{name} is {_plain(ours)!r} here and {_plain(theirs)!r} in {self.vendor.name}"
                self.outcome.broken.append(f"{AGREE}: {words}")

    def _ours(self, name: str) -> Any:  # noqa: ANN401
        value = getattr(self.incident, name)
        return value if name == "assignee" else str(value)

    def _explained(self, name: str, ours: Any, theirs: Any) -> bool:  # noqa: ANN401
        """Return whether a difference is as it has to be: an open conflict, the mapping, or a problem that is shown."""
        link, seen = self.link, self.outcome.seen
        direction = self.meaning.direction(name)
        conflict = link.merge.conflicts.get(name)
        if conflict is not None:
            seen["open conflicts"] += 1
            return bool(conflict.ours == _json(ours)) and any(
                entry.kind == "sync_conflict" and entry.data["field"] == name for entry in self.timeline
            )
        if direction is not SyncDirection.BIDIRECTIONAL:
            edited = {edit.side for edit in self.edits if edit.field == name}
            free = {SyncDirection.INBOUND: {OURS}, SyncDirection.OUTBOUND: {self.vendor.name}}.get(direction)
            if free is None or edited & free:
                return True
        if self.meaning.ours(name, theirs, self.vendor.name) is UNKNOWN:
            seen["values without a meaning here"] += 1
            return True
        if self._refused(name, ours):
            seen["values that the vendor refuses, with a problem shown"] += 1
            return link.problem is not None
        return any(
            entry.kind == "sync_differs"
            and entry.data["field"] == name
            and entry.data["integration"] == self.vendor.name
            and entry.data["ours"] == _json(ours)
            for entry in self.timeline
        )

    def _refused(self, name: str, ours: Any) -> bool:  # noqa: ANN401
        if name == "assignee":
            return self.vendor.unknown(ours)
        if name == "status":
            sent = self.meaning.sent(name, ours)
            fields = self.meaning.transition_fields.get(sent, {})
            return bool(self.vendor.refuses(self.record.status, sent, fields))
        return False


def _json(value: Any) -> Any:  # noqa: ANN401
    return json_value(value)


def _plain(value: Any) -> Any:  # noqa: ANN401
    return getattr(value, "email", None) or (str(value) if value is not None else None)


def _notes_there(  # noqa: PLR0917  # the parts of one link
    world: World, outcome: Outcome, notes: Sequence[Note], vendor: Vendor, link: Link, record: Record
) -> None:
    """Each note is there once, for its own audience; an internal one is not there at all."""
    copies = Counter(comment.content.strip() for comment in record.comments)
    for note in notes:
        if note.origin.integration_id == vendor.name:
            continue
        outcome.checks[ONE_COPY] += 1
        number = copies[note.text.strip()]
        if note.audience is Audience.INTERNAL or not world.meaning.comments.outbound:
            if number:
                outcome.broken.append(f"{AUDIENCE}: the note {note.text!r} reached {vendor.name}")
            continue
        if number > 1:
            outcome.broken.append(f"{ONE_COPY}: the note {note.text!r} is {number} times in {vendor.name}")
        elif not number and link.problem is None:
            outcome.broken.append(
                f"{ONE_COPY}: the note {note.text!r} is not in {vendor.name}, and no problem is shown"
            )
        for comment in record.comments:
            if comment.content.strip() == note.text.strip() and not note.audience.may_reach(comment.audience):
                outcome.broken.append(
                    f"{AUDIENCE}: the note {note.text!r} is {comment.audience.value} in {vendor.name}"
                )


def _comments_here(
    world: World, outcome: Outcome, notes: Sequence[Note], vendor: Vendor, record: Record
) -> None:
    """Each comment of theirs is a note here once, with its audience."""
    here = [note for note in notes if note.origin.integration_id == vendor.name]
    for comment in record.comments:
        if comment.mark or not world.meaning.comments.inbound:
            continue
        outcome.checks[ONE_COPY] += 1
        copies = [note for note in here if note.text.strip() == comment.content.strip()]
        if len(copies) != 1:
            words = f"the comment {comment.content!r} of {vendor.name} is {len(copies)} times here"
            outcome.broken.append(f"{ONE_COPY}: {words}")
        outcome.checks[AUDIENCE] += 1
        if any(note.audience is not comment.audience for note in copies):
            outcome.broken.append(
                f"{AUDIENCE}: the comment {comment.content!r} ({comment.audience.value}) is for {copies[0].audience.value} here"
            )
    ours = {comment.content.strip() for comment in record.comments if comment.mark}
    for note in here:
        if note.text.strip() in ours:
            outcome.broken.append(
                f"{ONE_COPY}: our own comment {note.text!r} came back from {vendor.name} as a note"
            )


def _conflicts(world: World, outcome: Outcome, timeline: Sequence[TimelineEntry]) -> None:
    """A conflict needs people on both sides: our own write that comes back makes none."""
    for entry in timeline:
        if entry.kind != "sync_conflict":
            continue
        outcome.checks[FALSE_CONFLICT] += 1
        name, there = entry.data["field"], entry.data["integration"]
        sides = {edit.side for edit in world.ledger.edits if edit.field == name}
        vendor = world.vendors[there]
        if TICKET_FIELD[name] in vendor.blurred and there not in sides:
            # A cut title, after a lost answer: made so by the vendor, or by somebody? That it is asked is right.
            outcome.seen["writes with a lost answer, kept otherwise than sent, and asked about"] += 1
            continue
        if vendor.calls["find_by_key"] and there not in sides:
            # What was found is not what was asked for. Made so by the vendor, or by somebody since? That it is asked is right.
            outcome.seen["creations found later with other values, and asked about"] += 1
            continue
        if there not in sides or not sides - {there}:
            words = f"{name}, between us and {there}, though nobody edited it on both sides"
            outcome.broken.append(f"{FALSE_CONFLICT}: {words}")


def _edits(world: World, outcome: Outcome, timeline: Sequence[TimelineEntry]) -> None:
    """No edit of a person is lost in silence."""
    ledger = world.ledger
    for edit in ledger.edits:
        outcome.checks[LOST] += 1
        if edit.seen_over or edit.alive or ledger.nothing(edit) or ledger.shown(edit, timeline):
            continue
        direction = world.meaning.direction(edit.field)
        if not (direction.outbound if edit.side == OURS else direction.inbound):
            continue
        if edit.side in world.vendors and world.vendors[edit.side].records:
            link = world.links().get(edit.side)
            deleted = any(record.deleted for record in world.vendors[edit.side].records.values())
            if deleted or (link is not None and link.status is LinkStatus.GONE):
                continue
        if edit.side != OURS and world.meaning.ours(edit.field, edit.value, edit.side) is UNKNOWN:
            outcome.seen["values without a meaning here, written over"] += 1
            continue
        if edit.unavoidable:
            outcome.seen["edits within one call of ours, where the vendor neither refuses nor tells"] += 1
            continue
        if edit.blind:
            outcome.seen["edits that took back a write of ours whose answer was lost"] += 1
            continue
        outcome.broken.append(f"{LOST}: {edit.told()} was replaced, and nothing shows it")
