"""What is no word: mentions, links, quotations, code, emoji, marks. Each becomes one item. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from callout.chatops.intent import lexicon
from callout.chatops.intent.items import Item, Tape
from callout.chatops.intent.shapes import KEY

_JOINTS_LIMIT: Final = 2
"""Between people in a row stand no more marks than `, and`."""
_EVERYBODY: Final = frozenset({"@here", "@channel", "@everyone"})
_SAME: Final = {"&": ("and", ""), "=": (":", "="), "\u2013": ("-", ""), "\u2014": ("-", "")}
"""Marks that are read as another, with what was written where that matters."""


def take_mark(tape: Tape, shape: str) -> None:
    """Take the next token, which is no word but of this shape."""
    _TAKERS.get(shape, _mark)(tape)


def _quoted(tape: Tape) -> None:
    tape.take("QUOTED", value=tape.raw()[1:-1].strip())


def _url(tape: Tape) -> None:
    tape.take("URL", value=tape.raw().rstrip(".,;:!?)'\"*_"))


def _email(tape: Tape) -> None:
    _person(tape, tape.raw().rstrip("."))


def _at(tape: Tape) -> None:
    if tape.low()[1:] in tape.hearing.bot_names:
        tape.take("BOT")
    elif tape.low() in _EVERYBODY:
        tape.take("ALL")
    else:
        _person(tape, tape.raw())


def _emoji(tape: Tape) -> None:
    tape.take("MOCK" if tape.low()[1:-1] in lexicon.MOCKING else "EMOJI")


def _flag(tape: Tape) -> None:
    tape.take("FLAG", value=tape.low().lstrip("-\u2013\u2014"))


def _mark(tape: Tape) -> None:
    low = tape.low()
    if low == "#" and KEY.fullmatch("inc" + tape.low(1)):
        tape.take("INC", 2, f"INC-{tape.low(1)}")
    elif low in _SAME:
        kind, value = _SAME[low]
        tape.take(kind, value=value)
    elif low in lexicon.MOCKING:
        tape.take("MOCK")
    else:
        tape.take(low if low.isascii() else "EMOJI")


def _slack(tape: Tape) -> None:
    """Take what Slack writes in angle brackets: a mention, an address, a channel."""
    raw = tape.raw()
    name, _, label = raw[1:-1].partition("|")
    if name.startswith("@"):
        if name[1:] in tape.hearing.bot_ids or label.lower() in tape.hearing.bot_names:
            tape.take("BOT")
        else:
            _person(tape, raw)
    elif name.startswith("mailto:"):
        _person(tape, name.removeprefix("mailto:"))
    elif name.startswith(("http://", "https://")):
        tape.take("URL", value=name)
    else:
        tape.take({"!": "ALL", "#": "CHANNEL"}.get(name[:1], "OTHER"))


def _person(tape: Tape, value: str) -> None:
    """Take a person; people in a row (`@a, @b and @c`) become one item."""
    tape.take("PERSON", value=value)
    found = tape.found
    for joints, item in enumerate(reversed(found[:-1])):
        if item.kind in {"PERSON", "PEOPLE"}:
            before = (item.value,) if item.kind == "PERSON" else item.values
            mine = found[-1]
            del found[len(found) - joints - 2 :]
            found.append(Item("PEOPLE", item.start, mine.end, values=(*before, value)))
            return
        if item.kind not in {",", "and", "+"} or joints == _JOINTS_LIMIT:
            return


_TAKERS: Final[Mapping[str, Callable[[Tape], None]]] = {
    "code": lambda tape: tape.take("CODE"),
    "quoted": _quoted,
    "slack": _slack,
    "url": _url,
    "email": _email,
    "at": _at,
    "emoji": _emoji,
    "flag": _flag,
    "arrow": lambda tape: tape.take("to"),
    "newline": lambda tape: tape.take("NEWLINE"),
}
