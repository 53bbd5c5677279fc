"""Signing in at an OpenID provider: a real one, its pages, its signatures, its refusals."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from callout.access import tries
from callout.access.oidc_errors import OidcError
from tests.server.desk import ADDRESS, OPERATOR, Desk, opened
from tests.server.openid_provider import SCOPES, OpenIdProvider, Person
from tests.server.visitor import Browser, audited, guarded, member

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from callout.access import Member

SECRET = "s3cret / : & more+%"
pytestmark = pytest.mark.timeout(240)
"""Whichever comes first waits for the provider to be installed."""


@pytest.fixture(scope="session")
def provider() -> Iterator[OpenIdProvider]:
    one = OpenIdProvider()
    yield one
    one.stop()


@pytest.fixture
async def desk(
    provider: OpenIdProvider, request: pytest.FixtureRequest, sqlite_path: Path, tmp_path: Path
) -> AsyncIterator[Desk]:
    async with with_openid(
        provider, f"sqlite:///{sqlite_path}", tmp_path, **getattr(request, "param", {})
    ) as one:
        yield one


def with_openid(
    provider: OpenIdProvider, database_url: str, tmp_path: Path, **settings: Any
) -> contextlib.AbstractAsyncContextManager[Desk]:
    given = {
        "oidc_issuer": provider.issuer,
        "oidc_client_id": "callout",
        "oidc_client_secret": SECRET,
        "oidc_scopes": SCOPES,
        "oidc_default_role": "responder",
        **settings,
    }
    return opened(database_url, tmp_path / "data", **given)


async def sent(browser: Browser, onwards: str = "/incidents") -> str:
    """Return where the sign-in page's button sends a browser."""
    answer = await browser.open("/login/oidc?" + urlencode({"next": onwards}))
    assert answer.status_code == 303, unescape(answer.text)
    return answer.headers["location"]


async def comes(
    browser: Browser, login: str, onwards: str = "/incidents", *, agrees: bool = True
) -> httpx.Response:
    """Sign in at the provider, and come back."""
    async with Person(login) as person:
        back = await person.goes_to(await sent(browser, onwards), agrees=agrees)
    return await browser.open(back.removeprefix(ADDRESS))


async def people(desk: Desk) -> dict[str, Member]:
    found = (await desk.core.database.read(desk.core.members.list)).items
    return {one.fullname: one for one in found}


async def refusals(desk: Desk) -> list[str]:
    return [one["data"]["why"] for one in await audited(desk, "sign_in.refused")]


def refused(answer: httpx.Response, words: str, status: int = 401) -> None:
    assert (answer.status_code, words in unescape(answer.text)) == (status, True), unescape(answer.text)
    assert "callout_session" not in answer.headers.get("set-cookie", "")
    guarded(answer)


async def test_the_whole_way_there_and_back(
    provider: OpenIdProvider, database_url: str, tmp_path: Path
) -> None:
    async with with_openid(provider, database_url, tmp_path, oidc_label="the house's account") as desk:
        browser = Browser(desk)
        assert "Sign in with the house&#39;s account" in (await browser.open("/login?next=/me")).text
        asked = parse_qs(urlsplit(await sent(browser)).query)
        assert asked["code_challenge_method"] == ["S256"]
        assert asked["redirect_uri"] == [f"{ADDRESS}/login/oidc/done"]
        assert len({asked["state"][0], asked["nonce"][0], asked["code_challenge"][0]}) == 3
        done = await comes(browser, "bo", "/me")
        assert (done.status_code, done.headers["location"]) == (303, "/me")
        me = await browser.open("/me")
        for shown in ("Bo Ek", "bo@example.com", "responder", "single sign-on", "You have none here"):
            assert shown in me.text
        [bo] = (await people(desk)).values()
        again = Browser(desk)
        assert (await comes(again, "bo")).status_code == 303
        assert list(await people(desk)) == ["Bo Ek"], "the same one"
        assert {one["action"] for one in await audited(desk, "member.openid_linked", "session.opened")} == {
            "member.openid_linked",
            "session.opened",
        }
        await desk.core.database.transaction(
            lambda tx: desk.core.members.update(tx, bo.id, changes={"state": "disabled"}, actor=OPERATOR)
        )
        assert not await browser.is_in()
        refused(await comes(again, "bo"), "the member may not sign in")


