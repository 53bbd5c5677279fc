"""The three-way merge of one link: pure, per field, over two bases.

Each field has a value on our side and one on theirs, each in its own value space, and for each side the *base*: the value that side
had when both last agreed. "Changed" is judged per side against its own base, so a vendor that normalises what we wrote (cuts a
title, computes a priority, maps many of our states to one of theirs) makes no change by doing so: its base is what was read back.

    ours changed   theirs changed   what happens
    no             no               nothing
    yes            no               push, unless theirs means the same already
    no             yes              pull, unless ours means the same already
    yes            yes              same meaning: agree; else the field's resolution decides
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Final

from callout.sync.accounted import Accounted
from callout.sync.text_merge import merge_lines

NO_MEANING: Final = object()
"""What `decode` returns for a value of theirs that has no counterpart here: it says nothing about ours."""
NEVER: Final = {"never": "agreed"}
"""A base that no value equals: that side counts as changed. A JSON value, since bases are stored."""


class SyncDirection(StrEnum):
    """Which way a field travels."""

    NONE = "none"
    INBOUND = "inbound"
    OUTBOUND = "outbound"
    BIDIRECTIONAL = "bidirectional"

    @property
    def inbound(self) -> bool:
        """Whether their value may come to us."""
        return self in {SyncDirection.INBOUND, SyncDirection.BIDIRECTIONAL}

    @property
    def outbound(self) -> bool:
        """Whether our value may go to them."""
        return self in {SyncDirection.OUTBOUND, SyncDirection.BIDIRECTIONAL}


class Resolution(StrEnum):
    """What to do when both sides changed a field differently."""

    LOCAL = "local"
    EXTERNAL = "external"
    MANUAL = "manual"
    MERGE = "merge"


class Choice(StrEnum):
    """What a person can decide about a conflict."""

    OURS = "ours"
    THEIRS = "theirs"
    VALUE = "value"
    """Neither: a value of their own, which both sides get."""


class ValueKind(StrEnum):
    """How values of a field are compared and merged."""

    SCALAR = "scalar"
    TEXT = "text"
    SET = "set"
    PROGRESS = "progress"
    """Steps of a life cycle, in the order of the rule's `steps`."""


@dataclass(frozen=True, slots=True)
class FieldRule:
    """How one field travels. All values are JSON values.

    `encode` gives their value for ours, `decode` ours for theirs; `same` tells whether the two already mean the same (many of our
    values may mean one of theirs, and the other way round).
    """

    name: str
    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]
    same: Callable[[Any, Any], bool]
    identity: Callable[[Any], Any] = lambda value: value
    """What of a value of either side is compared with its base: a person's id, not how their name is spelled today."""
    direction: SyncDirection = SyncDirection.BIDIRECTIONAL
    resolution: Resolution = Resolution.MANUAL
    kind: ValueKind = ValueKind.SCALAR
    steps: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Base:
    """The values of one field that both sides last agreed on."""

    ours: Any
    theirs: Any


@dataclass(frozen=True, slots=True)
class Pending:
    """A write to them that was begun: the value of ours it carries and the value sent.

    `since` is the last change that the ticket told when it was read for this write (their clock, ISO 8601; empty: not told),
    `accounted` which lines of ours in the field's history are of earlier writes (None: not known).
    """

    ours: Any
    sent: Any
    since: str = ""
    accounted: Accounted | None = None


@dataclass(frozen=True, slots=True)
class FieldConflict:
    """Both sides changed a field differently and a person has to choose; the other fields go on.

    An `overwritten` one is about an edit that a write of ours replaced before we had read it: `theirs` is that edit, and what the
    ticket holds instead is `base.theirs`.
    """

    field: str
    ours: Any
    theirs: Any
    base: Base
    overwritten: bool = False

    @property
    def held(self) -> Any:  # noqa: ANN401  # a value of theirs
        """What the ticket holds."""
        return self.base.theirs if self.overwritten else self.theirs


@dataclass(frozen=True, slots=True)
class LinkState:
    """What a link remembers between merges.

    `accounted` tells which lines of ours in the history of a field are known; a field of which not all are is absent.
    """

    bases: Mapping[str, Base] = field(default_factory=dict)
    pending: Mapping[str, Pending] = field(default_factory=dict)
    conflicts: Mapping[str, FieldConflict] = field(default_factory=dict)
    accounted: Mapping[str, Accounted] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Overridden:
    """A human edit that a rule (LOCAL, EXTERNAL) set aside: kept so that it can be shown, never lost in silence."""

    field: str
    kept: Any
    lost: Any
    side: str
    """Whose edit was set aside: `ours` or `theirs`."""


