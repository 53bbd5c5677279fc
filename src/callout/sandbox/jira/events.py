"""What happened on the site, as the webhooks will tell it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from callout.sandbox.jira.model import Attachment, Comment, History, Issue, User


@dataclass(frozen=True, slots=True)
class SiteEvent:
    """One event.

    Args:
        name: the webhook event, such as `jira:issue_updated`.
        actor: whose doing it was.
        issue: the issue concerned, as it is after the event.
        type_name: `issue_event_type_name`, empty for events without one.
        history: the changelog entry of an update.
        bulk: part of a bulk operation, sent in the secondary flow.
    """

    name: str
    actor: User
    issue: Issue
    type_name: str = ""
    history: History | None = None
    comment: Comment | None = None
    attachment: Attachment | None = None
    property_key: str | None = None
    property_value: Any = None
    bulk: bool = False
