"""The one ticketing port: what sync and the unified API ask of a ticketing system.

Required methods are those of :class:`TicketingProvider`; each `Supports…` Protocol is optional, and what a connector supports is
computed from what it implements (:func:`operations_of`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from callout.kit.secrets import Secret
from callout.ports.oncall import EscalationActor, EscalationPolicy, OnCall, WebhookSubscription
from callout.ports.pass_through import VendorAnswer, VendorCall
from callout.ports.ticketing import (
    AttachmentInfo,
    Change,
    Comment,
    CommentDraft,
    FieldCatalogue,
    FileIdentity,
    Note,
    NoteDraft,
    Page,
    Project,
    RemoteField,
    Ticket,
    TicketDraft,
    TicketPatch,
    TicketQuery,
    Transition,
)
from callout.ports.values import Audience, Person


@dataclass(frozen=True, slots=True)
class PollPosition:
    """How far polling got: the newest change seen (vendor's clock), never used without an overlap window."""

    high_water: datetime | None = None


@dataclass(frozen=True, slots=True)
class ConnectionReport:
    """What a connection check found. `clock_skew` is theirs minus ours; `warnings` are plain words with a next step.

    `blocking` are those of the warnings without which tickets cannot be read or written.
    """

    ok: bool
    account: Person | None = None
    instance: str = ""
    time_zone: str = "UTC"
    clock_skew: timedelta = timedelta()
    warnings: tuple[str, ...] = ()
    blocking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Idempotent:
    """Repeating the call with the same values changes nothing more."""


@dataclass(frozen=True, slots=True)
class Findable:
    """The effect carries our key and can be searched for, after the vendor's index lag, before the call is repeated."""

    lag: timedelta = timedelta()


@dataclass(frozen=True, slots=True)
class Unknown:
    """After a lost answer nobody can tell whether it happened: never repeated blindly, shown as perhaps done."""


Effect = Idempotent | Findable | Unknown


class TicketingProvider(Protocol):
    """A ticketing system, as every connector offers it. All methods raise ConnectorError and its kinds."""

    effects: Mapping[str, Effect]
    """By operation name (`create_ticket`, `patch_ticket`, `create_comment` …): what a repeat would do."""

    async def check_connection(self) -> ConnectionReport:
        """Ask the vendor who we are and what we may do. Raises AuthFailedError, UnavailableError."""
        ...

    async def get_ticket(self, ticket_id: str) -> Ticket:
        """Read one ticket by id or key. Raises RecordNotFoundError."""
        ...

    async def create_ticket(self, draft: TicketDraft) -> Ticket:
        """Create a ticket and return it as read back. Raises RejectedError, OutcomeUnknownError."""
        ...

    async def patch_ticket(self, ticket_id: str, patch: TicketPatch) -> Ticket:
        """Change the named fields, the status through the vendor's real transitions; return the ticket as read back."""
        ...

    async def query_tickets(self, query: TicketQuery) -> Page[Ticket]:
        """Return one page of tickets. Raises InvalidRequestError for a filter or cursor it does not know."""
        ...


@runtime_checkable
class SupportsFindByKey(Protocol):
    """Can find what we created by our key."""

    async def find_by_key(self, key: str) -> Sequence[Ticket]:
        """Return the tickets that carry `key`; empty when none is visible yet."""
        ...


@runtime_checkable
class SupportsHistory(Protocol):
    """Can tell who changed which field: an edit that a write of ours replaced unread is found by it.

    `patch_ticket` of such a provider returns the ticket with its `edits`, too, at least with those of the fields it was to change.
    """

    async def get_ticket_with_edits(self, ticket_id: str) -> Ticket:
        """Read one ticket and its newest history as of the same moment; `edits` is None where we may not read that."""
        ...


@runtime_checkable
class SupportsChanges(Protocol):
    """Can be polled."""

    def changes_since(self, position: PollPosition, *, overlap: timedelta) -> AsyncIterator[Change]:
        """Yield every change since `position` minus `overlap`, oldest first; repeats are the caller's to drop."""
        ...


@runtime_checkable
class SupportsTransitions(Protocol):
    """Has a workflow that can be read."""

    async def list_transitions(self, ticket_id: str) -> Sequence[Transition]:
        """Return the moves that the ticket can make now."""
        ...


@runtime_checkable
class SupportsMoves(Protocol):
    """Knows its workflow also where there is no ticket yet."""

    async def list_moves(self, project: str, issue_type: str, status: str) -> Sequence[Transition]:
        """Return the moves that a ticket of that place and type can make from `status`, with the fields they need."""
        ...


@runtime_checkable
class SupportsComments(Protocol):
    """Has comments."""

    async def list_comments(self, ticket_id: str) -> Sequence[Comment]:
        """Return all comments, oldest first."""
        ...

    async def create_comment(self, ticket_id: str, draft: CommentDraft) -> Comment:
        """Add a comment. Raises RejectedError where its audience would be exceeded."""
        ...


@runtime_checkable
class SupportsFindComment(Protocol):
    """Can find a comment that we wrote by our key."""

    async def find_comment(self, ticket_id: str, key: str) -> Comment | None:
        """Return the comment that carries `key`, or None."""
        ...


@runtime_checkable
class SupportsDeleteComment(Protocol):
    """Can delete comments."""

    async def delete_comment(self, ticket_id: str, comment_id: str) -> None:
        """Delete a comment."""
        ...


@runtime_checkable
class SupportsNotes(Protocol):
    """Has titled notes."""

    async def list_notes(self, ticket_id: str) -> Sequence[Note]:
        """Return all notes, oldest first."""
        ...

    async def create_note(self, ticket_id: str, draft: NoteDraft) -> Note:
        """Add a note."""
        ...


@runtime_checkable
class SupportsPatchNote(Protocol):
    """Can change notes."""

    async def patch_note(
        self, ticket_id: str, note_id: str, *, title: str | None, content: str | None
    ) -> Note:
        """Change a note's title, content or both."""
        ...


@runtime_checkable
class SupportsDeleteNote(Protocol):
    """Can delete notes."""

    async def delete_note(self, ticket_id: str, note_id: str) -> None:
        """Delete a note."""
        ...


@runtime_checkable
class SupportsAttachments(Protocol):
    """Has attachments. Contents are streamed. A ticket that is read tells their facts, too (`Ticket.attachments`)."""

    async def list_attachments(self, ticket_id: str) -> Sequence[AttachmentInfo]:
        """Return the facts of all attachments."""
        ...

    async def create_attachment(
        self, ticket_id: str, *, file_name: str, content: AsyncIterator[bytes], media_type: str
    ) -> AttachmentInfo:
        """Upload one file."""
        ...

    def download_attachment(self, ticket_id: str, attachment_id: str) -> AsyncIterator[bytes]:
        """Yield the file's bytes."""
        ...

    async def delete_attachment(self, ticket_id: str, attachment_id: str) -> None:
        """Delete one file."""
        ...


@runtime_checkable
class SupportsFindAttachment(Protocol):
    """Can find a file that we may have uploaded: `create_attachment` is declared `Findable` then.

    No vendor keeps a key of ours with a file, so it is known by what it is. :func:`callout.ports.files.find_file` does it by
    listing and comparing.
    """

    async def find_attachment(
        self, ticket_id: str, identity: FileIdentity, *, known: Collection[str]
    ) -> AttachmentInfo | None:
        """Return the file of that name, size and content whose id is not among `known`, or None."""
        ...


@runtime_checkable
class SupportsAttachmentReaders(Protocol):
    """Knows who reads a file on a ticket; where a connector does not, files count as read by customers."""

    async def attachment_readers(self, ticket_id: str) -> Audience:
        """Return the widest circle that reads a file which is put on the ticket now."""
        ...


@runtime_checkable
class SupportsProjects(Protocol):
    """Has projects."""

    async def list_projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of projects."""
        ...


@runtime_checkable
class SupportsRemoteFields(Protocol):
    """Can describe its fields."""

    async def list_remote_fields(self) -> Sequence[RemoteField]:
        """Return every field a mapping may name."""
        ...


@runtime_checkable
class SupportsCatalogue(Protocol):
    """Can describe what one project and type of the live instance needs."""

    async def field_catalogue(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return the create and status metadata."""
        ...


@runtime_checkable
class SupportsPeople(Protocol):
    """Can look people up."""

    async def find_person(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one person who matches, or None when nobody or several do."""
        ...


@runtime_checkable
class SupportsPeopleSearch(Protocol):
    """Can list its people."""

    async def search_people(self, query: str, *, limit: int, cursor: str) -> Page[Person]:
        """Return one page of active people whose name or e-mail holds `query`; never an empty one that is not the last."""
        ...


@runtime_checkable
class SupportsTeams(Protocol):
    """Can list its teams or groups."""

    async def list_teams(self, *, limit: int, cursor: str) -> Page[EscalationActor]:
        """Return one page of teams."""
        ...


@runtime_checkable
class SupportsEscalationPolicies(Protocol):
    """Has escalation policies."""

    async def query_escalation_policies(
        self, *, limit: int, cursor: str, name: str = ""
    ) -> Page[EscalationPolicy]:
        """Return one page of policies, with `name` those whose name holds it."""
        ...


@runtime_checkable
class SupportsOnCall(Protocol):
    """Knows who is on call."""

    async def list_on_call(self, policy_id: str) -> Sequence[OnCall]:
        """Return who is on call now for a policy, those called first before the others. Raises RecordNotFoundError."""
        ...


@runtime_checkable
class SupportsPaging(Protocol):
    """Can call people for a ticket. None of these is repeated after an unknown outcome: people would be woken twice."""

    async def escalate(self, ticket_id: str, *, level: int = 0, policy_id: str = "") -> Ticket:
        """Call a level of the ticket's policy (0: the one after the present) or of another policy."""
        ...

    async def snooze(self, ticket_id: str, duration: timedelta) -> Ticket:
        """Keep the ticket quiet for a while."""
        ...

    async def request_responders(
        self, ticket_id: str, *, people: Sequence[Person] = (), policies: Sequence[str] = (), message: str
    ) -> None:
        """Ask people, or whoever is on call for policies, to join."""
        ...

    async def publish_status(self, ticket_id: str, message: str) -> None:
        """Tell the stakeholders who follow the ticket."""
        ...

    async def merge_tickets(self, ticket_id: str, sources: Sequence[str]) -> Ticket:
        """Make `sources` part of the ticket; they are resolved."""
        ...


@runtime_checkable
class SupportsWebhookSubscription(Protocol):
    """Can be told by API where its webhooks go."""

    async def ensure_webhook(self, url: str, *, recreate: bool = False) -> WebhookSubscription:
        """Return the subscription that sends to `url`: made when there is none, set going again when the vendor stopped it.

        With `recreate` an existing one is replaced, because its secret was lost.
        """
        ...

    async def ping_webhook(self, subscription_id: str) -> None:
        """Have the vendor send its test event."""
        ...

    async def remove_webhook(self, subscription_id: str) -> None:
        """End a subscription; one that is gone already is no error."""
        ...


@runtime_checkable
class SupportsProjectWebhooks(Protocol):
    """Can be told by API to send the webhooks of one project; where it knows no projects of webhooks, of all."""

    async def create_project_webhook(self, project: str, url: str, *, secret: Secret) -> WebhookSubscription:
        """Register a webhook. It is signed with `secret`, or with the one that the vendor made and the answer tells."""
        ...

    async def list_project_webhooks(self, url: str) -> Sequence[WebhookSubscription]:
        """Return the webhooks that send to `url`."""
        ...

    async def remove_project_webhook(self, webhook_id: str) -> None:
        """End a webhook; one that is gone already is no error."""
        ...


@runtime_checkable
class SupportsPassThrough(Protocol):
    """Can carry calls of a program's own to the vendor's API."""

    async def pass_through(self, call: VendorCall) -> VendorAnswer:
        """Make a checked call. Raises UnavailableError, OutcomeUnknownError."""
        ...


OPERATIONS: Mapping[str, str] = {
    "query_tickets": "query_tickets",
    "get_ticket": "get_ticket",
    "create_ticket": "create_ticket",
    "patch_ticket": "patch_ticket",
    "list_comments": "list_comments",
    "create_comment": "create_comment",
    "delete_comment": "delete_comment",
    "list_notes": "list_notes",
    "create_note": "create_note",
    "patch_note": "patch_note",
    "delete_note": "delete_note",
    "create_attachment": "create_attachment",
    "list_attachments_metadata": "list_attachments",
    "download_attachment": "download_attachment",
    "delete_attachment": "delete_attachment",
    "list_projects": "list_projects",
    "list_remote_fields": "list_remote_fields",
    "query_escalation_policies": "query_escalation_policies",
    "list_on_call": "list_on_call",
}
"""Operation of the unified API → method of the provider."""


def operations_of(provider: type | object) -> frozenset[str]:
    """Return the unified operations that `provider` (a class or an instance) implements."""
    return frozenset(name for name, method in OPERATIONS.items() if callable(getattr(provider, method, None)))