@dataclass(frozen=True, slots=True)
class MergeResult:
    """What a merge decided.

    `to_ours`: field → new value of ours. `to_theirs`: field → value to send. `state` already holds the bases of everything that needs no
    write to them, and the pending writes; :func:`fold` completes it after the write was read back.
    """

    to_ours: Mapping[str, Any]
    to_theirs: Mapping[str, Any]
    conflicts: tuple[FieldConflict, ...]
    overridden: tuple[Overridden, ...]
    state: LinkState


@dataclass(frozen=True, slots=True)
class Resolved:
    """What a person's choice makes of a conflict: our value from now on, and the link's state in which the next merge carries it over."""

    ours: Any
    state: LinkState


class _Merging:
    def __init__(self, state: LinkState) -> None:
        self.bases = dict(state.bases)
        self.pending = dict(state.pending)
        self.conflicts = dict(state.conflicts)
        self.to_ours: dict[str, Any] = {}
        self.to_theirs: dict[str, Any] = {}
        self.overridden: list[Overridden] = []

    def settle(self, name: str, ours: Any, theirs: Any) -> None:  # noqa: ANN401
        self.bases[name] = Base(ours, theirs)
        self.conflicts.pop(name, None)
        self.pending.pop(name, None)

    def push(self, rule: FieldRule, ours: Any, theirs: Any) -> None:  # noqa: ANN401
        """Send ours; until the write is read back the bases stay, and a lost answer can be told from an edit."""
        sent = rule.encode(ours)
        self.to_theirs[rule.name] = sent
        self.pending[rule.name] = Pending(ours, sent)
        base = self.bases.get(rule.name)
        self.bases[rule.name] = Base(None if base is None else base.ours, theirs)
        self.conflicts.pop(rule.name, None)

    def pull(self, rule: FieldRule, theirs: Any) -> None:  # noqa: ANN401
        value = rule.decode(theirs)
        self.to_ours[rule.name] = value
        self.settle(rule.name, value, theirs)


def merge(
    state: LinkState, ours: Mapping[str, Any], theirs: Mapping[str, Any], rules: Mapping[str, FieldRule]
) -> MergeResult:
    """Merge both sides of a link.

    `ours` and `theirs` hold the current values by field name; a field absent from `theirs` was not told and is left alone.
    Nothing here has effects; the same arguments give the same result.
    """
    work = _Merging(state)
    for name, rule in rules.items():
        if rule.direction is SyncDirection.NONE or name not in ours or name not in theirs:
            continue
        _merge_field(work, rule, ours[name], theirs[name])
    return MergeResult(
        to_ours=work.to_ours,
        to_theirs=work.to_theirs,
        conflicts=tuple(c for n, c in work.conflicts.items() if state.conflicts.get(n) != c),
        overridden=tuple(work.overridden),
        state=LinkState(work.bases, work.pending, work.conflicts, state.accounted),
    )


def _merge_field(work: _Merging, rule: FieldRule, ours: Any, theirs: Any) -> None:  # noqa: ANN401
    if rule.decode(theirs) is NO_MEANING:
        _only_ours_counts(work, rule, ours, theirs)
        return
    if rule.name not in work.bases:
        # Never agreed on: as if both had been changed. This is how two records that existed before are linked.
        _both_changed(work, rule, ours, theirs, Base(None, None))
        return
    unfinished = _unfinished_write(work, rule, theirs)
    base = work.bases[rule.name]
    ours_changed = unfinished or rule.identity(ours) != rule.identity(base.ours)
    theirs_changed = rule.identity(theirs) != rule.identity(base.theirs)
    if rule.name in work.conflicts:
        _reconsider(work, rule, ours, theirs)
    elif ours_changed and theirs_changed:
        known = len(work.overridden)
        _both_changed(work, rule, ours, theirs, base)
        if unfinished and rule.kind is ValueKind.PROGRESS:
            _tell_unfinished(work, rule, ours, theirs, base, known)
    elif ours_changed or theirs_changed:
        wanted = rule.direction.outbound if ours_changed else rule.direction.inbound
        if rule.same(ours, theirs) or not wanted:
            work.settle(rule.name, ours, theirs)
        elif ours_changed:
            work.push(rule, ours, theirs)
        else:
            work.pull(rule, theirs)


def _tell_unfinished(  # noqa: PLR0917  # as for _both_changed, and where its records begin
    work: _Merging,
    rule: FieldRule,
    ours: Any,  # noqa: ANN401
    theirs: Any,  # noqa: ANN401
    base: Base,
    known: int,
) -> None:
    """Show which status gave way while the fate of a write of ours was open: nobody can tell whether somebody meant to undo it."""
    if rule.name in work.to_theirs:
        # Perhaps our write did arrive and somebody moved it back since. Nobody can tell; so it is shown.
        kept = work.to_ours.get(rule.name, ours)
        work.overridden[known:] = [Overridden(rule.name, kept, rule.decode(theirs), "theirs")]
    elif rule.name in work.to_ours and rule.identity(ours) == rule.identity(base.ours):
        # Somebody here has gone back to where both were before that write: by the bases that looks like no edit at all.
        work.overridden.append(Overridden(rule.name, work.to_ours[rule.name], ours, "ours"))