async def test_who_comes_twice_at_the_same_moment_is_one_member(
    provider: OpenIdProvider, database_url: str, tmp_path: Path
) -> None:
    async with with_openid(provider, database_url, tmp_path) as desk:
        browsers = [Browser(desk) for _ in range(4)]
        backs = []
        for browser in browsers:
            async with Person("bo") as person:
                backs.append((await person.goes_to(await sent(browser))).removeprefix(ADDRESS))
        came = await asyncio.gather(
            *(browser.open(back) for browser, back in zip(browsers, backs, strict=True))
        )
        assert [one.status_code for one in came] == [303] * 4
        assert list(await people(desk)) == ["Bo Ek"]


@pytest.mark.parametrize(
    "desk",
    [
        {"oidc_client_id": "post", "oidc_client_secret": "secret"},
        {"oidc_client_id": "public", "oidc_client_secret": ""},
        {"oidc_client_id": "elliptic", "oidc_client_secret": "secret"},
    ],
    indirect=True,
    ids=["secret in the form", "no secret", "another kind of signature"],
)
async def test_other_kinds_of_clients(desk: Desk) -> None:
    assert (await comes(Browser(desk), "bo")).status_code == 303


@pytest.mark.parametrize(
    "desk", [{"oidc_client_id": "shared", "oidc_client_secret": "secret"}], indirect=True
)
async def test_a_signature_that_anybody_with_our_secret_could_make_is_refused(desk: Desk) -> None:
    refused(await comes(Browser(desk), "bo"), "HS256")
    assert await refusals(desk) == ["algorithm"]


async def test_a_verified_address_is_the_member_who_has_it(desk: Desk) -> None:
    ann = await member(desk, "ann", role="admin")
    browser = Browser(desk)
    assert (await comes(browser, "ann")).status_code == 303
    assert "ann@example.com" in (await browser.open("/me")).text
    assert [one.id for one in (await people(desk)).values()] == [ann.id]
    assert (await people(desk))["Ann"].role == "admin", "roles are given here, where no claim is named"
    # An address that the provider does not vouch for is nobody's, and makes nobody.
    assert (await comes(Browser(desk), "mal")).status_code == 303
    found = await people(desk)
    assert (found["Mallory"].email, found["Mallory"].role) == (None, "responder")
    # Who the provider says nothing of comes in as somebody.
    assert (await comes(Browser(desk), "nil")).status_code == 303
    assert "Somebody" in await people(desk)


@pytest.mark.parametrize("desk", [{"oidc_link_email": False}], indirect=True)
async def test_addresses_link_nobody_where_that_is_not_wanted(desk: Desk) -> None:
    await member(desk, "ann", role="admin")
    refused(await comes(Browser(desk), "ann"), "there is a member with your e-mail address already")
    assert list(await people(desk)) == ["Ann"]
    assert await refusals(desk) == ["email"]


async def test_an_address_that_passed_on_does_not_take_the_member_along(desk: Desk) -> None:
    bo = await member(desk, "bob", email="bo@example.com")
    assert (await comes(Browser(desk), "mal")).status_code == 303
    mal = (await people(desk))["Mallory"]
    assert (await comes(Browser(desk), "bo")).status_code == 303
    # The address of who is known already is given to somebody else, and back again.
    for who, email in ((bo, "old@example.com"), (mal, "ann@example.com")):
        await desk.core.database.transaction(
            lambda tx, who=who, email=email: desk.core.members.update(  # type: ignore[misc]
                tx, who.id, changes={"email": email}, actor=OPERATOR
            )
        )
    refused(await comes(Browser(desk), "ann"), "somebody else of the sign-in service is the member")
    assert await refusals(desk) == ["linked"]


