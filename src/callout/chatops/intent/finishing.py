"""`task 3 is done`: tasks are ticked off by their number. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.chatops.intent.courtesy import Core, plain, without_tail
from callout.chatops.intent.items import Item, Reading
from callout.chatops.intent.patterns import any_of, spell
from callout.chatops.intent.values import Ask, Intent

_DONE: Final = "(done|finished|complete|completed|ticked|ready|over)"
_FINISHED: Final = any_of(
    f"""
    (mark|set|check|tick|cross|strike|flag|put) [off|out] task [number|no|nr] N [as|to|off] [off|{_DONE}]
    (mark|set|flag) task [number|no|nr] N [as|to|:] {_DONE}
    (finish|complete|end) [off] task [number|no|nr] N
    task [number|no|nr] N [is|has been|as|:|to] {_DONE}
    {_DONE} task [number|no|nr] N
    {_DONE} with task [number|no|nr] N
    (i|we) [have|am|are] {_DONE} [with] task [number|no|nr] N
    (tick|check|cross|strike) off [task] (number|no|nr) N [of|in|from|on] [task|tasks] [list]
    """
)
_NUMBERS_LIMIT: Final = 9_999


def finished(core: Core, reading: Reading) -> Intent | Ask | None:
    """Return which task is done, where a phrase says so; its number is in the slot `done`. None when it says something else."""
    tailed = without_tail(core)
    if all(item.kind not in {"task", "tasks"} for item in tailed.items):
        return None
    slots: dict[str, str] = {}
    kinds: list[Item] = []
    words = plain([item for item in tailed.items if item.kind != "please"])
    for at, item in enumerate(words):
        number = _number(item, words[at - 1].kind if at else "", reading)
        if number and "done" not in slots:
            slots["done"] = number
            kinds.append(Item("N", item.start, item.end))
        elif item.kind == "INC" and "incident" not in slots:
            slots["incident"] = item.value
            while kinds and kinds[-1].kind in {"on", "of", "in", "for", ":"}:
                kinds.pop()
        else:
            kinds.append(item)
    while kinds and kinds[0].kind == ":":
        kinds.pop(0)
    if "done" not in slots or not _FINISHED.fullmatch(spell(kinds)):
        return None
    intent = Intent("task", slots)
    return Ask("Is that task done?", (intent,)) if tailed.questioned and not tailed.asked else intent


def _number(item: Item, before: str, reading: Reading) -> str:
    if before not in {"task", "number", "no", "nr"}:
        return ""
    written = reading.text(item.start, item.end).removeprefix("#")
    return written if written.isdecimal() and written.isascii() and 0 < int(written) <= _NUMBERS_LIMIT else ""


def without_a_number(rest: Sequence[Item]) -> bool:
    """Whether words speak of a task that is there without saying which: `task done`."""
    return [item.kind for item in rest] in (
        ["done"],
        ["finished"],
        ["complete"],
        ["completed"],
        ["is", "done"],
    )
