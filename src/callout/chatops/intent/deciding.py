"""From a phrase to what is done: act only on what is wholly understood, tell what is asked, else ask back or stay silent."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.asides import after_the_mention
from callout.chatops.intent.content import content_of
from callout.chatops.intent.courtesy import MOST, Core, without_lead, without_tail
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.reading import TEXT_LIMIT, read
from callout.chatops.intent.reasons import acting_of
from callout.chatops.intent.talk import UNSURE
from callout.chatops.intent.telling import telling_of
from callout.chatops.intent.values import CANDIDATES_LIMIT, Ask, Hearing, Intent, Meaning, Nothing

_INCIDENTLESS: Final = frozenset({"declare", "help", "list", "changes", "sync", "who"})
_NO_INCIDENT: Final = "Which incident? This is no incident's own channel."


def understand(text: str, hearing: Hearing | None = None) -> Meaning:
    """Return what `text` means to us; never raises, in time linear in its length."""
    hearing = hearing or Hearing()
    if len(text) > TEXT_LIMIT:
        return Ask(f"That is longer than I read ({TEXT_LIMIT} characters), so I did nothing.")
    reading = read(text, hearing)
    found = _understood(reading, hearing)
    if not isinstance(found, Intent) and (said := after_the_mention(reading)) is not None:
        meant = _understood(said, hearing)
        found = meant if isinstance(meant, Intent) else found
    return found


def _understood(reading: Reading, hearing: Hearing) -> Meaning:
    core = without_lead(reading.items)
    if not core.items:
        return Intent("help") if not _said(reading.items) else Nothing()
    if core.items[0].kind == ">" or reading.source.lstrip().startswith("&gt;"):
        return _unsure(reading)
    found = _help_after(core) or content_of(core, reading, hearing) or _commanded(core, reading, hearing)
    if isinstance(found, Intent):
        return _placed(found, core, hearing)
    if isinstance(found, Ask):
        return found if found.candidates else replace(found, candidates=_candidates(reading))
    return found or _unsure(reading)


def _commanded(core: Core, reading: Reading, hearing: Hearing) -> Meaning | None:
    """Return the command, without words of its own, that a phrase is; nothing where only thanks are left of it."""
    tailed = without_tail(core)
    if not tailed.items:
        return Nothing()
    found = acting_of(tailed, reading, hearing)
    return found if found is not None or _unclear(tailed) else telling_of(tailed, reading, hearing)


def _help_after(core: Core) -> Intent | None:
    """Read `declare help` and a mere `?`."""
    kinds = [
        item.kind for item in core.items if item.kind not in lexicon.FILLERS | {"EMOJI", "BOT", "!", "."}
    ]
    if kinds == ["?"]:
        return Intent("help")
    if kinds[1:] in (["help"], ["usage"], ["syntax"]) and kinds[0] in lexicon.BASES:
        return Intent("help", {"topic": lexicon.BASES[kinds[0]]})
    return None


def _said(items: Sequence[Item]) -> bool:
    return any(item.kind not in {"BOT", ",", "?", "!", ".", ":"} for item in items)


def _placed(found: Intent, core: Core, hearing: Hearing) -> Meaning:
    """Return the intent if it is known which incident it is about and nothing else is missing."""
    named = "incident" in found.slots
    if found.command not in _INCIDENTLESS and not named and not hearing.channel_incident:
        return Ask(_NO_INCIDENT, (found,))
    if (
        not named
        and any(item.kind == "inc" for item in core.items[:MOST])
        and found.command not in {"declare", "note", "task", "title"}
    ):
        return Ask(UNSURE, (found,))
    return found


def _unclear(core: Core) -> bool:
    head = core.items[:MOST]
    through_another = any(
        item.kind == "BOT" and before.kind in {"ask", "asked", "asking", "tell", "with", "by", "via"}
        for before, item in itertools.pairwise(head)
    )
    return through_another or any(item.kind in {"CODE", ">"} for item in head)


# ------------------------------------------------------------------------------------------------ asking back


def _unsure(reading: Reading) -> Ask | Nothing:
    """Ask back when the words have to do with us, else stay silent."""
    candidates = _candidates(reading)
    kinds = {item.kind for item in reading.items}
    if candidates or kinds & {"INC", "inc", "SEV"}:
        return Ask(UNSURE, candidates)
    return Nothing()


def _candidates(reading: Reading) -> tuple[Intent, ...]:
    """Return the commands that the words make one think of, the first ones first, with the incident that is named."""
    named = list(dict.fromkeys(item.value for item in reading.items if item.kind == "INC"))
    slots: dict[str, Any] = {"incident": named[0]} if len(named) == 1 else {}
    found: dict[str, Intent] = {}
    for item in reading.items:
        word = lexicon.GERUNDS.get(item.kind, item.kind)
        name = lexicon.BASES.get(word) or lexicon.PARTICIPLES.get(word)
        if name and name not in found:
            found[name] = Intent(name, {} if name in {"declare", "help", "list"} else slots)
        if item.kind == "SEV" and "severity" in found:
            found["severity"] = Intent("severity", {**slots, "severity": item.value})
    if "declare" in found and "severity" in found:
        del found["severity"]
    return tuple(found.values())[:CANDIDATES_LIMIT]