@pytest.mark.parametrize(
    "desk",
    [
        {
            "oidc_role_claim": "groups",
            "oidc_roles": "sre=responder,incident admins=admin",
            "oidc_default_role": "",
            "oidc_email_domains": "@Example.com",
        }
    ],
    indirect=True,
)
async def test_groups_give_roles_and_domains_keep_out(desk: Desk) -> None:
    ann = await member(desk, "ann", role="viewer")
    browser = Browser(desk)
    assert (await comes(browser, "ann")).status_code == 303
    assert (await people(desk))["Ann"].role == "admin", "the widest"
    assert ann.role == "viewer"
    assert (await comes(Browser(desk), "bo")).status_code == 303
    assert (await people(desk))["Bo Ek"].role == "responder"
    await desk.core.database.transaction(
        lambda tx: desk.core.members.update(tx, "bo-ek", changes={"role": "admin"}, actor=OPERATOR)
    )
    assert (await comes(Browser(desk), "bo")).status_code == 303
    assert (await people(desk))["Bo Ek"].role == "responder", "what the groups say is true at each sign-in"
    refused(await comes(Browser(desk), "eve"), "people with your e-mail address do not sign in here")
    refused(await comes(Browser(desk), "mal"), "does not tell a verified e-mail address")
    refused(await comes(Browser(desk), "nil"), "does not tell a verified e-mail address")
    assert await refusals(desk) == ["domain", "email", "email"]


@pytest.mark.parametrize("desk", [{"oidc_default_role": ""}], indirect=True)
async def test_who_is_new_stays_out_where_no_role_is_for_them(desk: Desk) -> None:
    refused(await comes(Browser(desk), "bo"), "gives you a role here")
    assert await people(desk) == {}
    await member(desk, "ann")
    assert (await comes(Browser(desk), "ann")).status_code == 303


async def test_saying_no_there_is_told_in_words(desk: Desk) -> None:
    refused(await comes(Browser(desk), "bo", agrees=False), "did not let you in, or you said no")
    assert await refusals(desk) == ["denied"]


async def test_what_this_browser_did_not_begin_is_refused(desk: Desk) -> None:
    browser, victim = Browser(desk), Browser(desk)
    async with Person("bo") as person:
        back = (await person.goes_to(await sent(browser))).removeprefix(ADDRESS)
    refused(await victim.open(back), "this browser did not begin a sign-in")
    await sent(victim)
    refused(await victim.open(back), "not the one this browser waits for")
    victim.http.cookies.set("callout_openid", "nonsense")
    refused(await victim.open(back), "this browser did not begin a sign-in")
    for changed in (
        back.replace("state=", "state=x"),
        back.replace("iss=", "iss=http://evil.example&x="),
        "/login/oidc/done",
    ):
        other = Browser(desk)
        other.http.cookies = httpx.Cookies(browser.http.cookies)
        assert (await other.open(changed)).status_code == 401
    assert (await browser.open(back)).status_code == 303
    # The code is used up, and so is what the browser kept.
    refused(await browser.open(back), "this browser did not begin a sign-in")


async def test_a_code_is_good_once_and_for_its_own_browser(desk: Desk) -> None:
    first, second = Browser(desk), Browser(desk)
    async with Person("bo") as person, Person("eve") as other:
        mine = await person.goes_to(await sent(first))
        theirs = await other.goes_to(await sent(second))
    code = parse_qs(urlsplit(theirs).query)["code"][0]
    own = parse_qs(urlsplit(mine).query)
    # Somebody else's code with one's own state: the provider compares the challenge.
    swapped = urlencode({"code": code, "state": own["state"][0], "iss": own["iss"][0]})
    refused(await first.open(f"/login/oidc/done?{swapped}"), "answered 400 when asked for a token", 502)
    [told] = await audited(desk, "sign_in.refused")
    assert code not in str(told)
    assert "grant" in told["data"]["detail"]


async def test_too_late_is_too_late(desk: Desk) -> None:
    browser = Browser(desk)
    async with Person("bo") as person:
        back = (await person.goes_to(await sent(browser))).removeprefix(ADDRESS)
    desk.clock.advance(timedelta(minutes=10))
    refused(await browser.open(back), "took longer than ten minutes")


