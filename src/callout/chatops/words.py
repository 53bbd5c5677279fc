"""What Callout says in chat: Markdown, with users' words made harmless. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from callout.chatops.cards import headline, tone_of
from callout.incidents import Incident
from callout.ports.errors import CalloutError
from callout.ports.values import ActorKind, Origin, Person

VALUE_LIMIT: Final = 200
NOTE_LIMIT: Final = 1500
LIST_LIMIT: Final = 15

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()<>#+!|~&-])")
_LABELS: Final[Mapping[str, str]] = {
    "status": "Status",
    "severity": "Severity",
    "title": "Title",
    "service": "Service",
    "team": "Team",
    "commander": "Commander",
    "assignee": "Assignee",
    "tags": "Tags",
    "description": "Description",
}
_PEOPLE: Final = frozenset({"commander", "assignee"})
TOLD_FIELDS: Final = frozenset(_LABELS)
"""Fields whose changes are told."""
_DONE: Final[Mapping[str, str]] = {
    "acknowledge": "is acknowledged",
    "mitigate": "is mitigated",
    "resolve": "is resolved",
    "close": "is closed",
    "reopen": "is open again",
}


def literal(text: str) -> str:
    """Return users' words as Markdown that shows them as they are, on one line."""
    return _MARKDOWN.sub(r"\\\1", " ".join(text.split()))


def called(person: Person) -> str:
    """Return what a person is called; of a chat user whose name is not known yet, the platform's own id alone."""
    return person.name or person.email or person.id.rpartition("/")[2]


def cut(text: str, limit: int) -> str:
    """Return `text` with an ellipsis for what does not fit."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def declared(incident: Incident) -> str:
    """Return the answer to a declaration."""
    return f"Declared **{incident.severity} {incident.key}** {literal(incident.title)}"


def acted(incident: Incident, action: str) -> str:
    """Return the answer to a move of the lifecycle."""
    return f"**{incident.key}** {_DONE[action]}."


def changed(incident: Incident, names: Sequence[str]) -> str:
    """Return the answer to a change of fields."""
    what = ", ".join(_LABELS[name].lower() for name in names if name in _LABELS)
    to = f" to {incident.severity}" if tuple(names) == ("severity",) else ""
    return f"**{incident.key}**: {what} changed{to}."


def listed(incidents: Sequence[Incident], *, more: bool) -> str:
    """Return incidents as a list, one line each."""
    if not incidents:
        return "No such incidents."
    lines = [
        f"- {tone_of(incident.severity, incident.status)[1]} {literal(headline(incident))} ({incident.status.value})"
        for incident in incidents
    ]
    if more:
        lines += ["", "There are more: narrow the list by status, severity or service."]
    return "\n".join(lines)


def refused(error: CalloutError) -> str:
    """Return an error in words: what happened, and what to do next."""
    sentences = [error.message[:1].upper() + error.message[1:], error.remediation]
    return " ".join(f"{literal(text).rstrip('.')}." for text in sentences if text)


def unclear(problem: str, suggestions: Sequence[str]) -> str:
    """Return what was not understood, with what was probably meant."""
    lines = [literal(problem)]
    if suggestions:
        lines += ["", "Did you mean:" if len(suggestions) > 1 else "For example:"]
        lines += ["", *(f"- `{text}`" for text in suggestions)]
    return "\n".join(lines)


def update_lines(changes: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return one line per field that changed and is of interest."""
    return [
        f"**{label}**: {_change(name, changes[name])}" for name, label in _LABELS.items() if name in changes
    ]


def update_text(changes: Mapping[str, Mapping[str, Any]], origin: Origin) -> str:
    """Return the thread's line for a change of an incident; empty when nothing of interest changed."""
    lines = update_lines(changes)
    return "\n".join([*lines, _by(origin)]) if lines else ""


def note_update(text: str, author: str, origin: Origin) -> str:
    """Return the thread's message for a note; the note's own Markdown is kept."""
    return f"**Note** by {literal(author or who(origin))}\n\n{cut(text, NOTE_LIMIT)}"


def role_update(data: Mapping[str, Any], origin: Origin) -> str:
    """Return the thread's line for a role that somebody took or lost."""
    name = literal(str(data.get("role") or "").capitalize())
    before, after = _value(data.get("before")), _value(data.get("after")) or "nobody"
    return f"**{name}**: {f'{before} → {after}' if before else after}\n{_by(origin)}"


def joined_update(data: Mapping[str, Any], *, left: bool) -> str:
    """Return the thread's line for somebody who takes part, or does no longer."""
    return f"**{_value(data.get('person')) or 'Somebody'}** {'left' if left else 'joined'}"


def task_update(verb: str, data: Mapping[str, Any], origin: Origin) -> str:
    """Return the thread's line for a task; `verb` says what became of it."""
    task: Mapping[str, Any] = data.get("task") or {}
    parts = [f"**Task {task.get('number', '')} {verb}**: {_value(task.get('title'))}"]
    if task.get("assignee"):
        parts.append(f"for {_value(task['assignee'])}")
    if task.get("due") and not task.get("done"):
        parts.append(f"by {literal(str(task['due'])[:16].replace('T', ' '))} UTC")
    return f"{', '.join(parts)}\n{_by(origin)}"


def _change(name: str, change: Mapping[str, Any]) -> str:
    if name == "description":  # the card shows it; both texts at length would drown the thread
        return "changed"
    before, after = _value(change.get("before")), _value(change.get("after"))
    if not before:
        return after or "removed"
    return f"{before} → {after or ('nobody' if name in _PEOPLE else 'none')}"


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return literal(str(value.get("name") or value.get("email") or value.get("id") or ""))
    if isinstance(value, list):
        return literal(cut(", ".join(str(item) for item in value), VALUE_LIMIT))
    return "" if value is None else literal(cut(str(value), VALUE_LIMIT))


def who(origin: Origin) -> str:
    """Return who did it, in a word."""
    return origin.actor.name or ("Callout" if origin.actor.kind is ActorKind.SYSTEM else "somebody")


def _by(origin: Origin) -> str:
    return f"by {literal(who(origin))}"
