"""What people say beside a command: whether it is a plain statement of what is so. Pure.

Only such a statement may stand before or behind a command that acts: no condition, no correction, no other command, nobody's report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.cursor import MOCKS
from callout.chatops.intent.items import Item
from callout.chatops.intent.talk import (
    ALWAYS,
    COMMANDING,
    CONDITIONS,
    LINKS,
    MODALS,
    NAMING,
    NO_REASONS,
    QUESTIONING,
    REASONED,
    REPORTS,
)
from callout.chatops.intent.values import Intent

FINITE: Final = lexicon.words_of("""
    is are was has have got came went am back looks did done fixed gone stopped started held failed owns knows takes took
    works answers responds reacts replies picks holds recovered runs keeps fails broke dropped needs helps happens came
    died crashed worked lasted became grew fell rose shows show spread hit hits affects green clean quiet stable clear
    duplicate mistake alarm healthy normal good over down worse better
    """)
"""Words that make a statement of others: what is so, what happened."""

# --------------------------------------------------------------------------------------------- behind a command


def is_statement(rest: Sequence[Item], found: Intent, *, explicit: bool) -> bool:
    """Whether what follows the command `found` is a plain statement; what a colon led to (`explicit`) may say more."""
    kinds = [item.kind for item in rest]
    of_another = "INC" in kinds and "incident" not in found.slots
    if kinds[0] in CONDITIONS | QUESTIONING or "MOCK" in kinds or of_another:
        return False
    if explicit:
        return kinds[-1] != "?"
    told = kinds[0] == "INC" and kinds[1:2] in _TOLD and rest[0].value == found.slots.get("incident")
    spoken_of = told or _about_a_person(kinds)
    return not (
        _names_another(kinds, found, spoken_of=spoken_of)
        or _is_doubted(kinds)
        or (not told and _is_corrected(kinds))
        or any(_commands(kinds, at) or _points(kinds, at, told=told) for at in range(len(kinds)))
    )


def _names_another(kinds: Sequence[str], found: Intent, *, spoken_of: bool) -> bool:
    """Whether another command begins, or somebody or something is named that may be what is meant."""
    if spoken_of:
        return False
    return kinds[0] in COMMANDING | NAMING or (found.command not in REASONED and not NAMING.isdisjoint(kinds))


_FEW: Final = 5
_DOUBTS: Final = ALWAYS | REPORTS | MOCKS | {"let", "nevermind"}


def _is_doubted(kinds: Sequence[str]) -> bool:
    """Whether words say that it may not be so, that somebody else said it, or that it is not meant."""
    words = set(kinds)
    not_yet = len(kinds) < _FEW and "not" in words and not words.isdisjoint({"yet", "really", "now"})
    return not_yet or {"not", "know"} <= words or {"never", "mind"} <= words or not words.isdisjoint(_DOUBTS)


_CORRECTED: Final = frozenset({"INC", "inc", "SEV", "i", "sorry", "please"})
_ALONE: Final = frozenset({"PERSON", "INC", "SEV", "LEVEL", "ALL", "PEOPLE"})


def _is_corrected(kinds: Sequence[str]) -> bool:
    """Whether a few words put something else in its place: `sorry, I mean INC-4`."""
    if len(kinds) == 1 and kinds[0] in _ALONE:
        return True
    few = len(kinds) <= _FEW
    return few and kinds[0] in _CORRECTED and not {"INC", "SEV", "mean", "meant"}.isdisjoint(kinds)


_ORDERS: Final = lexicon.words_of("close resolve reopen escalate declare mitigate ack assign rename")
_JOINING: Final = lexicon.words_of("and then to we i not , . do just rather instead please")


def _commands(kinds: Sequence[str], at: int) -> bool:
    """Whether another command is given here."""
    return kinds[at] in _ORDERS and (at == 0 or kinds[at - 1] in _JOINING)


def _points(kinds: Sequence[str], at: int, *, told: bool) -> bool:
    """Whether an incident is named here that is not only referred to: `same as INC-4`."""
    return kinds[at] == "INC" and not (kinds[at - 1] in LINKS if at else told)


_TOLD: Final = (["is"], ["has"], ["keeps"], ["got"], ["needs"])
_AFTER_THINGS: Final = frozenset({"since", "from", "for", "yet", "after", "by", "so", "in", "PERIOD"})


def as_noun(rest: Sequence[Item]) -> Sequence[Item]:
    """Return what follows a `no` with its first word as a thing: `no ack since 20 min`."""
    thing = len(rest) > 1 and rest[1].kind in _AFTER_THINGS
    return [replace(rest[0], kind="thing"), *rest[1:]] if thing else rest


def _about_a_person(kinds: Sequence[str]) -> bool:
    """Whether a person is only spoken of: `leaving INC-4, @nils has it now`."""
    if kinds[0] != "PERSON" or not NAMING.isdisjoint(kinds[1:]):
        return False
    if kinds[1:3] in (["does", "not"], ["did", "not"], ["is", "not"]):
        return not _SILENT.isdisjoint(kinds[3:4])
    return not FINITE.isdisjoint(kinds[1:2])


_SILENT: Final = lexicon.words_of(
    "answer respond react reply pick reachable available online awake here responding"
)
_MOMENTS: Final = lexicon.words_of(
    "moment minute second instant day time hour way next last same other one ones"
)
_SHORTEST: Final = 3


def is_clause(items: Sequence[Item]) -> bool:
    """Whether a reason begins here without a mark: `reopen INC-4 it broke again`."""
    kinds = [item.kind for item in items]
    if len(kinds) < _SHORTEST or kinds[1] in _MOMENTS:
        return False
    said = kinds[1:2] if kinds[0] in {"it", "everything", "we"} else kinds[1:] if kinds[0] == "the" else []
    return any(kind in FINITE or kind.endswith("ed") for kind in said)


# --------------------------------------------------------------------------------------------- before a command


def may_stand_before(before: Sequence[Item], found: Intent, *, named: bool, meant: bool) -> bool:
    """Whether a statement before the command `found` is one of what is so.

    `named`: an incident is named in it; `meant`: the person that it names is the one whom the command means.
    """
    kinds = {item.kind for item in before}
    gone = _nothing_left(before)
    forbidden = _NEVER_BEFORE | _ORDERING
    forbidden |= set() if _not_so(before, found) else {"not"}
    forbidden |= set() if gone else {"no"}
    forbidden |= set() if meant else {"PERSON", "PEOPLE"}
    states = (
        meant
        or gone
        or (named and len(before) > 1)
        or not kinds.isdisjoint(FINITE)
        or _past(before)
        or _too_soon(before, found)
    )
    return states and kinds.isdisjoint(forbidden) and _plain_start(before)


_ABSTRACT: Final = lexicon.words_of("""
    plan step idea rule message runbook doc docs saying motto option options question answer joke dream who what why
    how which order instruction instructions advice proposal suggestion
    """)


_NEVER_BEFORE: Final = CONDITIONS | ALWAYS | REPORTS | MOCKS | _ABSTRACT | {"never", "QUOTED", "CODE", "let"}
_ORDERING: Final = lexicon.VERBS - {"note", "title", "role", "task", "link", "page", "severity"}
_COMPARED: Final = frozenset({"thought", "expected", "assumed", "hoped", "feared"})


def without_comparison(before: Sequence[Item]) -> list[Item]:
    """Return a statement without `than we thought`, which is nobody's opinion of what to do."""
    for at, item in enumerate(before[:-2]):
        if item.kind == "than" and before[at + 2].kind in _COMPARED:
            return [*before[:at], *before[at + 3 :]]
    return list(before)


