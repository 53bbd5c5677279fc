"""Lines of the timeline in words: what a line of each kind says to people, in plain text. Pure.

One wording for the pages, the command line and chat, which marks it up in its own way. `KINDS` are all kinds there are; a line of a kind
that is not known (of a later version, after a step back) is told by its name and facts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from callout.ports.values import Person

Data = Mapping[str, Any]
Say = Callable[[Data], str]


def value_in_words(value: object) -> str:
    """Return a field's value as people read it."""
    if value is None or value in ("", [], ()):
        return "nothing"
    if isinstance(value, Person):
        return value.name or value.email or value.id
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("email") or value.get("id") or "nobody")
    if isinstance(value, list | tuple):
        return ", ".join(value_in_words(one) for one in value)
    return str(value)


def said(kind: str, data: Data) -> str:
    """Return what a line says."""
    say = _WORDS.get(kind)
    return _otherwise(kind, data) if say is None else say(data)


def _field(data: Data) -> str:
    return str(data.get("field") or "field").replace("_", " ")


def _where(data: Data) -> str:
    """Return `TST-1 in jira`, as far as the line tells."""
    ticket, integration = str(data.get("ticket") or ""), str(data.get("integration") or "")
    if ticket and integration:
        return f"{ticket} in {integration}"
    return ticket or integration or "its ticket"


def _reason(data: Data, *names: str, before: str = ": ") -> str:
    """Return the reasons and next steps that a line tells, as sentences after what happened."""
    parts = [str(data[name]).strip() for name in names if data.get(name)]
    ended = [part if part.endswith((".", "!", "?")) else f"{part}." for part in parts[:-1]]
    return before + " ".join([*ended, *parts[-1:]]) if parts else ""


def _changes(data: Data) -> str:
    changes = data.get("changes")
    told = [
        f"{name.replace('_', ' ')}: {value_in_words(change.get('before'))} → {value_in_words(change.get('after'))}"
        for name, change in (changes.items() if isinstance(changes, Mapping) else ())
        if isinstance(change, Mapping)
    ]
    return ", ".join(told)


def _declared(data: Data) -> str:
    return f"declared {data.get('severity', '')} “{data.get('title', '')}”".replace("  ", " ")


def _person(words: str) -> Say:
    return lambda data: f"{value_in_words(data.get('person'))} {words}"


def _text(words: str) -> Say:
    return lambda data: f"{words}: {data.get('text', '')}"


def _message(data: Data) -> str:
    author = data.get("author")
    return (
        f"{value_in_words(author)} said: {data.get('text', '')}"
        if author
        else f"said: {data.get('text', '')}"
    )


def _role(data: Data) -> str:
    role = str(data.get("role") or "role").replace("_", " ")
    before, after = data.get("before"), data.get("after")
    name = value_in_words(after) if after else "nobody"
    return f"{role}: {value_in_words(before)} → {name}" if before else f"{role}: {name}"


def _task(word: str) -> Say:
    def say(data: Data) -> str:
        what = _changes(data)
        return f"{word} task {data.get('number', '')}: {data.get('title', '')}{f' ({what})' if what else ''}"

    return say


def _file(words: str) -> Say:
    return lambda data: (
        f"{data.get('name') or 'a file'} {words.format(where=_where(data))}{_reason(data, 'why', 'remediation')}"
    )


def _named(data: Data) -> str:
    name = str(data.get("name") or "")
    return f"{f'#{name}' if name else 'the channel'} in {data.get('integration') or 'chat'}"


def _channel(words: str) -> Say:
    return lambda data: f"{words.format(channel=_named(data))}{_reason(data, 'error')}"


_PURPOSES: Final = {"card": "the incident's card", "update": "an update", "file": "a file"}


def _posted(words: str) -> Say:
    def say(data: Data) -> str:
        what = _PURPOSES.get(str(data.get("purpose") or ""), "a message")
        place = f" to {data['place']}" if data.get("place") else ""
        return f"{what}{place} in {data.get('integration') or 'chat'} {words}{_reason(data, 'error')}"

    return say


