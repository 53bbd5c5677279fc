from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from callout.integrations.oauth import INTERRUPTED
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError, OutcomeUnknownError, UnavailableError
from callout.ports.manifest import TokenSet
from callout.storage import open_database
from tests.integrations.hub import TRACKER, Hub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

GRANT = {
    "type": "o_auth_client",
    "client_id": "cid",
    "client_secret": "canary-client",
    "refresh_token": "refresh-0",
}


class Vendor:
    """A token endpoint whose refresh tokens work once."""

    def __init__(self) -> None:
        self.valid = "refresh-0"
        self.calls = 0
        self.before: Callable[[], Awaitable[None]] | None = None

    async def exchange(self, tokens: TokenSet) -> TokenSet:
        self.calls += 1
        number = self.calls
        if self.before is not None:
            await self.before()
        if tokens.refresh is None or tokens.refresh.reveal() != self.valid:
            raise AuthFailedError("invalid_grant")
        self.valid = f"refresh-{number}"
        return TokenSet(Secret(f"access-{number}"), Secret(self.valid))


async def connected(hub: Hub) -> str:
    return (await hub.create({**TRACKER, "credential": GRANT}, name="t")).integration.id


async def test_a_grant_is_exchanged_stored_and_used(hub: Hub) -> None:
    store, vendor = hub.oauth(await connected(hub)), Vendor()
    first = await store.current()
    assert first.expires_at is not None
    assert first.expires_at < hub.clock.now()
    fresh = await store.rotate(first, vendor.exchange)
    assert fresh.access.reveal() == "access-1"
    assert await store.current() == fresh
    assert (await store.rotate(fresh, vendor.exchange)).access.reveal() == "access-2"


async def test_the_grant_is_not_kept_with_the_credential(hub: Hub) -> None:
    await connected(hub)
    made = await hub.get("t")
    credential = await hub(lambda tx: hub.integrations.credential_of(tx.account(hub.red), made))
    assert credential is not None
    assert set(credential.secrets) == {"client_secret"}


async def test_many_processes_make_one_exchange(hub: Hub) -> None:
    integration_id, vendor = await connected(hub), Vendor()
    others = [await open_database(hub.database.url) for _ in range(3)]
    stores = []
    for database in (hub.database, *others):
        peer = Hub(database, hub.clock, hub.keys)
        peer.red = hub.red
        stores.append(peer.oauth(integration_id))

    async def slow() -> None:
        await asyncio.sleep(0.2)

    vendor.before = slow
    stale = await stores[0].current()
    try:
        got = await asyncio.gather(
            *(store.rotate(stale, vendor.exchange) for store in stores for _ in range(2))
        )
    finally:
        for database in others:
            await database.close()
    assert vendor.calls == 1
    assert {tokens.access.reveal() for tokens in got} == {"access-1"}


async def test_no_transaction_is_open_while_the_vendor_is_asked(hub: Hub) -> None:
    store, vendor = hub.oauth(await connected(hub)), Vendor()

    async def write() -> None:
        async with asyncio.timeout(60):
            await hub(lambda tx: tx.execute(text("UPDATE oauth_tokens SET updated_at = updated_at + 1")))

    vendor.before = write
    assert (await store.rotate(await store.current(), vendor.exchange)).access.reveal() == "access-1"


async def test_a_crash_between_exchange_and_store_is_said_in_plain_words(hub: Hub) -> None:
    store, vendor = hub.oauth(await connected(hub)), Vendor()
    stale = await store.current()

    class Killed(BaseException):
        pass

    async def die(tokens: TokenSet) -> TokenSet:
        await vendor.exchange(tokens)
        raise Killed

    with pytest.raises(Killed):
        await store.rotate(stale, die)
    hub.clock.advance(timedelta(seconds=61))
    with pytest.raises(AuthFailedError, match="interrupted") as caught:
        await store.rotate(stale, vendor.exchange)
    assert "Connect the integration again" in caught.value.remediation
    assert await store.problem() == INTERRUPTED
    # A new grant ends the problem.
    vendor.valid = "refresh-new"
    await hub.update(
        "t", {"provider_config": {**TRACKER, "credential": {**GRANT, "refresh_token": "refresh-new"}}}
    )
    assert await store.problem() is None
    assert (await store.rotate(await store.current(), vendor.exchange)).access.reveal() == "access-3"


async def test_a_vendor_that_takes_the_old_token_again_heals_the_crash(hub: Hub) -> None:
    store = hub.oauth(await connected(hub))
    stale = await store.current()

    async def lost(tokens: TokenSet) -> TokenSet:
        raise OutcomeUnknownError("timed out")

    async def works(tokens: TokenSet) -> TokenSet:
        return TokenSet(Secret("access-x"), Secret("refresh-x"))

    with pytest.raises(OutcomeUnknownError):
        await store.rotate(stale, lost)
    assert (await store.rotate(stale, works)).access.reveal() == "access-x"
    assert await store.problem() is None


async def test_a_refusal_after_an_unknown_outcome_is_said_in_plain_words(hub: Hub) -> None:
    store, vendor = hub.oauth(await connected(hub)), Vendor()
    stale = await store.current()

    async def lost(tokens: TokenSet) -> TokenSet:
        await vendor.exchange(tokens)
        raise OutcomeUnknownError("timed out")

    async def away(tokens: TokenSet) -> TokenSet:
        raise UnavailableError("no answer")

    with pytest.raises(OutcomeUnknownError):
        await store.rotate(stale, lost)
    with pytest.raises(UnavailableError):
        await store.rotate(stale, away)
    with pytest.raises(AuthFailedError, match="interrupted"):
        await store.rotate(stale, vendor.exchange)


async def test_a_plain_refusal_is_kept_as_the_problem(hub: Hub) -> None:
    store = hub.oauth(await connected(hub))

    async def refuse(tokens: TokenSet) -> TokenSet:
        raise AuthFailedError("invalid_grant: the app was removed")

    with pytest.raises(AuthFailedError, match="app was removed"):
        await store.rotate(await store.current(), refuse)
    assert await store.problem() == "invalid_grant: the app was removed"


async def test_a_client_without_a_grant_starts_with_an_empty_expired_set(hub: Hub) -> None:
    client = {k: v for k, v in GRANT.items() if k != "refresh_token"}
    made = (await hub.create({**TRACKER, "credential": client})).integration
    store = hub.oauth(made.id)
    stale = await store.current()
    assert (stale.access.reveal(), stale.refresh) == ("", None)

    async def client_credentials(tokens: TokenSet) -> TokenSet:
        return TokenSet(Secret("access-cc"), None)

    assert (await store.rotate(stale, client_credentials)).access.reveal() == "access-cc"
    assert (await store.current()).access.reveal() == "access-cc"
