"""What happens to incidents: opened, changed, merged. Every change a person or a program asks for passes `change`."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, TypedDict

from callout.sandbox.pagerduty.calling import (
    call_level,
    called,
    escalate,
    facts,
    log_assignment,
    plan_escalation,
    tell,
)
from callout.sandbox.pagerduty.errors import ArgumentsError, RefusedError
from callout.sandbox.pagerduty.history import write
from callout.sandbox.pagerduty.model import Incident, PagerEvent
from callout.sandbox.pagerduty.states import DUPLICATE, acknowledge, reopen, resolve, unacknowledge

if TYPE_CHECKING:
    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import (
        Agent,
        EscalationPolicy,
        JsonObject,
        Priority,
        Service,
        User,
    )


class Draft(TypedDict, total=False):
    """What a new incident is made of; `title` and `service` are there."""

    title: str
    service: Service
    urgency: str
    priority: Priority | None
    incident_key: str
    details: str | None
    incident_type: str
    conference_bridge: JsonObject | None
    escalation_policy: EscalationPolicy
    assignments: list[User]


class Change(TypedDict, total=False):
    """What is to become of an incident; what is not in it stays."""

    title: str
    urgency: str
    priority: Priority | None
    incident_type: str
    conference_bridge: JsonObject | None
    service: Service
    escalation_policy: EscalationPolicy
    escalation_level: int
    assignments: list[User]
    status: str
    resolution: str


def trigger(
    account: Account, agent: Agent, draft: Draft, *, channel: JsonObject, alert: bool = False
) -> Incident:
    """Open an incident.

    Args:
        channel: by which it came, for its first log entry.
        alert: it comes with an alert, which carries the key.

    Raises:
        ArgumentsError: an open incident of the service has the key.
        RefusedError: nobody is on call.
    """
    service, now = draft["service"], account.moment()
    policy = draft.get("escalation_policy") or service.escalation_policy
    key = None if alert else draft.get("incident_key") or secrets.token_hex(16)
    if key is not None and account.open_incident_with(service, key) is not None:
        raise ArgumentsError(DUPLICATE)
    direct = draft.get("assignments")
    incident = Incident(
        id=account.new_id(),
        number=len(account.incidents) + 1,
        title=draft["title"],
        service=service,
        escalation_policy=policy,
        created_at=now,
        updated_at=now,
        status_changed_at=now,
        status_changed_by=agent,
        urgency=draft.get("urgency") or ("low" if service.urgency == "low" else "high"),
        key=key,
        details=draft.get("details"),
        priority=draft.get("priority"),
        incident_type=draft.get("incident_type", "incident_default"),
        conference_bridge=draft.get("conference_bridge"),
        assigned_via="direct_assignment" if direct else "escalation_policy",
    )
    incident.assignments = [(now, user) for user in direct or called(account, policy, 1)]
    account.incidents[incident.id] = incident
    account.hold_key(incident)
    service.last_incident_at = now
    said = "Triggered through the website" if channel["type"] == "website" else "Triggered through the API"
    write(
        account,
        incident,
        "trigger",
        agent,
        said=said,
        channel=channel,
        event_details={"description": incident.title},
    )
    log_assignment(account, incident, agent)
    plan_escalation(account, incident)
    account.record("incident.create", agent, incident.id, facts(incident))
    account.publish(PagerEvent("incident.triggered", agent, incident))
    return incident


def check(account: Account, incident: Incident, asked: Change, agent: Agent) -> None:
    """Whether the change can be made at all, so that of many either all or none are made.

    Raises:
        RefusedError: it cannot.
    """
    status = asked.get("status")
    if status == incident.status == "resolved":
        raise RefusedError(1001)
    if status == incident.status == "acknowledged" and agent in [who for _, who in incident.acknowledgements]:
        raise RefusedError(1002)
    moves = {"assignments", "escalation_policy", "escalation_level"} & set(asked)
    if moves and not incident.open and status not in {"triggered", "acknowledged"}:
        raise RefusedError(1001)
    policy = asked.get("escalation_policy", incident.escalation_policy)
    level = asked.get("escalation_level", 1)
    if not 1 <= level <= len(policy.rules):
        raise RefusedError(1006)
    if moves - {"assignments"}:
        called(account, policy, level)


def change(
    account: Account, incident: Incident, asked: Change, agent: Agent, *, channel: JsonObject | None = None
) -> None:
    """Change an incident and tell of it.

    Raises:
        RefusedError: as `check`; then nothing is changed.
    """
    check(account, incident, asked, agent)
    status = asked.get("status")
    _change_fields(account, incident, asked, agent)
    if not incident.open and status in {"triggered", "acknowledged"}:
        reopen(account, incident, agent)
    if "escalation_policy" in asked:
        policy, level = asked["escalation_policy"], asked.get("escalation_level", 1)
        call_level(account, incident, agent, policy=policy, level=level)
        said = f"Delegated to {policy.name}"
        tell(account, incident, agent, "delegate", said=said, event="incident.delegated")
    elif "escalation_level" in asked:
        escalate(account, incident, agent, asked["escalation_level"])
    if "assignments" in asked:
        now = account.moment()
        incident.assignments = [(now, user) for user in asked["assignments"]]
        incident.assigned_via, incident.escalate_at = "direct_assignment", None
        log_assignment(account, incident, agent)
        account.publish(PagerEvent("incident.reassigned", agent, incident))
    if status == "resolved":
        resolve(account, incident, agent, asked.get("resolution"), channel)
    elif status == "acknowledged":
        acknowledge(account, incident, agent, channel)
    elif status == "triggered" and incident.status == "acknowledged":
        unacknowledge(account, incident, agent)
    incident.updated_at = account.moment()
    account.record("incident.update", agent, incident.id, {**facts(incident), "changed": sorted(asked)})


def _change_fields(account: Account, incident: Incident, asked: Change, agent: Agent) -> None:
    if "title" in asked and asked["title"] != incident.title:
        # No webhook tells of a new title: none of the vendor's event types does.
        incident.title = asked["title"]
        write(
            account,
            incident,
            "field_value_change",
            agent,
            said="Title changed",
            changeset=[f"Updated title to {incident.title}"],
        )
    if "urgency" in asked and asked["urgency"] != incident.urgency:
        incident.urgency = asked["urgency"]
        write(account, incident, "urgency_change", agent, said=f"Urgency changed to {incident.urgency}")
    if "priority" in asked and asked["priority"] is not incident.priority:
        incident.priority = asked["priority"]
        name = incident.priority.name if incident.priority else "none"
        said = f"Priority changed to {name}"
        tell(account, incident, agent, "priority_change", said=said, event="incident.priority_updated")
    if "incident_type" in asked and asked["incident_type"] != incident.incident_type:
        incident.incident_type = asked["incident_type"]
        event = "incident.incident_type.changed"
        tell(account, incident, agent, "field_value_change", said="Incident type changed", event=event)
    if "conference_bridge" in asked and asked["conference_bridge"] != incident.conference_bridge:
        incident.conference_bridge = asked["conference_bridge"]
        write(account, incident, "field_value_change", agent, said="Conference bridge changed")
        bridge = incident.conference_bridge or {}
        data = {
            "conference_numbers": bridge.get("conference_number"),
            "conference_url": bridge.get("conference_url"),
        }
        account.publish(
            PagerEvent(
                "incident.conference_bridge.updated", agent, incident, "incident_conference_bridge", data
            )
        )
    if "service" in asked and asked["service"] is not incident.service:
        incident.service = asked["service"]
        account.hold_key(incident)
        event = "incident.service_updated"
        tell(account, incident, agent, "field_value_change", said="Service changed", event=event)


def merge(account: Account, target: Incident, sources: list[Incident], agent: Agent) -> None:
    """Move the alerts of `sources` into `target` and resolve them.

    Raises:
        RefusedError: one was merged before.
        ArgumentsError: the target is resolved or among the sources.
    """
    if not target.open or target in sources:
        # from memory: the words.
        raise ArgumentsError("Incidents can only be merged into another incident that is open")
    if any(source.merged_into is not None for source in sources):
        raise RefusedError(1019)
    for source in sources:
        moved, source.alerts = source.alerts, []
        for alert in moved:
            alert.incident = target
        target.alerts += moved
        source.merged_into = target
        if source.open:
            resolve(account, source, agent, None, None)
        source.updated_at = account.moment()
    if any(alert.status == "triggered" for alert in target.alerts):
        target.key = None
    target.updated_at = account.moment()
    write(account, target, "field_value_change", agent, said=f"{len(sources)} incidents merged")
    account.record(
        "incident.merge", agent, target.id, {**facts(target), "sources": [source.id for source in sources]}
    )
