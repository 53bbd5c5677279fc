"""A simulated vendor: a ticketing system with its own people, quirks and faults, behind the ticketing port.

It lives outside of the process that crashes: what was written here stays written. It knows nothing of idempotency keys.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from callout.ports.errors import (
    AuthFailedError,
    ConnectorError,
    OutcomeUnknownError,
    RateLimitedError,
    RecordNotFoundError,
    RejectedError,
    StaleRecordError,
    UnavailableError,
)
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, Unknown
from callout.ports.ticketing import (
    Change,
    ChangeKind,
    Comment,
    FieldEdit,
    Ticket,
    TicketDraft,
    TicketPatch,
)
from callout.ports.values import Person
from callout.sync.simulate.engine import boundary
from callout.sync.simulate.quirks import Events, Flow, Quirks
from callout.sync.simulate.records import (
    AFTER,
    BOT,
    CHECKED,
    FIELDS,
    IN_STEPS,
    LATER,
    PATIENCE,
    PEOPLE,
    READS,
    WRITTEN,
    Event,
    Record,
)
from callout.sync.simulate.vendor_comments import VendorComments
from callout.sync.simulate.vendor_files import VendorFiles
from callout.sync.simulate.vendor_search import VendorSearch

if TYPE_CHECKING:
    from callout.kit.clock import ManualClock

Watcher = Callable[["Vendor", Record, str, Any, Any, bool], None]
"""`(vendor, record, field, before, after, by a person)`: told of every change of a field."""


class Vendor(VendorFiles, VendorComments, VendorSearch):
    """One simulated ticketing system."""

    def __init__(self, name: str, quirks: Quirks, flow: Flow, clock: ManualClock, watch: Watcher) -> None:
        self.name = name
        self.flow = flow
        self.quirks = quirks
        self.records: dict[str, Record] = {}
        self.network: list[Event] = []
        """Webhooks that were sent and have not arrived."""
        self.armed: list[tuple[str, str]] = []
        """Faults to come: (operation or empty for any, kind)."""
        self.down = False
        self.calls: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.removed: set[bytes] = set()
        self.broken: list[str] = []
        """Promises that were broken by a call, in words."""
        self.read_at: dict[str, int] = {}
        """Ticket → number of the last change of any ticket when we last read it."""
        self.edited_at: dict[str, int] = {}
        """Ticket → number of the last change by a person."""
        self.step = 0
        self.unanswered = False
        """Whether a write of ours was done whose answer we have not had."""
        self.blurred: set[str] = set()
        """Fields that were kept otherwise than they were sent, by a write whose answer was lost."""
        self._altered: set[str] = set()
        self.raced = False
        """Whether the write under way meets an edit that we have not read."""
        self.tells = False
        """Whether the answer of the write under way surely says so."""
        self.met: Callable[[Vendor, str], None] = lambda _vendor, _window: None
        """Told of every window of a visit that stands open: somebody may edit in it."""
        self._clock = clock
        self._watch = watch
        self._events = 0
        self._late = timedelta()
        lag = timedelta(seconds=quirks.lag)
        made: Effect = Findable(lag) if quirks.findable else Unknown()
        self.effects: Mapping[str, Effect] = {
            "create_ticket": made,
            "create_comment": made,
            "create_attachment": made,
            "patch_ticket": Idempotent(),
        }

    # ------------------------------------------------------------------ time, faults

    def now(self) -> datetime:
        """Return the time of this vendor's clock."""
        tick = self.quirks.tick
        seconds = (self._clock.now() + self._late).timestamp()
        return datetime.fromtimestamp(seconds // tick * tick, UTC)

    def moment(self) -> datetime:
        """Return the true time at which a call under way has its effect."""
        return self._clock.now() + self._late

    async def _called(self, operation: str) -> str:
        """Count a call and let its moment pass; return the fault that comes after it was done. Raises ConnectorError."""
        await self._window(f"before {operation}")
        # Until the next call: the clocks of a vendor's machines differ, and what people do meanwhile may bear a later time.
        self._late = timedelta()
        self.calls[operation] += 1
        if self.down:
            self.faults["outage"] += 1
            raise UnavailableError(f"{self.name} is down", status=503)
        for at, (wanted, kind) in enumerate(self.armed):
            if wanted in {"", operation}:
                del self.armed[at]
                self.faults[kind] += 1
                if kind.startswith("time-out"):
                    self._clock.advance(PATIENCE)
                self._late = LATER if kind == "time-out, done later" else timedelta()
                if kind in AFTER and operation not in READS:
                    return kind
                raise self._error(kind, operation)
        return ""

    def _error(self, kind: str, operation: str) -> ConnectorError:
        repeatable = operation in READS or operation == "patch_ticket"
        if kind == "429":
            return RateLimitedError("slow down", status=429, retry_after=timedelta(seconds=20))
        if kind == "429 without a time":
            return RateLimitedError("slow down", status=429)
        if kind == "connection refused":
            return UnavailableError("nobody answers there")
        if kind == "token expired":
            return AuthFailedError("the token has expired", status=401)
        status = {"502 before": 502, "502 after": 502, "web page instead of data": 200}.get(kind)
        if repeatable:
            return UnavailableError(f"no sensible answer ({kind})", status=status)
        return OutcomeUnknownError(f"no sensible answer ({kind})", status=status)

    async def _window(self, label: str) -> None:
        """Let others go on, and people edit, between two steps of a visit."""
        await boundary(label)
        self.met(self, label)

    async def _answered(self, operation: str, lost: str) -> None:
        await self._window(f"after {operation}")
        if lost:
            raise self._error(lost, operation)

    # ------------------------------------------------------------------ what people and we do to records

    def set(self, record: Record, name: str, value: Any, *, person: bool) -> bool:  # noqa: ANN401
        """Change one field; return whether it is different now."""
        before = record.value(name)
        if name == "title":
            value = self.quirks.title(value) or before
        elif name == "description":
            value = self.quirks.text(value)
        elif name == "priority":
            value = self.quirks.priority(value)
        if value == before:
            return False
        setattr(record, name, value)
        if self.quirks.history:
            actor = PEOPLE[0] if person else BOT
            record.edits.append(self._edit(name, before, value, actor))
        self._watch(self, record, name, before, value, person)
        return True

    def _edit(self, name: str, before: Any, after: Any, actor: Person) -> FieldEdit:  # noqa: ANN401
        """Return a line of the history; texts are told in its own dialect by vendors that have one."""
        foreign = name == "description" and self.inexact
        old, new = ({name: self.quirks.told(one) if foreign else one} for one in (before, after))
        if name == "status":
            old["status_category"], new["status_category"] = map(self.flow.category, (before, after))
        return FieldEdit(name, old, new, self.now(), actor, own=actor is BOT, exact=not foreign)

    @property
    def inexact(self) -> bool:
        """Whether the history tells texts in a dialect of its own."""
        # With a clock as coarse as minutes nobody could tell by times alone what was there when we read.
        return self.quirks.other_dialect and self.quirks.tick < 1

    def touched(
        self, record: Record, kind: ChangeKind, actor: Person, comment: Comment | None = None
    ) -> None:
        """Note that a record changed, and send the webhook."""
        self.step += 1
        if actor is not BOT:
            self.edited_at[record.id] = self.step
        if kind is not ChangeKind.ATTACHED or not self.quirks.files_apart:
            record.revision += 1
            record.updated_at = self.now()
            record.changed_at = self.moment()
        if self.quirks.events is Events.NONE:
            return
        self._events += 1
        told = None if comment is None else replace(comment, mark="")
        self.network.append(Event(self._events, self._change(record, kind, actor, told)))

    def _change(self, record: Record, kind: ChangeKind, actor: Person, comment: Comment | None) -> Change:
        ticket = self._ticket(record)
        ticket = replace(ticket, description=self.quirks.told(ticket.description))
        events = self.quirks.events
        known: frozenset[str] = frozenset()
        if events is Events.PARTIAL:
            known = frozenset({"title", "status", "priority"})
        bare = events is Events.HINT or kind is ChangeKind.DELETED
        return Change(
            kind=kind,
            ticket_id=record.id,
            ticket_key=record.key,
            occurred_at=record.updated_at,
            actor=actor,
            ticket=None if bare else ticket,
            partial=events is not Events.FULL,
            known=known,
            comment=None if events is Events.HINT else comment,
        )

    def _ticket(self, record: Record) -> Ticket:
        return Ticket(
            id=record.id,
            key=record.key,
            title=record.title,
            description=record.description,
            status=record.status,
            status_category=self.flow.category(record.status),
            priority=record.priority,
            assignee=record.assignee,
            project=record.project,
            created_at=record.created_at,
            updated_at=record.updated_at,
            version=self._version(record),
            attachments=self.listed(record),
            marks=(record.mark,) if record.mark else (),
        )

    def _version(self, record: Record) -> str:
        if not self.quirks.version_is_time:
            return str(record.revision)
        says = zlib.crc32(repr([record.value(name) for name in FIELDS]).encode())
        return f"{record.updated_at.isoformat()}+{says:08x}"

    def _record(self, ticket_id: str) -> Record:
        record = self.records.get(ticket_id)
        if record is None or record.deleted:
            raise RecordNotFoundError(f"{ticket_id} does not exist in {self.name}", status=404)
        return record

    # ------------------------------------------------------------------ the port

    async def check_connection(self) -> ConnectionReport:
        """Say that all is well."""
        return ConnectionReport(ok=True)

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """Read one ticket."""
        return await self._get(ticket_id, "get_ticket")

    async def _get(self, ticket_id: str, operation: str) -> Ticket:
        await self._called(operation)
        record = self._record(ticket_id)
        self.read_at[record.id] = self.step
        if self.unanswered:
            self.blurred |= self._altered
        self.unanswered = False
        ticket = self._ticket(record)
        if operation == "get_ticket_with_edits":
            ticket = replace(ticket, edits=tuple(record.edits))
        await self._answered(operation, "")
        return ticket

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        """Create a ticket; another one every time."""
        lost = await self._called("create_ticket")
        if self.unknown(draft.assignee):
            raise RejectedError("no such person", fields={"assignee": "not known here"})
        number = len(self.records) + 1
        now = self.now()
        record = Record(
            id=f"{self.name}-{number}",
            key=f"OPS-{number}",
            mark=draft.key,
            title="",
            description="",
            priority=self.quirks.priority(None),
            status=self.flow.first,
            assignee=None,
            project=draft.project or "OPS",
            created_at=now,
            updated_at=now,
            changed_at=self.moment(),
        )
        self.records[record.id] = record
        record.title = self.quirks.title(draft.title)
        record.description = self.quirks.text(draft.description)
        record.priority = self.quirks.priority(draft.priority)
        record.assignee = self._known(draft.assignee)
        for name in FIELDS:
            self._watch(self, record, name, None, record.value(name), False)  # noqa: FBT003
        self.touched(record, ChangeKind.CREATED, BOT)
        ticket = self._ticket(record)
        await self._answered("create_ticket", lost)
        return ticket

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        """Change fields; the status by a move of its own where the vendor works so."""
        lost = await self._called("patch_ticket")
        record = self._record(ticket_id)
        self._check(record, patch.expected_version)
        values, was = dict(patch.values), record.status
        if not self.quirks.versions:
            self._look(record, was, patch)
            await self._window(CHECKED)
            record = self._record(ticket_id)
        self._racing(record)
        crowded = self.raced
        status = values.pop("status", None)
        # What a first step met is told with the answer of the last, which may never come.
        self.tells = self.quirks.counts and not lost and not (self.quirks.in_steps and status is not None)
        kept = {"title": self.quirks.title, "description": self.quirks.text, "priority": self.quirks.priority}
        self._altered = {name for name in values if name in kept and kept[name](values[name]) != values[name]}
        self._refuse(record, values, None if self.quirks.in_steps else status, patch)
        changed = [
            self.set(record, name, self._known(value) if name == "assignee" else value, person=False)
            for name, value in values.items()
        ]
        if self.quirks.in_steps and status is not None:
            if any(changed):
                self.touched(record, ChangeKind.UPDATED, BOT)
                changed = []
            self.unanswered = True
            standing = self._version(record) if patch.expected_version else ""
            if self.quirks.versions:
                await self._window(IN_STEPS)
                self._check(self._record(ticket_id), standing)
            else:
                await boundary("before the move")
                self._look(self._record(ticket_id), was, patch)
                await self._window(IN_STEPS)
                self._record(ticket_id)
            self._refuse(record, {}, status, patch)
            self._racing(record)
            crowded |= self.raced
            self.tells = self.quirks.counts and not lost
        if status is not None:
            changed.append(self.set(record, "status", self.flow.reached(record.status, status), person=False))
        if any(changed):
            self.touched(record, ChangeKind.UPDATED, BOT)
        self.unanswered = True
        if self.quirks.reads_back:
            await self._window(WRITTEN)
            record = self._record(ticket_id)
        self.read_at[record.id] = self.step
        ticket = self._written(record, crowded=crowded)
        await self._answered("patch_ticket", lost)
        self.unanswered = False
        return ticket

    def _written(self, record: Record, *, crowded: bool) -> Ticket:
        """Return what a write made, with what this vendor tells of those who were there at the same moment."""
        if self.quirks.history:
            return replace(self._ticket(record), edits=tuple(record.edits))
        return replace(self._ticket(record), unread_edits=self.quirks.counts and crowded)

    def _check(self, record: Record, expected: str) -> None:
        """Compare versions. Raises StaleRecordError."""
        if expected not in {"", self._version(record)}:
            self.faults["out of date"] += 1
            raise StaleRecordError("somebody was quicker", status=409)

    def _look(self, record: Record, status: str, patch: TicketPatch) -> None:
        """Look once more whether it is as it was read, right before a write. Raises StaleRecordError."""
        if not patch.expected_version:
            return
        if record.status != status:
            self.faults["out of date"] += 1
            raise StaleRecordError("somebody moved it", status=409)
        self.read_at[record.id] = self.step

    def _racing(self, record: Record) -> None:
        """Note whether what is written now meets an edit that nobody of us can have read."""
        self.raced = self.edited_at.get(record.id, -1) > self.read_at.get(record.id, -1)

    def _refuse(
        self, record: Record, values: Mapping[str, Any], status: str | None, patch: TicketPatch
    ) -> None:
        wrong = {}
        if "assignee" in values and self.unknown(values["assignee"]):
            wrong["assignee"] = "not known here"
        if status is not None and (why := self.refuses(record.status, status, patch.transition_fields)):
            wrong["status"] = why
        if wrong:
            self.faults["refused values"] += 1
            raise RejectedError(f"{self.name} refuses this", fields=wrong, status=400)

    def refuses(self, current: str, status: str, fields: Mapping[str, Any]) -> str:
        """Return why a ticket cannot go from `current` to `status`; empty when it can."""
        was = self.flow.category(current).value
        will = self.flow.category(self.flow.reached(current, status)).value
        if will == "done" != was and self.quirks.needs_resolution and not fields.get("resolution"):
            return "a resolution is needed"
        if was == "done" != will and self.quirks.no_reopen:
            return "what is done stays done"
        return ""

    def unknown(self, person: Person | None) -> bool:
        """Return whether somebody has no account here."""
        return person is not None and self._known(person) is None

    def _known(self, person: Person | None) -> Person | None:
        if person is None:
            return None
        people = PEOPLE[:2] if self.quirks.strangers else PEOPLE
        return next((one for one in people if one.id == person.id or one.email == person.email), None)


class RememberingVendor(Vendor):
    """A vendor whose history can be read."""

    async def get_ticket_with_edits(self, ticket_id: str) -> Ticket:
        """Read one ticket with its history."""
        return await self._get(ticket_id, "get_ticket_with_edits")


class ForgetfulVendor(Vendor):
    """A vendor whose records cannot be searched for by our key."""

    find_by_key = None  # type: ignore[assignment]
    find_comment = None  # type: ignore[assignment]
    find_attachment = None  # type: ignore[assignment]


class ForgetfulRememberingVendor(ForgetfulVendor, RememberingVendor):
    """A vendor of both kinds."""


def make_vendor(name: str, quirks: Quirks, flow: Flow, clock: ManualClock, watch: Watcher) -> Vendor:
    """Return a vendor with these habits."""
    kinds = {
        (True, True): RememberingVendor,
        (True, False): Vendor,
        (False, True): ForgetfulRememberingVendor,
        (False, False): ForgetfulVendor,
    }
    kind = kinds[quirks.findable, quirks.history]
    return kind(name, quirks, flow, clock, watch)
