from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.ticketing import PagerDutyTicketing, build
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError, UnavailableError
from callout.ports.manifest import Credential, TokenSet
from callout.ports.ticketing import TicketDraft
from tests.connectors.pagerduty.site import ADMIN, CHECKOUT, PagerDutySite


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


def connect(
    site: PagerDutySite, *, refresh: str | None = None, secret: str = "", **settings: object
) -> tuple[PagerDutyTicketing, Tokens]:
    seeds = site.control.get("credentials").json()["oauth"]
    origin = site.url.removesuffix("/pagerduty")
    past = datetime(2020, 1, 1, tzinfo=UTC)
    tokens = Tokens(TokenSet(Secret(""), None if refresh is None else Secret(refresh), past))
    credential = Credential(
        "o_auth_client",
        {"client_id": seeds["client_id"], "token_url": f"{origin}{seeds['token_path']}"},
        {"client_secret": Secret(secret or seeds["client_secret"])},
    )
    config = PagerDutyConfig.model_validate({"url": site.url, "default_creator": ADMIN.email, **settings})
    return build(config, site.tools(credential, tokens=tokens)), tokens


async def test_an_app_gets_a_token_of_its_own(site: PagerDutySite) -> None:
    provider, tokens = connect(site, subdomain="example")
    await provider.create_ticket(TicketDraft("x", project=CHECKOUT))
    assert (await provider.check_connection()).warnings == ()
    assert tokens.exchanges == 1
    site.act("expire_tokens")
    await provider.create_ticket(TicketDraft("y", project=CHECKOUT))
    assert tokens.exchanges == 2
    assert len(site.ledger("incident.create")) == 2


async def test_a_persons_consent_is_renewed_and_its_new_half_kept(site: PagerDutySite) -> None:
    seeds = site.control.get("credentials").json()["oauth"]
    provider, tokens = connect(site, refresh=seeds["refresh_token"])
    report = await provider.check_connection()
    assert report.account == ADMIN
    assert tokens.tokens.refresh is not None
    assert tokens.tokens.refresh.reveal() != seeds["refresh_token"]
    site.act("expire_tokens")
    await asyncio.gather(*(provider.check_connection() for _ in range(3)))
    assert tokens.exchanges == 2


async def test_a_spent_consent_says_what_to_do(site: PagerDutySite) -> None:
    provider, _ = connect(site, refresh="spent")
    with pytest.raises(AuthFailedError) as caught:
        await provider.check_connection()
    assert "Connect the PagerDuty app again" in caught.value.remediation


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "subdomain"),
        ({"subdomain": "another"}, "granted the app no"),
        ({"subdomain": "example", "oauth_scopes": ["incidents.read", "made.up"]}, "made.up"),
    ],
)
async def test_a_scope_that_was_silently_left_out_is_noticed(
    site: PagerDutySite, settings: dict[str, object], words: str
) -> None:
    provider, _ = connect(site, **settings)  # type: ignore[arg-type]
    with pytest.raises(AuthFailedError) as caught:
        await provider.check_connection()
    assert words in caught.value.message


async def test_a_scope_that_was_not_asked_for_is_a_warning(site: PagerDutySite) -> None:
    scopes = ["abilities.read", "users.read", "incidents.read"]
    provider, _ = connect(site, subdomain="example", oauth_scopes=scopes)
    report = await provider.check_connection()
    assert [warning.rpartition(" ")[2] for warning in report.warnings] == [
        "priorities.read",
        "webhook_subscriptions.read",
    ]


async def test_a_wrong_client_secret_and_a_dead_endpoint(site: PagerDutySite) -> None:
    provider, _ = connect(site, subdomain="example", secret="wrong")
    with pytest.raises(AuthFailedError):
        await provider.check_connection()
    site.faults.add({"kind": "status", "status": 503}, path="/oauth/token")
    provider, _ = connect(site, subdomain="example")
    with pytest.raises(UnavailableError):
        await provider.check_connection()


@pytest.mark.parametrize(
    "credential",
    [
        Credential("none"),
        Credential("token"),
        Credential("basic", {"username": "x"}, {"secret": Secret("y")}),
        Credential("o_auth_client", {"client_id": "x"}, {"client_secret": Secret("y")}),
    ],
)
def test_a_credential_that_pagerduty_cannot_use_is_refused(
    site: PagerDutySite, credential: Credential
) -> None:
    with pytest.raises(AuthFailedError):
        build(PagerDutyConfig(url=site.url), site.tools(credential))


async def test_a_bearer_token_given_as_a_token_is_sent_as_one(site: PagerDutySite) -> None:
    provider, tokens = connect(site, subdomain="example")
    await provider.check_connection()
    plain = site.provider(secret=tokens.tokens.access.reveal())
    assert (await plain.check_connection()).ok
