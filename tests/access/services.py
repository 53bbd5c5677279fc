"""The services of access over one database, each call in a transaction of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.access import (
    Accounts,
    Authentication,
    ChatIdentities,
    Idempotency,
    Members,
    Organizations,
    Sessions,
    SettingsVersion,
    Tokens,
)
from callout.audit import Audit

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeVar

    from callout.kit.clock import ManualClock
    from callout.storage import Database, Tx

    T = TypeVar("T")


class Access:
    """The services over one database, each call in a transaction of its own."""

    def __init__(self, database: Database, clock: ManualClock) -> None:
        self.database = database
        self.clock = clock
        self.audit = Audit(clock)
        self.version = SettingsVersion()
        self.organizations = Organizations(clock, self.audit)
        self.accounts = Accounts(clock, self.audit, self.version)
        self.members = Members(clock, self.audit, self.version)
        self.tokens = Tokens(clock, self.audit, self.version)
        self.identities = ChatIdentities(clock, self.audit, self.members)
        self.authentication = Authentication(clock)
        self.sessions = Sessions(clock, self.audit, self.authentication)
        self.idempotency = Idempotency(clock)

    async def __call__(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        async def unit(tx: Tx) -> T:
            return await work(tx)

        return await self.database.transaction(unit)
