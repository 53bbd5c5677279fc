"""What a write of ours met there unread, by the vendor's own history: pure.

Between our last look at a ticket and our write, and between the write and the read-back, people may edit. A vendor that refuses
writes on an old version lets no such edit be lost; most do not. Where the history tells who changed what, our own line in it names
the value that the write took the place of: when that is not the one we had read, a person's edit was overwritten.

Which of our lines is of this write their clock may not tell, when it ticks slowly: then it is the one that was not there when the
history of the field was last looked at (:class:`Accounted`).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from callout.ports.ticketing import FieldEdit, Ticket
from callout.ports.values import Person
from callout.sync.accounted import Accounted
from callout.sync.mapping import TICKET_FIELD, theirs_of
from callout.sync.merge import (
    NEVER,
    FieldRule,
    LinkState,
    MergeResult,
    Overridden,
    Pending,
    Replaced,
    ValueKind,
    merge_replaced,
)


@dataclass(frozen=True, slots=True)
class Trace:
    """What the history tells of writes of ours, by our field names.

    Args:
        arrived: fields whose write has a line of its own there: it surely arrived.
        replaced: their value that our write took the place of, though we had not read it. Also of a field that has not surely arrived:
            what gave way to a line that is ours as far as anybody can tell.
        by: who had written that.
        left: their value right after our write, of the fields of `replaced`.
        moved: fields that somebody has changed since our write.
        idle: fields in which our write changed nothing, since somebody had just set what it becomes there (a vendor with fewer
            values): both sides have changed it, and it is to be merged again.
    """

    arrived: frozenset[str] = frozenset()
    replaced: Mapping[str, Any] = field(default_factory=dict)
    by: Mapping[str, Person | None] = field(default_factory=dict)
    left: Mapping[str, Any] = field(default_factory=dict)
    moved: frozenset[str] = frozenset()
    idle: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Line:
    edit: FieldEdit
    before: Any
    after: Any


def stamped(state: LinkState, begun: Collection[str], ticket: Ticket) -> LinkState:
    """Return the state with the writes of the fields `begun` knowing on which state of the ticket they stand.

    What is accounted for of the history of these fields goes with them: after a write it holds no more, until the history is told again.
    """
    if not begun:
        return state
    since = "" if ticket.updated_at is None else ticket.updated_at.isoformat()
    pending = {
        name: replace(one, since=since, accounted=state.accounted.get(name)) if name in begun else one
        for name, one in state.pending.items()
    }
    left = {name: one for name, one in state.accounted.items() if name not in begun}
    return replace(state, pending=pending, accounted=left)


def accounted_for(state: LinkState, ticket: Ticket, names: Collection[str]) -> LinkState:
    """Return the state knowing the lines of ours that the history of a ticket just read has of the fields `names`."""
    if ticket.edits is None:
        return state
    known = {
        name: Accounted.of([edit for edit in ticket.edits if edit.field == TICKET_FIELD[name]])
        for name in names
    }
    return replace(state, accounted={**state.accounted, **known})


def nothing_written(ticket: Ticket, names: Collection[str]) -> Mapping[str, Accounted]:
    """Return what is accounted for of a ticket that we made: no line of ours, where it still is as it was made."""
    if ticket.created_at is None or ticket.updated_at != ticket.created_at:
        return {}
    return dict.fromkeys(names, Accounted())


def merge_found(
    state: LinkState, ours: Mapping[str, Any], found: Trace, before: LinkState, rules: Mapping[str, FieldRule]
) -> MergeResult:
    """Merge what writes took the place of, as if it had been read in time; `before` is the state before they were folded into `state`.

    Where somebody has changed the field again since, that comes as any change of theirs, and what was there before is told of; so it
    is where nobody knows whether our write arrived.
    """
    replaced = {
        name: Replaced(value, before.bases[name], before.pending[name].ours, found.left[name])
        for name, value in found.replaced.items()
        if name in found.arrived - found.moved
    }
    result = merge_replaced(state, ours, replaced, rules)
    gone_over = tuple(
        Overridden(name, before.pending[name].ours, found.replaced[name], "theirs")
        for name in found.replaced
        if name not in found.arrived - found.moved
    )
    return replace(result, overridden=(*result.overridden, *gone_over))


def trace(
    ticket: Ticket, state: LinkState, names: Collection[str], rules: Mapping[str, FieldRule], *, done: bool
) -> Trace:
    """Return what the history of a ticket just read tells of the pending writes of the fields `names`.

    `state` is of before these writes are folded: its bases hold what was read before each. `done` says that the vendor answered the
    write; else whether it arrived at all is to be found out.
    """
    arrived: set[str] = set()
    moved: set[str] = set()
    idle: set[str] = set()
    replaced: dict[str, Any] = {}
    by: dict[str, Person | None] = {}
    left: dict[str, Any] = {}
    now = theirs_of(ticket)
    for name in names:
        pending, rule = state.pending.get(name), rules[name]
        if pending is None or ticket.edits is None or name not in state.bases:
            continue
        lines = [_line(ticket, edit, name) for edit in ticket.edits if edit.field == TICKET_FIELD[name]]
        read = state.bases[name].theirs
        at = _own_line(lines, pending, read, rule, done=done)
        if at is None:
            # Nothing was there to be changed by it. What differs now was made so by somebody: after they had seen what we wrote, or
            # before it came.
            later = [line for line in lines if _after(line.edit.at, pending.since)]
            if done and later and not rule.same(pending.ours, now[name]):
                passed = any(_means(line, pending, rule) for line in later)
                (moved if passed else idle).add(name)
            at = None if done else _new_line(lines, pending, read, rule)
            if at is None:
                continue
            # Ours, kept otherwise than it was sent, or of somebody who writes as we do: whether the write arrived stays open.
        else:
            arrived.add(name)
        first = _first_hop(lines, at, read, rule)
        if _moved(lines[at + 1 :], lines[at], now[name], rule):
            moved.add(name)
        if _unread(lines[first], lines[first - 1] if first else None, pending, read, rule):
            replaced[name] = lines[first].before
            by[name] = lines[first - 1].edit.author if first else None
            exact = lines[at].edit.exact
            left[name] = lines[at].after if exact else NEVER if name in moved else now[name]
    return Trace(frozenset(arrived), replaced, by, left, frozenset(moved), frozenset(idle))


def _line(ticket: Ticket, edit: FieldEdit, name: str) -> _Line:
    before, after = (theirs_of(replace(ticket, **values))[name] for values in (edit.before, edit.after))
    return _Line(edit, before, after)


def _own_line(
    lines: Sequence[_Line],
    pending: Pending,
    read: Any,  # noqa: ANN401  # a value of theirs
    rule: FieldRule,
    *,
    done: bool,
) -> int | None:
    """Return the place of the line that our write made, or None when it made none."""
    able = _able(lines, pending, read, rule)
    meant = [at for at in able if _means(lines[at], pending, rule)]
    if meant:
        return meant[-1]
    # A vendor that keeps it otherwise than it was sent: the newest, where we know that it arrived.
    return able[-1] if able and done else None


def _new_line(lines: Sequence[_Line], pending: Pending, read: Any, rule: FieldRule) -> int | None:  # noqa: ANN401  # a value of theirs
    """Return the place of the newest line of ours that was surely not there before our write."""
    beyond = _beyond(lines, pending)
    new = [at for at in _able(lines, pending, read, rule) if at >= beyond and lines[at].edit.exact]
    return new[-1] if new else None


def _beyond(lines: Sequence[_Line], pending: Pending) -> int:
    """Return from which place on lines of ours are known to be new."""
    known = pending.accounted
    return len(lines) if known is None else known.beyond([line.edit for line in lines])


def _able(lines: Sequence[_Line], pending: Pending, read: Any, rule: FieldRule) -> list[int]:  # noqa: ANN401  # a value of theirs
    """Return the places of the lines that our write can have made."""
    able: list[int] = []
    beyond = _beyond(lines, pending)
    for at, line in enumerate(lines):
        if not line.edit.own:
            continue
        if _after(line.edit.at, pending.since):
            able.append(at)
        elif line.edit.exact and at >= beyond and _at_once(line.edit.at, pending.since):
            # Of the very tick of our look, and not there when the history was last looked at: no write but this one can have made it.
            able.append(at)
        elif line.edit.exact and all(rule.identity(one.after) != rule.identity(read) for one in lines[at:]):
            # By its time it is as old as what we had read, or older; but then a line behind it would lead to that. Vendors' clocks
            # tick slowly, and those of their machines differ.
            able.append(at)
    return able


def _means(line: _Line, pending: Pending, rule: FieldRule) -> bool:
    return line.after == pending.sent or rule.same(pending.ours, line.after)


def _after(at: datetime | None, since: str) -> bool:
    return at is not None and bool(since) and at > datetime.fromisoformat(since)


def _at_once(at: datetime | None, since: str) -> bool:
    return at is not None and bool(since) and at == datetime.fromisoformat(since)


def _first_hop(lines: Sequence[_Line], at: int, read: Any, rule: FieldRule) -> int:  # noqa: ANN401  # a value of theirs
    """Return the first of the moves that led to a status from the one that was read: a workflow may need several."""
    first = at
    while rule.kind is ValueKind.PROGRESS and lines[first].before != read:
        if not first or not lines[first - 1].edit.own or lines[first - 1].after != lines[first].before:
            break
        first -= 1
    return first


def _moved(later: Sequence[_Line], own: _Line, now: Any, rule: FieldRule) -> bool:  # noqa: ANN401  # a value of theirs
    if not later:
        return False
    return not own.edit.exact or rule.identity(now) != rule.identity(own.after)


def _unread(
    own: _Line,
    before: _Line | None,
    pending: Pending,
    read: Any,  # noqa: ANN401  # a value of theirs
    rule: FieldRule,
) -> bool:
    """Return whether what our write took the place of was somebody's, and not what we had read."""
    if read == NEVER or rule.same(pending.ours, own.before):
        return False
    if own.edit.exact:
        return bool(rule.identity(own.before) != rule.identity(read))
    return before is not None and not before.edit.own and _after(before.edit.at, pending.since)


__all__ = ["Trace", "accounted_for", "merge_found", "nothing_written", "stamped", "trace"]
