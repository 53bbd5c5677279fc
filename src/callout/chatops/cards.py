"""Incidents as cards: title, facts, colour, and the buttons that its state allows. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from callout.incidents import ACTIONS, Incident
from callout.ports.chat import Answer, Button, ButtonStyle, Card, Fact, Section, Tone
from callout.ports.chat_forms import Menu, Option
from callout.ports.values import Person, Severity, Status

ACTION_PREFIX: Final = "incident."
"""Buttons carry `incident.acknowledge` with the incident's id as their value."""

FORMS: Final[Mapping[str, str]] = {"resolve": "form.resolve"}
"""Moves that ask for something first: their button opens a form."""
SEVERITY_MENU: Final = "menu.severity"
MORE_MENU: Final = "menu.more"
"""Menus carry `<incident's id>/<choice>` as their value."""
_MORE: Final[tuple[tuple[str, str], ...]] = (
    ("note", "Write a note…"),
    ("task", "Add a task…"),
    ("join", "Join"),
    ("escalate", "Escalate"),
    ("tickets", "Tickets and conflicts"),
    ("people", "Who is on it"),
)

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
    ("mitigate", "Mitigate", ButtonStyle.DEFAULT),
    ("resolve", "Resolve…", ButtonStyle.DEFAULT),
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
        Button(FORMS.get(action, ACTION_PREFIX + action), label, incident.id, style)
        for action, label, style in _BUTTONS
        if incident.status in ACTIONS[action][0]
    )


def menus_of(incident: Incident) -> tuple[Menu, ...]:
    """Return the menus of an incident that goes on."""
    if incident.status is Status.CLOSED:
        return ()
    severities = tuple(Option(f"{incident.id}/{Severity(rank)}", str(Severity(rank))) for rank in range(1, 5))
    more = tuple(Option(f"{incident.id}/{choice}", label) for choice, label in _MORE)
    return (
        Menu(SEVERITY_MENU, "Severity", severities, f"{incident.id}/{incident.severity}"),
        Menu(MORE_MENU, "More", more),
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
        menus=menus_of(incident),
        tone=tone,
        emoji=emoji,
        link=link,
        mentions=mentions,
    )


def _name(person: Person | None) -> str:
    return "" if person is None else person.name or person.email or person.id.rpartition("/")[2]


def _buttons_json(buttons: Sequence[Button]) -> list[list[str]]:
    return [[b.action, b.label, b.value, b.style.value, b.url] for b in buttons]


def _buttons_from_json(found: Sequence[Sequence[str]]) -> tuple[Button, ...]:
    return tuple(
        Button(action, label, value, ButtonStyle(style), url) for action, label, value, style, url in found
    )


def _menus_json(menus: Sequence[Menu]) -> list[list[Any]]:
    return [
        [menu.action, menu.label, [[one.value, one.label] for one in menu.options], menu.chosen]
        for menu in menus
    ]


def _menus_from_json(found: Sequence[Sequence[Any]]) -> tuple[Menu, ...]:
    return tuple(
        Menu(action, label, tuple(Option(*one) for one in options), chosen)
        for action, label, options, chosen in found
    )


def _section_from_json(text: str, buttons: Sequence[Sequence[str]], menus: Sequence[Any] = ()) -> Section:
    return Section(text, _buttons_from_json(buttons), _menus_from_json(menus))


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
        "sections": [
            [part.text, _buttons_json(part.buttons), _menus_json(part.menus)] for part in card.sections
        ],
        "menus": _menus_json(card.menus),
    }


def answer_json(answer: Answer) -> dict[str, object]:
    """Return the JSON form of an answer, so that a retry gets the same one. A form is opened once: it is not kept."""
    return {
        "text": answer.text,
        "in_channel": answer.in_channel,
        "card": card_json(answer.card),
        "errors": dict(answer.errors),
    }


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
            sections=tuple(_section_from_json(*part) for part in found.get("sections", ())),
            menus=_menus_from_json(found.get("menus", ())),
        )
    errors = data.get("errors")
    return Answer(
        str(data.get("text", "")),
        bool(data.get("in_channel")),
        card,
        errors=errors if isinstance(errors, dict) else {},
    )
