"""One request of the management API: it spans the organization, names its account in the path, and shows a secret at most once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeVar

import orjson
from fastapi import Depends, HTTPException, Path, Request, Response
from pydantic import AfterValidator

from callout.access import Account, Caller, StoredAnswer
from callout.audit import RequestFacts, during
from callout.ports.errors import CalloutError, ForbiddenError, InvalidRequestError
from callout.ports.values import Channel, Origin
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
from callout.server.problems import ANY, of_error, problem, refusals
from callout.server.rate import believed

if TYPE_CHECKING:
    from callout.access import (
        Accounts,
        Logons,
        Members,
        Organizations,
        Tokens,
    )
    from callout.access.chat_codes import ChatCodes
    from callout.audit import Audit
    from callout.integrations import Credentials, Health, History, Integrations
    from callout.server.services import Services
    from callout.storage import AccountTx, Tx

T = TypeVar("T")
Half = Literal["access", "refresh", "either"]
"""Which half of a token opens a route."""
ERRORS: Final = refusals(*ANY)
"""What any route of the management API may answer beside success."""
DEEPEST: Final = 20
"""How deep the JSON of a request may be nested."""
ORGANIZATION_WIDE: Final = "*"
"""Stands for an account where an Idempotency-Key belongs to the organization; no account can have this id."""


@dataclass(frozen=True, slots=True)
class Management:
    """The services that the management API is made of. `check` and `try_out` ask a vendor, and return warnings in words."""

    organizations: Organizations
    accounts: Accounts
    members: Members
    logons: Logons
    chat_codes: ChatCodes
    tokens: Tokens
    integrations: Integrations
    credentials: Credentials
    health: Health
    history: History
    audit: Audit
    check: Callable[[str, str], Awaitable[tuple[str, ...]]]
    """By account id and integration id; raises what stands in the way."""
    try_out: Callable[[str, Mapping[str, Any], list[Any]], Awaitable[tuple[str, ...]]]
    """By account id, `provider_config` and further credentials; nothing is stored."""
    changed: Callable[[], None]
    """Makes this process see a change at once; the others notice it within half a second."""


@dataclass(frozen=True, slots=True)
class Office:
    """What a route works with: the whole organization, as far as the caller's token opens it."""

    tx: Tx
    caller: Caller
    origin: Origin
    manage: Management
    half: Literal["access", "refresh"] = "access"

    def require(self, permission: str) -> None:
        """Raise ForbiddenError unless the caller has `permission` anywhere."""
        self.caller.require(permission)

    def require_everywhere(self, permission: str) -> None:
        """Raise ForbiddenError unless the caller has `permission` and its token opens all accounts."""
        self.caller.require(permission)
        if self.caller.account_ids is not None:
            raise ForbiddenError(
                "the token opens some accounts only, and this is about the whole organization",
                remediation="Use a token whose resources are the organization.",
            )

    async def account(self, id_or_name: str, permission: str) -> Account:
        """Return the account when the caller has `permission` there. Raises ForbiddenError, NotFoundError."""
        self.caller.require(permission)
        found = await self.manage.accounts.get(self.tx, id_or_name)
        self.caller.require(permission, found.id)
        return found

    async def within(self, id_or_name: str, permission: str) -> AccountTx:
        """Return the transaction as that account sees it. Raises ForbiddenError, NotFoundError."""
        return self.tx.account((await self.account(id_or_name, permission)).id)


Unit = Callable[[Office], Awaitable[Mapping[str, Any] | None]]


