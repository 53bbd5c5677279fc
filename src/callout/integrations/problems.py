"""What is wrong with an integration as a whole, told until it is over: a webhook subscription that ended, webhooks that stay away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from callout.integrations.tables import integration_problem, integrations
from callout.kit.clock import Clock
from callout.kit.redaction import redact_text
from callout.storage import AccountTx
from callout.storage.upsert import insert_or_ignore

_MAX_TEXT: Final = 500
OVERSIZED: Final = "oversized"
"""The kind of the problem that webhooks were larger than is taken in."""
IMPORTED: Final = "imported"
"""The kind of the problem that an integration came with an import and is off; it ends when the integration is switched on."""
LASTS: Final[Mapping[str, timedelta]] = {OVERSIZED: timedelta(days=1)}
"""Problems whose end nobody sees: so long after they were told last they count as over."""


@dataclass(frozen=True, slots=True)
class IntegrationProblem:
    """One problem: its kind (one of each per integration), a stable code, what is wrong and what to do next."""

    integration_id: str
    kind: str
    code: str
    message: str
    remediation: str
    since: datetime

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return {
            "kind": self.kind,
            "code": self.code,
            "message": self.message,
            "remediation": self.remediation,
            "since": self.since.isoformat(),
        }


class Problems:
    """Keeps the problems of integrations. Every method works in the caller's transaction."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def tell(
        self, tx: AccountTx, integration_id: str, kind: str, *, code: str, message: str, remediation: str
    ) -> None:
        """Tell a problem; while it lasts its words are renewed and `since` stays. Without the integration nothing is told."""
        found = await tx.scalar(tx.select(integrations.c.id).where(integrations.c.id == integration_id))
        if found is None:
            return
        now = self._clock.now()
        values = {
            "code": code,
            "message": redact_text(message)[:_MAX_TEXT],
            "remediation": redact_text(remediation)[:_MAX_TEXT],
            "updated_at": now,
        }
        first = {
            "integration_id": integration_id,
            "kind": kind,
            "account_id": tx.account_id,
            "since": now,
            **values,
        }
        if not await tx.system.execute(insert_or_ignore(tx.system, integration_problem, first)):
            place = (
                integration_problem.c.integration_id == integration_id,
                integration_problem.c.kind == kind,
            )
            await tx.execute(tx.update(integration_problem).where(*place).values(**values))

    async def over(self, tx: AccountTx, integration_id: str, kind: str) -> bool:
        """End a problem; return whether there was one."""
        place = (integration_problem.c.integration_id == integration_id, integration_problem.c.kind == kind)
        return bool(await tx.execute(tx.delete(integration_problem).where(*place)))

    async def of_account(self, tx: AccountTx) -> Mapping[str, Sequence[IntegrationProblem]]:
        """Return the problems of the account's integrations, by integration, the oldest first."""
        rows = await tx.all(tx.select(integration_problem).order_by(integration_problem.c.since))
        now = self._clock.now()
        rows = [row for row in rows if now - row["updated_at"] < LASTS.get(row["kind"], timedelta.max)]
        found: dict[str, list[IntegrationProblem]] = {}
        for row in rows:
            one = IntegrationProblem(
                row["integration_id"],
                row["kind"],
                row["code"],
                row["message"],
                row["remediation"],
                row["since"],
            )
            found.setdefault(one.integration_id, []).append(one)
        return found
