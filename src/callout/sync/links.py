"""Links: incident ↔ ticket, with what each remembers between merges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Text, not_, text, type_coerce

from callout.ports.errors import CalloutError, NotFoundError
from callout.storage.bulk import insert_kept, insert_rows
from callout.storage.reading import AnyRow, Reading
from callout.storage.schema import json_text, micros
from callout.sync.accounted import Accounted
from callout.sync.loops import Write, with_write
from callout.sync.merge import Base, FieldConflict, LinkState, Pending
from callout.sync.tables import OUT_OF_STEP_POSTGRES, OUT_OF_STEP_SQLITE, sync_comment, sync_link

if TYPE_CHECKING:
    from callout.incidents import Incident
    from callout.ports.ticketing import Ticket
    from callout.storage import AccountTx

PARTITION: Final = "link:"
"""What the names of links' partitions begin with."""


class LinkStatus(StrEnum):
    """How a link stands."""

    CREATING = "creating"
    ATTACHING = "attaching"
    """A person named a ticket that exists; it is still to be read."""
    ACTIVE = "active"
    GONE = "gone"
    """The ticket was deleted, or hidden from us."""
    STOPPED = "stopped"
    """A person ended it, or the loop breaker did (`problem` says why), until a person starts it again: nothing is read, written or
    taken in."""


@dataclass(frozen=True, slots=True)
class SyncProblem:
    """What keeps a link from being in step, in plain words with the next step."""

    code: str
    message: str
    remediation: str
    since: datetime

    def to_json(self) -> dict[str, str]:
        """Return the JSON form."""
        return {
            "code": self.code,
            "message": self.message,
            "remediation": self.remediation,
            "since": self.since.isoformat(),
        }

    @classmethod
    def of(cls, error: CalloutError, now: datetime) -> SyncProblem:
        """Return the problem that `error` is for a link."""
        detail = "; ".join(f"{name}: {why}" for name, why in error.fields.items())
        message = f"{error.message} ({detail})" if detail else error.message
        return cls(error.code, message, error.remediation, now)

    @classmethod
    def from_json(cls, data: Mapping[str, str]) -> SyncProblem:
        """Read what :meth:`to_json` wrote."""
        since = datetime.fromisoformat(data["since"])
        return cls(data["code"], data["message"], data["remediation"], since)


@dataclass(frozen=True, slots=True)
class Link:
    """An incident and its ticket in one integration. `mark` is our key on the ticket."""

    id: str
    account_id: str
    incident_id: str
    integration_id: str
    mark: str
    status: LinkStatus
    created_at: datetime
    ticket_id: str = ""
    ticket_key: str = ""
    ticket_url: str = ""
    project: str = ""
    merge: LinkState = field(default_factory=LinkState)
    seen_at: datetime | None = None
    """The newest change of the ticket that we have seen, by their clock: what is told of before it is read again."""
    ticket_version: str = ""
    create_begun_at: datetime | None = None
    problem: SyncProblem | None = None
    failures: int = 0
    retry_at: datetime | None = None
    """Until when the other side is left alone; a visit for that time is set."""
    writes: tuple[Write, ...] = ()
    """The last writes, for the loop breaker."""
    prefer: str = ""
    """Whose values hold when the ticket that a person named is read at last; see `attach.PREFER`."""
    given: Mapping[str, Any] = field(default_factory=dict)
    """Field → value that a person gave for the ticket's next move to resolved or closed; see :mod:`callout.sync.given`."""

    def with_write(self, write: Write) -> Link:
        """Return the link with one more write counted for the loop breaker."""
        return replace(self, writes=with_write(self.writes, write))

    def seen_until(self, ticket: Ticket) -> datetime | None:
        """Return the new `seen_at` after `ticket` was seen.

        It never goes back: the clocks of a vendor's machines differ, and a webhook of before would count as news.
        """
        return max(filter(None, (ticket.updated_at, self.seen_at)), default=None)

    def partition(self) -> str:
        """Return the partition that carries everything of this link in order."""
        return partition(self.id)


def partition(link_id: str) -> str:
    """Return the partition of a link."""
    return f"{PARTITION}{link_id}"


def mark_of(incident_key: str, link_id: str) -> str:
    """Return our key for a ticket: readable, and unique by the end of the link's id."""
    return f"callout-{incident_key.lower()}-{link_id[-12:]}"


def _state_json(state: LinkState) -> dict[str, Any]:
    return {
        "bases": {n: [b.ours, b.theirs] for n, b in state.bases.items()},
        **(
            {"accounted": {n: [a.at, a.count] for n, a in state.accounted.items()}} if state.accounted else {}
        ),
        "pending": {
            n: [p.ours, p.sent, *([p.accounted.at, p.accounted.count] if p.accounted else [])]
            for n, p in state.pending.items()
        },
        "since": {n: p.since for n, p in state.pending.items() if p.since},
        "conflicts": {
            n: [c.ours, c.theirs, c.base.ours, c.base.theirs, *([True] if c.overwritten else [])]
            for n, c in state.conflicts.items()
        },
    }


