"""What really happened in a twin, in order: the sandbox's independent count of outside effects."""

from __future__ import annotations

from collections import deque
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.sandbox.core.clock import SandboxClock

LEDGER_LIMIT = 200_000
CALL_KIND = "http"


@dataclass(slots=True)
class Call:
    """The request (or act) being handled now; the gate sets it, ledger entries copy it.

    `summary` is what a twin wants said of the request itself, in its own `http` entry.
    """

    method: str
    path: str
    fault: str | None = None
    summary: dict[str, Any] = field(default_factory=dict)


current_call: ContextVar[Call | None] = ContextVar("sandbox_current_call", default=None)


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One line of the ledger; `effect` says whether it changed the twin's state, `at` is Unix seconds."""

    seq: int
    at: float
    twin: str
    kind: str
    method: str
    path: str
    actor: str | None
    target: str | None
    status: int
    effect: bool
    fault: str | None
    summary: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the entry as plain JSON values."""
        return asdict(self)


class Ledger:
    """Append-only, bounded list of entries of one twin.

    Twins record an effect at the moment their state changes, so that a request whose answer is lost
    afterwards still shows here. The gate adds one `http` entry (`effect` false) for every request.
    """

    def __init__(self, twin: str, clock: SandboxClock, *, limit: int = LEDGER_LIMIT) -> None:
        self._twin = twin
        self._clock = clock
        self._entries: deque[LedgerEntry] = deque(maxlen=limit)
        self._seq = 0

    def record(
        self,
        kind: str,
        *,
        actor: str | None = None,
        target: str | None = None,
        status: int = 200,
        effect: bool = True,
        summary: Mapping[str, Any] | None = None,
    ) -> LedgerEntry:
        """Append an entry; method, path and fault come from the request being handled."""
        call = current_call.get() or Call("-", "-")
        self._seq += 1
        entry = LedgerEntry(
            seq=self._seq,
            at=self._clock.now(),
            twin=self._twin,
            kind=kind,
            method=call.method,
            path=call.path,
            actor=actor,
            target=target,
            status=status,
            effect=effect,
            fault=call.fault,
            summary=dict(summary or {}),
        )
        self._entries.append(entry)
        return entry

    def entries(
        self, *, since: int = 0, kind: str | None = None, effect: bool | None = None
    ) -> list[LedgerEntry]:
        """Return entries with `seq` above `since`; `kind` ending in `*` matches by prefix."""
        return [
            entry
            for entry in self._entries
            if entry.seq > since
            and (kind is None or _kind_matches(entry.kind, kind))
            and (effect is None or entry.effect is effect)
        ]

    def effects(self, kind: str | None = None) -> list[LedgerEntry]:
        """Return the entries that changed state, of one kind or of all."""
        return self.entries(kind=kind, effect=True)

    def clear(self) -> None:
        """Forget all entries; `seq` goes on counting."""
        self._entries.clear()

    @property
    def last_seq(self) -> int:
        """The highest `seq` given out so far."""
        return self._seq

    def __len__(self) -> int:
        return len(self._entries)


def _kind_matches(kind: str, wanted: str) -> bool:
    return kind.startswith(wanted[:-1]) if wanted.endswith("*") else kind == wanted