def _called(opening: str) -> Say:
    def say(data: Data) -> str:
        pages = data.get("pages")
        names = [str(one.get("who", "")) for one in pages or () if isinstance(one, Mapping)]
        first = opening.format(policy=data.get("policy", ""), step=data.get("step", ""))
        late = f", {data['late_seconds']} s late" if data.get("late_seconds") else ""
        why = f" ({data['reason']})" if data.get("reason") else ""
        return f"{first}{': ' if names else ''}{', '.join(names)}{late}{why}"

    return say


def _page(words: str) -> Say:
    def say(data: Data) -> str:
        means = f" by {data['means']}" if data.get("means") else ""
        return f"{data.get('who') or 'somebody'} {words}{means}{_reason(data, 'why')}"

    return say


_CLOCKS: Final = {"acknowledge": "acknowledged", "update": "updated", "resolve": "resolved"}


def _clock(words: str) -> Say:
    def say(data: Data) -> str:
        clock = str(data.get("clock") or "")
        return f"{words} {_CLOCKS.get(clock, clock)} within {data.get('limit', 'its time')}"

    return say


def _ticket(words: str) -> Say:
    return lambda data: f"{words.format(where=_where(data))}{_reason(data, 'why')}"


def _linked(data: Data) -> str:
    return f"began with {_where(data)}" if data.get("accepted") else f"linked {_where(data)}"


def _given(data: Data) -> str:
    fields = data.get("fields")
    pairs = fields.items() if isinstance(fields, Mapping) else ()
    return (
        f"gave for {_where(data)}: {', '.join(f'{name} = {value_in_words(value)}' for name, value in pairs)}"
    )


def _both(data: Data) -> str:
    return (
        f"“{value_in_words(data.get('ours'))}” here, “{value_in_words(data.get('theirs'))}” in {_where(data)}"
    )


def _conflict(data: Data) -> str:
    if data.get("overwritten"):
        words = "was written over by us at the very moment it was set there"
        return f"{_field(data)}: “{value_in_words(data.get('theirs'))}” in {_where(data)} {words}; somebody has to choose"
    return f"{_field(data)} was changed on two sides: {_both(data)}; somebody has to choose"


_CHOICES: Final = {"ours": "ours", "theirs": "theirs", "value": "a value of one's own"}


def _resolved(data: Data) -> str:
    chosen = _CHOICES.get(str(data.get("choice")), "a value")
    return (
        f"decided about {_field(data)} with {_where(data)}: {chosen}, “{value_in_words(data.get('value'))}”"
    )


def _overridden(data: Data) -> str:
    kept, lost = value_in_words(data.get("kept")), value_in_words(data.get("set_aside"))
    whose = "ours" if data.get("side") == "ours" else f"of {_where(data)}"
    return f"{_field(data)}: “{kept}” holds by rule; “{lost}” {whose} gave way"


def _differs(data: Data) -> str:
    return f"{_field(data)} is kept otherwise than it was written: {_both(data)}"


def _refused(data: Data) -> str:
    why = _reason(data, "why", "remediation")
    return f"{_field(data)} of {_where(data)} could not be taken over{why}"


def _unread(data: Data) -> str:
    fields = data.get("fields")
    names = (
        ", ".join(str(one).replace("_", " ") for one in fields) if isinstance(fields, list | tuple) else ""
    )
    return (
        f"{_where(data)} was changed there at the very moment we wrote {names or 'to it'}: what we wrote over cannot be read;"
        " the ticket's own history shows it"
    )


def _trouble(data: Data) -> str:
    return f"{_where(data)}{_reason(data, 'message', 'remediation')}"


def _fallback(data: Data) -> str:
    news = str(data.get("news") or "news").replace("_", " ")
    return (
        f"told {news} in {data.get('channel') or 'a channel'} of {data.get('to') or 'another platform'}"
        f" instead of {data.get('integration') or 'chat'}{_reason(data, 'why')}"
    )


