"""What may have been meant, as a line that can be typed: with the incident, people and values that were read already. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callout.chatops.intent import Intent

_IN_ORDER: Final = (
    "incident",
    "role",
    "person",
    "field",
    "severity",
    "title",
    "ticket",
    "text",
    "topic",
    "period",
)
_NEEDED: Final = {
    "assign": {"person"},
    "page": {"person"},
    "note": {"text"},
    "task": {"text"},
    "title": {"title"},
    "role": {"role", "person"},
    "severity": {"severity"},
    "link": {"ticket"},
    "why": {"field"},
    "declare": {"title"},
}
"""Without these a line would not work as it stands: how the command is written says more than half of one."""
_FINISHING: Final = {"done": "done", "undone": "reopen"}
LIMIT: Final = 120
"""Longest line that is offered, in characters; a text that is longer is left to be written again."""


def offered(intent: Intent) -> str:
    """Return the line that does what `intent` means, or the mere name of its command where too little was read."""
    slots = intent.slots
    verb = next((verb for name, verb in _FINISHING.items() if name in slots), "")
    if (_NEEDED.get(intent.command, set()) - slots.keys() and not verb) or "people" in slots:
        return intent.command
    if verb:
        which = slots["done" if "done" in slots else "undone"]
        return _short(
            " ".join([intent.command, *([slots["incident"]] if "incident" in slots else []), verb, which]),
            intent.command,
        )
    words = [str(slots[name]) for name in _IN_ORDER if name in slots]
    if intent.command == "declare" and "severity" in slots:
        words = [str(slots["severity"]), str(slots["title"])]
    line = " ".join([intent.command, *words, *_flags(slots)])
    return _short(line, intent.command)


def _short(line: str, name: str) -> str:
    return " ".join(line.replace("`", "'").split()) if len(line) <= LIMIT else name


def _flags(slots: Mapping[str, Any]) -> list[str]:
    audience = slots.get("audience", "")
    return [
        *([f"--{audience}"] if audience in {"internal", "customer"} else []),
        *([f"--service {slots['service']}"] if "service" in slots else []),
    ]
