"""What PagerDuty sends us (webhooks v3): verified over the raw bytes, then read. Pure: the request carries its own time.

The header holds one signature per secret that is valid, several while a secret is being replaced. A webhook tells less than a
read: no description, no time of the change to the incident, notes cut at their end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

import orjson

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.wire import IncidentBean, NoteBean, WebhookEvent
from callout.kit.signing import equal, hmac_sha256_hex
from callout.ports.inbound import Ignored, InboundRequest, Reply, Trust, Verdict, WebhookSecrets
from callout.ports.ticketing import Change, ChangeKind, Comment, Ticket

SIGNATURE: Final = "x-pagerduty-signature"
VERSION: Final = "v1"
MOST_SIGNATURES: Final = 20
"""More than anybody rotates secrets; a longer header only makes us compute."""
MAX_AGE: Final = timedelta(hours=49)
"""PagerDuty repeats a delivery for 48 hours; later than this nobody but a replayer sends it."""
MAX_AHEAD: Final = timedelta(minutes=5)

HANDLED: Final[Mapping[str, ChangeKind]] = {
    "incident.triggered": ChangeKind.CREATED,
    "incident.acknowledged": ChangeKind.UPDATED,
    "incident.unacknowledged": ChangeKind.UPDATED,
    "incident.resolved": ChangeKind.UPDATED,
    "incident.reopened": ChangeKind.UPDATED,
    "incident.escalated": ChangeKind.UPDATED,
    "incident.delegated": ChangeKind.UPDATED,
    "incident.reassigned": ChangeKind.UPDATED,
    "incident.priority_updated": ChangeKind.UPDATED,
    "incident.incident_type.changed": ChangeKind.UPDATED,
    "incident.custom_field_values.updated": ChangeKind.UPDATED,
    "incident.conference_bridge.updated": ChangeKind.UPDATED,
    "incident.service_updated": ChangeKind.MOVED,
    "incident.annotated": ChangeKind.COMMENTED,
    "incident.status_update_published": ChangeKind.UPDATED,
    "incident.responder.added": ChangeKind.UPDATED,
    "incident.responder.replied": ChangeKind.UPDATED,
    "incident.role.assigned": ChangeKind.UPDATED,
}
IGNORED: Final = frozenset(
    {
        "incident.task.created",
        "incident.task.updated",
        "incident.task.completed",
        "incident.workflow.started",
        "incident.workflow.completed",
        "incident.action_invocation.created",
        "incident.action_invocation.updated",
        "incident.action_invocation.terminated",
        "service.created",
        "service.updated",
        "service.deleted",
        "service.custom_field_values.updated",
        "pagey.ping",
    }
)
"""Events that say nothing about what a ticket holds; the first words of all others are told as unknown."""
SUBSCRIBED: Final = tuple(HANDLED)
"""What a subscription asks for: the rest would only cost deliveries."""

_NOT_TOLD: Final = frozenset(
    {
        "description",
        "custom_fields",
        "updated_at",
        "version",
        "completion_date",
        "creator",
        "contact",
        "parent",
        "tags",
        "due_date",
        "attachments",
    }
)
_TOLD: Final = frozenset(Ticket.__dataclass_fields__) - {"id", "key", "url", "unmapped"} - _NOT_TOLD


class PagerDutyWebhook:
    """The webhook dialect of one PagerDuty integration."""

    def __init__(self, config: PagerDutyConfig, secrets: WebhookSecrets) -> None:
        self._config = config
        # An empty key is no key: anybody could compute its signature.
        self._keys = [key.reveal().encode() for key in secrets.keys if key]
        self._configured = bool(secrets.keys)

    def verify(self, request: InboundRequest) -> Verdict:
        """Judge the signatures first, then the age of what they vouch for."""
        header = request.headers.get(SIGNATURE, "")
        if not self._configured:
            return Verdict(Trust.HINT, "no signing key is configured")
        if not header:
            return Verdict(Trust.REFUSED, "no signature")
        if not self._is_signed(request.body, header):
            return Verdict(Trust.REFUSED, "wrong X-PagerDuty-Signature")
        return _age(request)

    def _is_signed(self, body: bytes, header: str) -> bool:
        given = [
            value.strip()
            for name, _, value in (part.strip().partition("=") for part in header.split(",", MOST_SIGNATURES))
            if name == VERSION
        ]
        for key in self._keys:
            expected = hmac_sha256_hex(key, body)
            if any(equal(expected, one) for one in given):
                return True
        return False

    def delivery_id(self, request: InboundRequest) -> str:
        """Return the id that stays the same over all retries of a delivery."""
        return request.headers.get("x-webhook-id", "")

    def reply(self, request: InboundRequest) -> Reply | None:
        """PagerDuty needs no answer but a 2xx, also to its test event."""
        return None

    def parse(self, request: InboundRequest) -> Sequence[Change] | Ignored:
        """Return the change; unknown events are ignored. Raises ValueError when the body is no PagerDuty webhook."""
        event = _event(request.body)
        name = event.get("event_type")
        if not isinstance(name, str) or not name:
            raise ValueError("event.event_type is missing: this is not a PagerDuty webhook")
        kind = HANDLED.get(name)
        if kind is None:
            known = name in IGNORED
            return Ignored(name, "says nothing about a ticket" if known else "unknown event")
        data = event.get("data")
        if not isinstance(data, dict):
            raise ValueError(f"the body of {name} has no data")  # noqa: TRY004  # a bad value
        try:
            return self._changes(name, kind, event, data)
        except (AttributeError, KeyError, RecursionError, TypeError) as error:
            raise ValueError(f"the body of {name} is not shaped as PagerDuty shapes it: {error}") from error

    def entity_date(self, request: InboundRequest) -> str:
        """Return when the event happened, as PagerDuty wrote it."""
        return str(_event(request.body).get("occurred_at") or "")

    @staticmethod
    def _changes(
        name: str, kind: ChangeKind, event: WebhookEvent, data: dict[str, Any]
    ) -> Sequence[Change] | Ignored:
        whole = data.get("type") == "incident"
        incident = cast("IncidentBean", data if whole else data.get("incident") or {})
        if not incident.get("id"):
            return Ignored(name, "names no incident; polling will see the change")
        ticket = mapping.ticket(incident, scheme=None) if whole else None
        comment = _comment(data, str(incident["id"]), event) if kind is ChangeKind.COMMENTED else None
        return [
            Change(
                kind=kind,
                ticket_id=str(incident["id"]),
                ticket_key=ticket.key if ticket is not None else "",
                occurred_at=mapping.moment(event.get("occurred_at")),
                actor=mapping.person(event.get("agent")),
                ticket=ticket,
                partial=True,
                known=frozenset() if ticket is None else _known(ticket),
                comment=comment,
                vendor_event=name,
            )
        ]


def _known(ticket: Ticket) -> frozenset[str]:
    silent: set[str] = set()
    if ticket.priority is None:
        # Either there is none, or one of a name that only the account's own list explains.
        silent |= {"priority", "priority_name"}
    if ticket.status == mapping.RESOLVED:
        # A resolved incident is assigned to nobody there; that is not somebody's decision.
        silent.add("assignee")
    if not ticket.marks:
        silent.add("marks")
    return _TOLD - silent


def _comment(data: dict[str, Any], incident_id: str, event: WebhookEvent) -> Comment | None:
    """Return the note that a webhook tells of, None when it is cut: the whole has to be read."""
    content = data.get("content")
    if data.get("type") != "incident_note" or data.get("trimmed") or not isinstance(content, str):
        return None
    note: NoteBean = {
        "id": str(data.get("id", "")),
        "content": content,
        "user": event.get("agent"),
        "created_at": str(event.get("occurred_at") or ""),
    }
    return mapping.comment(note, incident_id)


def _age(request: InboundRequest) -> Verdict:
    try:
        sent = mapping.moment(_event(request.body).get("occurred_at"))
    except ValueError:
        sent = None
    if sent is None:
        return Verdict(Trust.HINT, "signed, but without a time: a replay could not be told", covered=True)
    if _older(sent, request.received_at):
        return Verdict(Trust.REFUSED, "signed more than 49 hours ago")
    if sent - request.received_at > MAX_AHEAD:
        return Verdict(Trust.REFUSED, "signed in the future")
    return Verdict(Trust.SIGNED, is_json=True)


def _older(sent: datetime, received: datetime) -> bool:
    return received - sent > MAX_AGE


def _event(raw: bytes) -> WebhookEvent:
    data = orjson.loads(raw)  # its error is a ValueError; it refuses bodies nested too deeply
    event = data.get("event") if isinstance(data, dict) else None
    if not isinstance(event, dict):
        raise ValueError("the body has no event")  # noqa: TRY004  # a bad value, whatever its type
    agent = event.get("agent")
    if agent is not None and not isinstance(agent, dict):
        raise ValueError("event.agent is not an object")
    return cast("WebhookEvent", event)