def _state_of(data: Mapping[str, Any]) -> LinkState:
    return LinkState(
        bases={n: Base(*v) for n, v in data.get("bases", {}).items()},
        pending={
            n: Pending(v[0], v[1], data.get("since", {}).get(n, ""), Accounted(*v[2:]) if v[2:] else None)
            for n, v in data.get("pending", {}).items()
        },
        conflicts={
            n: FieldConflict(n, v[0], v[1], Base(v[2], v[3]), *v[4:])
            for n, v in data.get("conflicts", {}).items()
        },
        accounted={n: Accounted(*v) for n, v in data.get("accounted", {}).items()},
    )


_BY_ID = Reading(sync_link, "id")
_OF_INCIDENT = Reading(sync_link, "incident_id", order="id")


def link_of(row: AnyRow) -> Link:
    """Return the link of a row."""
    problem = row["problem"]
    return Link(
        id=row["id"],
        account_id=row["account_id"],
        incident_id=row["incident_id"],
        integration_id=row["integration_id"],
        mark=row["mark"],
        status=LinkStatus(row["state"]),
        created_at=row["created_at"],
        ticket_id=row["ticket_id"],
        ticket_key=row["ticket_key"],
        ticket_url=row["ticket_url"],
        project=row["project"],
        merge=_state_of(row["merge_state"]),
        seen_at=row["seen_at"],
        ticket_version=row["ticket_version"],
        create_begun_at=row["create_begun_at"],
        problem=None if problem is None else SyncProblem.from_json(problem),
        failures=row["failures"],
        retry_at=row["retry_at"],
        writes=tuple(Write.of(one) for one in row["writes"]),
        prefer=row["merge_state"].get("prefer", ""),
        given=row["given"] or {},
    )


def _row_of(link: Link, now: datetime) -> dict[str, Any]:
    return {
        "incident_id": link.incident_id,
        "integration_id": link.integration_id,
        "state": link.status.value,
        "mark": link.mark,
        "ticket_id": link.ticket_id,
        "ticket_key": link.ticket_key,
        "ticket_url": link.ticket_url,
        "project": link.project,
        # First: what searches for conflicts wants them last.
        "merge_state": ({"prefer": link.prefer} if link.prefer else {}) | _state_json(link.merge),
        "seen_at": link.seen_at,
        "ticket_version": link.ticket_version,
        "create_begun_at": link.create_begun_at,
        "problem": None if link.problem is None else link.problem.to_json(),
        "failures": link.failures,
        "retry_at": link.retry_at,
        "writes": [one.to_json() for one in link.writes],
        "given": dict(link.given) or None,
        "updated_at": now,
    }


async def insert(tx: AccountTx, *found: Link) -> None:
    """Store new links."""
    rows = [
        {
            "id": link.id,
            "account_id": tx.account_id,
            "created_at": link.created_at,
            **_row_of(link, link.created_at),
        }
        for link in found
    ]
    await insert_rows(tx.system, sync_link, rows)


AgreedLink = tuple[str, "Incident", "Ticket", Mapping[str, Sequence[Any]]]
"""Its id, the incident, its ticket as just read, and by field what both sides hold: ours, theirs."""
_AGREED = (
    "id",
    "account_id",
    "created_at",
    "incident_id",
    "integration_id",
    "state",
    "mark",
    "ticket_id",
    "ticket_key",
    "ticket_url",
    "project",
    "merge_state",
    "seen_at",
    "ticket_version",
    "failures",
    "writes",
    "updated_at",
)


async def insert_agreed(
    tx: AccountTx, integration_id: str, found: Sequence[AgreedLink], now: datetime
) -> None:
    """Store new links of tickets and incidents made of them just now, in step: many at once, without a :class:`Link` of each."""
    at = micros(now)
    rows = [
        (
            link_id,
            tx.account_id,
            at,
            incident.id,
            integration_id,
            "active",
            mark_of(incident.key, link_id),
            ticket.id,
            ticket.key,
            ticket.url,
            ticket.project,
            json_text({"bases": bases, "pending": {}, "since": {}, "conflicts": {}}),
            None if ticket.updated_at is None else micros(ticket.updated_at),
            ticket.version,
            0,
            "[]",
            at,
        )
        for link_id, incident, ticket, bases in found
    ]
    await insert_kept(tx.system, sync_link, _AGREED, rows)


async def save(tx: AccountTx, link: Link, now: datetime) -> None:
    """Store a link's new state."""
    await tx.execute(tx.update(sync_link).where(sync_link.c.id == link.id).values(**_row_of(link, now)))