def _only_ours_counts(work: _Merging, rule: FieldRule, ours: Any, theirs: Any) -> None:  # noqa: ANN401
    """Their value has no counterpart here (a priority or status that no mapping names): it must not reset ours."""
    if rule.name in work.conflicts:
        return
    base = work.bases.get(rule.name)
    unfinished = rule.name in work.pending
    changed = base is None or unfinished or rule.identity(ours) != rule.identity(base.ours)
    if changed and rule.direction.outbound and not rule.same(ours, theirs):
        if base is not None and rule.identity(theirs) != rule.identity(base.theirs):
            # Somebody there chose it since: it gives way, and that is shown.
            work.overridden.append(Overridden(rule.name, ours, theirs, "theirs"))
        work.push(rule, ours, theirs)
    else:
        work.settle(rule.name, ours, theirs)


def _unfinished_write(work: _Merging, rule: FieldRule, theirs: Any) -> bool:  # noqa: ANN401
    """Settle a write whose answer was lost; return whether it did not arrive and is still to be done."""
    pending = work.pending.pop(rule.name, None)
    if pending is None:
        return False
    if theirs == pending.sent or rule.same(pending.ours, theirs):
        # It did arrive: this is its result, not somebody's edit.
        work.settle(rule.name, pending.ours, theirs)
        return False
    return True


def _reconsider(work: _Merging, rule: FieldRule, ours: Any, theirs: Any) -> None:  # noqa: ANN401
    """A conflict is open: it ends by itself only when both sides came to mean the same; else it shows the newest values."""
    conflict = work.conflicts[rule.name]
    if conflict.overwritten and rule.identity(theirs) == rule.identity(conflict.held):
        # The ticket holds what we wrote: that says nothing about the edit it took the place of.
        if rule.same(ours, conflict.theirs):
            work.push(rule, ours, theirs)
        elif conflict.ours != ours:
            work.conflicts[rule.name] = replace(conflict, ours=ours)
    elif rule.same(ours, theirs):
        work.settle(rule.name, ours, theirs)
    elif (conflict.ours, conflict.theirs) != (ours, theirs):
        work.conflicts[rule.name] = replace(conflict, ours=ours, theirs=theirs, overwritten=False)


def _both_changed(work: _Merging, rule: FieldRule, ours: Any, theirs: Any, base: Base) -> None:  # noqa: ANN401
    if rule.same(ours, theirs):
        work.settle(rule.name, ours, theirs)
    elif not rule.direction.outbound:
        work.overridden.append(Overridden(rule.name, rule.decode(theirs), ours, "ours"))
        work.pull(rule, theirs)
    elif not rule.direction.inbound or rule.resolution is Resolution.LOCAL:
        work.overridden.append(Overridden(rule.name, ours, rule.decode(theirs), "theirs"))
        work.push(rule, ours, theirs)
    elif rule.resolution is Resolution.EXTERNAL:
        work.overridden.append(Overridden(rule.name, rule.decode(theirs), ours, "ours"))
        work.pull(rule, theirs)
    elif rule.resolution is Resolution.MERGE and _merged(work, rule, ours, theirs, base):
        pass
    else:
        work.conflicts[rule.name] = FieldConflict(rule.name, ours, theirs, base)


def _merged(work: _Merging, rule: FieldRule, ours: Any, theirs: Any, base: Base) -> bool:  # noqa: ANN401
    """Merge both edits into one value. Returns False when they touch the same place, which a person has to settle."""
    meant = rule.decode(theirs)
    both: Any
    if rule.kind is ValueKind.SET:
        common = set(base.ours or ())
        ours_set, theirs_set = set(ours or ()), set(meant or ())
        both = sorted((ours_set | theirs_set) - (common - ours_set) - (common - theirs_set))
    elif rule.kind is ValueKind.TEXT:
        lines = merge_lines(str(base.ours or ""), str(ours or ""), str(meant or ""))
        if lines is None:
            return False
        both = lines
    elif rule.kind is ValueKind.PROGRESS:
        before, left, right = (
            rule.steps.index(v) if v in rule.steps else -1 for v in (base.ours, ours, meant)
        )
        if min(left, right) < before:
            return False  # one side went back while the other went on: no order tells who is right
        both = rule.steps[max(left, right)]
    else:
        return False
    if both != ours:
        work.to_ours[rule.name] = both
    if rule.same(both, theirs):
        work.settle(rule.name, both, theirs)
    else:
        work.push(rule, both, theirs)
    return True


