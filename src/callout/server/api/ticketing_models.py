"""The contract's types of the ticketing API, for the description at /v1/meta/openapi and the check of request bodies."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

PriorityName = Literal["URGENT", "CRITICAL", "HIGH", "MEDIUM", "MODERATE", "LOW", "PLANNING"]


class _Given(BaseModel):
    """A request body: null stands for absent, and what is not known is ignored."""

    model_config = ConfigDict(extra="ignore")


class CreateTicketBody(_Given):
    """A ticket to be created."""

    name: str = Field(description="Title, unless `summary` is given.")
    summary: str | None = Field(None, description="Title.")
    creator: str | None = Field(
        None, description="Who reports it: the provider's id, e-mail or name of a person."
    )
    assignee: str | None = None
    contact: str | None = None
    description: str | None = Field(None, description="Markdown.")
    priority: str | None = Field(
        None, description="URGENT, CRITICAL, HIGH, MEDIUM, MODERATE, LOW or PLANNING."
    )
    due_date: str | None = Field(None, description="RFC 3339; without a zone UTC.")
    completion_date: str | None = None
    status: str | None = Field(None, description="The provider's own text.")
    project: str | int | None = Field(None, description="Default: the integration's default project.")
    issue_type: str | int | None = None
    parent: str | int | None = None
    tags: list[str] | None = None
    custom_fields: dict[str, Any] | None = Field(
        None, description="By the names of the custom field mappings."
    )


class CreateCommentBody(_Given):
    """A comment to be written."""

    content: str = Field(description="Markdown.")
    creator: str | None = Field(None, description="As whom, where the provider lets the integration say so.")
    audience: str | None = Field(
        None, description="`customer`, `responders` or `internal`: who may read it. Ours."
    )


class CreateNoteBody(_Given):
    """A note to be written."""

    title: str
    content: str = Field(description="Markdown.")


class CreateAttachmentBody(_Given):
    """A file to be put on a ticket."""

    file_name: str
    content: str = Field(description="Base64 text of at most 25 MiB.")
    file_type: str | None = Field(None, description="Media type; by the name's ending when absent. Ours.")


class _Told(BaseModel):
    model_config = ConfigDict(extra="allow")


class AttachmentFacts(_Told):
    """A file's facts."""

    id: str
    ticket_id: str
    file_name: str
    file_type: str
    created_date: str
    creator: str
    file_size: int | None = None


class AttachmentContent(_Told):
    """A file."""

    file_name: str
    file_type: str
    content: str


class TicketOut(_Told):
    """A ticket."""

    id: str
    name: str
    summary: str
    created_at: str
    updated_at: str
    creator: str | None = None
    assignee: str | None = None
    contact: str | None = None
    description: str | None = None
    priority: PriorityName | None = None
    due_date: str | None = None
    completion_date: str | None = None
    status: str | None = None
    project: str | None = None
    issue_type: str | None = None
    parent: str | None = None
    tags: list[str] | None = None
    attachments: list[AttachmentFacts] | None = None
    custom_fields: dict[str, Any] | None = None
    unmapped: dict[str, Any] | None = None
    key: str | None = Field(None, description="What people say, such as OPS-31. Ours.")
    url: str | None = Field(None, description="Where people open it. Ours.")
    status_category: Literal["new", "active", "done", "unknown"] = Field(
        description="What the status means. Ours."
    )
    priority_name: str | None = Field(None, description="The provider's own word. Ours.")
    version: str | None = Field(None, description="Mark of this state. Ours.")
    people: dict[str, Any] | None = Field(
        None, description="Creator, assignee and contact with all that is told. Ours."
    )


class CommentOut(_Told):
    """A comment."""

    id: str
    ticket_id: str
    creator: str
    content: str
    created_at: str
    updated_at: str | None = None
    audience: Literal["internal", "responders", "customer"] = Field(description="Who can read it. Ours.")


class NoteOut(_Told):
    """A note."""

    id: str
    ticket_id: str
    title: str
    content: str
    creator: str
    created_at: str
    updated_at: str | None = None


class ProjectOut(_Told):
    """A project."""

    id: str
    name: str


class RemoteFieldOut(_Told):
    """A field of the provider."""

    field_id: str
    field_scope: Literal["standard", "integration_custom", "project_custom", "ticket_custom", "unknown"]
    provider_field_name: str
    provider_field_path: str | None = None
    project_id: str | None = None


class PolicyOut(_Told):
    """An escalation policy."""

    id: str
    name: str | None = None
    description: str | None = None
    rules: list[dict[str, Any]]


class AgentOut(_Told):
    """Somebody on call."""

    uid: str
    full_name: str


class OneTicket(BaseModel):
    """One ticket."""

    result: TicketOut


class TicketPage(BaseModel):
    """One page of tickets; the cursor is empty on the last."""

    result: list[TicketOut]
    cursor: str


class OneComment(BaseModel):
    """One comment."""

    result: CommentOut


class Comments(BaseModel):
    """All comments."""

    result: list[CommentOut]


class OneNote(BaseModel):
    """One note."""

    result: NoteOut


class Notes(BaseModel):
    """All notes."""

    result: list[NoteOut]


class OneAttachmentFacts(BaseModel):
    """One file's facts."""

    result: AttachmentFacts


class AttachmentList(BaseModel):
    """The facts of all files."""

    result: list[AttachmentFacts]


class OneAttachment(BaseModel):
    """One file."""

    result: AttachmentContent


class ProjectPage(BaseModel):
    """One page of projects."""

    result: list[ProjectOut]
    cursor: str


class RemoteFields(BaseModel):
    """All fields; the cursor is always empty."""

    result: list[RemoteFieldOut]
    cursor: str


class PolicyPage(BaseModel):
    """One page of escalation policies."""

    result: list[PolicyOut]
    cursor: str


class Agents(BaseModel):
    """Who is on call."""

    result: list[AgentOut]


class AnyResult(BaseModel):
    """A result of one of our own operations."""

    result: Any
