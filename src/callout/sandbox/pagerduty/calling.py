"""Whom an incident calls: levels of its policy, assignments, and escalation when nobody answers."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty import oncall
from callout.sandbox.pagerduty.errors import RefusedError
from callout.sandbox.pagerduty.history import write
from callout.sandbox.pagerduty.model import PagerEvent

if TYPE_CHECKING:
    from datetime import datetime

    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import Agent, EscalationPolicy, Incident, JsonObject, User


def facts(incident: Incident) -> JsonObject:
    """What the ledger tells of an incident."""
    return {
        "number": incident.number,
        "title": incident.title,
        "status": incident.status,
        "urgency": incident.urgency,
        "priority": incident.priority.name if incident.priority else None,
        "incident_key": incident.key,
        "alert_keys": [alert.key for alert in incident.alerts],
        "service": incident.service.id,
    }


def tell(account: Account, incident: Incident, agent: Agent, kind: str, *, said: str, event: str) -> None:
    """Write a log entry and publish an event of the incident itself."""
    write(account, incident, kind, agent, said=said)
    account.publish(PagerEvent(event, agent, incident))


def called(account: Account, policy: EscalationPolicy, level: int) -> list[User]:
    """Who is on call now.

    Raises:
        RefusedError: nobody is.
    """
    users = oncall.called(policy, level, account.now())
    if not users:
        raise RefusedError(1015)
    return users


def call_level(
    account: Account, incident: Incident, agent: Agent, *, policy: EscalationPolicy, level: int
) -> None:
    """Assign an incident to whoever is on call on a level of a policy.

    Raises:
        RefusedError: nobody is.
    """
    now = account.moment()
    users = called(account, policy, level)
    incident.escalation_policy, incident.level, incident.assigned_via = policy, level, "escalation_policy"
    incident.assignments = [(now, user) for user in users]
    log_assignment(account, incident, agent)
    plan_escalation(account, incident)


def log_assignment(account: Account, incident: Incident, agent: Agent) -> None:
    """Write down who is assigned now."""
    names = ", ".join(user.name for _, user in incident.assignments)
    write(
        account,
        incident,
        "assign",
        agent,
        said=f"Assigned to {names}",
        assignees=[user for _, user in incident.assignments],
    )


def escalate(account: Account, incident: Incident, agent: Agent, level: int) -> None:
    """Call another level of the policy the incident has."""
    call_level(account, incident, agent, policy=incident.escalation_policy, level=level)
    tell(account, incident, agent, "escalate", said=f"Escalated to level {level}", event="incident.escalated")


def plan_escalation(account: Account, incident: Incident) -> None:
    """Note when the next level is called, if there is one and nobody answers."""
    policy = incident.escalation_policy
    last = incident.level == len(policy.rules) and incident.loops >= policy.num_loops
    if incident.status != "triggered" or incident.assigned_via == "direct_assignment" or last:
        incident.escalate_at = None
        return
    when = account.moment() + timedelta(minutes=policy.rules[incident.level - 1].delay_minutes)
    incident.escalate_at = when
    account.at(when, partial(_escalate_if_due, account, incident, when))


def _escalate_if_due(account: Account, incident: Incident, when: datetime) -> None:
    if incident.escalate_at != when:
        return
    level = incident.level + 1
    if level > len(incident.escalation_policy.rules):
        level, incident.loops = 1, incident.loops + 1
    if oncall.called(incident.escalation_policy, level, account.now()):
        escalate(account, incident, incident.service, level)
        incident.updated_at = account.moment()
        account.record(
            "incident.update",
            incident.service,
            incident.id,
            {**facts(incident), "changed": ["escalation_level"]},
        )
    else:
        incident.escalate_at = None
