"""Running one unit of work in the account that was named on the command line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from callout.cli.run import with_wired

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.bootstrap.wiring import Wired
    from callout.ports.values import Origin
    from callout.storage import AccountTx

T = TypeVar("T")


def in_account(
    data_dir: Path | None, account: str | None, work: Callable[[Core, AccountTx, Origin], Awaitable[T]]
) -> T:
    """Run `work` in one transaction of the account named, or of the only one."""
    return in_wired_account(data_dir, account, lambda wired, tx, origin: work(wired.core, tx, origin))


def in_wired_account(
    data_dir: Path | None, account: str | None, work: Callable[[Wired, AccountTx, Origin], Awaitable[T]]
) -> T:
    """Run `work` as :func:`in_account` does, with the features bound together."""

    async def opened(wired: Wired) -> T:
        from callout.access import DEFAULT_ACCOUNT
        from callout.ports.values import Actor, ActorKind, Channel, Origin

        origin = Origin(Channel.CLI, Actor(ActorKind.SYSTEM, "cli", "the command line"))

        async def unit(tx: Any) -> T:  # a Tx, whose module is imported late
            found = await wired.core.accounts.get(tx, account or DEFAULT_ACCOUNT)
            return await work(wired, tx.account(found.id), origin)

        return await wired.core.database.transaction(unit)

    return with_wired({"data_dir": data_dir}, opened)
