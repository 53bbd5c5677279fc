"""Words that every feature shares: severity, status, audience, people, actors and origins."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import total_ordering
from typing import Any

_SEVERITY = re.compile(r"^\s*(?:sev|severity|s)?\s*[-_ ]?\s*([1-9][0-9]?)\s*$", re.IGNORECASE)


@total_ordering
@dataclass(frozen=True, slots=True)
class Severity:
    """How bad it is: `SEV-1` is the worst. Orders by urgency: `Severity(1) < Severity(2)`."""

    rank: int

    def __str__(self) -> str:
        return f"SEV-{self.rank}"

    def __lt__(self, other: Severity) -> bool:
        return self.rank < other.rank

    @classmethod
    def parse(cls, text: str) -> Severity:
        """Read `SEV-1`, `sev1`, `1` or `Severity 1`. Raises ValueError."""
        match = _SEVERITY.match(text)
        if match is None:
            msg = f"{text!r} is not a severity; write SEV-1 to SEV-4"
            raise ValueError(msg)
        return cls(int(match.group(1)))


class Status(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"


class Priority(StrEnum):
    """The unified priority of a ticket (upper case on the wire)."""

    URGENT = "URGENT"
    CRITICAL = "CRITICAL"
    HIGH = "HIGH"
    MEDIUM = "MEDIUM"
    MODERATE = "MODERATE"
    LOW = "LOW"
    PLANNING = "PLANNING"


class Audience(StrEnum):
    """Who may read a text."""

    INTERNAL = "internal"
    RESPONDERS = "responders"
    CUSTOMER = "customer"

    def may_reach(self, readers: Audience) -> bool:
        """Return whether a text for this audience may be put where `readers` can read it.

        An internal text only where nobody but us reads; a text for customers anywhere.
        """
        width = list(Audience)
        return width.index(readers) <= width.index(self)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody as one system knows them: `id` is that system's own identifier, stable and unique there."""

    id: str
    name: str = ""
    email: str = ""


class ActorKind(StrEnum):
    """What acted."""

    MEMBER = "member"
    TOKEN = "token"  # noqa: S105  # the kind of actor, not a secret
    CHAT_USER = "chat_user"
    VENDOR_USER = "vendor_user"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who did it: for the timeline (`name`) and for the audit (`kind`, `id`)."""

    kind: ActorKind
    id: str
    name: str = ""

    @classmethod
    def system(cls, name: str = "callout") -> Actor:
        """Return the actor for what Callout does by itself."""
        return cls(ActorKind.SYSTEM, "callout", name)


class Channel(StrEnum):
    """By which way in a change came."""

    API = "api"
    CLI = "cli"
    CHAT = "chat"
    SYNC = "sync"
    DASHBOARD = "dashboard"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Origin:
    """What caused a change, so that it is never sent back where it came from.

    `integration_id` and `link_id` name the other system when it came from one, `causation` the event that led to it, `hops` how
    many automatic steps lie behind it (a loop breaker).
    """

    channel: Channel
    actor: Actor
    integration_id: str = ""
    link_id: str = ""
    causation: str = ""
    hops: int = 0
    trace: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form, for envelopes and rows."""
        actor = self.actor
        # By hand: `asdict` copies in depth, and this is written with every line of every timeline.
        return {
            "channel": self.channel.value,
            "actor": {"kind": actor.kind.value, "id": actor.id, "name": actor.name},
            "integration_id": self.integration_id,
            "link_id": self.link_id,
            "causation": self.causation,
            "hops": self.hops,
            "trace": self.trace,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Origin:
        """Read what :meth:`to_json` wrote; unknown keys of newer versions are ignored."""
        actor = data.get("actor", {})
        return cls(
            channel=Channel(data.get("channel", "system")),
            actor=Actor(ActorKind(actor.get("kind", "system")), actor.get("id", ""), actor.get("name", "")),
            integration_id=data.get("integration_id", ""),
            link_id=data.get("link_id", ""),
            causation=data.get("causation", ""),
            hops=int(data.get("hops", 0)),
            trace=data.get("trace", ""),
        )
