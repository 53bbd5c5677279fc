"""The values of the ticketing port: tickets, comments, fields and changes, in the unified model. Text is Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Generic, TypeVar

from callout.ports.values import Audience, Person, Priority


class StatusCategory(StrEnum):
    """What a vendor's status means, whatever it is called there."""

    NEW = "new"
    ACTIVE = "active"
    DONE = "done"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class AttachmentInfo:
    """An attachment's facts. `size` in bytes; `audience` is who it is for, as far as the vendor tells."""

    id: str
    ticket_id: str
    file_name: str
    media_type: str = "application/octet-stream"
    size: int | None = None
    created_at: datetime | None = None
    creator: Person | None = None
    audience: Audience = Audience.RESPONDERS
    unmapped: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What a file is known by where the vendor keeps no key of ours with it: name, size in bytes and SHA-256 in hexadecimal."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class FieldEdit:
    """One change of one field, as the vendor's own history tells it.

    `field` is a field of :class:`Ticket`; `before` and `after` are the ticket's values around the change, by ticket field (a status
    comes with its category). `at` is the vendor's clock, `own` says that the account made it that we write as. Where the history spells
    values otherwise than a read does (text in another dialect), it is not `exact` and such values are for people to see.
    """

    field: str
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    at: datetime | None = None
    author: Person | None = None
    own: bool = False
    exact: bool = True


@dataclass(frozen=True, slots=True)
class Ticket:
    """A record in a ticketing system, in the unified model.

    `id` never changes (Jira's numeric id), `key` is what people say (OPS-31) and may change on a move; `status` is the vendor's own
    text; `version` is an opaque mark of this state, for optimistic concurrency: no change of a field leaves it as it was, as far as the
    vendor tells changes apart. `marks` are the keys of ours found on it. `edits` is its newest history, oldest first, as of the very
    moment of the other values; None where it was not asked for or is not told. `unread_edits` says that somebody changed the ticket
    between our look at it and our write, and that nothing tells what.
    """

    id: str
    key: str
    title: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    description: str = ""
    status: str = ""
    status_category: StatusCategory = StatusCategory.UNKNOWN
    priority: Priority | None = None
    priority_name: str = ""
    project: str = ""
    issue_type: str = ""
    creator: Person | None = None
    assignee: Person | None = None
    contact: Person | None = None
    parent: str = ""
    tags: tuple[str, ...] = ()
    due_date: datetime | None = None
    completion_date: datetime | None = None
    attachments: tuple[AttachmentInfo, ...] = ()
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    unmapped: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    version: str = ""
    marks: tuple[str, ...] = ()
    edits: tuple[FieldEdit, ...] | None = field(default=None, compare=False)
    unread_edits: bool = field(default=False, compare=False)


@dataclass(frozen=True, slots=True)
class TicketDraft:
    """A ticket we want to exist. `key` is ours: put on the ticket so that it can be found again after an unknown outcome."""

    title: str
    description: str = ""
    project: str = ""
    issue_type: str = ""
    priority: Priority | None = None
    status: str = ""
    assignee: Person | None = None
    creator: Person | None = None
    contact: Person | None = None
    parent: str = ""
    tags: tuple[str, ...] = ()
    due_date: datetime | None = None
    completion_date: datetime | None = None
    custom_fields: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    back_link: str = ""


PATCHABLE = frozenset(
    {
        "title",
        "description",
        "priority",
        "status",
        "assignee",
        "creator",
        "contact",
        "parent",
        "tags",
        "due_date",
        "completion_date",
        "issue_type",
        "project",
        "custom_fields",
    },
)