async def test_clocks_that_differ_by_more_than_a_token_lives(desk: Desk) -> None:
    browser = Browser(desk)
    desk.clock.advance(timedelta(hours=-1))
    refused(await comes(browser, "bo"), "it is of a time to come")


@pytest.mark.parametrize("desk", [{"oidc_client_secret": "another"}], indirect=True)
async def test_a_wrong_secret_of_ours_is_the_operators_to_find(desk: Desk) -> None:
    refused(await comes(Browser(desk), "bo"), "answered 401 when asked for a token", 502)
    [told] = await audited(desk, "sign_in.refused")
    assert told["data"]["why"] == "unavailable"
    assert "client authentication failed" in told["data"]["detail"]


async def test_keys_that_changed_are_asked_for_again(provider: OpenIdProvider, desk: Desk) -> None:
    assert (await comes(Browser(desk), "bo")).status_code == 303
    provider.stop()
    provider.start()
    refused(await comes(Browser(desk), "bo"), "its signature is not right")
    # Not again within half a minute, or anybody could have us ask without end.
    desk.clock.advance(timedelta(seconds=31))
    assert (await comes(Browser(desk), "bo")).status_code == 303


async def test_a_provider_that_was_away_is_asked_again(provider: OpenIdProvider, desk: Desk) -> None:
    browser = Browser(desk)
    provider.stop()
    for _ in range(3):
        refused(await browser.open("/login/oidc"), "could not be asked what it offers", 502)
    assert await refusals(desk) == ["unavailable"], "it was asked once"
    provider.start()
    refused(await browser.open("/login/oidc"), "could not be asked what it offers", 502)
    desk.clock.advance(timedelta(seconds=5))
    assert (await comes(browser, "bo")).status_code == 303


async def test_who_comes_back_wrong_again_and_again_has_to_wait(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MOST", 3)
    browser = Browser(desk)
    for _ in range(3):
        refused(await browser.open("/login/oidc/done?code=x&state=y"), "did not begin a sign-in")
    for path in ("/login/oidc/done?code=x&state=y", "/login/oidc"):
        refused(await browser.open(path), "too many wrong sign-ins", 429)
    assert len(await refusals(desk)) == 3
    assert (await comes(Browser(desk, client="192.0.2.9"), "bo")).status_code == 303


@pytest.mark.parametrize("desk", [{"oidc_issuer": "http://127.0.0.1:9"}], indirect=True)
async def test_while_the_provider_is_away_the_other_ways_are_open(desk: Desk) -> None:
    await member(desk)
    browser = Browser(desk)
    refused(await browser.open("/login/oidc?next=/me"), "could not be asked what it offers", 502)
    assert 'name="next" value="/me"' in browser.page.text
    assert (await browser.sign_in()).status_code == 303


@pytest.mark.parametrize("desk", [{"allow_networks": ()}], indirect=True)
async def test_the_address_guard_holds_for_the_provider_too(desk: Desk) -> None:
    refused(await Browser(desk).open("/login/oidc"), "could not be asked", 502)
    [told] = await audited(desk, "sign_in.refused")
    assert "CALLOUT_ALLOW_NETWORKS" in told["data"]["detail"]


async def test_a_provider_by_another_name_is_not_the_one_configured(
    provider: OpenIdProvider, desk: Desk
) -> None:
    named = provider.issuer.replace("127.0.0.1", "localhost")
    openid = desk.openid
    settings = type(openid.settings)(named, "callout", f"{ADDRESS}/login/oidc/done")
    other = type(openid)(settings, keys=desk.core.keys, clock=desk.clock, http=desk.wired.connections.http)
    with pytest.raises(OidcError) as caught:
        await other.begin("/")
    assert "CALLOUT_OIDC_ISSUER" in caught.value.remediation


async def test_where_no_provider_is_configured_there_is_no_such_page(
    sqlite_path: Path, tmp_path: Path
) -> None:
    async with opened(f"sqlite:///{sqlite_path}", tmp_path / "data") as desk:
        browser = Browser(desk)
        assert "/login/oidc" not in (await browser.open("/login")).text
        for path in ("/login/oidc", "/login/oidc/done?code=x&state=y"):
            assert (await browser.open(path)).status_code == 404
