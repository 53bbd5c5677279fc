"""From what was meant in plain words to the command that the slash grammar makes too: one set of commands, one dispatch. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final

from callout.chatops import grammar
from callout.chatops.commands import (
    ACTIVE,
    Act,
    AddNote,
    AddTask,
    Assign,
    Change,
    Command,
    Declare,
    Escalate,
    Explain,
    FinishTask,
    Help,
    Join,
    Leave,
    LinkTicket,
    ListIncidents,
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
from callout.chatops.intent import COMMANDS, Ask, Hearing, Intent, understand
from callout.chatops.offering import offered
from callout.ports.values import Audience, Severity, Status

_ALL: Final = tuple(Status)
CHATTER: Final = Unclear("")
"""Chatter is not answered."""
FOREIGN: Final = Unclear(
    "I read English, and did nothing. What you write in notes and titles may be in any language.", ("help",)
)
LETTERS: Final = 200
"""So many letters tell in which script somebody writes."""
_MARKUP: Final = re.compile(r"<[^<>]*>|:[a-z0-9_+-]+:")


def command_said(text: str, hearing: Hearing) -> Command:
    """Return the command that is meant by a mention; :class:`Unclear` where it is not clear, without words for chatter.

    What is written as a command that plain words do not have (`login`), or with `--flags`, is read by the grammar.
    """
    first = text.split(maxsplit=1)[0].lower() if text.strip() else ""
    verb = grammar.BY_WORD.get(first)
    if verb is not None and (verb.name not in COMMANDS or " --" in text):
        return grammar.parse(text).command
    meaning = understand(text, hearing)
    if isinstance(meaning, Intent):
        return command_of(meaning)
    if isinstance(meaning, Ask):
        return Unclear(meaning.why, tuple(dict.fromkeys(offered(intent) for intent in meaning.candidates)))
    return FOREIGN if _is_foreign(text) else CHATTER


def _is_foreign(text: str) -> bool:
    """Return whether most letters are of another script than the one we read."""
    letters = [one for one in _MARKUP.sub("", text) if one.isalpha()]
    other = sum(not unicodedata.name(one, "").startswith("LATIN") for one in letters[:LETTERS])
    return len(letters) > 1 and 2 * other > len(letters[:LETTERS])


def command_of(intent: Intent) -> Command:
    """Return an intent as a command."""
    make = _MAKERS.get(intent.command)
    if make is None:
        return Unclear(f"I understood “{intent.command}”, which does not work here yet.")
    return make(intent.slots)


def _severity(slots: Mapping[str, Any]) -> Severity | None:
    given = slots.get("severity")
    return None if given is None else Severity.parse(given)


def _declare(slots: Mapping[str, Any]) -> Command:
    return Declare(slots["title"], _severity(slots), slots.get("service", ""))


def _move(action: str) -> Callable[[Mapping[str, Any]], Command]:
    def make(slots: Mapping[str, Any]) -> Command:
        return Act(action, slots.get("incident", ""), slots.get("text", ""))

    return make


def _change(name: str) -> Callable[[Mapping[str, Any]], Command]:
    def make(slots: Mapping[str, Any]) -> Command:
        value = _severity(slots) if name == "severity" else slots[name]
        return Change(slots.get("incident", ""), {name: value})

    return make


def _escalate(slots: Mapping[str, Any]) -> Command:
    if "people" in slots or "service" in slots:
        return Unclear("I escalate to one person at a time, or to the next level.", ("escalate",))
    return Escalate(slots.get("incident", ""), slots.get("text", ""), person=slots.get("person", ""))


def _page(slots: Mapping[str, Any]) -> Command:
    if "people" in slots:
        return Unclear("I page one person at a time.", ("page",))
    return Page(
        slots.get("person", ""),
        slots.get("incident", ""),
        slots.get("text", ""),
        service=slots.get("service", ""),
    )


def _note(slots: Mapping[str, Any]) -> Command:
    audience = Audience(slots["audience"]) if "audience" in slots else Audience.RESPONDERS
    return AddNote(slots["text"], slots.get("incident", ""), audience)


def _link(slots: Mapping[str, Any]) -> Command:
    incident, integration = slots.get("incident", ""), slots.get("integration", "")
    if "ticket" in slots:
        return LinkTicket(slots["ticket"], incident, integration)
    return MakeTicket(integration, incident)


_STATUSES: Final[Mapping[str, tuple[Status, ...]]] = {
    "unacknowledged": (Status.OPEN,),
    **{status.value: (status,) for status in Status},
}


def _task(slots: Mapping[str, Any]) -> Command:
    incident = slots.get("incident", "")
    for name, done in (("done", True), ("undone", False)):
        if named := slots.get(name, ""):
            is_number = named.isascii() and named.isdecimal()
            return FinishTask(int(named) if is_number else 0, incident, done, "" if is_number else named)
    return AddTask(slots["text"], incident, slots.get("person", ""))


def _list(slots: Mapping[str, Any]) -> Command:
    filters = slots.get("filters", {})
    severity = _severity(filters)
    statuses = _STATUSES.get(filters.get("status", ""), ())
    command = ListIncidents(
        statuses or ACTIVE,
        severities=() if severity is None else (severity,),
        service=filters.get("service", ""),
        mine=bool(filters.get("mine")),
        period=filters.get("period", ""),
    )
    if (
        "period" in filters and "open" not in filters and not statuses
    ):  # `incidents of the last week` are those that are over too
        return ListIncidents(
            _ALL, command.severities, command.service, mine=command.mine, period=command.period
        )
    return command


def _who(slots: Mapping[str, Any]) -> Command:
    if "service" in slots:
        return Unclear(
            "Who is on call for a service is not told here yet; who is on an incident is.", ("who",)
        )
    return ShowPeople(slots.get("incident", ""), slots.get("role", ""))


def _changes(slots: Mapping[str, Any]) -> Command:
    if "service" in slots:
        return Unclear(
            "What changed is told of one incident or of all, not of one service yet.", ("changes",)
        )
    incident = slots.get("incident", "")
    return ShowChanges(slots["period"], incident) if "period" in slots else ShowChanges(incident=incident)


_MAKERS: Final[Mapping[str, Callable[[Mapping[str, Any]], Command]]] = {
    "declare": _declare,
    "ack": _move("acknowledge"),
    "mitigate": _move("mitigate"),
    "resolve": _move("resolve"),
    "close": _move("close"),
    "reopen": _move("reopen"),
    "escalate": _escalate,
    "assign": lambda slots: Assign(slots["person"], slots.get("incident", "")),
    "note": _note,
    "join": lambda slots: Join(slots.get("incident", "")),
    "leave": lambda slots: Leave(slots.get("incident", "")),
    "severity": _change("severity"),
    "title": _change("title"),
    "role": lambda slots: SetRole(slots["role"], slots["person"], slots.get("incident", "")),
    "task": _task,
    "link": _link,
    "page": _page,
    "status": lambda slots: Show(slots.get("incident", "")),
    "list": _list,
    "sync": lambda slots: ShowTickets(slots.get("incident", "")),
    "why": lambda slots: Explain(slots["field"], slots.get("incident", "")),
    "help": lambda slots: Help(slots.get("topic", "")),
    "who": _who,
    "changes": _changes,
    "timeline": lambda slots: ShowTimeline(slots.get("incident", ""), slots.get("period", "")),
}
