"""What a Jira site holds, as plain values: users, projects, workflow, fields, issues."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from datetime import datetime

Json = Any  # JSON of any shape, as it crosses the wire
JsonObject = dict[str, Any]
RestVersion = Literal[2, 3]
ProjectType = Literal["software", "service_desk", "business"]

STORY_TEXT_LIMIT = 32_767
SUMMARY_LIMIT = 255


@dataclass(slots=True)
class User:
    """An account. `email_visible` False hides the address from everybody else; `agent` is the licence for service desks."""

    account_id: str
    display_name: str
    email: str
    api_token: str
    time_zone: str = "Europe/Berlin"
    locale: str = "en_US"
    email_visible: bool = True
    active: bool = True
    site_admin: bool = False
    account_type: str = "atlassian"
    agent: bool = True


@dataclass(frozen=True, slots=True)
class StatusCategory:
    """One of the fixed groups every status belongs to."""

    id: int
    key: str
    name: str
    color: str


@dataclass(frozen=True, slots=True)
class Status:
    """A workflow status."""

    id: str
    name: str
    category: StatusCategory


@dataclass(frozen=True, slots=True)
class IssueType:
    """Task, Incident, Bug, Sub-task."""

    id: str
    name: str
    description: str
    subtask: bool = False


@dataclass(frozen=True, slots=True)
class Named:
    """A priority or a resolution."""

    id: str
    name: str
    description: str = ""
    color: str = ""


@dataclass(frozen=True, slots=True)
class Component:
    """A component of one project."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Transition:
    """An arrow of the workflow. `sources` empty means it starts anywhere (global)."""

    id: str
    name: str
    to_status: str
    sources: frozenset[str]
    screen: tuple[str, ...] = ()
    required: frozenset[str] = frozenset()


@dataclass(slots=True)
class Project:
    """A project with its workflow and its screens."""

    id: str
    key: str
    name: str
    type: ProjectType
    lead: str
    issue_types: tuple[str, ...]
    transitions: tuple[Transition, ...]
    screen: tuple[str, ...]
    components: tuple[Component, ...] = ()
    required: frozenset[str] = frozenset()
    closed_to: frozenset[str] = frozenset()
    last_number: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """A choice of a select field."""

    id: str
    value: str


@dataclass(frozen=True, slots=True)
class Field:
    """A field definition. `kind` names the entry of `kinds.KINDS` that knows its values."""

    id: str
    name: str
    kind: str
    custom_type: str = ""
    options: tuple[Option, ...] = ()
    settable: bool = True
    clauses: tuple[str, ...] = ()

    @property
    def custom(self) -> bool:
        """Whether an administrator made this field."""
        return self.id.startswith("customfield_")

    @property
    def number(self) -> int:
        """The custom field number, the 10042 of customfield_10042."""
        return int(self.id.removeprefix("customfield_"))


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """One field's change inside a changelog entry."""

    field: str
    field_id: str
    fieldtype: str
    from_id: str | None
    from_text: str | None
    to_id: str | None
    to_text: str | None


@dataclass(frozen=True, slots=True)
class History:
    """A changelog entry: who changed what when."""

    id: str
    author: str
    created: datetime
    items: tuple[ChangeItem, ...]


@dataclass(frozen=True, slots=True)
class Comment:
    """A comment; `body` is ADF, `internal` the service desk's agent-only mark."""

    id: str
    author: str
    update_author: str
    body: JsonObject
    created: datetime
    updated: datetime
    visibility: JsonObject | None = None
    properties: tuple[tuple[str, Any], ...] = ()

    @property
    def internal(self) -> bool:
        """True when the customer of a service desk request must not see it."""
        # from memory: the property name and its shape.
        value = dict(self.properties).get("sd.public.comment")
        return isinstance(value, dict) and value.get("internal") is True


@dataclass(frozen=True, slots=True)
class Attachment:
    """A stored file."""

    id: str
    filename: str
    mime_type: str
    author: str
    created: datetime
    content: bytes


@dataclass(frozen=True, slots=True)
class RemoteLink:
    """A link from an issue to a page elsewhere."""

    id: int
    global_id: str | None
    body: JsonObject


@dataclass(slots=True)
class Issue:
    """An issue. `values` maps field id to the stored value (ids for references, ADF for rich text)."""

    id: str
    key: str
    project_id: str
    creator: str
    created: datetime
    updated: datetime
    values: JsonObject
    comments: tuple[Comment, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    histories: tuple[History, ...] = ()
    remote_links: tuple[RemoteLink, ...] = ()
    watchers: tuple[str, ...] = ()
    properties: JsonObject = field(default_factory=dict)
    old_keys: tuple[str, ...] = ()
    request_type: str | None = None

    @property
    def number(self) -> int:
        """The numeric part of the key, by which keys sort."""
        return int(self.key.rpartition("-")[2])
