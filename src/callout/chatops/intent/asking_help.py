"""`help`: with what. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent import questions as q
from callout.chatops.intent.parts import Part
from callout.chatops.intent.values import COMMANDS, Intent

_BETWEEN: Final = q.HELP_ENDS | lexicon.words_of("incident it this to me somebody in of an")
"""Words that name no topic."""
_OF_FORM: Final = ("what is syntax", "what is usage", "what is format", "what is command")
_MEANING: Final = lexicon.words_of("mean means do does work works command for used")
_DOERS: Final = lexicon.words_of("i you we one somebody people anybody")
_GENERAL: Final = lexicon.words_of(
    "change set changing setting raise lower give add write create make adding see show get list tell"
)
"""Verbs that leave open what is done: `how do I set the severity` asks about the severity."""
_VALUES: Final = frozenset({"status", "severity", "title", "timeline", "SEV", "ROLE", "role"})
"""`what is the severity` asks for the value, not for help with the command."""
_OF_VALUES: Final = ("what is ", "describe ", "how is ", "how do ", "what does ")


def help_asked(part: Part, whole: str, last: str) -> Intent | None:
    """Return the `help` that is asked for in the `whole` phrase or its `last` sentence, or None."""
    if q.HELP.fullmatch(whole) or q.HELP.fullmatch(last) or q.HELP_START.match(whole):
        return Intent("help")
    match = q.HELP_LEADS.match(whole)
    if match is None or part.named:
        return None
    lead = match.group()
    rest = [word for word in whole[match.end() :].split() if word not in _BETWEEN]
    if not rest or _asks_no_help(lead, whole) or _asks_a_value(lead, whole, rest):
        return None
    topic = _topic(rest)
    return Intent("help", {"topic": topic}) if topic in COMMANDS and rest[0] != "SEV" else None


def _asks_no_help(lead: str, whole: str) -> bool:
    """Whether `what …` and `how …` ask neither what a word means nor how somebody does a thing."""
    if not lead.startswith(("what ", "how does ", "how is ", "how do ")) or lead.startswith(_OF_FORM):
        return False
    doer = lead.split()[2:3]
    asks = _MEANING & set(whole.split()[2:])
    if doer and lead.startswith("how do "):
        asks -= {"do"}
    return not asks and not _DOERS.intersection(doer)


def _asks_a_value(lead: str, whole: str, rest: Sequence[str]) -> bool:
    """Whether it asks what a field holds or why, rather than for help with a command."""
    if rest[0] == "why" and len(rest) > 1:
        return True
    if "command" in whole:
        return False
    if lead.startswith(("explain", "describe")) and "how" not in lead and rest[0] in q.FIELD_WORDS:
        return True
    asked = whole.startswith(_OF_VALUES) and not any(word in whole for word in ("do ", "for ", "mean"))
    return asked and rest[0] in _VALUES


def _topic(rest: Sequence[str]) -> str:
    """Return the command that words are about."""
    first = lexicon.GERUNDS.get(rest[0], rest[0])
    topic = q.TOPICS.get(first, lexicon.BASES.get(first, first))
    if rest[0] not in _GENERAL:
        return topic
    later = [lexicon.BASES[word] for word in rest[1:] if word in lexicon.BASES]
    if later:
        return later[0]
    return "list" if "incidents" in rest else topic
