"""`who`: on an incident, in a role, on call for a service. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent import questions as q
from callout.chatops.intent.asked import WHICH, Question
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.values import Ask, Intent

_CREW: Final = ("AUD ", "team ", "all AUD ", "roster ", "crew ")
_TELLS: Final = lexicon.words_of("wants wanted said says thinks asked asks told needs know")
"""What makes `somebody on the bridge …` a report."""
_BEING_HERE: Final = frozenset({"assigned", "joined", "paged"})
_OF_NO_ONE_HERE: Final = lexicon.words_of("gets would should wants broke knows cares")
"""`who broke it` asks for something else than who is here."""
_LEADING: Final = lexicon.words_of("leads leading lead commanding commands")


def who_asked(question: Question) -> Intent | Ask | None:
    """Return the `who` that is asked, a question where it is not known of what, or None."""
    words = question.words
    if "oncall" in words and ({"who", "whoever", "is"} & set(words) or words[0] in {"oncall", "show"}):
        service = _service_on_call(question.part.items, question.reading)
        if not service and not question.known:
            return Ask("On call for what?", ())
        return Intent("who", {**question.where, **({"service": service} if service else {})})
    audiences = {item.value for item in question.part.items} - {"", "responders"}
    if question.known and question.text in _CREW and not audiences:
        return Intent("who", question.where)
    roles = [item.value for item in question.part.items if item.kind == "ROLE"]
    if not _asks_who(question, words, roles):
        return None
    if not question.known:
        return WHICH
    if not roles and _LEADING & set(words):
        roles = ["commander"]
    return Intent("who", {**question.where, **({"role": roles[0]} if roles else {})})


def _asks_who(question: Question, words: Sequence[str], roles: Sequence[str]) -> bool:
    """Whether this asks who is here, rather than tells of somebody or asks for what somebody did."""
    match = q.WHO.match(question.text)
    if match is None:
        return False
    lead = match.group().split()
    of_another = "AUD" in lead and all(item.value != "responders" for item in question.part.items)
    of_a_role = lead[-1:] == ["ROLE"] and words[0] == "ROLE" and len(words) > 1
    of_a_deed = not roles and not set(words).isdisjoint(lexicon.PARTICIPLES.keys() - _BEING_HERE)
    told = words[0] != "who" and _TELLS & set(words)
    of_nobody_here = question.known and words[0] == "who" and _OF_NO_ONE_HERE & set(words)
    return not (of_another or of_a_role or of_a_deed or told or of_nobody_here)


_LED_TO: Final = frozenset({"of", "for", "from", "at", "in"})
_BESIDE: Final = _LED_TO | lexicon.words_of(
    "service team today tonight currently PERIOD engineer person right"
)
_NO_SERVICE: Final = lexicon.words_of("is who on are currently whoever the show me was be service")


def _service_on_call(items: Sequence[Item], reading: Reading) -> str:
    """Return the service whose on-call is asked for: `the X on-call`, `on-call for X`."""
    at = next((at for at, item in enumerate(items) if item.kind == "oncall"), -1)
    after = [item for item in items[at + 1 :] if item.kind not in _BESIDE]
    if len(after) == 1 and items[at + 1].kind in _LED_TO:
        return reading.text(after[0].start, after[0].end)
    if at > 0 and items[at - 1].kind not in _NO_SERVICE:
        return reading.text(items[at - 1].start, items[at - 1].end)
    return ""
