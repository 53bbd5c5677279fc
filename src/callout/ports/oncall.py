"""The values of on-call and paging: who is called, in which order, and how the vendor is asked to tell us of changes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from callout.kit.secrets import Secret

ActorType = Literal["user", "schedule", "team"]


@dataclass(frozen=True, slots=True)
class EscalationActor:
    """Whom a step calls: a user with what is known of them, or a schedule or team by id and name. `url` is where people open it."""

    kind: ActorType
    id: str
    name: str = ""
    email: str = ""
    time_zone: str = ""
    job_title: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class EscalationRule:
    """One step of a policy: whom it calls, and after which delay the next step follows."""

    id: str
    delay: timedelta
    actors: tuple[EscalationActor, ...] = ()


@dataclass(frozen=True, slots=True)
class EscalationPolicy:
    """Who is called for an incident, step by step; `teams` own it."""

    id: str
    name: str
    rules: tuple[EscalationRule, ...] = ()
    description: str = ""
    unmapped: Mapping[str, Any] = field(default_factory=dict)
    url: str = ""
    teams: tuple[EscalationActor, ...] = ()


@dataclass(frozen=True, slots=True)
class OnCall:
    """Somebody on call now for a policy, on a level (1 is called first); without times: for good."""

    policy_id: str
    level: int
    user: EscalationActor
    schedule: str = ""
    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class WebhookSubscription:
    """A vendor's promise to call us.

    `secret` is told at its creation only and has to be stored then; `healed` says that the vendor had stopped calling and was made
    to go on: what it threw away meanwhile has to be polled.
    """

    id: str
    url: str
    active: bool = True
    created: bool = False
    healed: bool = False
    secret: Secret | None = None
    events: tuple[str, ...] = ()
    name: str = ""
    creator: str = ""
    created_at: datetime | None = None
