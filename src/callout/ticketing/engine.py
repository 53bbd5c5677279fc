"""A request of the engine API: whose token it is, which integration it opens, and whether the provider can do what is asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import (
    ConnectorError,
    ForbiddenError,
    InvalidRequestError,
    OperationNotSupportedError,
    OutcomeUnknownError,
    PausedError,
    RateLimitedError,
    RecordNotFoundError,
    UnavailableError,
)
from callout.ports.provider import OPERATIONS
from callout.ports.values import Channel, Origin
from callout.ticketing.errors import InvalidCursorError, InvalidFilterError, ProviderTimeoutError
from callout.ticketing.operations import can

if TYPE_CHECKING:
    from callout.access import Caller, Idempotency
    from callout.audit import Audit
    from callout.integrations import Holders, Integration, Integrations, Pauses
    from callout.kit.clock import Clock
    from callout.kit.secrets import Secret
    from callout.ports.manifest import Manifest
    from callout.storage import AccountTx, Database, Tx

TOTAL_SECONDS: Final = 60.0
"""What one request may take, however many calls it needs; each call has its own, shorter limit."""
LONGEST_ID: Final = 200
READ, WRITE = "ticket.read", "ticket.write"
_OURS: Final = {"title": "summary", "issuetype": "issue_type"}
"""Names in a connector's error → names in the contract."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What a token opens: one integration, its provider's description, and the origin of what is done."""

    caller: Caller
    integration: Integration
    manifest: Manifest

    @property
    def origin(self) -> Origin:
        """Where the effects of this request come from."""
        return Origin(Channel.API, self.caller.actor, integration_id=self.integration.id)


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What the services of the engine API work with. `provider` builds or finds an integration's connector."""

    database: Database
    clock: Clock
    holders: Holders
    integrations: Integrations
    pauses: Pauses
    audit: Audit
    idempotency: Idempotency
    provider: Callable[[str, str], Awaitable[Any]]


class Engine:
    """Opens integrations for the holders of their tokens."""

    def __init__(self, context: EngineContext) -> None:
        self.context = context

    async def open(
        self, secret: Secret | None, *, category: str, operation: str = "", permission: str = READ
    ) -> Opened:
        """Return what `secret` opens, after one look at the database and none at the provider.

        Args:
            secret: what the request carried.
            category: of the operation; the token of another category's integration gets OperationNotSupportedError.
            operation: the contract's name; one that the provider does not have gets the same.
            permission: what it takes.

        Raises UnauthenticatedError, ForbiddenError, PausedError for a write while writes are paused.
        """

        async def unit(tx: Tx) -> Opened:
            caller, integration = await self.context.holders.open(tx, secret)
            caller.require(permission, integration.account_id)
            if permission == WRITE:
                account = tx.account(integration.account_id)
                pause = await self.context.pauses.is_paused(account, integration.id)
                if pause is not None:
                    raise PausedError(
                        f"writes to this integration are paused: {pause.reason}",
                        remediation="Try again when the pause is over; an operator can end it.",
                    )
            return Opened(caller, integration, self.context.integrations.manifest_of(integration))

        opened = await self.context.database.read(unit)
        self.context.holders.keep(opened.integration)
        if not opened.integration.enabled:
            raise ForbiddenError(
                f"the integration {opened.integration.name} is switched off",
                remediation="An operator can enable it again.",
            )
        if opened.integration.category != category:
            raise OperationNotSupportedError(
                f"{opened.integration.provider_type} has no operations of the category {category}",
                remediation=f"Use the token of an integration of the category {category}.",
            )
        if operation:
            self.require(opened, operation)
        return opened

    @staticmethod
    def require(opened: Opened, operation: str) -> None:
        """Raise OperationNotSupportedError unless the provider has `operation`; nobody is asked."""
        if not has(opened.manifest, operation):
            raise OperationNotSupportedError(
                f"{opened.manifest.title} cannot do {operation}",
                remediation="GET /v1/ticketing/capabilities lists what this integration can do.",
            )

    async def record(
        self, tx: AccountTx, opened: Opened, action: str, subject_id: str, data: Mapping[str, Any]
    ) -> None:
        """Add the audit row of an effect at the provider; `action` is like `ticket.created`."""
        await self.context.audit.record(
            tx,
            action=action,
            actor=opened.caller.actor,
            origin=opened.origin,
            subject_type=action.partition(".")[0],
            subject_id=subject_id,
            integration_id=opened.integration.id,
            data=data,
        )

    async def written(self, opened: Opened, action: str, subject_id: str, **data: object) -> None:
        """Write down an effect at the provider that needed no claim."""
        await self.context.database.transaction(
            lambda tx: self.record(
                tx.account(opened.integration.account_id), opened, action, subject_id, data
            )
        )

    async def provider(self, opened: Opened) -> Any:  # noqa: ANN401  # the role's own Protocol
        """Return the integration's connector. Raises NotFoundError, InvalidRequestError, ConnectorError."""
        return await self.context.provider(opened.integration.account_id, opened.integration.id)

    @asynccontextmanager
    async def calling(self, opened: Opened, *, writing: bool = False) -> AsyncIterator[Any]:
        """Give the connector for one request: within its time, and with errors in the words of the contract.

        Raises ConnectorError and its kinds, InvalidFilterError, InvalidCursorError, InvalidRequestError.
        """
        limit = asyncio.timeout(TOTAL_SECONDS)
        try:
            async with limit:
                yield await self.provider(opened)
        except TimeoutError:
            if not limit.expired():
                raise
            words = f"{opened.manifest.title} took longer than {TOTAL_SECONDS:g} seconds"
            if writing:
                raise OutcomeUnknownError(
                    f"{words}: it may or may not have been done",
                    remediation="Look before you repeat it, or repeat it with an Idempotency-Key.",
                ) from None
            raise ProviderTimeoutError(
                words, remediation="Ask for less at once, or try again later."
            ) from None
        except InvalidRequestError as error:
            raise _asked_wrongly(error) from error
        except ConnectorError as error:
            _address(error, opened)
            raise


