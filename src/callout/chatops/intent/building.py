"""From the words of an acting command to the command with its slots; None where they say too little or something else. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.items import Reading
from callout.chatops.intent.parts import Part, incident_slot
from callout.chatops.intent.values import Hearing, Intent


@dataclass(frozen=True, slots=True)
class Order:
    """An order that one of the patterns fits, with the incident taken out."""

    part: Part
    text: str
    core: Core
    reading: Reading
    hearing: Hearing

    @property
    def words(self) -> list[str]:
        return self.text.split()

    @property
    def where(self) -> dict[str, Any]:
        """The incident that is named, as a slot."""
        return incident_slot(self.part)

    @property
    def meant(self) -> bool:
        """Whether words say which incident, if only by `it`."""
        return self.part.pointed or self.part.pronoun

    def severity(self) -> str:
        """Return the last severity: `from sev3 to sev2`."""
        return [item.value for item in self.part.items if item.kind in {"SEV", "LEVEL", "NUM"}][-1]

    def person(self) -> str:
        """Return the last person: `from @ann to @bob`."""
        found = [item.value for item in self.part.items if item.kind == "PERSON"]
        return found[-1] if found else "me"

    def people(self) -> dict[str, Any]:
        """Return whom the order names, as a slot."""
        for item in self.part.items:
            if item.kind == "PEOPLE":
                return {"people": list(item.values)}
            if item.kind in {"PERSON", "me"}:
                return {"person": item.value or "me"}
        return {}

    def role(self) -> str:
        """Return the role; to be in command is to be commander."""
        found = [item.value for item in self.part.items if item.kind == "ROLE"]
        return found[0] if found else "commander"


Builder = Callable[[Order], Intent | None]
_NAMED_ONLY: Final = lexicon.words_of("""
    give hand pass joining leaving let pull get move route to push send put new ticket up down
    """)
"""These say too little alone: the incident has to be named, if only by `this incident`."""
_CALLING_IN: Final = frozenset({"let", "pull", "get"})


def built(name: str, order: Order) -> Intent | None:
    """Return the command of the table `name` that an order means, or None."""
    first = order.words[:1]
    if not _NAMED_ONLY.isdisjoint(first) and not order.meant and not name.startswith("role"):
        here = name in {"join", "leave"} and order.hearing.channel_incident
        if not here or _CALLING_IN.isdisjoint(first):
            return None
    if first in (["can"], ["could"]) and not order.core.pleased:
        return None  # asked of us all; with a `please` it is asked of us here
    return _BUILDERS[name](order)


def _move(name: str) -> Builder:
    def build(order: Order) -> Intent | None:
        unnamed = order.words[:1] == ["to"] and not order.part.named
        return None if unnamed else Intent(name, order.where)

    return build


_BARE: Final = 2
_MARKING: Final = frozenset({"mark", "set", "consider", "i", "we"})


def _ack(order: Order) -> Intent | None:
    """Build `ack`; `acked` is the deed itself where who does it says so in the incident's own channel, else a report of one."""
    words = order.words
    own = bool(order.hearing.channel_incident) and not order.part.named
    told = words[-1:] == ["acked"] and len(words) <= _BARE and _MARKING.isdisjoint(words[:1])
    return None if told and not own else _move("ack")(order)


def _severity(order: Order) -> Intent | None:
    if order.words[:1] == ["to"] and not order.part.named:
        return None
    return Intent("severity", {**order.where, "severity": order.severity()})


def _assign(order: Order) -> Intent | None:
    words = order.words
    placed = words in (["put", "PERSON"], ["set", "PERSON"]) and "on" not in order.part.after
    mine = words[:1] in (["i"], ["let"]) and words[-1] != "assignee" and not order.meant
    return None if placed or mine else Intent("assign", {**order.where, "person": order.person()})


def _role(order: Order) -> Intent:
    return Intent("role", {**order.where, "role": order.role(), "person": order.person()})


def _role_of_mine(order: Order) -> Intent:
    return Intent("role", {**order.where, "role": order.role(), "person": "me"})


def _wish_of_mine(order: Order) -> Intent | None:
    return _role_of_mine(order) if order.core.first else None


