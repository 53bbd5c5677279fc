"""Walking over the items of a phrase whose end is free text; and the text as it was written. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.courtesy import Core
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.values import Intent

SEPARATORS: Final = frozenset({":", ",", "-", ";", "NEWLINE", ".", "|"})
SKIPPED: Final = frozenset({"please", "now", "immediately", "asap", "EMOJI", "BOT", "kindly", "quickly", "!"})
_TO: Final = frozenset({"to", "on", "for", "in", "at", "of", "under", "into"})
_THIS: Final = frozenset({"this", "that", "it", "here", "incident"})
LAUGHS: Final = lexicon.words_of(
    "MOCK haha hahaha hahahaha lol lmao rofl jk kidding joking nvm nevermind sarcasm hehe hihi"
)
"""What says that a phrase is not meant."""
MOCKS: Final = LAUGHS | lexicon.words_of("""
    coffee pizza lunch beer cake cookies donut donuts
    fridge kitchen toilet weather monday mondays friday tea snacks cat dog party vacation heart
    """)
"""Words of jokes: no incident is declared over coffee."""
_CONDITIONS: Final = frozenset({"if", "unless", "hypothetically", "suppose", "supposing", "assuming"})
ODD_STARTS: Final = _CONDITIONS | frozenset(
    [
        "when",
        "once",
        "until",
        "till",
        "or",
        "and",
        "what",
        "who",
        "which",
        "how",
        "why",
        "whom",
        "where",
        "not",
        "no",
        "is",
        "was",
        "were",
        "did",
        "does",
        "should",
        "would",
        "could",
        "might",
        "may",
        "will",
        "can",
        "tomorrow",
        "later",
        "tonight",
        "soon",
        "after",
        "before",
        "maybe",
        "perhaps",
        "it",
        "this",
        "that",
        "anything",
        "something",
        "nothing",
        "said",
        "says",
        "yet",
        "SEV",
        "INC-",
        "?",
        "wait",
        "whenever",
        "as",
        "because,",
        "to",
        "by",
        "only",
        "too",
        "never",
        "always",
        "victory",
        "bankruptcy",
        "war",
        "independence",
        "love",
        "peace",
        "variable",
        "variables",
        "const",
        "function",
        "functions",
        "class",
        "type",
        "types",
        "holiday",
        "friday",
        "taxes",
        "button",
        "command",
        "means",
        "meant",
        "sounds",
        "seems",
        "feels",
        "yourself",
        "myself",
        "you",
        "me",
        "i",
        "they",
        "another",
        "rule",
    ]
)
"""What no title begins with: the words around it are about declaring, they do not declare."""
_LATER: Final = frozenset({"tomorrow", "later", "tonight", "soon"})
_REPORTED: Final = frozenset({"said", "told", "wrote", "typed", "shouted", "texted"})


class Cursor:
    """Walks over items."""

    def __init__(self, items: Sequence[Item], at: int = 0) -> None:
        self.items = items
        self.at = at

    def kind(self, ahead: int = 0) -> str:
        at = self.at + ahead
        return self.items[at].kind if at < len(self.items) else ""

    def item(self, ahead: int = 0) -> Item:
        return self.items[self.at + ahead]

    def take(self, *kinds: str) -> bool:
        """Step over these kinds, in this order, or not at all."""
        if all(self.kind(ahead) == kind for ahead, kind in enumerate(kinds)):
            self.at += len(kinds)
            return True
        return False

    def take_any(self, kinds: Collection[str]) -> str:
        kind = self.kind()
        if kind and kind in kinds:
            self.at += 1
            return kind
        return ""

    def skip(self, kinds: Collection[str]) -> bool:
        before = self.at
        while self.kind() and self.kind() in kinds:
            self.at += 1
        return self.at > before

    def articles(self) -> None:
        self.skip(lexicon.ARTICLES | SKIPPED)

    def pointing(self) -> tuple[bool, str]:
        """Step over `[to] [the] INC-4` or `[on] this incident`: whether it was there, and which."""
        start = self.at
        led = bool(self.take_any(_TO))
        self.skip(lexicon.ARTICLES)
        if self.kind() == "INC":
            value = self.item().value
            self.at += 1
            return True, value
        if self.kind() in {"this", "that", "current"} and self.kind(1) in {
            "incident",
            "one",
            "channel",
            "inc",
        }:
            self.at += 2
            return True, ""
        if self.kind() in {"it", "here", "this", "that", "incident"} and (led or self.kind() == "here"):
            self.at += 1
            return True, ""
        self.at = start
        return False, ""

    @property
    def rest(self) -> Sequence[Item]:
        return self.items[self.at :]


_SAYING: Final = 3
"""A title of a known severity may begin with `told …` if it has more words than this."""
_DAYS: Final = frozenset({"monday", "mondays", "friday"})


def doubtful(words: Sequence[Item], core: Core, *, led: bool = False, severe: bool = False) -> bool:
    """Whether these words are not surely meant as a title. What is `led` to by a colon is content, whatever it says."""
    kinds = {item.kind for item in words[:1]} if led else {item.kind for item in words}
    said = {item.kind for item in words[1:]} - _DAYS | {words[0].kind}
    return (
        not kinds.isdisjoint(_CONDITIONS)
        or not (
            led or _REPORTED.isdisjoint(item.kind for item in words[int(severe and len(words) > _SAYING) :])
        )
        or not said.isdisjoint(MOCKS)
        or words[-1].kind in _LATER | {"or"}
        or words[0].kind in {"?", ")"}
        or (any(item.kind == "?" for item in words[-2:]) and not core.asked)
        or [item.kind for item in words[-2:]] == ["or", "not"]
        or (words[0].kind in {"in", "at"} and words[1:2] and words[1].kind in {"NUM", "PERIOD", "case"})
        or words[0].kind == "PERIOD"
    )


def without_courtesies(rest: Sequence[Item]) -> list[Item]:
    """Return the items without thanks and marks after them."""
    kept = list(rest)
    while kept and (
        kept[-1].kind in lexicon.COURTESIES - {"again"} | {"EMOJI", "BOT", "!", "?"} | SEPARATORS
    ):
        kept.pop()
    return kept


def as_written(reading: Reading, rest: Sequence[Item], *, cut: bool) -> str:
    """Return the words of `rest` as written, without quotes around all of it, and without courtesies after it."""
    if not rest:
        return ""
    if len(rest) == 1 and rest[0].kind == "QUOTED":
        return rest[0].value
    if cut:  # more words than are looked at: nothing after them was read, so nothing is taken off
        return _unquoted(reading.text(rest[0].start))
    return _unquoted(reading.text(rest[0].start, rest[-1].end))


_WRAPS: Final = {
    '"': '"',
    "'": "'",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u201e": "\u201c",
    "\u00ab": "\u00bb",
}


def _unquoted(text: str) -> str:
    if (
        len(text) > 1
        and _WRAPS.get(text[0]) == text[-1]
        and text[0] not in text[1:-1]
        and text[-1] not in text[1:-1]
    ):
        return text[1:-1].strip()
    return text


def pointed_next(cursor: Cursor) -> bool:
    """Whether an incident, or a colon, comes next."""
    there, _ = Cursor(cursor.items, cursor.at).pointing()
    return there or cursor.kind() == ":"


def after_quoted(branch: Cursor, slots: dict[str, Any]) -> dict[str, Any]:
    """Read what follows quoted text: an incident, an audience, a person. Empty when there is more than that."""
    found = dict(slots)
    while branch.rest:
        if branch.skip(lexicon.COURTESIES | {"EMOJI", ".", ",", "!"}):
            continue
        there, key = branch.pointing()
        if there:
            if key and found.get("incident", key) != key:
                return {}
            if key:
                found["incident"] = key
            continue
        if branch.kind() == "for" and branch.kind(1) in {"PERSON", "me"} and "person" not in found:
            found["person"] = branch.item(1).value or "me"
            branch.at += 2
            continue
        marked = branch.kind() in {"for", "to"} and branch.kind(1) == "AUD"
        if branch.kind() == "AUD" or marked:
            found["audience"] = branch.item(int(marked)).value
            branch.at += 1 + marked
            branch.skip({"only"})
            continue
        return {}
    return found or {"": ""}


def quoted_first(cursor: Cursor, incident: str, command: str, nouns: Collection[str]) -> Intent | None:
    """Read what follows `add "…"`: `as a note to INC-45`, `to the tasks of INC-4`. None when there is more than that."""
    text = cursor.item().value
    cursor.at += 1
    audience: dict[str, Any] = {}
    led = cursor.take_any({"as", "to", "in", "into", "under"})
    cursor.articles()
    cursor.take_any({"new"})
    if cursor.kind() == "AUD" and command == "note":
        audience = {"audience": cursor.item().value}
        cursor.at += 1
    if not led or not cursor.take_any(nouns):
        return None
    slots = after_quoted(cursor, {**({"incident": incident} if incident else {}), **audience})
    if not slots or ("person" in slots and command == "note") or ("audience" in slots and command == "task"):
        return None
    slots.pop("", None)
    return Intent(command, {**slots, "text": text}) if text else None


def elsewhere(rest: Sequence[Item], *, explicit: bool) -> bool:
    """Whether what should be text still speaks of where it goes: `to the other incident: …`, `or internal: …`, `help`."""
    kinds = [item.kind for item in rest[:8]]
    if explicit or not kinds:
        return False
    if kinds[0] in {"or", "and", "/"} or kinds in (["help"], ["usage"], ["syntax"]):
        return True
    if ":" not in kinds:
        return kinds[0] in {"to", "on"} and bool(
            {"one", "ones", "incidents", "both", "all", "every"} & set(kinds[:5])
        )
    before = set(kinds[: kinds.index(":")])
    return bool(before & {"incident", "incidents", "one", "ones", "both", "all"}) or kinds[0] in {
        "to",
        "on",
        "for",
    }


def incident_next(cursor: Cursor) -> str:
    """Step over `to INC-4` where a note or task follows it (`add to INC-4 a note: …`), and return the key."""
    start = cursor.at
    there, key = cursor.pointing()
    ahead = 0
    while cursor.kind(ahead) in {"a", "an", "the", "new", "AUD", "following", ","}:
        ahead += 1
    if there and key and ahead and cursor.kind(ahead) in {"note", "task"}:
        return key
    cursor.at = start
    return ""
