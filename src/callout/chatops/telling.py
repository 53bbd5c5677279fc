"""Lines of the timeline for chat: Markdown, with what is only of interest to machines left out. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from callout.chatops.words import VALUE_LIMIT, cut, literal, update_lines, who
from callout.incidents import TimelineEntry, wording

Data = Mapping[str, Any]

TOLD: Final = frozenset(
    {
        "declared",
        "noted",
        "corrected",
        "attached",
        "role_changed",
        "joined",
        "left",
        "task_added",
        "task_changed",
        "task_done",
        "task_reopened",
        "message_edited",
        "message_deleted",
        "chat_file_deleted",
        "ticket_linked",
        "ticket_attached",
        "ticket_wanted",
        "ticket_detached",
        "ticket_fields_given",
        "sync_conflict",
        "sync_conflict_resolved",
        "sync_unread",
        "escalated",
        "paged",
        "page_told",
        "page_failed",
    }
)
"""Kinds of lines that are told as they are worded everywhere."""


def _said(data: Data) -> str:
    link = str(data.get("permalink") or "")
    text = _worded("message_added", data)
    return f"{text} ([message]({link}))" if link and ")" not in link else text


def _worded(kind: str, data: Data) -> str:
    return literal(cut(wording.said(kind, data), VALUE_LIMIT))


_MARKED_UP: Final[Mapping[str, Callable[[Data], str]]] = {
    "changed": lambda data: ", ".join(update_lines(data.get("changes", {}))),
    "message_added": _said,
}


def _told(entry: TimelineEntry) -> str:
    if entry.kind in _MARKED_UP:
        return _MARKED_UP[entry.kind](entry.data)
    return _worded(entry.kind, entry.data) if entry.kind in TOLD else ""


def line_of(entry: TimelineEntry, *, key: str = "") -> str:
    """Return a line in words: when, who, what (with the incident's `key` where it is given); empty for what is not told."""
    told = _told(entry)
    if not told:
        return ""
    about = f"**{key}** " if key else ""
    return f"{entry.at:%b %d %H:%M} {about}{literal(who(entry.origin))}: {told}"
