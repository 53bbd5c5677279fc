"""The chain behind the audit rows, and the signed head that shows when its end was cut off.

Rows are written unsealed. Within a second of their commit the sealer gives each a position and a digest over
itself and the row before it, in the order in which it meets them: a transaction that was open for long is
sealed later, whatever its row's id. Business commits never wait for the chain. The head (how many rows, the
last digest) is sealed with the key ring, so that only a holder of the keys can make one. What a database
owner with the keys removed since the last *exported* head shows against it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import BigInteger, Text, delete, func, select, type_coerce, update

from callout.audit.tables import ORGANIZATION_ID, SEALED_COLUMNS, audit_heads, audit_log
from callout.kit.clock import Clock
from callout.kit.secrets import KeyRing, SealError
from callout.ports.errors import CalloutError
from callout.storage import Tx
from callout.storage.schema import Json, UtcTime, from_micros, micros
from callout.storage.upsert import insert_or_ignore

SEAL_EVERY: Final = timedelta(seconds=1)
"""How often the worker calls :meth:`Sealer.seal`."""
SEAL_AT_MOST: Final = 2_000
_VERIFY_CHUNK: Final = 2_000
_MAX_PROBLEMS: Final = 100

_MARK = "UPDATE audit_log SET position = ?, digest = ? WHERE id = ?"
_MARK_MANY = (
    "UPDATE audit_log SET position = n.p, digest = n.d FROM unnest($1::bigint[], $2::text[], $3::bigint[]) AS n(p, d, i)"
    " WHERE audit_log.id = n.i"
)
_CONTEXT: Final = ("audit", "head")
_POSITION = audit_log.c.position
# The stored form is hashed, not the Python value, so that reading and writing cannot change a digest.
_RAW = tuple(
    type_coerce(c, Text).label(c.name)
    if isinstance(c.type, Json)
    else type_coerce(c, BigInteger).label(c.name)
    if isinstance(c.type, UtcTime)
    else c
    for c in SEALED_COLUMNS
)
_NAMES = tuple(c.name for c in SEALED_COLUMNS)


class AuditTamperedError(CalloutError):
    """The stored head was not made by this installation's keys; sealing stops until an operator looked into it."""

    code = "AUDIT_TAMPERED"
    default_remediation = (
        "Run `callout audit verify`, with a head exported earlier if there is one, and compare with a backup."
    )


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: `count` rows, the last one's `digest`. Export it and keep it elsewhere."""

    organization_id: str
    count: int
    digest: str
    sealed_at: datetime
    floor: int = 0
    floor_digest: str = ""
    purged_before: datetime | None = None
    signature: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the exported form."""
        purged = None if self.purged_before is None else self.purged_before.isoformat()
        return {**asdict(self), "sealed_at": self.sealed_at.isoformat(), "purged_before": purged}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Head:
        """Read an exported head. Raises ValueError or KeyError when it is not one."""
        purged = data.get("purged_before")
        return cls(
            organization_id=str(data["organization_id"]),
            count=int(data["count"]),
            digest=str(data["digest"]),
            sealed_at=datetime.fromisoformat(data["sealed_at"]),
            floor=int(data.get("floor", 0)),
            floor_digest=str(data.get("floor_digest", "")),
            purged_before=None if purged is None else datetime.fromisoformat(purged),
            signature=str(data["signature"]),
        )

    def _statement(self) -> str:
        purged = None if self.purged_before is None else micros(self.purged_before)
        fields = [
            self.organization_id,
            self.count,
            self.digest,
            micros(self.sealed_at),
            self.floor,
            self.floor_digest,
            purged,
        ]
        return hashlib.sha256(orjson.dumps(fields)).hexdigest()

    def signed(self, keys: KeyRing) -> Head:
        """Return this head with a signature by the primary key."""
        return replace(
            self, signature=keys.seal(self._statement(), context=(*_CONTEXT, self.organization_id))
        )

    def is_genuine(self, keys: KeyRing) -> bool:
        """Return whether a holder of `keys` signed exactly this head."""
        try:
            return (
                keys.open(self.signature, context=(*_CONTEXT, self.organization_id)).reveal()
                == self._statement()
            )
        except SealError:
            return False


@dataclass(frozen=True, slots=True)
class Verification:
    """What a check of the chain found; `problems` are sentences for an operator."""

    rows: int
    unsealed: int
    head: Head | None
    problems: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether nothing was altered, removed or cut off."""
        return not self.problems


