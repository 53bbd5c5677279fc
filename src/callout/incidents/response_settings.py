"""The two documents of an account that say how it responds: service levels (`sla`) and escalation policies (`escalation`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.audit import AuditDraft
from callout.incidents.documents import kept
from callout.incidents.escalation import policy as policies_of
from callout.incidents.escalation.policy import NONE, Policies
from callout.incidents.response_tables import response_setting
from callout.incidents.sla import rules as rules_of
from callout.incidents.sla.rules import BUILT_IN, SlaRules
from callout.ports.errors import ConflictError
from callout.storage import Question
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from callout.audit import Audit
    from callout.kit.clock import Clock
    from callout.ports.values import Origin
    from callout.storage import AccountTx

SLA: Final = "sla"
ESCALATION: Final = "escalation"
REMEMBERED: Final = 1_000
_LOOK: Final = "SELECT kind, version, updated_at FROM response_setting WHERE account_id = {0}"
_LOOK_SQLITE, _LOOK_POSTGRES = _LOOK.format("?1"), _LOOK.format("$1")


@dataclass(frozen=True, slots=True)
class Response:
    """How an account responds; a version of 0 says that nothing was written: what is built in holds."""

    rules: SlaRules = BUILT_IN
    policies: Policies = NONE
    rules_version: int = 0
    policies_version: int = 0


class ResponseSettings:
    """Reads and writes the documents, in the caller's transaction."""

    def __init__(self, *, clock: Clock, audit: Audit) -> None:
        self._clock = clock
        self._audit = audit
        self._read: dict[tuple[str, str, int, int], SlaRules | Policies] = {}

    async def load(self, tx: AccountTx) -> Response:
        """Return what holds in the account."""
        [rows] = await tx.system.driver_together(self.asking(tx))
        return await self.told(tx, rows)

    def asking(self, tx: AccountTx) -> Question:
        """Return the question that :meth:`load` asks, for those who ask more at the same moment; :meth:`told` reads its rows."""
        # By hand: this runs with every incident, note and change of a status.
        return Question(_LOOK_SQLITE, _LOOK_POSTGRES, (tx.account_id,), name=_asked(tx))

    async def told(self, tx: AccountTx, rows: Sequence[Sequence[Any]]) -> Response:
        """Return what holds by the rows of :meth:`asking`."""
        rules, policies, versions = BUILT_IN, NONE, {SLA: 0, ESCALATION: 0}
        for kind, version, updated in rows:
            found = await self._parsed(tx, kind, version, updated)
            if isinstance(found, SlaRules):
                rules = found
            else:
                policies = found
            versions[kind] = version
        return Response(rules, policies, versions[SLA], versions[ESCALATION])

    async def _parsed(self, tx: AccountTx, kind: str, version: int, updated: int) -> SlaRules | Policies:
        key = (tx.account_id, kind, version, updated)
        found = self._read.get(key)
        if found is None:
            document = await tx.scalar(
                tx.select(response_setting.c.document).where(response_setting.c.kind == kind)
            )
            found = rules_of.read(document) if kind == SLA else policies_of.read(document)
            if len(self._read) >= REMEMBERED:
                self._read.clear()
            self._read[key] = found
        return found

    async def write_rules(
        self, tx: AccountTx, document: Mapping[str, Any], origin: Origin, *, version: int | None = None
    ) -> SlaRules:
        """Replace the rules. Raises InvalidRequestError, and ConflictError when they are no longer at `version`."""
        document = kept(document)
        made = rules_of.read(document)
        await self._write(tx, SLA, document, origin, version=version)
        return made

    async def write_policies(
        self, tx: AccountTx, document: Mapping[str, Any], origin: Origin, *, version: int | None = None
    ) -> Policies:
        """Replace the policies; whether their targets exist is for the caller. Raises InvalidRequestError, ConflictError."""
        document = kept(document)
        made = policies_of.read(document)
        await self._write(tx, ESCALATION, document, origin, version=version)
        return made

    async def _write(
        self, tx: AccountTx, kind: str, document: Mapping[str, Any], origin: Origin, *, version: int | None
    ) -> None:
        now, written = self._clock.now(), dict(document)
        mine = tx.select(response_setting.c.version).where(response_setting.c.kind == kind).with_for_update()
        current = await tx.scalar(mine)
        if current is None and not version:
            first = {"kind": kind, "document": written, "version": 1, "updated_at": now}
            row = {"account_id": tx.account_id, **first}
            if not await tx.system.execute(insert_or_ignore(tx.system, response_setting, row)):
                current = await tx.scalar(
                    mine
                )  # somebody wrote the first one at the same moment, and was waited for
        if version is not None and version != (current or 0):
            raise ConflictError(
                f"somebody else changed it: it is at version {current or 0}, not {version}",
                remediation="Read it again and repeat the change on what is there now.",
            )
        if current is not None:
            values = {"document": written, "version": current + 1, "updated_at": now}
            await tx.execute(
                tx.update(response_setting).where(response_setting.c.kind == kind).values(**values)
            )
        tx.system.forget(_asked(tx))
        data = {"document": dict(document)}
        draft = AuditDraft(f"{kind}.changed", origin.actor, kind, tx.account_id, origin=origin, data=data)
        await self._audit.record_many(tx, [draft])


def _asked(tx: AccountTx) -> str:
    return f"response of {tx.account_id}"


__all__ = ["Response", "ResponseSettings"]
