"""One API request: who calls, for which account, in one transaction, once per Idempotency-Key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from fastapi import Header, HTTPException, Query, Request, Response

from callout.access import Caller, StoredAnswer, request_digest
from callout.audit import RequestFacts, during
from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Audience, Channel, Origin

if TYPE_CHECKING:
    from callout.server.services import Services
    from callout.storage import AccountTx, Tx

JSON = "application/json"
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
        return _answer(200, await self.services.database.read(lambda tx: self._scoped(tx, unit)))

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
            return _answer(status, await self.services.database.transaction(with_facts))
        url = self._request.url
        # What is asked for beside the body (a file's name) is part of the request, too.
        address = f"{url.path}?{url.query}" if url.query else str(url.path)
        digest = request_digest(self._request.method, address, await self._request.body())

        async def once(tx: Tx) -> tuple[StoredAnswer | None, bytes]:
            scope = await self._scope(tx)
            # A key belongs to its caller: another token's request with the same key is another request.
            own = f"{scope.caller.token_id}:{key}"
            stored = await self.services.idempotency.begin(scope.tx, own, digest)
            if stored is not None:
                return stored, b""
            told = await unit(scope)
            await self.services.idempotency.finish(
                scope.tx, own, status=status, body=_dump(told, default=_hidden).decode()
            )
            return None, _dump(told)

        stored, body = await self.services.database.transaction(self._with_facts(once, status))
        if stored is not None:
            return Response(
                stored.body,
                stored.status,
                media_type=JSON,
                headers={**stored.headers, "Idempotent-Replayed": "true"},
            )
        return Response(body, status, media_type=JSON)

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
        caller = await self.services.authentication.authenticate(tx, _bearer(self._request))
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


def _bearer(request: Request) -> Secret | None:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    return Secret(secret.strip()) if scheme.lower() == "bearer" and secret.strip() else None


def facts_of(request: Request, code: str) -> RequestFacts:
    """Return what the audit keeps of a request that is answered with `code`."""
    return RequestFacts(
        method=request.method,
        path=str(request.url.path),
        remote_addr="" if request.client is None else request.client.host,
        user_agent=request.headers.get("user-agent", ""),
        code=code,
    )


def _says_json(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind == JSON or (kind.startswith("application/") and kind.endswith("+json"))


class ShownOnce:
    """A secret that this answer shows; an answer that is repeated for its Idempotency-Key does not."""

    # No dataclass: of those orjson makes objects by itself.
    def __init__(self, secret: Secret) -> None:
        self.secret = secret


def _shown(value: object) -> str:
    if isinstance(value, ShownOnce):
        return value.secret.reveal()
    # A secret that is not wrapped ends here: it was not meant to be shown.
    raise TypeError


def _hidden(value: object) -> str:
    if isinstance(value, ShownOnce):
        return ""
    raise TypeError


def _dump(body: Mapping[str, Any] | None, *, default: Callable[[object], str] = _shown) -> bytes:
    return b"" if body is None else orjson.dumps(body, default=default)


def _answer(status: int, body: Mapping[str, Any] | None) -> Response:
    return Response(status_code=204) if body is None else Response(_dump(body), status, media_type=JSON)


Account = Annotated[
    str | None, Query(description="Account, by id or name; may be left out where the token opens just one.")
]
IdempotencyKey = Annotated[
    str | None, Header(description="Same key and same request: done once, and answered alike for 48 hours.")
]


def call_of(request: Request, account: Account = None, idempotency_key: IdempotencyKey = None) -> Call:
    """FastAPI dependency: the call of this request. Raises HTTPException for a body that does not say it is JSON."""
    if request.method in {"POST", "PUT", "PATCH"} and not _says_json(
        request.headers.get("content-type", JSON)
    ):
        raise HTTPException(415, "the body has to be JSON")
    services: Services = request.app.state.services
    return Call(request, services, account=account, key=idempotency_key)


def upload_of(request: Request, account: Account = None, idempotency_key: IdempotencyKey = None) -> Call:
    """FastAPI dependency: the call of a request whose body is a file, of whatever type."""
    services: Services = request.app.state.services
    return Call(request, services, account=account, key=idempotency_key)
