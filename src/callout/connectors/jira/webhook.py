"""What Jira sends us: verified over the raw bytes, then read. Pure: the request carries its own time.

Admin webhooks sign with `X-Hub-Signature`, those of an OAuth app carry a JWT made with the app's client secret. Bodies are of
REST v2: texts are wiki markup. Delivery is at least once and in no order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

import orjson

from callout.connectors.jira import mapping
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.signature import bearer_token_problem, hub_signature_matches
from callout.connectors.jira.text import markdown_from_wiki
from callout.connectors.jira.values import read_custom
from callout.connectors.jira.wire import IssueBean, WebhookBody
from callout.ports.inbound import Ignored, InboundRequest, Reply, Trust, Verdict, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket

MAX_AGE: Final = timedelta(hours=24)
"""Jira repeats a delivery for up to 75 minutes; later than this nobody but a replayer sends it."""
MAX_AHEAD: Final = timedelta(minutes=1)

HANDLED: Final[Mapping[str, ChangeKind]] = {
    "jira:issue_created": ChangeKind.CREATED,
    "jira:issue_updated": ChangeKind.UPDATED,
    "jira:issue_deleted": ChangeKind.DELETED,
    "comment_created": ChangeKind.COMMENTED,
    "comment_updated": ChangeKind.COMMENT_UPDATED,
    "comment_deleted": ChangeKind.COMMENT_DELETED,
    "attachment_created": ChangeKind.ATTACHED,
    "attachment_deleted": ChangeKind.UPDATED,
    "worklog_created": ChangeKind.UPDATED,
    "worklog_updated": ChangeKind.UPDATED,
    "worklog_deleted": ChangeKind.UPDATED,
}
IGNORED: Final = re.compile(
    r"issuelink_|issue_property_|issuetype_|project_|filter_|user_|board_|sprint_|option_|jira:version_"
    r"|jira_expression_evaluation_failed"
)
"""Events of Jira that say nothing about a ticket of ours."""

_ISSUE_IN_LINK = re.compile(r"/issue/(\d+)/comment/")
_TOLD: Final[Mapping[str, frozenset[str]]] = {
    "summary": frozenset({"title"}),
    "description": frozenset({"description"}),
    "status": frozenset({"status", "status_category"}),
    "priority": frozenset({"priority", "priority_name"}),
    "issuetype": frozenset({"issue_type"}),
    "project": frozenset({"project"}),
    "assignee": frozenset({"assignee"}),
    "reporter": frozenset({"creator", "contact"}),
    "created": frozenset({"created_at"}),
    "updated": frozenset({"updated_at", "version"}),
    "resolutiondate": frozenset({"completion_date"}),
    "labels": frozenset({"tags", "marks"}),
    "duedate": frozenset({"due_date"}),
    "attachment": frozenset({"attachments"}),
}
"""Jira's field → what it tells of ours."""


