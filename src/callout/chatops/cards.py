"""Incidents as cards: title, facts, colour, and the buttons that its state allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from callout.incidents import ACTIONS, Incident
from callout.ports.chat import Answer, Button, ButtonStyle, Card, Fact, Section, Tone
from callout.ports.values import Person, Severity, Status

ACTION_PREFIX: Final = "incident."
"""Buttons carry `incident.acknowledge` with the incident's id as their value."""

DESCRIPTION_LIMIT: Final = 1500

_TONES: Final[Mapping[int, tuple[Tone, str]]] = {
    1: (Tone.CRITICAL, "\N{LARGE RED CIRCLE}"),
    2: (Tone.HIGH, "\N{LARGE ORANGE CIRCLE}"),
    3: (Tone.MEDIUM, "\N{LARGE YELLOW CIRCLE}"),
}
_LOW: Final = (Tone.LOW, "\N{LARGE BLUE CIRCLE}")
_OVER: Final[Mapping[Status, str]] = {
    Status.RESOLVED: "\N{WHITE HEAVY CHECK MARK}",
    Status.CLOSED: "\N{BALLOT BOX WITH CHECK}",
}
_BUTTONS: Final[tuple[tuple[str, str, ButtonStyle], ...]] = (
    ("acknowledge", "Acknowledge", ButtonStyle.PRIMARY),
    ("resolve", "Resolve", ButtonStyle.DEFAULT),
    ("close", "Close", ButtonStyle.DEFAULT),
    ("reopen", "Reopen", ButtonStyle.DANGER),
)


def tone_of(severity: Severity, status: Status) -> tuple[Tone, str]:
    """Return colour and emoji: those of the severity while it lasts, green afterwards."""
    if status in _OVER:
        return Tone.GOOD, _OVER[status]
    return _TONES.get(severity.rank, _LOW)


def buttons_of(incident: Incident) -> tuple[Button, ...]:
    """Return the buttons for the moves that are legal now."""
    return tuple(
        Button(ACTION_PREFIX + action, label, incident.id, style)
        for action, label, style in _BUTTONS
        if incident.status in ACTIONS[action][0]
    )


def headline(incident: Incident) -> str:
    """Return `SEV-1 INC-7 checkout is down`."""
    return f"{incident.severity} {incident.key} {incident.title}"


def topic(incident: Incident) -> str:
    """Return the topic of the incident's channel."""
    return f"{incident.severity} · {incident.status.value} · {incident.title}"


def incident_card(
    incident: Incident, *, link: str, channel: str = "", mentions: tuple[str, ...] = ()
) -> Card:
    """Return the card of an incident; `channel` names the channel it has, where it has one."""
    tone, emoji = tone_of(incident.severity, incident.status)
    facts = [("Status", incident.status.value), ("Severity", str(incident.severity))]
    facts += [
        ("Service", incident.service),
        ("Team", incident.team),
        ("Commander", _name(incident.commander)),
        ("Assignee", _name(incident.assignee)),
        ("Declared by", _name(incident.declared_by)),
        ("Channel", f"#{channel}" if channel else ""),
    ]
    text = incident.description
    if len(text) > DESCRIPTION_LIMIT:
        text = text[: DESCRIPTION_LIMIT - 1].rstrip() + "…"
    return Card(
        title=headline(incident),
        text=text,
        facts=tuple(Fact(label, value) for label, value in facts if value),
        buttons=buttons_of(incident),
        tone=tone,
        emoji=emoji,
        link=link,
        mentions=mentions,
    )


def _name(person: Person | None) -> str:
    return "" if person is None else person.name or person.email or person.id


def _buttons_json(buttons: Sequence[Button]) -> list[list[str]]:
    return [[b.action, b.label, b.value, b.style.value, b.url] for b in buttons]


def _buttons_from_json(found: Sequence[Sequence[str]]) -> tuple[Button, ...]:
    return tuple(
        Button(action, label, value, ButtonStyle(style), url) for action, label, value, style, url in found
    )


def card_json(card: Card | None) -> dict[str, object] | None:
    """Return the JSON form of a card, for a stored answer."""
    if card is None:
        return None
    return {
        "title": card.title,
        "text": card.text,
        "facts": [[fact.label, fact.value] for fact in card.facts],
        "buttons": _buttons_json(card.buttons),
        "tone": card.tone.value,
        "emoji": card.emoji,
        "footer": card.footer,
        "link": card.link,
        "mentions": list(card.mentions),
        "sections": [[part.text, _buttons_json(part.buttons)] for part in card.sections],
    }


def answer_json(answer: Answer) -> dict[str, object]:
    """Return the JSON form of an answer, so that a retry gets the same one."""
    return {"text": answer.text, "in_channel": answer.in_channel, "card": card_json(answer.card)}


def answer_from_json(data: Mapping[str, object]) -> Answer:
    """Read what :func:`answer_json` wrote."""
    found = data.get("card")
    card = None
    if isinstance(found, dict):
        card = Card(
            title=found["title"],
            text=found["text"],
            facts=tuple(Fact(label, value) for label, value in found["facts"]),
            buttons=_buttons_from_json(found["buttons"]),
            tone=Tone(found["tone"]),
            emoji=found["emoji"],
            footer=found["footer"],
            link=found["link"],
            mentions=tuple(found["mentions"]),
            sections=tuple(
                Section(text, _buttons_from_json(buttons)) for text, buttons in found.get("sections", ())
            ),
        )
    return Answer(str(data.get("text", "")), bool(data.get("in_channel")), card)
