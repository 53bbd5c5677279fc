"""The book of what people did: every edit, where its value lives, and whether anything of ours took its place unseen.

An edit lives on the side where it was made and on every side that its value reached. A person who edits over it (they saw it) ends
its life rightly. When sync writes over it, it has to live on somewhere else, or something on the timeline has to show it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from callout.ports.values import Audience, Person
from callout.sync.provenance import AppliedRule
from callout.sync.simulate.meaning import OUR_FIELD, UNKNOWN, Meaning, rank, same_person

if TYPE_CHECKING:
    from callout.incidents import TimelineEntry
    from callout.sync.simulate.records import Record
    from callout.sync.simulate.vendor import Vendor

OURS = "us"
_WORD = re.compile(r"#[0-9]+")
"""The word by which a text of a history is known from all others."""
RECORDS = frozenset({"sync_conflict", "sync_overridden", "sync_differs"})
"""Lines that show a value."""


@dataclass(slots=True)
class Stand:
    """A value that a field of one side held, and the sides where sync made it the same."""

    value: Any
    at: set[str]


@dataclass(slots=True)
class Edit:
    """One edit of one field by a person."""

    side: str
    field: str
    value: Any
    token: str
    at: datetime
    place: int
    """Its place among all that this field of this side has held."""
    start: Any
    """What stood there when another side last held the same."""
    alive: set[str]
    met: bool = False
    """Another side had held the same a moment before, and a person there had seen it and gone on."""
    seen_over: bool = False
    """A person who saw it changed it again."""
    unavoidable: bool = False
    """Written over within one call of ours, at a vendor that neither refuses that nor tells of it afterwards."""
    awaiting: bool = False
    """The same, where the write's answer tells that there was something; until that is stored a crash forgets it."""
    blind: bool = False
    """Took back a write of ours whose answer was lost: it looks as if that write had never arrived."""

    def told(self) -> str:
        """Return it in plain words."""
        who = "ours" if self.side == OURS else f"{self.side}'s"
        value = self.value.name if isinstance(self.value, Person) else self.value
        return f"{who} {self.field} set to {str(value)!r}"


@dataclass(frozen=True, slots=True)
class FileAdded:
    """A file that somebody added."""

    side: str
    name: str
    content: bytes
    audience: Audience
    ticket: str = ""
    """Where it was attached, of theirs: a ticket that is deleted may have a successor."""

    @property
    def digest(self) -> str:
        """What an attachment of these bytes is known by."""
        return hashlib.sha256(self.content).hexdigest()

    def told(self) -> str:
        """Return it in plain words."""
        who = "our" if self.side == OURS else f"{self.side}'s"
        return f"{who} file {self.content.decode().rstrip('.')} for {self.audience.value}"