async def load(tx: AccountTx, link_id: str, *, lock: bool = False) -> Link:
    """Return a link by id; `lock` keeps others from changing it. Raises NotFoundError."""
    rows = await _BY_ID.of_account(tx, link_id, lock=lock)
    if not rows:
        raise NotFoundError(f"there is no link {link_id!r} in this account")
    return link_of(rows[0])


async def of_incident(tx: AccountTx, incident_id: str) -> list[Link]:
    """Return the links of an incident, oldest first."""
    return [link_of(row) for row in await _OF_INCIDENT.of_account(tx, incident_id)]


async def in_conflict(tx: AccountTx, *, limit: int) -> list[Link]:
    """Return the account's links with an open conflict, oldest first."""
    # The documents are our own compact JSON, and the conflicts stand last: no value of a person's can look like it.
    without = type_coerce(sync_link.c.merge_state, Text).like('%"conflicts":{}}')
    # By the index of those that are not at rest, which they are not.
    few = text(OUT_OF_STEP_SQLITE if tx.system.dialect == "sqlite" else OUT_OF_STEP_POSTGRES)
    rows = await tx.all(tx.select(sync_link).where(few, not_(without)).order_by(sync_link.c.id).limit(limit))
    return [link_of(row) for row in rows]


async def of_tickets(tx: AccountTx, integration_id: str, ticket_ids: Sequence[str]) -> dict[str, str]:
    """Return ticket id → link id for those tickets of an integration that are linked."""
    statement = tx.select(sync_link.c.ticket_id, sync_link.c.id).where(
        sync_link.c.integration_id == integration_id, sync_link.c.ticket_id.in_(list(ticket_ids))
    )
    return {row["ticket_id"]: row["id"] for row in await tx.all(statement)}


async def of_marks(tx: AccountTx, integration_id: str, marks: Sequence[str]) -> dict[str, str]:
    """Return mark → link id: finds the link of a ticket whose creation has not been recorded yet."""
    statement = tx.select(sync_link.c.mark, sync_link.c.id).where(
        sync_link.c.integration_id == integration_id, sync_link.c.mark.in_(list(marks))
    )
    return {row["mark"]: row["id"] for row in await tx.all(statement)}


@dataclass(frozen=True, slots=True)
class CommentPair:
    """One note of ours and the comment that carries it; `comment_id` is None while the write is not known to be done."""

    note_id: str
    comment_id: str | None
    mark: str
    begun_at: datetime | None = None


async def comments(tx: AccountTx, link_id: str) -> list[CommentPair]:
    """Return the pairs of a link."""
    rows = await tx.all(tx.select(sync_comment).where(sync_comment.c.link_id == link_id))
    return [CommentPair(r["note_id"], r["comment_id"], r["mark"], r["begun_at"]) for r in rows]


async def unsettled(tx: AccountTx, link_id: str) -> bool:
    """Return whether the write of a note was begun and nobody knows yet whether it was done."""
    begun = tx.select(sync_comment.c.note_id).where(
        sync_comment.c.link_id == link_id,
        sync_comment.c.comment_id.is_(None),
        sync_comment.c.begun_at.is_not(None),
    )
    return await tx.one(begun.limit(1)) is not None


async def pair_comment(tx: AccountTx, link_id: str, pair: CommentPair, now: datetime) -> None:
    """Remember a new pair."""
    await pair_comments(tx, [(link_id, pair)], now)


async def pair_comments(tx: AccountTx, pairs: Sequence[tuple[str, CommentPair]], now: datetime) -> None:
    """Remember new pairs, each with the id of its link."""
    if pairs:
        rows = [
            {
                "account_id": tx.account_id,
                "link_id": link_id,
                "note_id": pair.note_id,
                "comment_id": pair.comment_id,
                "mark": pair.mark,
                "begun_at": pair.begun_at,
                "created_at": now,
            }
            for link_id, pair in pairs
        ]
        await insert_rows(tx.system, sync_comment, rows)


async def begin_comment(tx: AccountTx, link_id: str, note_id: str, now: datetime | None) -> None:
    """Remember that the write of a note to the ticket was begun; None: that it surely was not done."""
    await tx.execute(
        tx.update(sync_comment)
        .where(sync_comment.c.link_id == link_id, sync_comment.c.note_id == note_id)
        .values(begun_at=now)
    )


async def finish_comment(tx: AccountTx, link_id: str, note_id: str, comment_id: str) -> None:
    """Remember the comment that a note became."""
    await tx.execute(
        tx.update(sync_comment)
        .where(sync_comment.c.link_id == link_id, sync_comment.c.note_id == note_id)
        .values(comment_id=comment_id)
    )
