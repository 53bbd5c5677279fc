"""What a PagerDuty account is made of. Times are aware UTC, to the second, as PagerDuty shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from datetime import datetime

Json: TypeAlias = Any
JsonObject: TypeAlias = dict[str, Any]


@dataclass(slots=True, eq=False)
class Team:
    """A team."""

    id: str
    name: str
    description: str = ""


@dataclass(slots=True, eq=False)
class User:
    """A person with a login."""

    id: str
    name: str
    email: str
    time_zone: str = "Etc/UTC"
    role: str = "user"
    job_title: str = ""
    teams: list[Team] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Priority:
    """A priority; `order` is higher for the more severe."""

    id: str
    name: str
    description: str
    color: str
    order: int


@dataclass(slots=True, eq=False)
class Override:
    """Somebody else on call for a while."""

    id: str
    user: User
    start: datetime
    end: datetime


@dataclass(slots=True, eq=False)
class Schedule:
    """A rotation of one layer.

    Args:
        start: when the first user's first turn began.
        turn_seconds: length of one turn.
    """

    id: str
    name: str
    time_zone: str
    users: list[User]
    start: datetime
    turn_seconds: int
    description: str = ""
    overrides: list[Override] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class EscalationRule:
    """Who is called on one level, and after how many minutes the next level is."""

    id: str
    delay_minutes: int
    targets: list[User | Schedule]


@dataclass(slots=True, eq=False)
class EscalationPolicy:
    """Levels of people; level 1 is the first rule."""

    id: str
    name: str
    rules: list[EscalationRule]
    description: str = ""
    num_loops: int = 0
    teams: list[Team] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Integration:
    """A way in for events; `key` is the routing key."""

    id: str
    name: str
    service: Service
    key: str
    created_at: datetime


@dataclass(slots=True, eq=False)
class Service:
    """Something that can break.

    Args:
        urgency: `high`, `low` or `severity_based`.
        acknowledgement_timeout: seconds until an acknowledged incident is triggered again, None for never.
    """

    id: str
    name: str
    escalation_policy: EscalationPolicy
    created_at: datetime
    description: str = ""
    status: str = "active"
    urgency: str = "high"
    alert_creation: str = "create_alerts_and_incidents"
    acknowledgement_timeout: int | None = None
    auto_resolve_timeout: int | None = None
    teams: list[Team] = field(default_factory=list)
    integrations: list[Integration] = field(default_factory=list)
    last_incident_at: datetime | None = None


Agent: TypeAlias = User | Service | Integration


@dataclass(slots=True, eq=False)
class Alert:
    """What an event opened; part of one incident."""

    id: str
    key: str
    summary: str
    severity: str
    service: Service
    integration: Integration
    incident: Incident
    created_at: datetime
    details: Json = None
    contexts: list[JsonObject] = field(default_factory=list)
    status: str = "triggered"
    resolved_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Note:
    """A note on an incident."""

    id: str
    user: User
    content: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True, eq=False)
class LogEntry:
    """One line of an incident's history.

    Args:
        type: without the suffix `_log_entry`.
        overview: among "the most important changes to the incident".
        more: further members of the JSON.
    """

    id: str
    type: str
    summary: str
    created_at: datetime
    agent: Agent
    incident: Incident
    channel: JsonObject
    overview: bool = False
    more: JsonObject = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Responder:
    """Somebody asked to help; `state` is pending, joined or declined."""

    request_id: str
    user: User
    requester: User
    requested_at: datetime
    updated_at: datetime
    message: str
    policy: EscalationPolicy | None = None
    state: str = "pending"


@dataclass(slots=True, eq=False)
class Incident:
    """An incident.

    Args:
        key: the de-duplication key; None when the incident came from alerts, which have their own.
        level: the escalation level now called, from 1.
        loops: how often the policy was begun again.
        snoozed: acknowledged only until `unacknowledge_at`.
    """

    id: str
    number: int
    title: str
    service: Service
    escalation_policy: EscalationPolicy
    created_at: datetime
    updated_at: datetime
    status_changed_at: datetime
    status_changed_by: Agent
    urgency: str
    key: str | None
    status: str = "triggered"
    details: str | None = None
    priority: Priority | None = None
    incident_type: str = "incident_default"
    assigned_via: str = "escalation_policy"
    assignments: list[tuple[datetime, User]] = field(default_factory=list)
    acknowledgements: list[tuple[datetime, Agent]] = field(default_factory=list)
    level: int = 1
    loops: int = 0
    resolved_at: datetime | None = None
    merged_into: Incident | None = None
    conference_bridge: JsonObject | None = None
    escalate_at: datetime | None = None
    unacknowledge_at: datetime | None = None
    snoozed: bool = False
    alerts: list[Alert] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    log: list[LogEntry] = field(default_factory=list)
    responders: list[Responder] = field(default_factory=list)
    field_values: JsonObject = field(default_factory=dict)

    @property
    def open(self) -> bool:
        """Whether it is not resolved."""
        return self.status != "resolved"

    @property
    def teams(self) -> list[Team]:
        """The teams of its service and of its escalation policy."""
        return list(dict.fromkeys((*self.service.teams, *self.escalation_policy.teams)))


@dataclass(frozen=True, slots=True)
class IncidentType:
    """A type of incident."""

    id: str
    name: str
    display_name: str
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of incidents; `options` for the fixed kinds."""

    id: str
    name: str
    display_name: str
    data_type: str = "string"
    field_type: str = "single_value"
    options: tuple[str, ...] = ()
    description: str | None = None


@dataclass(slots=True, eq=False)
class Tag:
    """A label on users, teams or escalation policies; `uses` holds (entity type, id)."""

    id: str
    label: str
    uses: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class PagerEvent:
    """What webhooks tell.

    Args:
        data_type: `event.data.type`; for `incident` and `service` the data is the subject itself.
        data: members of other kinds of data; users and policies in it become references.
    """

    name: str
    agent: Agent | None
    subject: Incident | Service
    data_type: str = "incident"
    data: JsonObject = field(default_factory=dict)
