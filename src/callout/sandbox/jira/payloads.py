"""Webhook bodies: what Jira says about an event, in the v2 representation (wiki markup, no mail addresses)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.sandbox.jira.beans import change_items
from callout.sandbox.jira.issue_view import issue_bean

if TYPE_CHECKING:
    from callout.sandbox.jira.beans import View
    from callout.sandbox.jira.events import SiteEvent
    from callout.sandbox.jira.model import JsonObject

REDUCED_FIELDS = ("summary", "issuetype", "project", "assignee", "priority", "status")


def payload_of(event: SiteEvent, view: View) -> JsonObject:
    """The body of one event."""
    body: JsonObject = {
        "timestamp": int(view.site.moment().timestamp() * 1000),
        "webhookEvent": event.name,
    }
    if event.name.startswith("jira:issue_"):
        body["issue_event_type_name"] = event.type_name
        body["user"] = view.user(event.actor.account_id)
        body["issue"] = issue_bean(event.issue, view)
        if event.history is not None:
            body["changelog"] = {"id": event.history.id, "items": change_items(event.history)}
    if event.comment is not None:
        body["comment"] = view.comment(event.comment, event.issue)
        body.setdefault("issue", issue_bean(event.issue, view, fields=REDUCED_FIELDS))
        # from memory: comment events name the event type as well.
        body["eventType"] = "primaryAction"
    if event.attachment is not None:
        # The vendor sends no issue with attachment events.
        body["attachment"] = view.attachment(event.attachment)
    if event.property_key is not None:
        body["issue"] = issue_bean(event.issue, view, fields=REDUCED_FIELDS)
        body["property"] = {"key": event.property_key, "value": event.property_value}
    if event.bulk:
        body["bulkOperationMetaData"] = {"bulkOperation": True}
    return body
