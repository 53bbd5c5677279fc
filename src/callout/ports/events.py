"""The envelope of every event that one feature writes and another reacts to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from callout.ports.values import Origin

VERSION = 1
UPCASTS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}
"""From version N to N+1, so that work queued before an upgrade is read after it."""


@dataclass(frozen=True, slots=True)
class EventEnvelope:
    """Something that happened, as it is committed with the change itself.

    `kind` is dotted (`incident.status_changed`), `subject` the id of the record it is about, `data` what readers need to know,
    `trace` the span that it happened in (a W3C `traceparent`), where traces are on.
    """

    id: str
    kind: str
    account_id: str
    subject: str
    occurred_at: datetime
    origin: Origin
    data: Mapping[str, Any]
    version: int = VERSION
    trace: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        envelope = {
            "version": self.version,
            "id": self.id,
            "kind": self.kind,
            "account_id": self.account_id,
            "subject": self.subject,
            "occurred_at": self.occurred_at.isoformat(),
            "origin": self.origin.to_json(),
            "data": dict(self.data),
        }
        if self.trace is not None:
            envelope["trace"] = self.trace
        return envelope

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> EventEnvelope:
        """Read an envelope of this or any older version. Raises ValueError for one of a newer version."""
        version = int(data.get("version", 1))
        if version > VERSION:
            msg = f"event version {version} is newer than this process understands ({VERSION})"
            raise ValueError(msg)
        while version < VERSION:
            data = UPCASTS[version](data)
            version += 1
        return cls(
            id=data["id"],
            kind=data["kind"],
            account_id=data["account_id"],
            subject=data["subject"],
            occurred_at=datetime.fromisoformat(data["occurred_at"]),
            origin=Origin.from_json(data["origin"]),
            data=data["data"],
            version=version,
            trace=data.get("trace"),
        )
