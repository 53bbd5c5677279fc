"""Rows of escalations: where the one of an incident stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from callout.incidents.escalation.policy import Policy, read_policy
from callout.incidents.response_tables import incident_escalation

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from callout.storage import AccountTx


class RunState(StrEnum):
    """How an escalation stands."""

    RUNNING = "running"
    STOPPED = "stopped"
    """Somebody answered, or it is no longer wanted."""
    FINISHED = "finished"
    """Every step was gone through and nobody answered."""


@dataclass(frozen=True, slots=True)
class Run:
    """The escalation of an incident. `position` is the next step, counted over all rounds; `cause` what began it."""

    incident_id: str
    generation: int
    policy: Policy
    state: RunState
    position: int
    cause: str
    begun_at: datetime
    updated_at: datetime
    reason: str = ""
    next_at: datetime | None = None

    @property
    def timer(self) -> str:
        """The name of the timer of its next step."""
        return f"{self.incident_id}/{self.generation}/{self.position}"

    def to_json(self) -> dict[str, Any]:
        """Return the form that people see; steps are counted from 1."""
        return {
            "policy": self.policy.name,
            "state": self.state.value,
            "steps_done": self.position,
            "steps": self.policy.length,
            "cause": self.cause,
            "reason": self.reason,
            "begun_at": self.begun_at.isoformat(),
            "next_at": None if self.next_at is None else self.next_at.isoformat(),
        }


async def load(tx: AccountTx, incident_ids: Sequence[str]) -> dict[str, Run]:
    """Return the escalations of incidents, by incident; the caller holds the incidents it is going to change."""
    if not incident_ids:
        return {}
    table = incident_escalation
    rows = await tx.all(tx.select(table).where(table.c.incident_id.in_(list(incident_ids))))
    return {row["incident_id"]: _run(row) for row in rows}


async def put(tx: AccountTx, run: Run) -> None:
    """Store an escalation, new or changed; the caller holds the incident."""
    table = incident_escalation
    values = {
        "incident_id": run.incident_id,
        "generation": run.generation,
        "policy": run.policy.name,
        "document": run.policy.document(),
        "state": run.state.value,
        "position": run.position,
        "cause": run.cause,
        "reason": run.reason,
        "begun_at": run.begun_at,
        "next_at": run.next_at,
        "updated_at": run.updated_at,
    }
    changed = tx.update(table).where(table.c.incident_id == run.incident_id).values(**values)
    if await tx.execute(changed) == 0:
        await tx.execute(tx.insert(table).values(**values))


def _run(row: RowMapping) -> Run:
    return Run(
        incident_id=row["incident_id"],
        generation=row["generation"],
        policy=read_policy(row["policy"], row["document"]),
        state=RunState(row["state"]),
        position=row["position"],
        cause=row["cause"],
        begun_at=row["begun_at"],
        updated_at=row["updated_at"],
        reason=row["reason"],
        next_at=row["next_at"],
    )


__all__ = ["Run", "RunState", "load", "put"]
