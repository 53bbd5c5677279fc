"""What people say about things, told from what they ask: `the timeline is a mess` is no question. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent import questions as q
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.items import Item

_ORDERING: Final = lexicon.words_of(
    "link attach connect associate page join leave rename set change make add create assign note task raise lower escalate"
)
_MODALS: Final = frozenset(
    {"should", "would", "shall", "will", "might", "must", "ready", "worth", "thought", "point"}
)
_PEOPLE: Final = frozenset(
    {"i", "we", "he", "she", "they", "PERSON", "PEOPLE", "you", "nobody", "somebody", "AUD"}
)
_ASKERS: Final = lexicon.words_of(
    """
    what when where which who whose whoever how why is are was were has have had do does did can could any anybody anything
    something somebody everything everyone everybody show list tell give whats let see know walk bring catch explain describe
    display print get check look read find summarise brief update fill inform pull take run recap
    """
)
_FINITE: Final = lexicon.words_of(
    "is was are were has have had looks seems did does happen happens needs need said says asked wants"
)


_ASKING: Final = frozenset({"see", "get", "have", "know", "ask"})
"""`can I see …` asks us, `can we close …` does not."""
_NEEDING: Final = frozenset({"need", "want", "would", "wonder", "am"})
_SOMEBODY: Final = frozenset({"somebody", "anybody", "nobody"})
_EXCLAIMED: Final = frozenset({"nothing", "no", "nice", "great", "too", "another", "that"})


def is_talk(items: Sequence[Item], kinds: set[str], *, core: Core, led: bool) -> bool:
    """Whether this speaks of the thing rather than asks for it: `the timeline is a mess`, `we looked at the status`."""
    words = [item.kind for item in items if item.kind not in {"INC", "PERIOD", ",", "-", ":", ".", "NEWLINE"}]
    supposed = bool(kinds & _MODALS) or not kinds.isdisjoint(lexicon.GERUNDS)
    if supposed or not words:
        return supposed
    if words[0] in {"can", "could"} and words[1:2] in (["i"], ["we"]):
        return not _ASKING.intersection(words[2:3])
    if _asks_for_later(words, led=led) or _orders(words):
        return True
    if words[0] in {"i", "we"} and _NEEDING.intersection(words[1:2]) and "not" not in kinds:
        return False
    if words[0] in {"PERSON", "PEOPLE"} or (words[0] in _PEOPLE and "not" in kinds):
        return True
    # a question may follow a remark: `I just woke up, show me …`; `INC-9, who is on it`
    asks = led or any(word in _ASKERS - _FINITE for word in words)
    return not asks and _tells(words, questioned=core.questioned)


def _asks_for_later(words: Sequence[str], *, led: bool) -> bool:
    """Whether something is to be told some day: `tell me when it is over`, `notify me`."""
    if words[0] in {"notify", "wake"}:
        return True
    later = words[0] in {"let", "tell"} and {"if", "when", "once"} & set(words[:4])
    return bool(later) and not led and words[:3] != ["tell", "me", "if"]


def _orders(words: Sequence[str]) -> bool:
    """Whether this begins like an order, or tells what somebody did: `somebody reopened it`."""
    did = words[0] in _SOMEBODY and not set(words[1:2]).isdisjoint(lexicon.PARTICIPLES)
    return words[0] in _ORDERING or did


def _tells(words: Sequence[str], *, questioned: bool) -> bool:
    """Whether words without any that asks are a statement."""
    if words[0] in _PEOPLE:
        return True
    if questioned or words[0] in _FINITE:
        return False
    return bool(_FINITE & set(words)) or words[0] in _EXCLAIMED


_KNOWN: Final = (
    lexicon.VOCABULARY
    | q.WORDS
    | lexicon.PREPOSITIONS
    | _ASKERS
    | lexicon.words_of(
        """
        not no and or by per as that this it there here right so far exactly yet still up down else ones things stuff been being
        our your my me us you i we them they at out over off between affecting affect affects happened gone been were today
        yesterday since last past few minutes hours night morning week month older newer recent recently latest new sorted
        priority prio level levels marked having with without closed resolved acked mitigated whose team account full short
        whole complete overview moment time count number many much most be by list lists table ? : ( ) ,
        """
    )
)


def unknown(items: Sequence[Item]) -> list[str]:
    """Return the words that no question of ours has: `what changed in the lunch menu`."""
    found: list[str] = []
    skip = False
    for item in items:
        if skip and item.kind not in {":", "="}:
            skip = False
        elif item.kind in {"service", "FLAG", "oncall"}:
            skip = True
        elif not item.kind.isupper() and item.kind not in _KNOWN:
            found.append(item.kind)
    return found


_BESIDES: Final = (["besides"], ["except"], ["beside"], ["than"], ["from"])


def without_others(items: list[Item]) -> list[Item]:
    """Return a question for others without what it leaves out: `other incidents besides this one`."""
    kinds = [item.kind for item in items]
    if "incidents" not in kinds or not {"other", "another", "besides", "except", "apart"} & set(kinds):
        return items
    for at in range(len(kinds)):
        if kinds[at : at + 1] in _BESIDES and (
            kinds[at + 1 : at + 2] == ["INC"] or kinds[at + 1 : at + 2] == ["this"]
        ):
            return items[: at - (kinds[at - 1] in {"other", "apart"})]
    return items


def only_a_service(strange: Sequence[str], items: Sequence[Item]) -> bool:
    """Whether the one word that is not known stands where a service does, at the end."""
    return (
        len(strange) == 1
        and items[-1].kind == strange[0]
        and len(items) > 1
        and items[-2].kind in {"on", "for", "of", "affecting"}
    )


def bare_statement(items: Sequence[Item]) -> bool:
    """Whether the verb comes after what it is about: `INC-4 is resolved` tells, `is INC-4 resolved` asks."""
    return items[0].kind not in {"is", "was", "are", "has", "what", "how", "tell", "check", "let"}


def last_sentence(items: Sequence[Item]) -> Sequence[Item]:
    """Return what is asked after a remark: `I am new here. How does this work?`"""
    words = [item for item in items if item.kind not in {"?", ":", "-"}]
    ends = [at for at, item in enumerate(words[:-1]) if item.kind in {".", "!", "NEWLINE", ","}]
    return words[ends[-1] + 1 :] if ends else words
