"""Every way in: Basic, API key, OAuth by client credentials, by password, by refresh token."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.ticketing import ServiceNowTicketing, build
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.manifest import Credential, TokenSet
from callout.ports.ticketing import TicketDraft, TicketQuery
from tests.connectors.servicenow.instance import Instance

EMPTY = TokenSet(Secret(""), None, datetime(1970, 1, 1, tzinfo=UTC))


class Tokens:
    """A token store in memory: serial, and storing before use."""

    def __init__(self, tokens: TokenSet = EMPTY) -> None:
        self.tokens = tokens
        self.exchanges = 0
        self._lock = asyncio.Lock()

    async def current(self) -> TokenSet:
        return self.tokens

    async def rotate(self, stale: TokenSet, exchange: Callable[[TokenSet], Awaitable[TokenSet]]) -> TokenSet:
        async with self._lock:
            if self.tokens.access == stale.access:
                self.exchanges += 1
                self.tokens = await exchange(self.tokens)
            return self.tokens


def connect(
    instance: Instance, tokens: Tokens, *, secret: str = "secret", user: str = "", password: str = ""
) -> ServiceNowTicketing:
    secrets = {"client_secret": Secret(secret), **({"password": Secret(password)} if password else {})}
    values = {"client_id": "client", **({"username": user} if user else {})}
    credential = Credential("o_auth_client", values, secrets)
    return build(ServiceNowConfig(url=instance.url), instance.tools(credential, tokens=tokens))


async def who(provider: ServiceNowTicketing) -> str:
    report = await provider.check_connection()
    assert report.ok
    return report.account.name if report.account else ""


async def test_the_client_alone(instance: Instance) -> None:
    tokens = Tokens()
    assert await who(connect(instance, tokens)) == "Callout Integration"
    assert tokens.exchanges == 1
    assert tokens.tokens.refresh is None
    assert tokens.tokens.expires_at is not None
    assert timedelta(minutes=29) < tokens.tokens.expires_at - instance.now() <= timedelta(minutes=30)


async def test_a_password_and_from_then_on_the_refresh_token(instance: Instance) -> None:
    instance.set(rotate_refresh_tokens=True)
    tokens = Tokens()
    provider = connect(instance, tokens, user="ann.lee", password="ann")
    assert await who(provider) == "Ann Lee"
    first = tokens.tokens.refresh
    assert first is not None
    instance.act("expire_tokens")
    assert await who(provider) == "Ann Lee"
    assert tokens.exchanges == 2
    assert tokens.tokens.refresh not in {None, first}


async def test_a_dead_refresh_token_is_no_dead_end(instance: Instance) -> None:
    tokens = Tokens(TokenSet(Secret("dead"), Secret("dead too"), None))
    assert await who(connect(instance, tokens)) == "Callout Integration"
    assert await who(connect(instance, Tokens(tokens.tokens), user="ann.lee", password="ann"))


async def test_a_token_that_expires_in_the_middle_is_renewed_once_for_all(instance: Instance) -> None:
    tokens = Tokens()
    provider = connect(instance, tokens)
    for number in range(6):
        await provider.create_ticket(TicketDraft(str(number)))
    instance.act("expire_tokens")
    pages = await asyncio.gather(*(provider.query_tickets(TicketQuery(limit=100)) for _ in range(5)))
    assert {len(page.items) for page in pages} == {6}
    assert tokens.exchanges == 2


async def test_a_token_that_is_about_to_expire_is_renewed_before_the_call(instance: Instance) -> None:
    tokens = Tokens()
    provider = connect(instance, tokens)
    await provider.create_ticket(TicketDraft("x"))
    instance.pass_time(timedelta(seconds=1799 - 30))
    await provider.create_ticket(TicketDraft("y"))
    assert tokens.exchanges == 2


@pytest.mark.parametrize("hardened", [False, True])
async def test_a_refused_grant_says_which_and_where(instance: Instance, hardened: bool) -> None:
    if hardened:
        instance.set(password_grant=False)
        provider = connect(instance, Tokens(), user="ann.lee", password="ann")
    else:
        provider = connect(instance, Tokens(), secret="wrong")
    with pytest.raises(AuthFailedError) as caught:
        await provider.check_connection()
    assert ("password" if hardened else "client_credentials") in caught.value.message
    assert "Application Registry" in caught.value.remediation
    assert "wrong" not in f"{caught.value} {caught.value.detail}"


async def test_an_api_key(instance: Instance) -> None:
    def with_key(key: str) -> ServiceNowTicketing:
        credential = Credential("token", {}, {"secret": Secret(key)})
        return build(ServiceNowConfig(url=instance.url), instance.tools(credential))

    key = instance.control.get("credentials").json()["api_key"]
    assert await who(with_key(key)) == "Callout Integration"
    with pytest.raises(AuthFailedError):
        await with_key("wrong").check_connection()


@pytest.mark.parametrize(
    "credential",
    [
        Credential("none"),
        Credential("basic", {"username": "x"}),
        Credential("service_account", {"username": "x"}, {"secret": Secret("y")}),
        Credential("o_auth_client", {"client_id": "x"}, {"client_secret": Secret("y")}),
    ],
    ids=lambda one: one.kind,
)
def test_what_cannot_be_used_is_refused_at_once(credential: Credential, instance: Instance) -> None:
    with pytest.raises(AuthFailedError):
        build(ServiceNowConfig(url=instance.url), instance.tools(credential))


async def test_a_token_that_expires_in_the_middle_of_a_backfill_is_renewed_once_and_the_backfill_goes_on(
    instance: Instance,
) -> None:
    tokens = Tokens()
    provider = connect(instance, tokens)
    made = {(await provider.create_ticket(TicketDraft(f"old {n}"))).id for n in range(12)}
    before = tokens.exchanges
    instance.faults.add({"kind": "expired_token"}, path="/table/incident", nth=3)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await provider.query_tickets(TicketQuery(limit=3, cursor=cursor))
        seen += [ticket.id for ticket in page.items]
        cursor = page.cursor
        if not cursor:
            break
    assert made <= set(seen)
    assert len(seen) == len(set(seen))
    assert tokens.exchanges == before + 1