class JiraWebhook:
    """The webhook dialect of one Jira integration."""

    def __init__(self, config: JiraConfig, secrets: WebhookSecrets) -> None:
        self._config = config
        self._secrets = secrets

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge signature or token first, then the age of what they vouch for."""
        configured = bool(self._secrets.keys) or self._secrets.client_secret is not None
        if not configured:
            return Verdict(Trust.HINT, "no signing key is configured")
        problem = self._signature_problem(request)
        return Verdict(Trust.REFUSED, problem) if problem else _age(request)

    def _signature_problem(self, request: InboundRequest) -> str:
        signature = request.headers.get("x-hub-signature", "")
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if self._secrets.keys and signature:
            # An empty key is no key: anybody could compute its signature.
            keys = [key.reveal().encode() for key in self._secrets.keys if key]
            return "" if hub_signature_matches(keys, request.body, signature) else "wrong X-Hub-Signature"
        if self._secrets.client_secret is not None and scheme.lower() == "bearer":
            return bearer_token_problem(
                token.strip(),
                secret=self._secrets.client_secret.reveal().encode(),
                issuer=self._secrets.client_id,
                now=request.received_at,
            )
        return "no signature"

    def delivery_id(self, request: InboundRequest) -> str:
        """Return the identifier that Jira repeats on every retry."""
        return request.headers.get("x-atlassian-webhook-identifier", "")

    def reply(self, request: InboundRequest) -> Reply | None:
        """Jira needs no answer but a 2xx."""
        return None

    def parse(self, request: InboundRequest) -> Sequence[Change] | Ignored:
        """Return the changes; unknown events are ignored. Raises ValueError when the body is no Jira webhook."""
        body = _body(request.body)
        event = body.get("webhookEvent")
        if not isinstance(event, str) or not event:
            raise ValueError("webhookEvent is missing: this is not a Jira webhook")
        if event not in HANDLED:
            known = IGNORED.match(event) is not None
            return Ignored(event, "says nothing about a ticket" if known else "unknown event")
        try:
            issue_id, key = _identity(body)
            if not issue_id:
                return Ignored(event, "names no issue; polling will see the change")
            return self._changes(event, body, issue_id, key)
        except (AttributeError, KeyError, RecursionError, TypeError) as error:
            raise ValueError(f"the body of {event} is not shaped as Jira shapes it: {error}") from error

    def entity_date(self, request: InboundRequest) -> str:
        """Return the time stamp of the comment or the issue as Jira wrote it, else that of the event."""
        body = _body(request.body)
        issue, comment = body.get("issue") or {}, body.get("comment") or {}
        fields = issue.get("fields") or {}
        about_comment = str(body.get("webhookEvent", "")).startswith("comment_")
        found = comment.get("updated") if about_comment else fields.get("updated")
        return str(found or body.get("timestamp") or "")

    def _changes(self, event: str, body: WebhookBody, issue_id: str, key: str) -> list[Change]:
        kind = HANDLED[event]
        if kind is ChangeKind.UPDATED and _moved(body):
            kind = ChangeKind.MOVED
        issue = body.get("issue")
        ticket = self._ticket(issue) if issue and issue.get("fields") is not None else None
        known = _known(issue) if ticket is not None and issue else frozenset[str]()
        stamp = body.get("timestamp")
        occurred = _moment(stamp)
        actor = mapping.person(body.get("user"))
        comment = self._comment(body, issue_id)

        def change(kind: ChangeKind, comment: Comment | None) -> Change:
            return Change(
                kind=kind,
                ticket_id=issue_id,
                ticket_key=key,
                occurred_at=occurred,
                actor=actor or (comment.author if comment else None),
                ticket=ticket,
                partial=not self._complete(known),
                known=known,
                comment=comment,
                vendor_event=event,
            )

        if event.startswith("comment_"):
            return [change(kind, comment)]
        changes = [change(kind, None)]
        if comment is not None and body.get("issue_event_type_name") in {
            "issue_commented",
            "issue_comment_edited",
        }:
            # Older flows tell of comments inside jira:issue_updated; the comment's id makes the repeat harmless.
            edited = body.get("issue_event_type_name") == "issue_comment_edited"
            changes.append(change(ChangeKind.COMMENT_UPDATED if edited else ChangeKind.COMMENTED, comment))
        return changes

    def _complete(self, known: frozenset[str]) -> bool:
        every = frozenset[str]().union(*_TOLD.values())
        return every <= known and not self._config.custom_field_mappings

    def _ticket(self, issue: IssueBean) -> Ticket:
        project = (issue.get("fields") or {}).get("project") or {}
        return mapping.ticket(
            issue,
            site=self._config.url,
            custom=self._config.mappings_for(str(project.get("key", "")), str(project.get("id", ""))),
            text=markdown_from_wiki,
            read_custom=read_custom,
        )

    def _comment(self, body: WebhookBody, issue_id: str) -> Comment | None:
        bean = body.get("comment")
        if not isinstance(bean, dict):
            return None
        fields = (body.get("issue") or {}).get("fields") or {}
        return mapping.comment(
            bean,
            issue_id,
            service_desk=mapping.is_service_desk(fields),
            text=markdown_from_wiki,
        )


def _age(request: InboundRequest) -> Verdict:
    try:
        body = orjson.loads(request.body)
    except ValueError:
        body = None
    sent = _moment(body.get("timestamp")) if isinstance(body, dict) else None
    if sent is None:
        return Verdict(
            Trust.HINT, "signed, but without a timestamp: a replay could not be told", covered=True
        )
    if request.received_at - sent > MAX_AGE:
        return Verdict(Trust.REFUSED, "signed more than 24 hours ago")
    if sent - request.received_at > MAX_AHEAD:
        return Verdict(Trust.REFUSED, "signed in the future")
    return Verdict(Trust.SIGNED, is_json=True)


def _body(raw: bytes) -> WebhookBody:
    data = orjson.loads(raw)  # its error is a ValueError; it refuses bodies nested too deeply
    if not isinstance(data, dict):
        raise ValueError("the body is not a JSON object")  # noqa: TRY004  # a bad value, whatever its type
    for name in ("issue", "comment", "user", "changelog", "worklog"):
        if data.get(name) is not None and not isinstance(data[name], dict):
            raise ValueError(f"{name} is not an object")  # as above
    return cast("WebhookBody", data)


def _moment(stamp: object) -> datetime | None:
    """Read epoch milliseconds."""
    if isinstance(stamp, bool) or not isinstance(stamp, int | float):
        return None
    try:
        return datetime.fromtimestamp(stamp / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _identity(body: WebhookBody) -> tuple[str, str]:
    """Return the issue's id and key. Comment, worklog and attachment events may come without an issue."""
    issue: Mapping[str, Any] = body.get("issue") or {}
    if issue.get("id"):
        return str(issue["id"]), str(issue.get("key") or "")
    worklog = body.get("worklog") or {}
    if worklog.get("issueId"):
        return str(worklog["issueId"]), ""
    found = _ISSUE_IN_LINK.search(str((body.get("comment") or {}).get("self") or ""))
    return (found.group(1), "") if found else ("", "")


def _moved(body: WebhookBody) -> bool:
    """Whether the update took the issue to another project (its key changed)."""
    items = (body.get("changelog") or {}).get("items") or []
    return any(str(item.get("field", "")).lower() in {"key", "project"} for item in items)


def _known(issue: IssueBean) -> frozenset[str]:
    told = [_TOLD[name] for name in issue.get("fields") or {} if name in _TOLD]
    return frozenset[str]().union(*told)