def has(manifest: Manifest, operation: str) -> bool:
    """Return whether a provider has an operation of the contract (or a method of ours): computed from the connector's class."""
    return can(manifest, OPERATIONS.get(operation, operation))


def known_id(text: str, what: str) -> str:
    """Return an id of the path. Raises RecordNotFoundError for one that no provider has."""
    if not text.strip() or text in {".", ".."} or len(text) > LONGEST_ID or not text.isprintable():
        raise RecordNotFoundError(
            f"there is no {what} of that id", remediation=f"Check the id of the {what}."
        )
    return text


def _asked_wrongly(error: InvalidRequestError) -> InvalidRequestError:
    """Return a connector's complaint about a query as the contract's kind of error."""
    if isinstance(error, OperationNotSupportedError | InvalidFilterError | InvalidCursorError):
        return error
    for name, kind in (
        ("cursor", InvalidCursorError),
        ("filter", InvalidFilterError),
        ("order", InvalidFilterError),
    ):
        if name in error.fields:
            return kind(
                error.message, fields=error.fields, detail=error.detail, remediation=error.remediation or None
            )
    error.fields = _renamed(error.fields)
    return error


def _address(error: ConnectorError, opened: Opened) -> None:
    """Tell whoever waits for the answer what to do: what repairs itself for a job does not do so for them."""
    error.fields = _renamed(error.fields)
    one = opened.integration
    # True for a job, not for somebody who waits for the answer.
    error.remediation = error.remediation.replace("It is tried again by itself.", "Then try again.")
    if isinstance(error, RateLimitedError):
        error.remediation = "Wait as long as Retry-After says, then try again."
    elif isinstance(error, UnavailableError) and error.remediation == UnavailableError.default_remediation:
        error.remediation = (
            f"Try again in a moment; `callout integration test {one.name}` shows whether it answers."
        )
    elif isinstance(error, OutcomeUnknownError):
        error.remediation = "Look before you repeat it, or repeat it with the same Idempotency-Key."
    elif not error.remediation:
        error.remediation = "Correct what the message names."


def _renamed(fields: Mapping[str, str]) -> dict[str, str]:
    return {_OURS.get(name, name): why for name, why in fields.items()}
