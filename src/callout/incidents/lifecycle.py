"""The life of an incident: which move is legal from where. Pure.

open ──acknowledge──▶ acknowledged ──mitigate──▶ mitigated ──resolve──▶ resolved ──close──▶ closed
  └──────────── each later step may also be taken directly, up to resolve ────────────┘
reopen leads from mitigated, resolved and closed back to open.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from callout.incidents.model import Incident
from callout.ports.errors import IllegalTransitionError
from callout.ports.values import Status

ACTIONS: Mapping[str, tuple[frozenset[Status], Status]] = {
    "acknowledge": (frozenset({Status.OPEN}), Status.ACKNOWLEDGED),
    "mitigate": (frozenset({Status.OPEN, Status.ACKNOWLEDGED}), Status.MITIGATED),
    "resolve": (frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED}), Status.RESOLVED),
    "close": (frozenset({Status.RESOLVED}), Status.CLOSED),
    "reopen": (frozenset({Status.MITIGATED, Status.RESOLVED, Status.CLOSED}), Status.OPEN),
}
"""Action → (from which statuses, to which)."""

_STAMPS = {
    Status.ACKNOWLEDGED: "acknowledged_at",
    Status.MITIGATED: "mitigated_at",
    Status.RESOLVED: "resolved_at",
    Status.CLOSED: "closed_at",
}


def legal_actions(status: Status) -> tuple[str, ...]:
    """Return the actions that an incident in `status` can take."""
    return tuple(name for name, (sources, _) in ACTIONS.items() if status in sources)


def perform(incident: Incident, action: str, now: datetime) -> Incident:
    """Return `incident` after `action`. Raises IllegalTransitionError that names the move and what is possible instead."""
    if action not in ACTIONS:
        raise IllegalTransitionError(
            f"{action!r} is not something an incident can do",
            remediation=f"Use one of: {', '.join(ACTIONS)}.",
        )
    sources, target = ACTIONS[action]
    if incident.status not in sources:
        possible = ", ".join(legal_actions(incident.status)) or "nothing"
        raise IllegalTransitionError(
            f"{incident.key} is {incident.status.value}: it cannot {action}",
            remediation=f"From {incident.status.value} it can: {possible}.",
        )
    changes: dict[str, object] = {"status": target}
    if target is Status.OPEN:
        changes |= dict.fromkeys(_STAMPS.values())
    else:
        changes[_STAMPS[target]] = now
    return replace(incident, **changes)  # type: ignore[arg-type]


def path(start: Status, target: Status) -> tuple[str, ...]:
    """Return the shortest sequence of actions from `start` to `target`; every status can reach every other."""
    if start is target:
        return ()
    queue: deque[tuple[Status, tuple[str, ...]]] = deque([(start, ())])
    seen = {start}
    while queue:
        status, actions = queue.popleft()
        if status is target:
            return actions
        for action in legal_actions(status):
            reached = ACTIONS[action][1]
            if reached not in seen:
                seen.add(reached)
                queue.append((reached, (*actions, action)))
    raise IllegalTransitionError(f"no way leads from {start.value} to {target.value}")
