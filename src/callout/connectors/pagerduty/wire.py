"""PagerDuty's JSON in PagerDuty's words (REST v2, Events v2, webhooks v3). Only what we read; `Any` stops here."""

from __future__ import annotations

from typing import Any, TypedDict


class Reference(TypedDict, total=False):
    """A reference to anything, or the beginning of the thing itself."""

    id: str
    type: str
    summary: str | None
    self: str | None
    html_url: str | None


class UserBean(Reference, total=False):
    """A user; a reference has no `email`."""

    name: str
    email: str
    time_zone: str
    role: str
    job_title: str | None


class PriorityBean(Reference, total=False):
    """A priority of the account; a reference has its name as summary only."""

    name: str
    description: str | None


class Assignment(TypedDict, total=False):
    """Who is called for an incident, since when."""

    at: str
    assignee: UserBean


class FieldValue(TypedDict, total=False):
    """The value of a custom field on one incident."""

    id: str
    name: str
    display_name: str
    value: Any


class ConferenceBridge(TypedDict, total=False):
    """Where people talk."""

    conference_number: str | None
    conference_url: str | None


class IncidentBody(TypedDict, total=False):
    """The description; set at creation, never after."""

    type: str
    details: Any


class IncidentTypeRef(TypedDict, total=False):
    """The type of an incident, by name."""

    name: str


class LogChannel(TypedDict, total=False):
    """By which way something was done."""

    type: str
    summary: str | None
    details: Any


class LogEntryBean(Reference, total=False):
    """Something that happened to an incident; `incident` is whole when it was asked for."""

    created_at: str
    agent: UserBean | None
    channel: LogChannel
    incident: IncidentBean
    assignees: list[UserBean]


class IncidentBean(Reference, total=False):
    """An incident: `incident_number`, `assignments`, `updated_at` in REST; `number`, `assignees` in webhooks."""

    incident_number: int
    number: int
    title: str
    created_at: str
    updated_at: str
    resolved_at: str | None
    last_status_change_at: str
    last_status_change_by: UserBean | None
    status: str
    incident_key: str | None
    service: Reference
    assignments: list[Assignment]
    assignees: list[UserBean]
    escalation_policy: Reference
    teams: list[Reference]
    priority: PriorityBean | None
    urgency: str
    incident_type: IncidentTypeRef | None
    conference_bridge: ConferenceBridge | None
    resolve_reason: dict[str, Any] | None
    alert_counts: dict[str, int]
    first_trigger_log_entry: LogEntryBean | None
    body: IncidentBody
    custom_fields: list[FieldValue]
    pending_actions: list[dict[str, Any]]


class NoteBean(TypedDict, total=False):
    """A note."""

    id: str
    user: UserBean | None
    content: str
    created_at: str
    updated_at: str | None


class Listing(TypedDict, total=False):
    """A page by offset; the items are under a name of their own."""

    limit: int
    offset: int
    more: bool
    total: int | None


class IncidentList(Listing, total=False):
    """A page of incidents."""

    incidents: list[IncidentBean]


class LogEntryList(Listing, total=False):
    """A page of log entries, newest first."""

    log_entries: list[LogEntryBean]


class ServiceBean(Reference, total=False):
    """A service, which plays the part of a project."""

    name: str
    description: str | None
    status: str
    escalation_policy: Reference
    teams: list[Reference]


class ServiceList(Listing, total=False):
    """A page of services."""

    services: list[ServiceBean]


class TeamList(TypedDict, total=False):
    """One page of teams."""

    teams: list[Reference]
    more: bool


class UserList(Listing, total=False):
    """A page of users."""

    users: list[UserBean]


class PriorityList(Listing, total=False):
    """The priorities, most severe first."""

    priorities: list[PriorityBean]


class EscalationRuleBean(TypedDict, total=False):
    """One step of an escalation policy."""

    id: str
    escalation_delay_in_minutes: int
    targets: list[UserBean]


class EscalationPolicyBean(Reference, total=False):
    """An escalation policy."""

    name: str
    description: str | None
    num_loops: int
    escalation_rules: list[EscalationRuleBean]
    services: list[Reference]
    teams: list[Reference]


class EscalationPolicyList(Listing, total=False):
    """A page of escalation policies."""

    escalation_policies: list[EscalationPolicyBean]


class OnCallBean(TypedDict, total=False):
    """Somebody on call; without times for good."""

    escalation_policy: Reference
    escalation_level: int
    schedule: Reference | None
    user: UserBean
    start: str | None
    end: str | None


class OnCallList(Listing, total=False):
    """A page of on-calls."""

    oncalls: list[OnCallBean]


class CustomFieldBean(TypedDict, total=False):
    """A custom field of a type of incident."""

    id: str
    name: str
    display_name: str
    data_type: str
    field_type: str
    field_options: list[dict[str, Any]]


class IncidentTypeBean(TypedDict, total=False):
    """A type of incident."""

    id: str
    name: str
    display_name: str
    enabled: bool


class DeliveryMethod(TypedDict, total=False):
    """Where webhooks go; `secret` only in the answer to the creation."""

    id: str
    type: str
    url: str
    secret: str | None
    temporarily_disabled: bool


class SubscriptionBean(TypedDict, total=False):
    """A webhook subscription."""

    id: str
    type: str
    active: bool
    description: str | None
    events: list[str]
    filter: dict[str, Any]
    delivery_method: DeliveryMethod


class SubscriptionList(Listing, total=False):
    """A page of webhook subscriptions."""

    webhook_subscriptions: list[SubscriptionBean]


class OAuthTokenBean(TypedDict, total=False):
    """The answer of the token endpoint. An unknown scope is no error: it is silently missing in `scope`."""

    access_token: str
    refresh_token: str
    token_type: str
    scope: str
    expires_in: int


class EventAccepted(TypedDict, total=False):
    """The answer of the Events API."""

    status: str
    message: str
    dedup_key: str


class WebhookEvent(TypedDict, total=False):
    """The one event of a webhook. `data` is an incident, or something that names one."""

    id: str
    event_type: str
    resource_type: str
    occurred_at: str
    agent: UserBean | None
    data: dict[str, Any]