class Ledger:
    """The edits of one history."""

    def __init__(self, meaning: Meaning, vendors: Mapping[str, Vendor], now: Callable[[], datetime]) -> None:
        self.edits: list[Edit] = []
        self.files: list[FileAdded] = []
        self._stood: dict[tuple[str, str], list[Stand]] = {}
        self._meaning = meaning
        self._vendors = vendors
        self._now = now

    def begins(self, name: str, value: Any) -> None:  # noqa: ANN401
        """Write down what a field of ours holds at the start."""
        self._stood[OURS, name] = [Stand(value, {OURS})]

    def changed(self, side: str, name: str, before: Any, after: Any, *, source: str) -> None:  # noqa: ANN401
        """Write down that a field of one side changed; `source` is the side that sync took the value from, empty for a person."""
        person = not source
        stood = self._stood.setdefault((side, name), [])
        stand = Stand(after, {side})
        stood.append(stand)
        alike = {side}
        for other in (OURS, *self._vendors):
            theirs = self._stood.get((other, name)) if other != side else None
            if theirs and self._same(name, side, after, other, theirs[-1].value):
                alike.add(other)
                if other == source:
                    theirs[-1].at.add(side)
                    stand.at.add(other)
        if person:
            self._by_person(side, name, before, after, alike)
        else:
            self._by_sync(side, name, stand)

    def forgotten(self, side: str, name: str) -> None:
        """Write down that the process died before it had stored what a write of that field met."""
        for edit in self.edits:
            if edit.side == side and edit.field == name:
                edit.unavoidable |= edit.awaiting

    def nothing(self, edit: Edit) -> bool:
        """Return whether an edit was, for some other side, only there and back: no change to carry over to it."""
        if edit.met:
            return True
        stood = self._stood[edit.side, edit.field]
        for other in (OURS, *self._vendors):
            if other == edit.side:
                continue
            for earlier in reversed(stood[: edit.place]):
                if self._alike(edit, earlier.value):
                    return True
                if other in earlier.at:
                    break
        return False

    def _alike(self, edit: Edit, earlier: Any) -> bool:  # noqa: ANN401
        """Return whether what stood there once means the same to us as what an edit set: two words of theirs may."""
        if edit.side == OURS or edit.token:
            return bool(earlier == edit.value)
        ours = self._meaning.ours(edit.field, edit.value, edit.side)
        return ours is not UNKNOWN and self._same(edit.field, OURS, ours, edit.side, earlier)

    def _met(self, side: str, name: str, value: Any, alike: set[str]) -> bool:  # noqa: ANN401
        """Return whether another side held the same since it was last in step with this one: sync may see both agree on it."""
        for other in (OURS, *self._vendors):
            if other in alike:
                continue
            for stand in reversed(self._stood.get((other, name), ())):
                if self._same(name, side, value, other, stand.value):
                    return True
                if side in stand.at:
                    break
        return False

    def _by_person(self, side: str, name: str, before: Any, after: Any, alike: set[str]) -> None:  # noqa: ANN401
        for edit in self._living(side, name):
            if not self.holds(edit, side, after):
                edit.seen_over = True
        for edit in self.edits:
            # Somebody goes back from a status that was further on: the steps up to it were taken along.
            if name == edit.field == "status" and before is not None and self._moved_on(edit, side, before):
                edit.seen_over |= not self.holds(edit, side, after)
        for edit in self.edits:
            if edit.field == name and not edit.seen_over and self.holds(edit, side, after):
                edit.alive.add(side)
        token = ""
        if name in {"title", "description"}:
            known = str(before).split()
            fresh = [word for word in _WORD.findall(str(after)) if word not in known]
            if not fresh:
                return
            token = fresh[-1]
        stood = self._stood[side, name]
        start = next((one.value for one in reversed(stood[:-1]) if len(one.at) > 1), stood[0].value)
        # Where the same stands already, people see it: there it lives from the start.
        edit = Edit(side, name, after, token, self._now(), len(stood) - 1, start, alike)
        edit.met = self._met(side, name, after, alike)
        vendor = self._vendors.get(side)
        edit.blind = (
            vendor is not None and vendor.unanswered and any(one.value == after for one in stood[:-1])
        )
        self.edits.append(edit)

    def _by_sync(self, side: str, name: str, stand: Stand) -> None:
        after = stand.value
        vendor = self._vendors.get(side)
        refuses_or_tells = vendor is not None and (vendor.quirks.versions or vendor.quirks.history)
        for edit in self.edits:
            if edit.field != name or edit.seen_over:
                continue
            if self.holds(edit, side, after):
                edit.alive |= stand.at
                # A status that was moved on further takes the step before it along for good.
                edit.seen_over |= not edit.token and not self._same(name, edit.side, edit.value, side, after)
            elif side in edit.alive:
                edit.alive.discard(side)
                # Made after the last look at the version: a vendor that neither refuses nor tells leaves the window of one call.
                if vendor is not None and vendor.raced and not refuses_or_tells:
                    edit.awaiting |= vendor.tells
                    edit.unavoidable |= not vendor.tells

    def _living(self, side: str, name: str) -> list[Edit]:
        return [one for one in self.edits if one.field == name and not one.seen_over and side in one.alive]

    def _rank(self, side: str, status: str) -> int:
        meant = status if side == OURS else self._meaning.ours("status", status, side)
        return -1 if meant is UNKNOWN else rank(meant)

    def holds(self, edit: Edit, side: str, value: Any) -> bool:  # noqa: ANN401
        """Return whether `value`, of `side`, still holds what the edit wanted."""
        if edit.token:
            return edit.token in str(value).split()
        if edit.field == "status" and self._moved_on(edit, side, value):
            return True
        return self._same(edit.field, edit.side, edit.value, side, value)

    def _same(self, name: str, left: str, one: Any, right: str, other: Any) -> bool:  # noqa: ANN401
        """Return whether a value of one side and a value of another mean the same."""
        if left == right:
            return same_person(one, other) if name == "assignee" else bool(one == other)
        if right == OURS:
            left, one, right, other = right, other, left, one
        ours = one if left == OURS else self._meaning.ours(name, one, left)
        return ours is not UNKNOWN and self._meaning.agree(self._vendors[right], name, ours, other)

    def _moved_on(self, edit: Edit, side: str, value: str) -> bool:
        """Return whether somebody moved a status on, and it has only gone further since."""
        wanted = self._rank(edit.side, edit.value)
        return 0 <= wanted <= self._rank(side, value) and self._rank(edit.side, edit.start) <= wanted

    def shown(self, edit: Edit, timeline: Sequence[TimelineEntry]) -> bool:
        """Return whether the timeline shows that something took the place of an edit."""
        return any(entry.at >= edit.at and self._shows(entry, edit) for entry in timeline)

    def _shows(self, entry: TimelineEntry, edit: Edit) -> bool:
        data = entry.data
        if entry.kind == "changed" and data.get("rules", {}).get(edit.field) == AppliedRule.FURTHER_ALONG:
            # Both had moved on, and the rule that chose is named beside what it replaced.
            return self._told(edit, data["changes"][edit.field]["before"])
        if entry.kind == "sync_unread":
            # Nothing can say what it was: that there was something, and where its history stands.
            return data["integration"] == edit.side and edit.field in data["fields"]
        return (
            entry.kind in RECORDS
            and data.get("field") == edit.field
            and any(self._told(edit, data.get(part)) for part in ("ours", "theirs", "set_aside", "kept"))
        )

    def _told(self, edit: Edit, value: Any) -> bool:  # noqa: ANN401
        if edit.token:
            return edit.token in str(value).split()
        if edit.field == "assignee":
            if value is None or edit.value is None:
                return value is edit.value
            return same_person(edit.value, Person(value["id"], value["name"], value["email"])) or (
                value["id"].endswith(edit.value.id)
            )
        word = str(value).partition("|")[0]
        ours = edit.value if edit.side == OURS else self._meaning.ours(edit.field, edit.value, edit.side)
        return word in {str(edit.value), str(ours)}


def watcher(ledger: Ledger) -> Callable[[Vendor, Record, str, Any, Any, bool], None]:
    """Return what a vendor tells of every change of a field."""

    def watch(vendor: Vendor, _record: Record, name: str, before: Any, after: Any, person: bool) -> None:  # noqa: ANN401, FBT001
        if name in OUR_FIELD:
            ledger.changed(vendor.name, OUR_FIELD[name], before, after, source="" if person else OURS)

    return watch
