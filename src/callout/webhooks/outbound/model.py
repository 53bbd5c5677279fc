"""Endpoints, what they are told, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from callout.integrations import EVENTS as TICKET_EVENTS
from callout.kit.secrets import Secret

ORGANIZATION: Final = "*"
"""In the place of an account: the endpoint belongs to the whole organization."""
INCIDENT_EVENTS: Final = (
    "incident.declared",
    "incident.changed",
    "incident.noted",
    "incident.entry_added",
    "incident.conflict",
)
ORGANIZATION_EVENTS: Final = (
    "account_create",
    "account_delete",
    "account_update",
    "integration_create",
    "integration_delete",
    "integration_update",
    "operation_complete",
)
TEST_EVENT: Final = "webhook.test"
EVERY_INCIDENT: Final = "incident.*"
EVERY_TICKET: Final = "Ticket*"
ALL: Final = "all"
"""The contract's word: every event of accounts and integrations, and no ticket or incident."""
FILTERS: Final = (
    *TICKET_EVENTS,
    EVERY_TICKET,
    *INCIDENT_EVENTS,
    EVERY_INCIDENT,
    ALL,
    *ORGANIZATION_EVENTS,
)
RAW_FORMATS: Final = ("object", "string")
RawFormat = Literal["object", "string"]


class DeliveryState(StrEnum):
    """Where a delivery is."""

    PENDING = "pending"
    DELIVERED = "delivered"
    DEAD = "dead"
    """Every attempt failed; nobody tries again by itself."""
    HELD = "held"
    """Its endpoint is switched off; sent when that is switched on again."""
    CANCELLED = "cancelled"
    """Its endpoint was removed, or what was held was not wanted any more."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address that is told of events, of an integration, an account or the organization.

    `secrets` are those that count now, the newest first. `failures` are those since the last success.
    """

    id: str
    account_id: str
    name: str
    fullname: str
    environment: str
    integration_id: str
    source: str
    url: str
    filters: tuple[str, ...]
    raw_format: RawFormat
    secrets: tuple[Secret, ...]
    previous_until: datetime | None
    enabled: bool
    disabled_why: str
    disabled_at: datetime | None
    failures: int
    failing_since: datetime | None
    open_until: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @property
    def scope(self) -> str:
        """Whose events it is told of: `integration`, `account` or `organization`."""
        if self.account_id == ORGANIZATION:
            return "organization"
        return "integration" if self.integration_id else "account"


def wants(filters: Sequence[str], scope: str, event_type: str) -> bool:
    """Return whether an endpoint is told of an event; an empty type is a provider's event that has no name of ours."""
    family = family_of(event_type)
    if family == "organization":
        return scope == "organization" and (ALL in filters or event_type in filters)
    if not filters:
        return scope == "account" or (scope == "integration" and family == "ticket")
    if event_type in filters:
        return True
    return bool(event_type) and (EVERY_TICKET if family == "ticket" else EVERY_INCIDENT) in filters


def family_of(event_type: str) -> str:
    """Return `ticket`, `incident` or `organization`."""
    if event_type in ORGANIZATION_EVENTS:
        return "organization"
    return "incident" if event_type.startswith("incident.") else "ticket"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that endpoints may be told of.

    Args:
        id: the `webhook-id`, the same however often it is sent.
        event_type: the name that filters go by; empty for a provider's event without one of ours.
        subject: deliveries about one subject reach one endpoint in their order.
        body: the JSON object that is sent, without the raw payload.
        raw: the provider's own body as it came; it becomes `raw_payload`.
        integration_id: whose event it is, where it is one's.
    """

    id: str
    event_type: str
    subject: str
    occurred_at: datetime
    body: Mapping[str, Any]
    raw: bytes | None = None
    integration_id: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One request to an endpoint. `took` in seconds; `answer` the first 2 kB of what came back."""

    number: int
    at: datetime
    took: float
    status: int | None
    error: str
    answer: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one endpoint."""

    id: str
    account_id: str
    endpoint_id: str
    endpoint_name: str
    message_id: str
    event_type: str
    subject: str
    state: DeliveryState
    attempts: int
    next_at: datetime | None
    created_at: datetime
    finished_at: datetime | None
    test: bool
    redelivery_of: str | None
    seq: int
