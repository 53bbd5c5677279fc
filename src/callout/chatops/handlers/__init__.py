"""One table: what a person may ask for → who carries it out, and the permission it needs. A new command is one line here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callout.chatops.commands import (
    Act,
    AddNote,
    AddTask,
    Assign,
    Change,
    ChangeTask,
    Command,
    Declare,
    Escalate,
    Explain,
    FinishTask,
    Help,
    Invite,
    Join,
    Leave,
    LinkTicket,
    ListIncidents,
    ListTasks,
    Login,
    MakeTicket,
    Page,
    SetRole,
    Show,
    ShowChanges,
    ShowPeople,
    ShowTickets,
    ShowTimeline,
    Unclear,
)
from callout.chatops.handlers import calling, lifecycle, looking, people, tasks, tickets
from callout.chatops.handlers.asked import Asked
from callout.chatops.readable import with_names
from callout.ports.chat import Answer


@dataclass(frozen=True, slots=True)
class Handler:
    """Who carries a command out; `needs` is the permission of the one who asks, empty where everybody may.

    One that `only_tells` writes nothing, so nobody has to remember that it was asked.
    """

    run: Callable[[Asked, Any], Awaitable[Answer]]
    needs: str = "incident.write"
    only_tells: bool = False


HANDLERS: Final[Mapping[type[Command], Handler]] = {
    Declare: Handler(lifecycle.declare),
    Act: Handler(lifecycle.act),
    Change: Handler(lifecycle.change),
    AddNote: Handler(lifecycle.note, "incident.note"),
    Assign: Handler(people.assign),
    Join: Handler(people.join),
    Invite: Handler(people.invite),
    Leave: Handler(people.leave),
    SetRole: Handler(people.role),
    ShowPeople: Handler(people.who, "incident.read", only_tells=True),
    Login: Handler(people.login, ""),
    Escalate: Handler(calling.escalate),
    Page: Handler(calling.page),
    AddTask: Handler(tasks.add),
    ChangeTask: Handler(tasks.change),
    FinishTask: Handler(tasks.finish),
    ListTasks: Handler(tasks.show, "incident.read", only_tells=True),
    LinkTicket: Handler(tickets.link, "link.write"),
    MakeTicket: Handler(tickets.make, "link.write"),
    ShowTickets: Handler(tickets.show, "link.read", only_tells=True),
    Explain: Handler(tickets.explain, "link.read", only_tells=True),
    Show: Handler(looking.show, "incident.read", only_tells=True),
    ListIncidents: Handler(looking.listing, "incident.read", only_tells=True),
    ShowTimeline: Handler(looking.timeline, "incident.read", only_tells=True),
    ShowChanges: Handler(looking.changes, "incident.read", only_tells=True),
    Help: Handler(looking.help_, "", only_tells=True),
    Unclear: Handler(looking.unclear, "", only_tells=True),
}


async def carry_out(asked: Asked, command: Command) -> Answer:
    """Carry a command out if the speaker may. Raises ForbiddenError, and what the services raise."""
    handler = HANDLERS[type(command)]
    asked.speaker.require(handler.needs)
    team = asked.speaker.identity.team
    return await handler.run(asked, await with_names(asked.context, asked.tx, asked.workspace, team, command))


__all__ = ["HANDLERS", "Asked", "Handler", "carry_out"]
