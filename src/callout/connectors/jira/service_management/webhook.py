"""Jira's webhooks, of service projects: what carries our key in its text is told from what people wrote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from callout.connectors.jira.service_management import marks
from callout.connectors.jira.webhook import JiraWebhook
from callout.connectors.jira.wire import WebhookBody
from callout.ports.inbound import Ignored, InboundRequest
from callout.ports.ticketing import Change, ChangeKind, Comment
from callout.ports.values import Audience

UNFINISHED: Final = "a form of ours was filled a moment ago; the update with our label follows"


class ServiceManagementWebhook(JiraWebhook):
    """The webhook dialect of one Jira Service Management integration."""

    def parse(self, request: InboundRequest) -> Sequence[Change] | Ignored:
        """Return the changes as Jira's dialect does, but for a request that we are just making: its label is not set yet."""
        found = super().parse(request)
        if isinstance(found, Ignored):
            return found
        first = found[0]
        if first.kind is not ChangeKind.CREATED or first.ticket is None:
            return found
        if marks.description_read(first.ticket.description)[1]:
            return Ignored(first.vendor_event, UNFINISHED)
        return found

    def _comment(self, body: WebhookBody, issue_id: str) -> Comment | None:
        comment = super()._comment(body, issue_id)
        if comment is None or comment.audience is Audience.CUSTOMER:
            return comment
        # Only agents write internal comments: nobody outside can imitate ours here.
        content, key = marks.comment_read(comment.content)
        return replace(comment, content=content, mark=key)
