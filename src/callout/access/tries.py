"""Wrong sign-ins, counted by the address they come from: whoever tries many names is slowed down as one who tries many secrets is."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import delete, select, update

from callout.access.tables import sign_in_tries
from callout.ports.errors import ForbiddenError
from callout.storage.upsert import insert_or_ignore

if TYPE_CHECKING:
    from callout.kit.clock import Clock
    from callout.storage import Tx

MOST: Final = 30
"""So many wrong sign-ins an address has …"""
WITHIN: Final = timedelta(minutes=15)
"""… in so long, from the first of them on."""
_IPV6_HOME: Final = 64
"""The leading bits of an IPv6 address that one customer shares; the rest they choose as they like."""


class TooManyTriesError(ForbiddenError):
    """Too many wrong sign-ins came from one address; `wait` is how long nothing from there is even looked at."""

    code = "TOO_MANY_TRIES"

    def __init__(self, wait: timedelta) -> None:
        minutes = max(1, -(-int(wait.total_seconds()) // 60))
        super().__init__(
            "too many wrong sign-ins came from your address",
            remediation=f"Try again in {minutes} minute{'' if minutes == 1 else 's'}.",
        )
        self.wait = self.retry_after = wait


class SignInTries:
    """Counts wrong sign-ins. A right one forgives nothing: it may be the guesser's own."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    async def require(self, tx: Tx, address: str) -> None:
        """Raise TooManyTriesError while too many came from `address`."""
        now = self._clock.now()
        query = select(sign_in_tries).where(
            sign_in_tries.c.address == home_of(address),
            sign_in_tries.c.until > now,
            sign_in_tries.c.failures >= MOST,
        )
        row = await tx.one(query)
        if row is not None:
            raise TooManyTriesError(row["until"] - now)

    async def failed(self, tx: Tx, address: str) -> None:
        """Count one more."""
        now, home = self._clock.now(), home_of(address)
        first = {"address": home, "failures": 1, "until": now + WITHIN}
        if await tx.execute(insert_or_ignore(tx, sign_in_tries, first)):
            return
        mine = sign_in_tries.c.address == home
        again = update(sign_in_tries).where(mine, sign_in_tries.c.until <= now)
        if not await tx.execute(again.values(failures=1, until=now + WITHIN)):
            await tx.execute(update(sign_in_tries).where(mine).values(failures=sign_in_tries.c.failures + 1))

    async def purge(self, tx: Tx) -> int:
        """Forget what is over; return how many addresses."""
        return await tx.execute(delete(sign_in_tries).where(sign_in_tries.c.until <= self._clock.now()))


def home_of(address: str) -> str:
    """Return what stands for everybody behind `address`."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if isinstance(found, ipaddress.IPv6Address):
        plain = found.ipv4_mapped
        if plain is not None:
            return str(plain)
        return str(ipaddress.ip_network((int(found) >> _IPV6_HOME << _IPV6_HOME, _IPV6_HOME)))
    return str(found)
