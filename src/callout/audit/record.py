"""Writing and reading audit entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import RowMapping, select

from callout.audit import values
from callout.audit.tables import ORGANIZATION_ID, audit_log
from callout.kit.clock import Clock
from callout.ports.values import Actor, ActorKind, Channel, Origin
from callout.storage import AccountTx, Tx
from callout.storage.bulk import insert_rows

AuditType = Literal["ALARM", "ERROR", "API", "UNKNOWN"]


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The HTTP request behind an entry; `code` is the answer's status as text, `status` a word for it."""

    method: str = ""
    path: str = ""
    remote_addr: str = ""
    user_agent: str = ""
    code: str = ""
    status: str = ""


_NO_REQUEST = RequestFacts()
_present: ContextVar[RequestFacts] = ContextVar("callout_audit_request", default=_NO_REQUEST)


@contextmanager
def during(request: RequestFacts) -> Iterator[None]:
    """Let entries written within say that `request` was behind them.

    To be entered inside of a unit of work: it may run in the thread of the database's writer.
    """
    before = _present.set(request)
    try:
        yield
    finally:
        _present.reset(before)


@dataclass(frozen=True, slots=True)
class AuditDraft:
    """An entry to be written; :meth:`Audit.record` says what the fields mean."""

    action: str
    actor: Actor
    subject_type: str
    subject_id: str
    origin: Origin | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    environment: str | None = None
    integration_id: str | None = None
    request: RequestFacts = _NO_REQUEST
    audit_type: AuditType = "API"


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One entry as read back. `position` and `digest` are None until the sealer came by."""

    id: int
    created_at: datetime
    action: str
    actor: Actor
    channel: str
    subject_type: str
    subject_id: str
    data: Mapping[str, Any]
    audit_type: str
    account_id: str | None = None
    integration_id: str | None = None
    member_id: str | None = None
    environment: str | None = None
    origin: Mapping[str, Any] | None = None
    request: RequestFacts = field(default_factory=RequestFacts)
    position: int | None = None
    digest: str | None = None


LISTENED = frozenset({"account", "integration"})


class Listener(Protocol):
    """Who hears of entries."""

    async def __call__(self, tx: Tx, account_id: str | None, draft: AuditDraft, /) -> None:
        """Hear of one, in the transaction that writes it."""
        ...


class _Texts(dict[str, str]):
    """Texts fit for a row, by what they were: the rows of a batch share most of them."""

    def __missing__(self, value: str) -> str:
        self[value] = fit = values.text(value)
        return fit


class Audit:
    """Writes entries into the caller's open transaction: an effect and its entry are stored together or not
    at all.
    """

    def __init__(self, clock: Clock, *, organization_id: str = ORGANIZATION_ID) -> None:
        self._clock = clock
        self._organization_id = organization_id
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Call `listener` for each entry about an account or an integration, inside the transaction that writes it."""
        self._listeners.append(listener)

    async def record(
        self,
        tx: AccountTx | Tx,
        *,
        action: str,
        actor: Actor,
        subject_type: str,
        subject_id: str,
        origin: Origin | None = None,
        data: Mapping[str, Any] | None = None,
        account_id: str | None = None,
        environment: str | None = None,
        integration_id: str | None = None,
        request: RequestFacts | None = None,
        audit_type: AuditType = "API",
    ) -> None:
        """Add one entry.

        Args:
            tx: the transaction of the effect; an AccountTx gives the account.
            action: dotted and in the past tense, such as `integration.created`.
            actor: who did it.
            subject_type: kind of record, such as `integration`.
            subject_id: its id.
            origin: by which way in; None for what Callout does by itself.
            data: what changed; secrets are masked by type, field name and look.
            account_id: for a transaction over the whole organization.
            environment: `prod` or `test`, of the account.
            integration_id: the integration concerned; by default the origin's.
            request: the HTTP request, where there was one; by default that of :func:`during`.
            audit_type: the contract's kind of entry.
        """
        draft = AuditDraft(
            action=action,
            actor=actor,
            subject_type=subject_type,
            subject_id=subject_id,
            origin=origin,
            data=data or {},
            environment=environment,
            integration_id=integration_id,
            request=request or _NO_REQUEST,
            audit_type=audit_type,
        )
        await self.record_many(tx, (draft,), account_id=account_id)

    async def record_many(
        self, tx: AccountTx | Tx, drafts: Sequence[AuditDraft], *, account_id: str | None = None
    ) -> None:
        """Add entries in order, by one statement. `account_id` is for a transaction over the whole organization."""
        if not drafts:
            return
        system = tx.system if isinstance(tx, AccountTx) else tx
        account = tx.account_id if isinstance(tx, AccountTx) else account_id
        # A batch mostly has one origin: what cleaning makes of it is kept for the next row.
        origins: dict[Origin | None, Any] = {None: None}
        for draft in drafts:
            if draft.origin is not None and draft.origin not in origins:
                origins[draft.origin] = values.plain_object(draft.origin.to_json())
        now, texts = self._clock.now(), _Texts()
        rows = [self._row(draft, account, origins[draft.origin], now, texts) for draft in drafts]
        await insert_rows(system, audit_log, rows, later=True)
        if self._listeners:
            for draft in drafts:
                if draft.subject_type in LISTENED:
                    for listener in self._listeners:
                        await listener(system, account, draft)

    def _row(
        self,
        draft: AuditDraft,
        account: str | None,
        origin_json: Any,  # noqa: ANN401  # of the database's JSON
        now: datetime,
        texts: Mapping[str, str],
    ) -> dict[str, Any]:
        origin, actor = draft.origin, draft.actor
        facts = _present.get() if draft.request is _NO_REQUEST else draft.request
        return {
            "organization_id": self._organization_id,
            "account_id": account,
            "created_at": now,
            "audit_type": draft.audit_type,
            "action": draft.action,
            "actor_kind": actor.kind.value,
            "actor_id": texts[actor.id],
            "actor_name": texts[actor.name],
            "channel": (origin.channel if origin is not None else Channel.SYSTEM).value,
            "origin": origin_json,
            "subject_type": draft.subject_type,
            "subject_id": texts[draft.subject_id],
            "data": values.plain_object(draft.data),
            "integration_id": draft.integration_id
            or (origin.integration_id if origin is not None else "")
            or None,
            "member_id": actor.id if actor.kind is ActorKind.MEMBER else None,
            "environment": draft.environment,
            "remote_addr": texts[facts.remote_addr] or None,
            "user_agent": texts[facts.user_agent] or None,
            "method": facts.method or None,
            "path": texts[facts.path] or None,
            "code": facts.code or None,
            "status": facts.status or None,
        }

    async def entries(
        self,
        tx: AccountTx | Tx,
        *,
        subject_type: str | None = None,
        subject_id: str | None = None,
        since: datetime | None = None,
        after_id: int | None = None,
        newest_first: bool = False,
        limit: int = 100,
    ) -> Sequence[AuditEntry]:
        """Return entries in the order they were written; an AccountTx sees only its own.

        Args:
            tx: whole organization, or one account.
            subject_type: only entries about this kind of record.
            subject_id: only entries about this record.
            since: only entries made after this moment.
            after_id: only entries behind this one in the chosen order: the id of the last one seen.
            newest_first: turn the order round.
            limit: how many at most.
        """
        # The nullable column is compared by hand: entries of the whole organization belong to no account.
        query = select(audit_log).where(audit_log.c.organization_id == self._organization_id)
        if isinstance(tx, AccountTx):
            query = query.where(audit_log.c.account_id == tx.account_id)
        if subject_type is not None:
            query = query.where(audit_log.c.subject_type == subject_type)
        if subject_id is not None:
            query = query.where(audit_log.c.subject_id == subject_id)
        if since is not None:
            query = query.where(audit_log.c.created_at > since)
        if after_id is not None:
            query = query.where(audit_log.c.id < after_id if newest_first else audit_log.c.id > after_id)
        query = query.order_by(audit_log.c.id.desc() if newest_first else audit_log.c.id).limit(limit)
        system = tx.system if isinstance(tx, AccountTx) else tx
        return [entry_of(row) for row in await system.all(query)]


def entry_of(row: RowMapping) -> AuditEntry:
    """Return an entry as it stands in its row."""
    return AuditEntry(
        id=row["id"],
        created_at=row["created_at"],
        action=row["action"],
        actor=Actor(ActorKind(row["actor_kind"]), row["actor_id"], row["actor_name"]),
        channel=row["channel"],
        subject_type=row["subject_type"],
        subject_id=row["subject_id"],
        data=row["data"],
        audit_type=row["audit_type"],
        account_id=row["account_id"],
        integration_id=row["integration_id"],
        member_id=row["member_id"],
        environment=row["environment"],
        origin=row["origin"],
        request=RequestFacts(
            method=row["method"] or "",
            path=row["path"] or "",
            remote_addr=row["remote_addr"] or "",
            user_agent=row["user_agent"] or "",
            code=row["code"] or "",
            status=row["status"] or "",
        ),
        position=row["position"],
        digest=row["digest"],
    )
