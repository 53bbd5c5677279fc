"""What a person can ask for in chat, as frozen values. Who asks, and whether they may, is decided elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callout.ports.values import Audience, Severity, Status


@dataclass(frozen=True, slots=True)
class Declare:
    """Declare an incident. Without a severity the service's default applies."""

    title: str
    severity: Severity | None = None
    service: str = ""
    team: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Act:
    """Make a move of the lifecycle. `incident` is empty where the channel says which; `comment` becomes a note."""

    action: str
    incident: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """Change fields."""

    incident: str
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AddNote:
    """Write something down."""

    text: str
    incident: str = ""
    audience: Audience = Audience.RESPONDERS


@dataclass(frozen=True, slots=True)
class Show:
    """Show how an incident stands; without one, in no incident's channel, what is open."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class ShowTickets:
    """Show how an incident's tickets stand; without one, in no incident's channel, the conflicts of all."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class ListIncidents:
    """List incidents, newest first."""

    statuses: tuple[Status, ...] = (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED)
    severities: tuple[Severity, ...] = ()
    service: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True)
class Help:
    """Explain the commands, or one of them."""

    topic: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Not understood: what is wrong, and what was probably meant."""

    problem: str
    suggestions: tuple[str, ...] = field(default=())


Command = Declare | Act | Change | AddNote | Show | ShowTickets | ListIncidents | Help | Unclear