@dataclass(frozen=True, slots=True)
class TicketPatch:
    """What we want changed: only the fields named in `values` (names of :class:`TicketDraft`); None empties a field.

    A `status` is the vendor's text or, with a leading `category:`, a :class:`StatusCategory` (`category:done`).
    `transition_fields` are given to the transition that reaches it (resolution, close code …). On another version than
    `expected_version` nothing is written (StaleRecordError): compared by the vendor itself where it can, else by a read with nothing
    between it and the write.
    """

    values: Mapping[str, Any]
    transition_fields: Mapping[str, Any] = field(default_factory=dict)
    expected_version: str = ""

    def __post_init__(self) -> None:
        unknown = set(self.values) - PATCHABLE
        if unknown:
            msg = f"not a field of a ticket: {', '.join(sorted(unknown))}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment on a ticket. `content` is Markdown, `audience` who can read it there, `mark` our key if we wrote it."""

    id: str
    ticket_id: str
    content: str
    audience: Audience = Audience.RESPONDERS
    author: Person | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    mark: str = ""
    unmapped: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CommentDraft:
    """A comment we want to exist. The connector refuses it where readers wider than `audience` would see it.

    `author_name` opens the text where the vendor writes as one user for all; as `author` it is written where the vendor lets us say so.
    """

    content: str
    audience: Audience = Audience.RESPONDERS
    author_name: str = ""
    key: str = ""
    author: Person | None = None


@dataclass(frozen=True, slots=True)
class NoteDraft:
    """A titled note (a work note) we want to exist."""

    title: str
    content: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """A titled note on a ticket."""

    id: str
    ticket_id: str
    title: str
    content: str
    author: Person | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Project:
    """A place for tickets; `id` is the value for `Ticket.project`."""

    id: str
    name: str
    unmapped: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FieldOption:
    """One allowed value of a field; of a priority, `means` is the unified one that it stands for."""

    id: str
    name: str
    means: str = ""


@dataclass(frozen=True, slots=True)
class RemoteField:
    """A field of the other system. `kind` is string, number, datetime, boolean, enum, array, user or other.

    `carries` names the field of the unified ticket that it holds, `default` what is written where nobody gives a value (a required
    field without one is refused), `limit` the longest text in characters (0: not known); in a `plain` text Markdown shows as typed.
    A `usual` field of a move is worth asking a person for even where it is not required, such as a resolution.
    """

    id: str
    name: str
    path: str
    kind: str = "string"
    scope: str = "standard"
    project_id: str = ""
    required: bool = False
    options: tuple[FieldOption, ...] = ()
    carries: str = ""
    default: str = ""
    limit: int = 0
    plain: bool = False
    usual: bool = False


@dataclass(frozen=True, slots=True)
class Transition:
    """A move that a ticket can make now, with the fields it needs."""

    id: str
    name: str
    to_status: str
    to_category: StatusCategory
    fields: tuple[RemoteField, ...] = ()


@dataclass(frozen=True, slots=True)
class FieldCatalogue:
    """What one project and issue type of the live instance offers: for planning a mapping before the first write."""

    project: str
    issue_type: str
    fields: tuple[RemoteField, ...]
    statuses: tuple[tuple[str, StatusCategory], ...]
    priorities: tuple[FieldOption, ...] = ()
    issue_types: tuple[FieldOption, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """One condition: `field[operator]value` of the unified grammar."""

    field: str
    operator: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TicketOrder:
    """One sort key."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class TicketQuery:
    """A query over tickets; `cursor` is opaque and belongs to the same filters and order."""

    filters: tuple[TicketFilter, ...] = ()
    order: tuple[TicketOrder, ...] = ()
    limit: int = 100
    cursor: str = ""


T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[T_co]):
    """One page; an empty `cursor` means it was the last."""

    items: Sequence[T_co]
    cursor: str = ""


class ChangeKind(StrEnum):
    """What happened to a ticket."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    MOVED = "moved"
    COMMENTED = "commented"
    COMMENT_UPDATED = "comment_updated"
    COMMENT_DELETED = "comment_deleted"
    ATTACHED = "attached"


@dataclass(frozen=True, slots=True)
class Change:
    """A normalised inbound event: a hint that a ticket changed, with as much as the vendor told.

    `ticket` is the state after the change as far as it was told; `partial` says that fields outside `known` were not told and the
    ticket must be read again. `occurred_at` is the vendor's clock.
    """

    kind: ChangeKind
    ticket_id: str
    ticket_key: str = ""
    occurred_at: datetime | None = None
    actor: Person | None = None
    ticket: Ticket | None = None
    partial: bool = True
    known: frozenset[str] = frozenset()
    comment: Comment | None = None
    vendor_event: str = ""
    silent: bool = False
    """True for what a poll found and the vendor has no webhook for."""
    announced_at: datetime | None = None
    """Of what a poll found: when the newest part of it happened that the vendor has a webhook for, where that is not `occurred_at`."""
