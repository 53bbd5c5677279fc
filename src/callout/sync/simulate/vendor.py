"""A simulated vendor: a ticketing system with its own people, quirks and faults, behind the ticketing port.

It lives outside of the process that crashes: what was written here stays written. It knows nothing of idempotency keys.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
from callout.ports.provider import ConnectionReport, Effect, Findable, Idempotent, PollPosition, Unknown
from callout.ports.ticketing import (
    Change,
    ChangeKind,
    Comment,
    CommentDraft,
    Page,
    Ticket,
    TicketDraft,
    TicketPatch,
    TicketQuery,
)
from callout.ports.values import Audience, Person, Priority
from callout.sync.simulate.engine import boundary
from callout.sync.simulate.quirks import Events, Flow, Quirks
from callout.sync.simulate.vendor_files import FILE_READS, RemoteFile, VendorFiles

if TYPE_CHECKING:
    from callout.kit.clock import ManualClock

FAULTS = (
    "time-out before",
    "time-out after",
    "time-out, done later",
    "429",
    "429 without a time",
    "502 before",
    "502 after",
    "web page instead of data",
    "connection refused",
    "token expired",
)
AFTER = frozenset({"time-out after", "time-out, done later", "502 after"})
PATIENCE = timedelta(seconds=20)
"""After so long we stop waiting for an answer."""
LATER = timedelta(seconds=1)
"""So long after that a request may still arrive."""
FIELDS = ("title", "description", "priority", "status", "assignee")
READS = FILE_READS | {"get_ticket", "list_comments", "find_by_key", "find_comment", "changes_since"}
PEOPLE = tuple(
    Person(f"v{n}", name, f"{name.lower()}@example.com") for n, name in enumerate(("Ann", "Ben", "Cleo"))
)
BOT = Person("bot", "Callout")


@dataclass(slots=True)
class Record:
    """A ticket as the vendor keeps it."""

    id: str
    key: str
    mark: str
    title: str
    description: str
    priority: Priority | None
    status: str
    assignee: Person | None
    project: str
    created_at: datetime
    updated_at: datetime
    changed_at: datetime
    """By the true clock, which searches lag behind."""
    revision: int = 1
    deleted: bool = False
    comments: list[Comment] = field(default_factory=list)
    files: list[RemoteFile] = field(default_factory=list)

    def value(self, name: str) -> Any:  # noqa: ANN401
        """Return the value of a ticket's field."""
        return getattr(self, name)


@dataclass(frozen=True, slots=True)
class Event:
    """A webhook on its way."""

    id: int
    change: Change


Watcher = Callable[["Vendor", Record, str, Any, Any, bool], None]
"""`(vendor, record, field, before, after, by a person)`: told of every change of a field."""


class Vendor(VendorFiles):
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
        await boundary(f"before {operation}")
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

    async def _answered(self, operation: str, lost: str) -> None:
        await boundary(f"after {operation}")
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
        self._watch(self, record, name, before, value, person)
        return True

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
        version = record.updated_at.isoformat() if self.quirks.version_is_time else str(record.revision)
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
            version=version,
            attachments=self.listed(record),
            marks=(record.mark,) if record.mark else (),
        )

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
        await self._called("get_ticket")
        record = self._record(ticket_id)
        self.read_at[record.id] = self.step
        if self.unanswered:
            self.blurred |= self._altered
        self.unanswered = False
        ticket = self._ticket(record)
        await self._answered("get_ticket", "")
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
        if self.quirks.versions and patch.expected_version not in {"", self._ticket(record).version}:
            self.faults["out of date"] += 1
            raise StaleRecordError("somebody was quicker", status=409)
        self.raced = self.edited_at.get(record.id, -1) > self.read_at.get(record.id, -1)
        values = dict(patch.values)
        status = values.pop("status", None)
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
            await boundary("between fields and status")
            if record.deleted:
                raise RecordNotFoundError(f"{ticket_id} does not exist in {self.name}", status=404)
            self._refuse(record, {}, status, patch)
            self.raced = self.edited_at.get(record.id, -1) > self.read_at.get(record.id, -1)
        if status is not None:
            changed.append(self.set(record, "status", self.flow.reached(record.status, status), person=False))
        if any(changed):
            self.touched(record, ChangeKind.UPDATED, BOT)
        self.read_at[record.id] = self.step
        ticket = self._ticket(record)
        self.unanswered = True
        await self._answered("patch_ticket", lost)
        self.unanswered = False
        return ticket

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

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return all tickets that search shows."""
        await self._called("query_tickets")
        return Page(
            [self._ticket(record) for record in self.records.values() if self._shown(record.created_at)]
        )

    def _shown(self, since: datetime) -> bool:
        return self._clock.now() >= since + timedelta(seconds=self.quirks.lag)

    async def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield what changed, as far as search shows it."""
        await self._called("changes_since")
        since = None if position.high_water is None else position.high_water - overlap
        for record in sorted(self.records.values(), key=lambda one: (one.updated_at, one.id)):
            if record.deleted:
                continue
            if self._shown(record.changed_at) and (since is None or record.updated_at >= since):
                ticket = self._ticket(record)
                yield Change(
                    ChangeKind.UPDATED, record.id, record.key, record.updated_at, ticket=ticket, partial=False
                )
            if self.quirks.files_apart:
                for info in self.listed(record):
                    if since is None or info.created_at is None or info.created_at >= since:
                        yield Change(ChangeKind.ATTACHED, record.id, record.key, info.created_at)

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return all comments."""
        await self._called("list_comments")
        found = list(self._record(ticket_id).comments)
        if not self.quirks.findable:
            found = [replace(one, mark="") for one in found]
        await self._answered("list_comments", "")
        return found

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a comment; another one every time."""
        if draft.audience is Audience.INTERNAL:
            self.broken.append(f"an internal note was sent to {self.name}: {draft.content!r}")
        lost = await self._called("create_comment")
        record = self._record(ticket_id)
        comment = self.add_comment(record, draft.content, draft.audience, BOT, mark=draft.key)
        await self._answered("create_comment", lost)
        return comment

    def add_comment(
        self, record: Record, text: str, audience: Audience, author: Person, *, mark: str = ""
    ) -> Comment:
        """Write a comment."""
        number = 1 + sum(len(one.comments) for one in self.records.values())
        comment = Comment(
            id=f"{self.name}-c{number}",
            ticket_id=record.id,
            content=text,
            audience=audience,
            author=author,
            created_at=self.now(),
            mark=mark,
        )
        record.comments.append(comment)
        self.touched(record, ChangeKind.COMMENTED, author, comment)
        return comment

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the tickets with our key that search shows."""
        await self._called("find_by_key")
        found = [
            self._ticket(record)
            for record in self.records.values()
            if record.mark == key and not record.deleted and self._shown(record.created_at)
        ]
        await self._answered("find_by_key", "")
        return found

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the comment with our key, if search shows it."""
        await self._called("find_comment")
        found = [one for one in self._record(ticket_id).comments if one.mark == key]
        return found[0] if found and found[0].created_at and self._shown(found[0].created_at) else None


class ForgetfulVendor(Vendor):
    """A vendor whose records cannot be searched for by our key."""

    find_by_key = None  # type: ignore[assignment]
    find_comment = None  # type: ignore[assignment]
    find_attachment = None  # type: ignore[assignment]


def make_vendor(name: str, quirks: Quirks, flow: Flow, clock: ManualClock, watch: Watcher) -> Vendor:
    """Return a vendor with these habits."""
    kind = Vendor if quirks.findable else ForgetfulVendor
    return kind(name, quirks, flow, clock, watch)
