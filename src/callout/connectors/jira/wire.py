"""Jira's JSON in Jira's words (REST v3 unless said). Only what we read; `Any` stops here."""

from __future__ import annotations

from typing import Any, TypedDict


class User(TypedDict, total=False):
    """An account. `emailAddress` is absent when its owner hides it."""

    accountId: str
    accountType: str
    displayName: str
    emailAddress: str | None
    active: bool
    timeZone: str
    locale: str


class StatusCategoryBean(TypedDict, total=False):
    """`key` is new, indeterminate, done or undefined."""

    id: int
    key: str
    name: str


class StatusBean(TypedDict, total=False):
    """A workflow status."""

    id: str
    name: str
    statusCategory: StatusCategoryBean


class NamedBean(TypedDict, total=False):
    """Anything with an id and a name: priority, resolution, component."""

    id: str
    name: str


class IssueTypeBean(TypedDict, total=False):
    """An issue type."""

    id: str
    name: str
    subtask: bool


class ProjectBean(TypedDict, total=False):
    """A project; `projectTypeKey` is software, service_desk or business."""

    id: str
    key: str
    name: str
    projectTypeKey: str
    simplified: bool
    style: str
    isPrivate: bool


class AttachmentBean(TypedDict, total=False):
    """An attachment's metadata. The id is text in REST and may be a number in webhooks."""

    id: str
    filename: str
    author: User | None
    created: str
    size: int
    mimeType: str
    content: str


class EntityProperty(TypedDict, total=False):
    """A property: any JSON under a key, on an issue or a comment."""

    key: str
    value: Any


class CommentBean(TypedDict, total=False):
    """A comment. `body` is ADF in v3 and wiki markup in webhooks; `properties` only when expanded."""

    id: str
    self: str
    author: User | None
    updateAuthor: User | None
    body: Any
    created: str
    updated: str
    jsdPublic: bool
    visibility: dict[str, Any]
    properties: list[EntityProperty]


class CommentPage(TypedDict, total=False):
    """A page of comments."""

    startAt: int
    maxResults: int
    total: int
    comments: list[CommentBean]


ChangelogItem = TypedDict(
    "ChangelogItem",
    {
        "field": str,
        "fieldId": str,
        "from": str | None,
        "fromString": str | None,
        "to": str | None,
        "toString": str | None,
    },
    total=False,
)
"""One field's change."""


class History(TypedDict, total=False):
    """A changelog entry of an issue: who changed what when."""

    id: str
    author: User
    created: str
    items: list[ChangelogItem]


class IssueChangelog(TypedDict, total=False):
    """What `expand=changelog` adds to an issue."""

    total: int
    histories: list[History]


class IssueBean(TypedDict, total=False):
    """An issue; `fields` by field id."""

    id: str
    key: str
    self: str
    fields: dict[str, Any]
    changelog: IssueChangelog


class CreatedIssue(TypedDict):
    """The answer to a create."""

    id: str
    key: str
    self: str


class SearchPage(TypedDict, total=False):
    """The answer of `search/jql`: no total, no startAt; `nextPageToken` is absent on the last page."""

    issues: list[IssueBean]
    nextPageToken: str | None
    isLast: bool


class FieldSchema(TypedDict, total=False):
    """The type of a field."""

    type: str
    items: str
    custom: str
    customId: int
    system: str


class FieldMeta(TypedDict, total=False):
    """A field as createmeta, editmeta or a transition describes it."""

    fieldId: str
    key: str
    name: str
    required: bool
    hasDefaultValue: bool
    defaultValue: Any
    schema: FieldSchema
    operations: list[str]
    allowedValues: list[dict[str, Any]]


class TransitionBean(TypedDict, total=False):
    """A transition that the issue can make now."""

    id: str
    name: str
    to: StatusBean
    hasScreen: bool
    isAvailable: bool
    fields: dict[str, FieldMeta]


class TransitionList(TypedDict, total=False):
    """All of them; empty also when the right to transition is missing."""

    transitions: list[TransitionBean]


class FieldDetails(TypedDict, total=False):
    """A field of the site."""

    id: str
    key: str
    name: str
    custom: bool
    schema: FieldSchema
    scope: dict[str, Any]


class ProjectPage(TypedDict, total=False):
    """A page of projects."""

    startAt: int
    maxResults: int
    total: int
    isLast: bool
    values: list[ProjectBean]


class IssueTypePage(TypedDict, total=False):
    """The issue types that can be created in a project; the list is under one of two names."""

    startAt: int
    maxResults: int
    total: int
    issueTypes: list[IssueTypeBean]
    results: list[IssueTypeBean]


class FieldMetaPage(TypedDict, total=False):
    """The fields of one issue type in a project; the list is under one of two names."""

    startAt: int
    maxResults: int
    total: int
    fields: list[FieldMeta]
    results: list[FieldMeta]


class IssueTypeStatuses(TypedDict, total=False):
    """The statuses of one issue type in a project."""

    id: str
    name: str
    subtask: bool
    statuses: list[StatusBean]


class Permission(TypedDict, total=False):
    """Whether the account has a permission."""

    id: str
    key: str
    name: str
    havePermission: bool


class Permissions(TypedDict):
    """By permission key."""

    permissions: dict[str, Permission]


class RemoteLinkCreated(TypedDict, total=False):
    """The answer to a remote link."""

    id: int
    self: str


class OAuthTokens(TypedDict, total=False):
    """The answer of the token endpoint."""

    access_token: str
    expires_in: int
    refresh_token: str
    scope: str
    token_type: str


class ErrorCollection(TypedDict, total=False):
    """An error body; all members may be absent. The last three come from gateways and from Service Management."""

    errorMessages: list[str]
    errors: dict[str, str]
    message: str
    code: int
    errorMessage: str


class Changelog(TypedDict, total=False):
    """What an update changed."""

    id: str | int
    items: list[ChangelogItem]


class Worklog(TypedDict, total=False):
    """A work log entry of a webhook."""

    id: str
    issueId: str


class WebhookBody(TypedDict, total=False):
    """A webhook. `timestamp` is epoch milliseconds; texts are wiki markup; comment events carry a reduced issue or none."""

    timestamp: int
    webhookEvent: str
    issue_event_type_name: str
    user: User
    issue: IssueBean
    changelog: Changelog
    comment: CommentBean
    attachment: AttachmentBean
    worklog: Worklog
    matchedWebhookIds: list[int]