def fold(
    state: LinkState,
    written: Mapping[str, Any],
    rules: Mapping[str, FieldRule],
    *,
    moved: Collection[str] = frozenset(),
) -> LinkState:
    """Return `state` after a write to them was carried out: `written` are their values as read back.

    For each pending field both bases become what was sent from and what was read back; `rules` names the fields that count, `moved`
    those of them that are known to have been changed by somebody since the write.
    A field that was not accepted must not be in `written`: it stays pending. A vendor may cut a text or compute a priority, but
    it does not move a status further by itself: one that means something else when it is read back was moved by somebody
    between the write and the read, and counts as their change.
    """
    bases, pending = dict(state.bases), dict(state.pending)
    for name in tuple(pending):
        if name in rules and name in written:
            sent, rule = pending.pop(name), rules[name]
            further = rule.kind is ValueKind.PROGRESS and not rule.same(sent.ours, written[name])
            bases[name] = Base(sent.ours, NEVER if further or name in moved else written[name])
    return LinkState(bases, pending, state.conflicts, state.accounted)


@dataclass(frozen=True, slots=True)
class Replaced:
    """An edit of theirs that a write of ours took the place of, unread.

    Args:
        theirs: their value.
        read: the bases when the write was decided.
        sent: the value of ours that the write carried.
        held: what the ticket holds since.
    """

    theirs: Any
    read: Base
    sent: Any
    held: Any


def merge_replaced(
    state: LinkState, ours: Mapping[str, Any], found: Mapping[str, Replaced], rules: Mapping[str, FieldRule]
) -> MergeResult:
    """Merge edits that writes of ours took the place of, as if they had been read in time.

    `state` is of after the writes were folded, `ours` are our values today. What a rule decides against what the ticket holds now is
    pending in the returned state, for the next merge to push; where a person has to choose, the conflict keeps their value.
    """
    work = _Merging(state)
    for name, one in found.items():
        rule = rules[name]
        if rule.decode(one.theirs) is NO_MEANING:
            work.overridden.append(Overridden(name, ours[name], one.theirs, "theirs"))
            continue
        work.conflicts.pop(name, None)
        _both_changed(work, rule, ours[name], one.theirs, one.read)
        work.pending.pop(name, None)
        mine = work.to_ours.get(name, ours[name])
        conflict = work.conflicts.get(name)
        work.bases[name] = Base(one.read.ours, one.held)
        if conflict is not None:
            work.conflicts[name] = replace(conflict, base=work.bases[name], overwritten=True)
        elif mine == one.sent or rule.same(mine, one.held):
            work.settle(name, mine, one.held)
        else:
            work.pending[name] = Pending(mine, rule.encode(mine))
    return MergeResult(
        to_ours=work.to_ours,
        to_theirs={},
        conflicts=tuple(work.conflicts[name] for name in found if name in work.conflicts),
        overridden=tuple(work.overridden),
        state=LinkState(work.bases, work.pending, work.conflicts, state.accounted),
    )


def resolve(state: LinkState, rule: FieldRule, ours: Any, choice: Choice, value: Any = None) -> Resolved:  # noqa: ANN401
    """Return what a person's `choice` makes of the open conflict of the rule's field; `ours` is our value today.

    Ours, or a `value` of their own, is made to look like the only change, so that the next merge pushes it; and should theirs have
    changed since it was shown, that is a new conflict. Theirs is taken as it was shown and counts as agreed: should it have changed
    since, the next merge pulls that as any later change of theirs. An overwritten one that is taken goes back to the ticket.
    Raises KeyError without an open conflict, ValueError when what is to be taken has no counterpart on our side.
    """
    conflict = state.conflicts[rule.name]
    bases, pending, conflicts = dict(state.bases), dict(state.pending), dict(state.conflicts)
    del conflicts[rule.name]
    pending.pop(rule.name, None)
    if choice is Choice.THEIRS:
        taken = rule.decode(conflict.theirs)
        if taken is NO_MEANING:
            msg = "their value has no counterpart here"
            raise ValueError(msg)
    else:
        taken = value if choice is Choice.VALUE else ours
    there = conflict.held
    if (choice is Choice.THEIRS and not conflict.overwritten) or rule.same(taken, there):
        bases[rule.name] = Base(taken, there)
    else:
        # As an unfinished write, not by comparing with the old bases: a side that went back to its base meanwhile would look unchanged.
        bases[rule.name] = Base(conflict.base.ours, there)
        pending[rule.name] = Pending(taken, rule.encode(taken))
    return Resolved(taken, LinkState(bases, pending, conflicts, state.accounted))