class Sealer:
    """Chains committed rows, and checks the chain."""

    def __init__(self, keys: KeyRing, clock: Clock, *, organization_id: str = ORGANIZATION_ID) -> None:
        self._keys = keys
        self._clock = clock
        self._organization_id = organization_id
        self._genesis = hashlib.sha256(f"callout audit chain of {organization_id}".encode()).hexdigest()

    async def seal(self, tx: Tx, *, limit: int = SEAL_AT_MOST) -> int:
        """Chain up to `limit` unsealed rows and sign the new head; return how many. Raises
        AuditTamperedError.
        """
        waiting = select(audit_log.c.id).where(self._mine, _POSITION.is_(None)).limit(1)
        if await tx.scalar(waiting) is None:
            return 0
        head = await self._locked_head(tx)
        rows = await tx.all(
            select(*_RAW).where(self._mine, _POSITION.is_(None)).order_by(audit_log.c.id).limit(limit),
        )
        position, digest = head.count, head.digest
        marks: list[tuple[int, str, int]] = []
        for row in rows:
            position += 1
            digest = _digest(digest, position, row)
            marks.append((position, digest, row["id"]))
        if not marks:  # another process came by while the head was waited for
            return 0
        if tx.dialect == "sqlite":
            await tx.driver_many(_MARK, "", marks)
        else:
            await tx.driver_all("", _MARK_MANY, [list(column) for column in zip(*marks, strict=True)])
        await self._store(tx, replace(head, count=position, digest=digest, sealed_at=self._clock.now()))
        return len(marks)

    async def head(self, tx: Tx) -> Head | None:
        """Return the signed head as stored, or None before the first sealing; an export holds this."""
        row = await tx.one(select(audit_heads).where(audit_heads.c.organization_id == self._organization_id))
        return None if row is None else Head(**row)

    async def resign(self, tx: Tx) -> bool:
        """Sign the head with the primary key, as `callout keys rotate` needs; return whether there was one.

        Raises AuditTamperedError.
        """
        if await self.head(tx) is None:
            return False
        await self._store(tx, await self._locked_head(tx))
        return True

    async def purge(self, tx: Tx, *, before: datetime, limit: int = SEAL_AT_MOST) -> int:
        """Remove up to `limit` of the oldest sealed rows made before `before`; the head remembers where the
        chain now begins.

        Raises AuditTamperedError.
        """
        if await self.head(tx) is None:
            return 0
        head = await self._locked_head(tx)
        columns = (_POSITION, audit_log.c.digest, audit_log.c.created_at)
        rows = await tx.all(
            select(*columns).where(self._mine, head.floor < _POSITION).order_by(_POSITION).limit(limit),
        )
        floor, floor_digest, gone = head.floor, head.floor_digest, 0
        for row in rows:
            # Only a run from the beginning may go: a hole would look like a removed row.
            if row["created_at"] >= before or row["position"] != floor + 1:
                break
            floor, floor_digest, gone = row["position"], row["digest"], gone + 1
        if gone:
            await self._store(tx, replace(head, floor=floor, floor_digest=floor_digest, purged_before=before))
            await tx.execute(delete(audit_log).where(self._mine, floor >= _POSITION))
        return gone

    async def verify(self, tx: Tx, *, expected: Head | None = None) -> Verification:
        """Check every sealed row against the chain and the head.

        Args:
            tx: a reading transaction.
            expected: a head exported earlier; shows when the whole chain was wound back since.
        """
        while True:
            head = await self.head(tx)
            result = await self._walk(tx, head, expected)
            after = await self.head(tx)
            if head is None or after is None or after.floor == head.floor:
                return result
            # A purge came between; what it removed would be reported as missing.

    @property
    def _mine(self) -> Any:  # noqa: ANN401
        return audit_log.c.organization_id == self._organization_id

    async def _locked_head(self, tx: Tx) -> Head:
        """Return the head, made when absent, with its row locked so that sealers come one after another."""
        locked = (
            select(audit_heads)
            .where(audit_heads.c.organization_id == self._organization_id)
            .with_for_update()
        )
        row = await tx.one(locked)
        if row is None:
            sealed = await tx.scalar(select(_POSITION).where(self._mine, _POSITION.is_not(None)).limit(1))
            if sealed is not None:
                # Read once more: another sealer may have made the first head in between.
                row = await tx.one(locked)
                if row is None:
                    raise AuditTamperedError("sealed audit rows exist, but their signed head was removed")
            else:
                start = Head(self._organization_id, 0, self._genesis, self._clock.now(), 0, self._genesis)
                await tx.execute(insert_or_ignore(tx, audit_heads, _columns(start.signed(self._keys))))
                row = await tx.one(locked)
        if row is None:
            raise AuditTamperedError("the head of the audit chain vanished while it was being made")
        head = Head(**row)
        if not head.is_genuine(self._keys):
            # Chaining on would put our signature under somebody else's head.
            raise AuditTamperedError("the head of the audit chain was not signed by this installation's keys")
        return head

    async def _store(self, tx: Tx, head: Head) -> None:
        mine = audit_heads.c.organization_id == self._organization_id
        await tx.execute(update(audit_heads).where(mine).values(**_columns(head.signed(self._keys))))

    async def _walk(self, tx: Tx, head: Head | None, expected: Head | None) -> Verification:
        problems: list[str] = []
        unsealed = int(await tx.scalar(select(func.count()).where(self._mine, _POSITION.is_(None))) or 0)
        floor, previous = (head.floor, head.floor_digest) if head is not None else (0, self._genesis)
        count = head.count if head is not None else 0
        place, rows, met = floor, 0, None
        while len(problems) < _MAX_PROBLEMS:
            within = [place < _POSITION, count >= _POSITION] if head is not None else [place < _POSITION]
            chunk = await tx.all(
                select(*_RAW, _POSITION, audit_log.c.digest)
                .where(self._mine, *within)
                .order_by(_POSITION)
                .limit(_VERIFY_CHUNK),
            )
            for row in chunk:
                if row["position"] != place + 1:
                    problems.append(_removed(place + 1, row["position"] - 1))
                elif _digest(previous, row["position"], row) != row["digest"]:
                    problems.append(
                        f"row {row['id']} (position {row['position']}, "
                        f"{from_micros(row['created_at']).isoformat()}) was altered: it does not fit its digest",
                    )
                place, previous = row["position"], row["digest"]
                if expected is not None and place == expected.count:
                    met = previous
            rows += len(chunk)
            if len(chunk) < _VERIFY_CHUNK:
                break
        problems += self._against_head(head, place=place, digest=previous, rows=rows)
        problems += await self._beyond(tx)
        if expected is not None:
            problems += self._against_export(head, expected, met)
        return Verification(rows, unsealed, head, tuple(problems))

    def _against_head(self, head: Head | None, *, place: int, digest: str, rows: int) -> Sequence[str]:
        if head is None:
            return ["sealed rows exist, but their signed head was removed"] if rows else []
        problems = []
        if not head.is_genuine(self._keys):
            problems.append("the head was not signed by this installation's keys")
        if place < head.count:
            problems.append(f"the end was cut off: {_removed(place + 1, head.count)}")
        elif digest != head.digest:
            problems.append("the chain was rewritten: its last digest is not the one that the head signs")
        return problems

    async def _beyond(self, tx: Tx) -> Sequence[str]:
        # One statement, so that a sealer at work between two of ours is not taken for an intruder.
        over = await tx.scalar(
            select(func.count())
            .select_from(
                audit_log.join(audit_heads, audit_heads.c.organization_id == audit_log.c.organization_id)
            )
            .where(self._mine, audit_heads.c.count < _POSITION),
        )
        return [f"{over} rows claim positions behind the signed head"] if over else []

    def _against_export(self, head: Head | None, expected: Head, met: str | None) -> Sequence[str]:
        if not expected.is_genuine(self._keys):
            return ["the exported head was not signed by this installation's keys"]
        if head is None or head.count < expected.count:
            have = 0 if head is None else head.count
            return [f"the chain was wound back: {have} rows, but {expected.count} when the head was exported"]
        if expected.count > head.floor and met != expected.digest:
            return [f"the chain was rewritten: position {expected.count} is not what was exported"]
        return []


def _digest(previous: str, position: int, row: Any) -> str:  # noqa: ANN401
    body = orjson.dumps([position, *(row[name] for name in _NAMES)])
    return hashlib.sha256(previous.encode() + b"\n" + body).hexdigest()


def _removed(first: int, last: int) -> str:
    return (
        f"row at position {first} was removed"
        if first == last
        else f"rows at positions {first} to {last} were removed"
    )


def _columns(head: Head) -> dict[str, Any]:
    return {column.name: getattr(head, column.name) for column in audit_heads.c}