def _too_soon(before: Sequence[Item], found: Intent) -> bool:
    """Whether a statement says why something is opened again: `closed too early`."""
    kinds = [item.kind for item in before if item.kind not in {"it", "this", "we", "INC", "was", "that"}]
    return found.command == "reopen" and kinds in (
        [done, "too", soon] for done in ("closed", "resolved") for soon in ("early", "soon", "quickly")
    )


def _not_so(before: Sequence[Item], found: Intent) -> bool:
    """Whether a statement says what is not the case, which is why somebody is called: `the fix did not hold`."""
    return found.command in {"escalate", "page", "reopen"} and before[0].kind not in _SPEAKERS | {"not"}


_SPEAKERS: Final = frozenset({"i", "we", "you", "they", "he", "she", "PERSON", "maybe"})


def _past(before: Sequence[Item]) -> bool:
    """Whether a statement tells of something that was done: `vendor fixed it`."""
    return len(before) > 1 and any(
        item.kind.endswith("ed") and item.kind not in NO_REASONS for item in before
    )


def _nothing_left(before: Sequence[Item]) -> bool:
    """Whether a statement begins with what is no longer there: `no errors since an hour`."""
    return len(before) > 1 and before[0].kind == "no" and before[1].kind in _TROUBLES


_TROUBLES: Final = lexicon.words_of("""
    more errors error alerts alert impact new failures failure complaints issues timeouts answer response reaction
    """)


_NO_STARTS: Final = lexicon.words_of("""
    is are was did has have what when why how who where do does had in as while after before by at on with without for to from
    during upon given even though although because since than so every each any whoever whatever always only PERIOD NUM
    let say said imagine picture next
    """)


def _plain_start(before: Sequence[Item]) -> bool:
    """Whether a statement is one of what is so: no exclamation, no question, no condition, nothing to come, nobody's opinion."""
    return before[0].kind not in _NO_STARTS and MODALS.isdisjoint(item.kind for item in before)