class Errand:
    """The request at hand, for a route to run its unit of work in."""

    def __init__(self, request: Request, services: Services, key: str | None) -> None:
        self._request = request
        self._key = key
        self.services = services
        self.manage = services.manage

    async def read(self, unit: Unit) -> Response:
        """Run `unit` on a snapshot; answer 200 with what it returns."""
        return answer(await self.look(unit))

    async def look(self, unit: Callable[[Office], Awaitable[T]]) -> T:
        """Run `unit` on a snapshot and return what it returns."""

        async def work(tx: Tx) -> T:
            return await unit(await self._office(tx))

        return await self.services.database.read(work)

    async def write(
        self,
        unit: Unit,
        *,
        half: Half = "access",
        afterwards: Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]] | None = None,
    ) -> Response:
        """Run `unit` in one transaction, once per Idempotency-Key; answer 200 with what it returns, 204 for nothing.

        `half` is the half of a token that opens this; `afterwards` may add to the answer once it is on disk.
        """
        if self._key is None:
            body = await self.change(unit, half=half)
        else:
            stored, body = await self._once(unit, self._key, half)
            if stored is not None:
                return replayed(stored)
        self.manage.changed()
        if body is not None and afterwards is not None:
            body = await afterwards(body)
        return answer(body)

    async def change(self, unit: Callable[[Office], Awaitable[T]], *, half: Half = "access") -> T:
        """Run `unit` in one transaction and return what it returns."""

        async def work(tx: Tx) -> T:
            with during(self.facts()):
                return await unit(await self._office(tx, half))

        return await self.services.database.transaction(work)

    async def knock(
        self, unit: Callable[[Tx], Awaitable[Mapping[str, Any] | None]], *, refused: CalloutError
    ) -> Response:
        """Run `unit` for whoever has no token yet; where it returns None, what it wrote is kept and `refused` is raised."""

        async def work(tx: Tx) -> Mapping[str, Any] | None:
            with during(self.facts()):
                return await unit(tx)

        body = await self.services.database.transaction(work)
        if body is None:
            raise refused
        return answer(body)

    @staticmethod
    def answer(body: Mapping[str, Any]) -> Response:
        """Return the answer with that body."""
        return answer(body)

    def facts(self) -> RequestFacts:
        """Return what the audit keeps of the request."""
        return facts_of(self._request, "204" if self._request.method == "DELETE" else "200")

    async def _once(
        self, unit: Unit, key: str, half: Half
    ) -> tuple[StoredAnswer | None, Mapping[str, Any] | None]:
        digest = await digest_of(self._request)
        ledger = self.services.idempotency

        async def once(tx: Tx) -> tuple[StoredAnswer | None, Mapping[str, Any] | None]:
            with during(self.facts()):
                office = await self._office(tx, half)
                own = f"{office.caller.token_id}:{key}"
                mine = tx.account(ORGANIZATION_WIDE)
                stored = await ledger.begin(mine, own, digest)
                if stored is not None:
                    return stored, None
                body = await unit(office)
                kept = to_keep(body)
                await ledger.finish(mine, own, status=kept.status, body=kept.body)
                return None, body

        return await self.services.database.transaction(once)

    async def _office(self, tx: Tx, half: Half = "access") -> Office:
        secret, known = bearer(self._request), self.services.authentication
        came_with: Literal["access", "refresh"] = "refresh" if half == "refresh" else "access"
        try:
            caller = await known.authenticate(tx, secret, half=came_with)
        except ForbiddenError:
            if half != "either":
                raise
            came_with = "refresh"
            caller = await known.authenticate(tx, secret, half=came_with)
        believed(self._request.scope)
        if came_with == "access":
            caller.require_kind("organization")
        return Office(tx, caller, Origin(Channel.API, caller.actor), self.manage, came_with)


def without_nulls(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return `fields` without those that are null: the contract makes no difference between null and absent."""
    return {name: value for name, value in fields.items() if value is not None}


def as_problem(error: CalloutError) -> dict[str, Any]:
    """Return the Problem of an error that did not keep the call from succeeding."""
    found: dict[str, Any] = orjson.loads(bytes(of_error(error).body))
    return found


def warning(text: str) -> dict[str, Any]:
    """Return a Problem of what is not as it should be, in words that say what to do."""
    body = problem(200, "warning", text, remediation="See the message.").body
    found: dict[str, Any] = orjson.loads(bytes(body))
    return found


async def errand_of(request: Request, idempotency_key: IdempotencyKey = None) -> Errand:
    """FastAPI dependency: the errand of this request. Raises InvalidRequestError, HTTPException for a body that cannot be taken."""
    if request.method in {"POST", "PUT", "PATCH"}:
        if not says_json(request):
            raise HTTPException(415, "the body has to be JSON")
        body = await request.body()
        if body:
            _refuse_strange(body)
    services: Services = request.app.state.services
    return Errand(request, services, idempotency_key)


def _refuse_strange(body: bytes) -> None:
    """Refuse what no field of ours can hold: text that is no Unicode, NUL, and JSON nested without end."""
    try:
        given = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidRequestError("the body is not JSON", fields={"": str(error)[:100]}) from None
    waiting: list[tuple[object, int]] = [(given, 1)]
    while waiting:
        value, depth = waiting.pop()
        if depth > DEEPEST:
            raise InvalidRequestError(
                f"the body is nested deeper than {DEEPEST} levels", fields={"": "nested too deep"}
            )
        if isinstance(value, dict):
            waiting.extend((key, depth) for key in value)
            waiting.extend((item, depth + 1) for item in value.values())
        elif isinstance(value, list):
            waiting.extend((item, depth + 1) for item in value)
        elif isinstance(value, str) and "\x00" in value:
            raise InvalidRequestError("the body holds a NUL character", fields={"": "NUL"})


def _utc(given: datetime) -> datetime:
    aware = given if given.tzinfo else given.replace(tzinfo=UTC)
    if not 1970 <= aware.year <= 9000:  # noqa: PLR2004  # what a database keeps
        raise ValueError("must be between 1970 and 9000")
    return aware


Moment = Annotated[datetime, AfterValidator(_utc)]
"""A time; without a zone it is UTC."""
ThisErrand = Annotated[Errand, Depends(errand_of)]
AccountName = Annotated[str, Path(max_length=200, description="Account, by id or name.")]
IntegrationName = Annotated[str, Path(max_length=200, description="Integration, by id or name.")]
