"""The states of an incident: acknowledged, triggered again, resolved, reopened, snoozed."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from callout.sandbox.pagerduty.calling import call_level, facts, plan_escalation, tell
from callout.sandbox.pagerduty.errors import ArgumentsError, RefusedError
from callout.sandbox.pagerduty.history import AUTO, write
from callout.sandbox.pagerduty.model import PagerEvent

if TYPE_CHECKING:
    from datetime import datetime

    from callout.sandbox.pagerduty.account import Account
    from callout.sandbox.pagerduty.model import Agent, Alert, Incident, JsonObject

SNOOZE_SECONDS = range(1, 604_801)
DUPLICATE = "Open incident with matching dedup key already exists on this service"


def _set_status(account: Account, incident: Incident, agent: Agent, status: str) -> datetime:
    now = account.moment()
    incident.status, incident.status_changed_at, incident.status_changed_by = status, now, agent
    incident.unacknowledge_at, incident.snoozed = None, False
    if status != "acknowledged":
        incident.acknowledgements = []
    if status != "triggered":
        incident.escalate_at = None
    return now


def acknowledge(account: Account, incident: Incident, agent: Agent, channel: JsonObject | None) -> None:
    """Somebody works on it, until the service's timeout if it has one."""
    before = incident.acknowledgements
    now = _set_status(account, incident, agent, "acknowledged")
    incident.acknowledgements = [*before, (now, agent)]
    timeout = incident.service.acknowledgement_timeout
    if timeout:
        _plan_unacknowledge(account, incident, now + timedelta(seconds=timeout))
    write(account, incident, "acknowledge", agent, said=f"Acknowledged by {agent.name}", channel=channel)
    account.publish(PagerEvent("incident.acknowledged", agent, incident))


def unacknowledge(
    account: Account, incident: Incident, agent: Agent, channel: JsonObject | None = None
) -> None:
    """Nobody works on it any more: it calls again."""
    _set_status(account, incident, agent, "triggered")
    plan_escalation(account, incident)
    write(account, incident, "unacknowledge", agent, said="Unacknowledged", channel=channel)
    account.publish(PagerEvent("incident.unacknowledged", agent, incident))


def resolve(
    account: Account, incident: Incident, agent: Agent, resolution: str | None, channel: JsonObject | None
) -> None:
    """It is over, and so are its alerts."""
    incident.resolved_at = _set_status(account, incident, agent, "resolved")
    incident.assignments = []
    for alert in incident.alerts:
        resolve_alert(account, alert)
    more = {"note": resolution} if resolution else {}
    write(account, incident, "resolve", agent, said=f"Resolved by {agent.name}", channel=channel, **more)
    account.publish(PagerEvent("incident.resolved", agent, incident))


def resolve_alert(account: Account, alert: Alert) -> None:
    """Resolve an alert that is not resolved yet; its incident stays as it is."""
    if alert.status != "resolved":
        alert.status, alert.resolved_at = "resolved", account.moment()


def reopen(account: Account, incident: Incident, agent: Agent) -> None:
    """It was not over: the policy begins again.

    Raises:
        ArgumentsError: another open incident of the service has its key by now.
    """
    if incident.key is not None and account.open_incident_with(incident.service, incident.key) is not None:
        # from memory: that a key taken again in the meantime keeps an incident from being reopened.
        raise ArgumentsError(DUPLICATE)
    _set_status(account, incident, agent, "triggered")
    incident.resolved_at, incident.merged_into = None, None
    account.hold_key(incident)
    call_level(account, incident, agent, policy=incident.escalation_policy, level=1)
    tell(account, incident, agent, "reopen", said=f"Reopened by {agent.name}", event="incident.reopened")


def snooze(account: Account, incident: Incident, seconds: int, agent: Agent) -> None:
    """Keep an incident acknowledged for a while, then trigger it again.

    Raises:
        RefusedError: it is resolved, or the time is out of range.
    """
    if seconds not in SNOOZE_SECONDS:
        raise RefusedError(1013)
    if not incident.open:
        raise RefusedError(1001)
    # from memory: that snoozing acknowledges an incident nobody had acknowledged.
    if incident.status == "triggered":
        acknowledge(account, incident, agent, None)
    incident.snoozed = True
    _plan_unacknowledge(account, incident, account.moment() + timedelta(seconds=seconds))
    incident.updated_at = account.moment()
    write(
        account,
        incident,
        "snooze",
        agent,
        said=f"Snoozed by {agent.name}",
        channel={"type": "website", "duration": seconds},
    )
    account.record("incident.update", agent, incident.id, {**facts(incident), "changed": ["snooze"]})


def _plan_unacknowledge(account: Account, incident: Incident, when: datetime) -> None:
    incident.unacknowledge_at = when
    account.at(when, partial(_unacknowledge_if_due, account, incident, when))


def _unacknowledge_if_due(account: Account, incident: Incident, when: datetime) -> None:
    if incident.unacknowledge_at != when or incident.status != "acknowledged":
        return
    unacknowledge(account, incident, incident.service, AUTO)
    incident.updated_at = account.moment()
    account.record(
        "incident.update", incident.service, incident.id, {**facts(incident), "changed": ["status"]}
    )
