from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.ticketing import JiraTicketing, build
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.manifest import Credential, TokenSet
from callout.ports.ticketing import TicketDraft
from tests.connectors.jira.site import JiraSite


class Tokens:
    """A token store in memory: serial, and storing before use."""

    def __init__(self, tokens: TokenSet) -> None:
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


def connect(site: JiraSite, *, refresh: str = "", expired: bool = True) -> tuple[JiraTicketing, Tokens]:
    seeds = site.control.get("credentials").json()["oauth"]
    origin = site.url.removesuffix("/jira")
    past = datetime(2020, 1, 1, tzinfo=UTC)
    tokens = Tokens(
        TokenSet(Secret("dead"), Secret(refresh or seeds["refresh_token"]), past if expired else None)
    )
    credential = Credential(
        "o_auth_client",
        {"client_id": seeds["client_id"], "token_url": f"{origin}{seeds['token_path']}"},
        {"client_secret": Secret(seeds["client_secret"])},
    )
    config = JiraConfig(url=site.url, cloud_id=seeds["cloud_id"], api_url=f"{origin}{seeds['gateway_path']}")
    return build(config, site.tools(credential, tokens=tokens)), tokens


async def test_an_expired_token_is_renewed_before_the_call(site: JiraSite) -> None:
    provider, tokens = connect(site)
    report = await provider.check_connection()
    assert report.ok
    assert tokens.exchanges == 1
    assert tokens.tokens.expires_at is not None
    left = tokens.tokens.expires_at - datetime.now(UTC)
    assert timedelta(minutes=50) < left <= timedelta(hours=1)
    await provider.check_connection()
    assert tokens.exchanges == 1


async def test_a_token_that_dies_early_is_renewed_after_the_401_and_the_call_repeated(site: JiraSite) -> None:
    provider, tokens = connect(site)
    await provider.check_connection()
    site.act("expire_tokens")
    made = await provider.create_ticket(TicketDraft("x", project="TST"))
    assert made.title == "x"
    assert tokens.exchanges == 2
    assert len(site.ledger("issue.create")) == 1


async def test_many_calls_at_once_spend_one_refresh_token(site: JiraSite) -> None:
    provider, tokens = connect(site, expired=False)
    reports = await asyncio.gather(*(provider.check_connection() for _ in range(5)))
    assert all(report.ok for report in reports)
    assert tokens.exchanges == 1


async def test_a_revoked_grant_asks_an_operator_to_connect_again(site: JiraSite) -> None:
    provider, _ = connect(site, refresh="revoked")
    with pytest.raises(AuthFailedError) as caught:
        await provider.check_connection()
    assert "Connect" in caught.value.remediation
    assert "revoked" not in str(caught.value.detail)


async def test_a_refresh_token_works_only_once(site: JiraSite) -> None:
    first, _ = connect(site)
    await first.check_connection()
    second, _ = connect(site)
    with pytest.raises(AuthFailedError):
        await second.check_connection()


def test_a_credential_that_jira_cannot_use_is_refused_at_once(site: JiraSite) -> None:
    config = JiraConfig(url=site.url)
    for credential in (
        Credential("o_auth_client"),
        Credential("basic", {"username": "x"}),
        Credential("secret", {}, {"secret": Secret("x")}),
    ):
        with pytest.raises(AuthFailedError):
            build(config, site.tools(credential))