def _page(order: Order) -> Intent | None:
    return (
        _on_call("page", order)
        if "oncall" in order.words
        else Intent("page", {**order.where, **order.people()})
    )


def _escalate(order: Order) -> Intent | None:
    words = order.words
    if "oncall" in words and {"next", "secondary"}.isdisjoint(words):
        return _on_call("escalate", order)
    if words[:1] == ["next"] and not order.part.pointed:
        return None
    return Intent("escalate", {**order.where, **order.people()})


def _come_or_go(name: str) -> Builder:
    def build(order: Order) -> Intent | None:
        part, words = order.part, order.words
        mine = "me" in words
        loose = part.pronoun and not part.pointed and not mine  # `leave it` says something else
        if (
            (order.core.asked and not mine)  # `can you join INC-4` asks us to come along
            or (words[:3] == ["i", "am", "out"] and not part.pointed)
            or (loose and name == "leave")
            or (words[:1] == ["be"] and not order.core.first)
            or not _right_way(name, part, words)
        ):
            return None
        return Intent(name, order.where)

    return build


def _link(order: Order) -> Intent | None:
    keys = [item.value for item in order.part.items if item.kind in {"TICKET", "URL"}]
    named = list(dict.fromkeys(item.value for item in order.part.items if item.kind == "INTEG"))
    said = keys or order.meant or not {"ticket", "issue"}.isdisjoint(order.words)
    if not said or len(named) > 1:
        return None
    ticket = {"ticket": keys[0]} if keys else {}
    return Intent("link", {**order.where, **ticket, **({"integration": named[0]} if named else {})})


_BUILDERS: Final[Mapping[str, Builder]] = {
    "ack": _ack,
    **{name: _move(name) for name in ("mitigate", "resolve", "close", "reopen")},
    "severity": _severity,
    "assign": _assign,
    "role": _role,
    "role of mine": _role_of_mine,
    "wish of mine": _wish_of_mine,
    "page": _page,
    "escalate": _escalate,
    "join": _come_or_go("join"),
    "leave": _come_or_go("leave"),
    "link": _link,
}

# ----------------------------------------------------------------------------------------------------------- on call

_NOT_A_SERVICE: Final = lexicon.words_of("""
    whoever who is are somebody anybody nobody everybody next all our their my his her your not no any every some
    """)
_NOBODYS: Final = _NOT_A_SERVICE | {"me", "PERSON", "PEOPLE", "QUOTED", "CODE"}
_AFTER: Final = lexicon.words_of("of for from at service team to engineer person responder people")
_BEFORE: Final = lexicon.words_of("up service whoever who is to engineer person responder team people")


def _on_call(name: str, order: Order) -> Intent | None:
    """Build the call of whoever is on call for a service, which has to be named."""
    items = order.part.items
    at = next(at for at, item in enumerate(items) if item.kind == "oncall")
    before = [item for item in items[1:at] if item.kind not in _BEFORE]
    named = [*before, *(item for item in items[at + 1 :] if item.kind not in _AFTER)]
    if len(named) != 1 or named[0].kind in _NOBODYS:
        return None
    return Intent(name, {**order.where, "service": order.reading.text(named[0].start, named[0].end)})


# ------------------------------------------------------------------------------------------------------ in or out

_IN: Final = frozenset({"to", "into", "in", "on", "with"})
_OUTWARDS: Final = lexicon.words_of(
    "remove drop kick delete exclude throw strike withdraw unsubscribe release excuse"
)
_OUT: Final = frozenset({"out", "off", "away", "leave", "go", "from"})


def _right_way(name: str, part: Part, words: Sequence[str]) -> bool:
    """Whether `take me to INC-4` joins and `take me from INC-4` leaves: the preposition decides."""
    outwards = not _OUT.isdisjoint(words)
    if "me" not in words:
        return True
    if name == "join":
        if words[0] in {"get", "let", "take", "put"} and words[-1] in {"me", "down"}:
            inwards = {"to", "into", "in"} if words[0] == "put" else _IN
            return not inwards.isdisjoint(part.after)
        return "from" not in part.after and not outwards
    return outwards or "from" in part.after or (words[0] in _OUTWARDS and _IN.isdisjoint(part.after))
