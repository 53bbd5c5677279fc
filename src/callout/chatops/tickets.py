"""Tickets in chat: how each one stands, and conflicts with two buttons. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from callout.chatops.forms.shapes import CONFLICT
from callout.chatops.words import cut, literal
from callout.incidents import Incident, TimelineEntry
from callout.ports.chat import Button, ButtonStyle, Card, Section, Tone
from callout.sync import Link, LinkStatus
from callout.sync.conflicts import Choice, Decision, words_of

if TYPE_CHECKING:
    from callout.sync.conflicts import OpenConflict

CHANNEL_PREFIX: Final = "conflict."
"""Buttons of the message in an incident's channel: it is edited when the conflict ends."""
ANSWER_PREFIX: Final = "sync."
"""Buttons of the answer to `sync`: the answer is replaced."""
RESOLVED: Final = "sync_conflict_resolved"
ENDED: Final = "sync_conflict_ended"
VALUE_LIMIT: Final = 300
CONFLICTS_LIMIT: Final = 12

_STATES: Final[Mapping[LinkStatus, str]] = {
    LinkStatus.CREATING: "being created",
    LinkStatus.ATTACHING: "being linked",
    LinkStatus.ACTIVE: "in step",
    LinkStatus.GONE: "gone: it was deleted there, or hidden from us",
    LinkStatus.STOPPED: "stopped, until a person starts it again",
}
_WARNING: Final = "\N{WARNING SIGN}\N{VARIATION SELECTOR-16}"
_DONE: Final = "\N{WHITE HEAVY CHECK MARK}"


def _words(value: Any) -> str:  # noqa: ANN401  # a value of either side
    return literal(cut(words_of(value), VALUE_LIMIT))


def _sentence(conflict: OpenConflict) -> str:
    here = conflict.theirs_here
    means = "" if here is None or words_of(here) == words_of(conflict.theirs) else f" ({_words(here)} here)"
    return f"**{conflict.field}**: here {_words(conflict.ours)}, there {_words(conflict.theirs)}{means}"


def _buttons(conflict: OpenConflict, prefix: str) -> tuple[Button, ...]:
    value = f"{conflict.link.id}/{conflict.field}/{conflict.seen}"
    return (
        Button(f"{prefix}{Choice.OURS}", "Keep ours", value, ButtonStyle.PRIMARY),
        Button(f"{prefix}{Choice.THEIRS}", "Take theirs", value),
        Button(CONFLICT, "Another value…", value),
    )


def pressed(action: str, value: str) -> tuple[str, str, Decision] | None:
    """Return link id, field and decision of a pressed button, or None when it is none of these."""
    prefix, _, choice = action.partition(".")
    parts = value.split("/")
    if f"{prefix}." not in {CHANNEL_PREFIX, ANSWER_PREFIX} or len(parts) != 3 or choice not in set(Choice):  # noqa: PLR2004
        return None
    link_id, field, seen = parts
    return link_id, field, Decision(Choice(choice), seen=seen)


def conflict_card(conflict: OpenConflict, *, link: str) -> Card:
    """Return the message that asks a person to choose; `link` is the incident's address on our pages."""
    ticket = f"{conflict.integration} {conflict.link.ticket_key}".strip()
    return Card(
        title=f"{conflict.incident.key} and {ticket} do not agree",
        text=f"Both sides changed it, and a person has to choose. Everything else goes on.\n\n{_sentence(conflict)}",
        buttons=_buttons(conflict, CHANNEL_PREFIX),
        tone=Tone.MEDIUM,
        emoji=_WARNING,
        link=link,
    )


def settled_card(incident: Incident, field: str, entry: TimelineEntry | None) -> Card:
    """Return what that message becomes when the conflict is over; `entry` is the timeline's line about it."""
    return Card(
        title=f"{incident.key}: {field} is settled",
        text=_outcome(field, entry),
        tone=Tone.GOOD,
        emoji=_DONE,
    )


def _outcome(field: str, entry: TimelineEntry | None) -> str:
    if entry is None:
        return f"**{field}**: no choice is left to be made."
    if entry.kind == ENDED:
        return f"**{field}**: both sides mean the same now."
    data = entry.data
    how = {Choice.OURS: "kept ours", Choice.THEIRS: "took theirs"}.get(data.get("choice", ""), "set it")
    who = literal(entry.origin.actor.name or "somebody")
    ticket = literal(f"{data.get('integration', '')} {data.get('ticket', '')}".strip())
    return (
        f"{who} {how}: **{field}** is {_words(data.get('value'))} "
        f"(here was {_words(data.get('ours'))}, in {ticket} {_words(data.get('theirs'))})."
    )


def tickets_card(
    incident: Incident, tickets: Sequence[tuple[Link, str]], conflicts: Sequence[OpenConflict], *, link: str
) -> Card:
    """Return how each ticket of an incident stands, with its conflicts."""
    sections: list[Section] = []
    for one, name in tickets:
        sections.append(Section(_ticket(one, name)))
        sections += [
            Section(_sentence(conflict), _buttons(conflict, ANSWER_PREFIX))
            for conflict in conflicts[:CONFLICTS_LIMIT]
            if conflict.link.id == one.id
        ]
    wrong = any(one.problem is not None for one, _ in tickets) or bool(conflicts)
    return Card(
        title=f"Tickets of {incident.key}",
        text="" if sections else "It has no ticket.",
        sections=tuple(sections),
        tone=Tone.MEDIUM if wrong else Tone.GOOD,
        link=link,
    )


def conflicts_card(conflicts: Sequence[OpenConflict]) -> Card:
    """Return the open conflicts of all incidents."""
    shown = conflicts[:CONFLICTS_LIMIT]
    return Card(
        title="Conflicts that wait for a person",
        text="" if shown else "None: all tickets are in step, or on their way.",
        sections=tuple(
            Section(
                f"**{one.incident.key}** {literal(one.integration)} {literal(one.link.ticket_key)}\n\n{_sentence(one)}",
                _buttons(one, ANSWER_PREFIX),
            )
            for one in shown
        ),
        tone=Tone.MEDIUM if shown else Tone.GOOD,
        footer="" if len(shown) == len(conflicts) else "There are more: ask for one incident's.",
    )


def _ticket(link: Link, name: str) -> str:
    key = literal(link.ticket_key) or "no ticket yet"
    url = link.ticket_url
    shown = f"[{key}]({url})" if url.startswith(("https://", "http://")) and ")" not in url else key
    state = _STATES[link.status]
    if link.problem is not None:
        state = "not in step" if link.status is LinkStatus.ACTIVE else state
    elif link.merge.conflicts and link.status is LinkStatus.ACTIVE:
        state = "waits for a decision, and is in step but for that"
    text = f"**{literal(name)}** {shown}: {state}"
    if link.problem is not None:
        text += f"\n\n{literal(cut(link.problem.message, VALUE_LIMIT))}. {literal(cut(link.problem.remediation, VALUE_LIMIT))}"
        if link.retry_at is not None:
            text += f" It is tried again at {link.retry_at:%H:%M:%S} UTC."
    return text
