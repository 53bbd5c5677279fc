"""One API request: who calls, for which account, in one transaction, once per Idempotency-Key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import HTTPException, Query, Request, Response

from callout.access import Caller, StoredAnswer
from callout.audit import during
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Channel, Origin
from callout.server.answers import (
    IdempotencyKey,
    answer,
    bearer,
    digest_of,
    facts_of,
    replayed,
    says_json,
    to_keep,
)
from callout.server.rate import believed

if TYPE_CHECKING:
    from callout.server.services import Services
    from callout.storage import AccountTx, Tx

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """What a route works with: the caller, its account's view of the transaction, and the origin of what it does."""

    tx: AccountTx
    caller: Caller
    origin: Origin

    def require(self, permission: str) -> None:
        """Raise ForbiddenError unless the caller has `permission` in this account."""
        self.caller.require(permission, self.tx.account_id)

    @property
    def audiences(self) -> tuple[Audience, ...]:
        """Whose notes the caller may read."""
        if self.caller.may("incident.note.internal", self.tx.account_id):
            return tuple(Audience)
        return (Audience.RESPONDERS, Audience.CUSTOMER)


Unit = Callable[[Scope], Awaitable[Mapping[str, Any] | None]]


class Call:
    """The request at hand, for a route to run its unit of work in."""

    def __init__(self, request: Request, services: Services, *, account: str | None, key: str | None) -> None:
        self._request = request
        self._account_name = account
        self._key = key
        self.services = services

    async def read(self, unit: Unit) -> Response:
        """Run `unit` on a snapshot; answer 200 with what it returns."""
        return answer(await self.services.database.read(lambda tx: self._scoped(tx, unit)))

    async def look(self, unit: Callable[[Scope], Awaitable[T]]) -> T:
        """Run `unit` on a snapshot and return what it returns, for a route that has more to do than the database can tell."""
        return await self.services.database.read(lambda tx: self._looked(tx, unit))

    async def _looked(self, tx: Tx, unit: Callable[[Scope], Awaitable[T]]) -> T:
        return await unit(await self._scope(tx))

    async def write(self, unit: Unit, *, status: int = 200) -> Response:
        """Run `unit` in one transaction; answer `status` with what it returns, once per Idempotency-Key."""
        key = self._key
        if key is None:
            with_facts = self._with_facts(lambda tx: self._scoped(tx, unit), status)
            return answer(await self.services.database.transaction(with_facts), status)
        digest = await digest_of(self._request)

        async def once(tx: Tx) -> tuple[StoredAnswer | None, Mapping[str, Any] | None]:
            scope = await self._scope(tx)
            # A key belongs to its caller: another token's request with the same key is another request.
            own = f"{scope.caller.token_id}:{key}"
            stored = await self.services.idempotency.begin(scope.tx, own, digest)
            if stored is not None:
                return stored, None
            body = await unit(scope)
            kept = to_keep(body, status)
            await self.services.idempotency.finish(scope.tx, own, status=kept.status, body=kept.body)
            return None, body

        stored, body = await self.services.database.transaction(self._with_facts(once, status))
        return answer(body, status) if stored is None else replayed(stored)

    def _with_facts(self, work: Callable[[Tx], Awaitable[T]], status: int) -> Callable[[Tx], Awaitable[T]]:
        """Return `work` so that the audit rows it writes tell of this request."""
        facts = facts_of(self._request, str(status))

        async def told(tx: Tx) -> T:
            with during(facts):
                return await work(tx)

        return told

    async def _scoped(self, tx: Tx, unit: Unit) -> Mapping[str, Any] | None:
        return await unit(await self._scope(tx))

    async def _scope(self, tx: Tx) -> Scope:
        caller = await self.services.authentication.authenticate(tx, bearer(self._request))
        believed(self._request.scope)
        caller.require_kind("organization")
        account_id = await self._account(tx, caller)
        origin = Origin(Channel.API, caller.actor)
        return Scope(tx.account(account_id), caller, origin)

    async def _account(self, tx: Tx, caller: Caller) -> str:
        named = self._account_name
        if named:
            account = await self.services.accounts.get(tx, named)
            caller.require("account.read", account.id)
            return account.id
        listed = await self.services.accounts.list(tx, among=caller.account_ids)
        if len(listed.items) != 1:
            names = ", ".join(account.name for account in listed.items[:10]) or "none"
            raise InvalidRequestError(
                "the token opens several accounts and the request names none",
                remediation=f"Add `?account=NAME`; accounts: {names}.",
                fields={"account": "missing"},
            )
        return listed.items[0].id


Account = Annotated[
    str | None, Query(description="Account, by id or name; may be left out where the token opens just one.")
]


async def call_of(request: Request, account: Account = None, idempotency_key: IdempotencyKey = None) -> Call:
    """FastAPI dependency: the call of this request. Raises HTTPException for a body that does not say it is JSON."""
    if request.method in {"POST", "PUT", "PATCH"} and not says_json(request):
        raise HTTPException(415, "the body has to be JSON")
    services: Services = request.app.state.services
    return Call(request, services, account=account, key=idempotency_key)


async def upload_of(
    request: Request, account: Account = None, idempotency_key: IdempotencyKey = None
) -> Call:
    """FastAPI dependency: the call of a request whose body is a file, of whatever type."""
    services: Services = request.app.state.services
    return Call(request, services, account=account, key=idempotency_key)
