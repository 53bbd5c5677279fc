"""What a person can ask for in chat, as frozen values. Who asks, and whether they may, is decided elsewhere.

`incident` is a key such as `INC-7`, empty where the channel says which. `person` is as it was typed: `@bob`, `<@U012ABC|ann>`, an e-mail
address, `me`; see :mod:`callout.chatops.people`. `period` is up to now: `15m`, `2h`, `7d`, `today`, `yesterday`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from callout.ports.values import Audience, Severity, Status

ACTIVE = (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED)


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
    """Make a move of the lifecycle; `comment` becomes a note."""

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
class Escalate:
    """Have the next people called by an escalation policy, or by name; `text` is why."""

    incident: str = ""
    text: str = ""
    policy: str = ""
    person: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Have somebody called at once: a `person`, or whoever is on call for a `service` or `team`; `text` is why."""

    person: str = ""
    incident: str = ""
    text: str = ""
    service: str = ""
    team: str = ""


@dataclass(frozen=True, slots=True)
class Assign:
    """Say who works on it; an empty person: nobody."""

    person: str
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Join:
    """Take part."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class Invite:
    """Have others take part: people, and groups of them."""

    people: tuple[str, ...]
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Leave:
    """Take part no longer."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class SetRole:
    """Give a role to a person; an empty person: to nobody."""

    role: str
    person: str
    incident: str = ""


@dataclass(frozen=True, slots=True)
class AddTask:
    """Write down something to be done, for a person, by a time (`2h`, `14:30`, `2026-01-31T12:00Z`)."""

    text: str
    incident: str = ""
    person: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True)
class ChangeTask:
    """Change what a task says, who does it or by when; what is empty stays as it is."""

    number: int
    incident: str = ""
    text: str = ""
    person: str = ""
    due: str = ""


@dataclass(frozen=True, slots=True)
class FinishTask:
    """Say that a task is done, or that it is not after all: by its number, or by words of its text where that is 0."""

    number: int = 0
    incident: str = ""
    done: bool = True
    text: str = ""


@dataclass(frozen=True, slots=True)
class ListTasks:
    """Show the tasks of an incident."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class LinkTicket:
    """Link a ticket that exists, by its key, number or address; `prefer` says whose values hold: incident, ticket, ask."""

    ticket: str
    incident: str = ""
    integration: str = ""
    prefer: str = "ask"


@dataclass(frozen=True, slots=True)
class MakeTicket:
    """Have a ticket made in an integration."""

    integration: str = ""
    incident: str = ""


@dataclass(frozen=True, slots=True)
class Show:
    """Show how an incident stands; without one, in no incident's channel, what is open."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class ShowTickets:
    """Show how an incident's tickets stand; without one, in no incident's channel, the conflicts of all."""

    incident: str = ""


@dataclass(frozen=True, slots=True)
class ShowTimeline:
    """Show what happened in an incident, the newest part of it, or since a period."""

    incident: str = ""
    period: str = ""


@dataclass(frozen=True, slots=True)
class ShowChanges:
    """Show what changed since a period: in one incident, or in all."""

    period: str = "1h"
    incident: str = ""


@dataclass(frozen=True, slots=True)
class ShowPeople:
    """Show who is on an incident, or who has one role there."""

    incident: str = ""
    role: str = ""


@dataclass(frozen=True, slots=True)
class Explain:
    """Tell why a field has its value."""

    field: str
    incident: str = ""


@dataclass(frozen=True, slots=True)
class ListIncidents:
    """List incidents, newest first: of the one who asks where `mine`, those declared since a period."""

    statuses: tuple[Status, ...] = ACTIVE
    severities: tuple[Severity, ...] = ()
    service: str = ""
    team: str = ""
    mine: bool = False
    period: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """Say who one is, by the code that a signed-in member was given; without a code, how to come by one."""

    code: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Help:
    """Explain the commands, or one of them."""

    topic: str = ""


@dataclass(frozen=True, slots=True)
class Unclear:
    """Not understood: what is wrong, and what was probably meant."""

    problem: str
    suggestions: tuple[str, ...] = field(default=())


Command = (
    Declare
    | Act
    | Change
    | AddNote
    | Escalate
    | Page
    | Assign
    | Join
    | Invite
    | Leave
    | SetRole
    | AddTask
    | ChangeTask
    | FinishTask
    | ListTasks
    | LinkTicket
    | MakeTicket
    | Show
    | ShowTickets
    | ShowTimeline
    | ShowChanges
    | ShowPeople
    | Explain
    | ListIncidents
    | Login
    | Help
    | Unclear
)