def _otherwise(kind: str, data: Data) -> str:
    facts = [
        f"{name.replace('_', ' ')}: {value}"
        for name, value in data.items()
        if isinstance(value, str) and value and not name.endswith("_id")
    ]
    return " · ".join([kind.replace("_", " "), *facts])


_WORDS: Final[Mapping[str, Say]] = {
    # The incident
    "declared": _declared,
    "changed": lambda data: _changes(data) or "changed",
    "noted": _text("noted"),
    "corrected": _text("corrected an earlier line"),
    "attached": lambda data: f"attached {data.get('name', 'a file')}",
    "attachment_elsewhere": _file("is not kept here"),
    "role_changed": _role,
    "joined": _person("joined"),
    "left": _person("left"),
    "task_added": _task("added"),
    "task_changed": _task("changed"),
    "task_done": _task("did"),
    "task_reopened": _task("reopened"),
    "message_added": _message,
    "message_edited": _text("a message says now"),
    "message_deleted": lambda _data: "a message was deleted where it was written",
    # Calling people
    "paged": _called("called somebody"),
    "escalated": _called("escalated by {policy}, step {step}"),
    "page_told": _page("was told"),
    "page_perhaps": _page("was perhaps told; it is not repeated blindly"),
    "page_failed": _page("was not reached"),
    "sla_warning": _clock("soon it has to be"),
    "sla_breached": _clock("was not"),
    # Chat
    "chat_channel_created": _channel("made the channel {channel}"),
    "chat_channel_opened": _channel("opened {channel} again"),
    "chat_channel_renamed": lambda data: f"#{data.get('before', '')} is called {_named(data)} now",
    "chat_channel_put_away": _channel("put {channel} away"),
    "chat_channel_lost": _channel("{channel} cannot be used any more"),
    "chat_channel_failed": _channel("{channel} could not be made"),
    "chat_message_failed": _posted("was not posted"),
    "chat_message_perhaps_sent": _posted("was perhaps posted; it is not repeated blindly"),
    "chat_message_reposted": _posted("is sent again"),
    "chat_fallback_used": _fallback,
    "chat_file_deleted": _file("was deleted in chat; it stays here"),
    # Tickets
    "ticket_created": _ticket("made the ticket {where}"),
    "ticket_linked": _linked,
    "ticket_attached": _ticket("attached {where}"),
    "ticket_wanted": _ticket("asked for a ticket in {where}"),
    "ticket_detached": _ticket("took {where} off"),
    "ticket_not_created": _ticket("no ticket was made"),
    "ticket_fields_given": _given,
    "comment_edited": lambda data: f"a comment on {_where(data)} says now: {data.get('text', '')}",
    "comment_deleted": lambda data: f"a comment on {_where(data)} was deleted there",
    "file_removed_there": _file("was taken off {where}; it stays here"),
    # Sync
    "sync_conflict": _conflict,
    "sync_conflict_ended": lambda data: f"{_field(data)} is the same again here and in {_where(data)}",
    "sync_conflict_resolved": _resolved,
    "sync_overridden": _overridden,
    "sync_differs": _differs,
    "sync_refused": _refused,
    "sync_unread": _unread,
    "sync_problem": _trouble,
    "sync_recovered": lambda data: f"{_where(data)} is in step again",
    "sync_stopped": lambda data: (
        _trouble(data) if data.get("message") else f"stopped the link to {_where(data)}"
    ),
    "sync_resumed": _ticket("started the link to {where} again"),
    "sync_retried": _ticket("had {where} tried again at once"),
    "sync_create_again": _ticket("had a ticket in {where} made again"),
    "sync_file_withheld": _file("stays out of {where}"),
    "sync_file_refused": _file("was refused by {where}"),
    "sync_file_in_doubt": _file("may or may not be in {where}"),
}
KINDS: Final = frozenset(_WORDS)
"""Every kind of line that is written."""

__all__ = ["KINDS", "said", "value_in_words"]
