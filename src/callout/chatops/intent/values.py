"""What a phrase in plain words comes to: a command with its slots, a question back, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

ACTING: Final = frozenset(
    {
        "declare",
        "ack",
        "mitigate",
        "resolve",
        "close",
        "reopen",
        "escalate",
        "assign",
        "note",
        "join",
        "leave",
        "severity",
        "title",
        "role",
        "task",
        "link",
        "page",
    }
)
"""Commands that change something or call someone: they need every word of the phrase to be understood."""
TELLING: Final = frozenset({"status", "list", "sync", "why", "help", "who", "changes", "timeline"})
"""Commands that only tell."""
COMMANDS: Final = ACTING | TELLING
CANDIDATES_LIMIT: Final = 3


@dataclass(frozen=True, slots=True)
class Hearing:
    """What is known beside the words.

    `channel_incident` is the key of the incident whose own channel this is, or empty; `bot_ids` are the platform's ids of
    ourselves, `bot_names` the names that people call us by, in lower case.
    """

    channel_incident: str = ""
    bot_ids: frozenset[str] = frozenset()
    bot_names: frozenset[str] = frozenset({"callout"})


@dataclass(frozen=True, slots=True)
class Intent:
    """One command as it was meant. `slots` by name, in normal form; what the words do not say is absent."""

    command: str
    slots: Mapping[str, Any] = field(default_factory=dict)

    @property
    def acts(self) -> bool:
        """Whether it changes something or calls someone."""
        return self.command in ACTING


@dataclass(frozen=True, slots=True)
class Ask:
    """Not sure: `why` in words, and up to three commands that may have been meant. Nothing is done."""

    why: str
    candidates: tuple[Intent, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """Chatter: nothing to do and nothing to ask."""


Meaning = Intent | Ask | Nothing
