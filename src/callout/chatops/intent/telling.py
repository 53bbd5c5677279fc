"""Commands that only tell: questions are read more freely than orders, for a wrong answer harms nobody."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent import questions as q
from callout.chatops.intent.asked import WHICH, Question, period_of, service_named
from callout.chatops.intent.asking_help import help_asked
from callout.chatops.intent.asking_who import who_asked
from callout.chatops.intent.asking_why import why_asked
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.items import Reading
from callout.chatops.intent.listing import list_asked
from callout.chatops.intent.parts import part_of
from callout.chatops.intent.patterns import spell
from callout.chatops.intent.remarks import (
    bare_statement,
    is_talk,
    last_sentence,
    only_a_service,
    unknown,
    without_others,
)
from callout.chatops.intent.values import Ask, Hearing, Intent

Answer = Intent | Ask | None
_CONTENT: Final = frozenset({"QUOTED", "CODE", "MOCK"})


class Untold:
    """What ends the reading: this is no question that we answer."""


UNTOLD: Final = Untold()
Step = Callable[[Question], "Answer | Untold"]


def telling_of(core: Core, reading: Reading, hearing: Hearing) -> Answer:
    """Return the telling command that a phrase means, a question where it lacks something, or None."""
    question = _question(core, reading, hearing)
    if question is None:
        return None
    for step in _STEPS:
        found = step(question)
        if isinstance(found, Untold):
            return None
        if found is not None:
            return found
    return None


def _question(core: Core, reading: Reading, hearing: Hearing) -> Question | None:
    items = [item for item in core.items if item.kind not in lexicon.FILLERS | {"EMOJI", "BOT"}]
    led = q.TELL_WHO.match(spell(items))
    if led:
        items = items[led.group().count(" ") - 1 :]
    if not items or any(item.kind in _CONTENT for item in core.items):
        return None
    items = without_others(items)
    part = part_of([item for item in items if item.kind not in {"?", ":", "(", ")"}])
    whole = spell([item for item in items if item.kind not in {"?", ",", ".", ":", "-", "!", "NEWLINE"}])
    return Question(core, reading, hearing, tuple(items), part, spell(part.items), whole, bool(led))


# ------------------------------------------------------------------------------------------------------- steps


def _help(question: Question) -> Answer | Untold:
    return help_asked(question.part, question.whole, spell(last_sentence(question.items)))


def _no_question(question: Question) -> Answer | Untold:
    whole, kinds = question.whole, question.kinds
    refused = q.NO_CHAT.search(whole) or q.REFUSED.search(whole) or q.OPINION.search(whole)
    choice = "unless" in kinds or ("or" in kinds and not q.HARMLESS_OR.search(whole))
    talk = is_talk(question.items, kinds, core=question.core, led=question.led)
    return UNTOLD if refused or choice or talk or len(question.part.named) > 1 else None


def _why(question: Question) -> Answer | Untold:
    why = why_asked(question.part, question.text, question.where)
    return why if question.known or not isinstance(why, Intent) else WHICH


_WHETHER: Final = tuple(f"{word} if " for word in ("know", "me", "us", "check", "wonder", "wondering"))


def _ordered(question: Question) -> Answer | Untold:
    ordered = question.kinds & q.ORDERS and not q.ASKED_WHETHER.match(question.text)
    supposed = "if" in question.kinds and not any(words in question.text for words in _WHETHER)
    return UNTOLD if ordered or supposed else None


def _who(question: Question) -> Answer | Untold:
    return who_asked(question)


def _strange(question: Question) -> Answer | Untold:
    """End where nothing is known of which incident, and words are asked about that no question of ours has."""
    items = question.part.items
    strange = [] if question.known else unknown(items)
    service = "incidents" in question.kinds and only_a_service(strange, items)
    return UNTOLD if strange and not service else None


_SPEAKING: Final = ("i ", "we ", "they ", "he ", "she ")


def _changes(question: Question) -> Answer | Untold:
    part, text = question.part, question.text
    news = part.pointed and not period_of(part.items) and q.NEWS.search(text)
    told = text.startswith("changed ")  # `changed it yesterday`
    if news or told or not q.CHANGES.search(text):
        return None
    if text.startswith(_SPEAKING):
        return UNTOLD
    slots = {**question.where, **service_named(part.items, question.reading), **period_of(part.items)}
    return Intent("changes", slots)


def _sync(question: Question) -> Answer | Untold:
    text, kinds = question.text, question.kinds
    if not q.SYNC.search(text) or q.TICKETS_NOT.search(text) or "at" in kinds:
        return None
    if not question.known and not kinds & {"conflict", "conflicts"}:
        return WHICH
    integration = next((item.value for item in question.part.items if item.kind == "INTEG"), "")
    return Intent("sync", {**question.where, **({"integration": integration} if integration else {})})


def _happened(question: Question) -> Answer | Untold:
    """Read `what happened last night`, of no incident: what changed."""
    nowhere = not question.part.pointed and not question.hearing.channel_incident
    period = period_of(question.part.items)
    if nowhere and period and "incidents" not in question.kinds and q.HAPPENED.search(question.text):
        return Intent("changes", period)
    return None


def _timeline(question: Question) -> Answer | Untold:
    if not q.TIMELINE.search(question.text):
        return None
    slots = {**question.where, **period_of(question.part.items)}
    return Intent("timeline", slots) if question.known else WHICH


def _list(question: Question) -> Answer | Untold:
    if question.part.pointed and not q.LIST_ALONE.fullmatch(question.whole):
        return None
    return list_asked(question.part, question.text, question.whole, reading=question.reading)


def _named_alone(question: Question) -> Answer | Untold:
    """Read `INC-4?` and `what about INC-4?`."""
    about = question.text == "what " and "about" in question.part.after and question.marked
    alone = (
        not question.text
        and question.part.named
        and all(item.kind in {"INC", "?"} for item in question.core.items)
    )
    return Intent("status", question.where) if about or alone else None


def _stated(question: Question) -> Answer | Untold:
    stated = q.STATE.match(question.text) and not question.marked and not question.led
    return UNTOLD if stated and bare_statement(question.items) else None


def _status(question: Question) -> Answer | Untold:
    text, source = question.text, question.reading.source
    puzzled = "..." in source or source.rstrip().endswith(("??", "!?", "?!"))
    pointed_at = not text and question.part.pointed and question.marked and not puzzled
    if not (q.STATUS.search(text) or q.ONLY_SHOW.fullmatch(text) or pointed_at):
        return None
    if text.startswith(("i ", "we ", "my ", "they ")) and not q.TELL_ME.search(text):
        return UNTOLD
    return Intent("status", question.where) if question.known else WHICH


_STEPS: Final[tuple[Step, ...]] = (
    _help,
    _no_question,
    _why,
    _ordered,
    _who,
    _strange,
    _changes,
    _sync,
    _happened,
    _timeline,
    _list,
    _stated,
    _named_alone,
    _status,
)
"""What a question is held against, in this order: the first that answers, or ends the reading, decides."""
