"""What becomes of sessions when the OpenID provider's word runs out, or it says that somebody is out: a real provider says it."""

from __future__ import annotations

import contextlib
import socket
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa

from callout.access import oidc_token
from callout.access.oidc_token import KeySet
from tests.server.desk import ADDRESS
from tests.server.openid_provider import OpenIdProvider, Person
from tests.server.test_openid import with_openid
from tests.server.visitor import OWN, Browser, audited
from tests.stories.people import eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from tests.server.desk import Desk

NOTICE = "/login/oidc/logout"
GOES = {**OWN, "sec-fetch-mode": "navigate"}
SHORT = 0.1
"""Hours; the tokens of the provider hold for longer."""
pytestmark = pytest.mark.timeout(240)
"""Whichever comes first waits for the provider to be installed."""


@pytest.fixture(scope="module")
def door() -> Iterator[socket.socket]:
    """Where the provider says who is out; whichever test is at it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(scope="module")
def provider(door: socket.socket) -> Iterator[OpenIdProvider]:
    one = OpenIdProvider(told=f"http://127.0.0.1:{door.getsockname()[1]}{NOTICE}")
    yield one
    one.stop()


@pytest.fixture
async def desk(provider: OpenIdProvider, sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Desk]:
    async with with_openid(provider, f"sqlite:///{sqlite_path}", tmp_path, oidc_session_hours=SHORT) as one:
        yield one


@contextlib.asynccontextmanager
async def hearing(desk: Desk, door: socket.socket) -> AsyncIterator[list[tuple[str, int]]]:
    """Carry what the provider posts to `door` to the application; yields each notice with its answer."""
    heard: list[tuple[str, int]] = []

    async def carry(request: web.Request) -> web.Response:
        body = await request.text()
        answer = await desk.http.post(
            request.path, content=body, headers={"content-type": request.headers["content-type"]}
        )
        heard.append((parse_qs(body)["logout_token"][0], answer.status_code))
        return web.Response(status=answer.status_code)

    app = web.Application()
    app.router.add_post(NOTICE, carry)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.SockSite(runner, door.dup()).start()
        yield heard
    finally:
        await runner.cleanup()


async def comes(browser: Browser, person: Person, onwards: str = "/incidents") -> None:
    answer = await browser.open("/login/oidc?" + urlencode({"next": onwards}))
    back = await person.goes_to(answer.headers["location"])
    assert (await browser.open(back.removeprefix(ADDRESS))).status_code == 303
    assert await browser.is_in()


async def follows(browser: Browser, path: str, person: Person | None = None) -> str:
    """Follow where the pages lead a browser that goes to `path`, through the provider where `person` is there; return where it ends."""
    for _ in range(8):
        answer = await browser.http.get(path, headers=GOES)
        if answer.status_code != 303:
            browser.page = answer
            return path
        path = answer.headers["location"]
        if not path.startswith("/"):
            assert "prompt=none" in path
            assert person is not None
            path = (await person.goes_to(path)).removeprefix(ADDRESS)
    raise AssertionError(f"led in a circle: {path}")


async def test_the_provider_is_asked_again_without_a_word(
    provider: OpenIdProvider, database_url: str, tmp_path: Path
) -> None:
    async with (
        with_openid(provider, database_url, tmp_path, oidc_session_hours=SHORT) as desk,
        Person("bo") as bo,
        Person("eve") as eve,
    ):
        browser = Browser(desk)
        await comes(browser, bo)
        first = browser.session
        desk.clock.advance(timedelta(hours=SHORT))
        assert not await browser.is_in()
        # What a page fetches by itself is not led to another site.
        quiet = await browser.http.get("/login?next=/me", headers={**OWN, "sec-fetch-mode": "cors"})
        assert quiet.status_code == 200
        assert await follows(browser, "/me?tab=1", bo) == "/me?tab=1"
        assert "Bo Ek" in browser.page.text
        assert browser.session != first

        # Somebody else sits at the provider by now: nobody goes on as them without seeing it.
        desk.clock.advance(timedelta(hours=SHORT))
        other = Browser(desk)
        await comes(other, eve)
        assert (await follows(browser, "/me", eve)).startswith("/login?next=")
        assert not await browser.is_in()
        assert await follows(browser, "/me") == "/login?next=/me", "they are asked once in silence"
        assert [one["data"]["why"] for one in await audited(desk, "sign_in.refused")] == []


async def test_who_is_switched_off_there_is_out_when_their_time_here_is_over(
    desk: Desk, provider: OpenIdProvider
) -> None:
    browser = Browser(desk)
    async with Person("bo") as bo:
        await comes(browser, bo)
        bo.http.cookies.clear()  # their session there is gone; nobody told us
        assert await browser.is_in()
        desk.clock.advance(timedelta(hours=SHORT))
        assert await follows(browser, "/incidents", bo) == "/login?next=%2Fincidents"
    assert "Sign in" in browser.page.text
    assert 'role="alert"' not in browser.page.text


async def test_what_somebody_ended_does_not_come_back_by_itself(desk: Desk) -> None:
    browser, second = Browser(desk), Browser(desk)
    async with Person("bo") as bo:
        await comes(browser, bo)
        await comes(second, bo)
        kept = dict(browser.http.cookies)
        await browser.open("/me")
        await browser.send("/logout")
        browser.http.cookies.update(kept)
        await second.open("/me")
        await second.send("/me/sessions/end-others")
        desk.clock.advance(timedelta(hours=SHORT))
        assert (await follows(browser, "/incidents")).startswith("/login")


async def test_a_provider_that_is_away_leaves_the_sign_in_page(desk: Desk, provider: OpenIdProvider) -> None:
    browser = Browser(desk)
    async with Person("bo") as bo:
        await comes(browser, bo)
    desk.clock.advance(timedelta(hours=2))  # what it said of itself is not believed any more either
    provider.stop()
    try:
        assert (await follows(browser, "/incidents")).startswith("/login/oidc?")
        assert browser.page.status_code == 502
        assert "Sign in" in browser.page.text
    finally:
        provider.start()


async def test_signing_out_there_ends_the_session_here_at_once(
    provider: OpenIdProvider, door: socket.socket, database_url: str, tmp_path: Path
) -> None:
    async with (
        with_openid(provider, database_url, tmp_path) as desk,
        hearing(desk, door) as heard,
        Person("bo") as bo,
        Person("bo") as bos_phone,
        Person("ann") as ann,
    ):
        desktop, phone, anns = Browser(desk), Browser(desk), Browser(desk)
        await comes(desktop, bo)
        await comes(phone, bos_phone)
        await comes(anns, ann)
        await bo.signs_out(provider.issuer)

        async def told() -> bool:
            return bool(heard)

        await eventually(told, what="the provider's notice")
        [(token, status)] = heard
        assert status == 200
        assert not await desktop.is_in()
        assert await phone.is_in(), "another session there"
        assert await anns.is_in()
        [ended] = [
            one
            for one in await audited(desk, "session.ended")
            if one["data"].get("why") == "signed out at the provider"
        ]
        assert ended["actor_id"] == "openid"
        # They sign in again; the same notice, sent once more by whoever saw it, ends nothing.
        await comes(desktop, bo)
        again = await desk.http.post(NOTICE, data={"logout_token": token})
        assert again.status_code == 200
        assert again.headers["cache-control"] == "no-store"
        assert await desktop.is_in()


class Forger:
    """Whoever makes logout tokens, with a key that the application believes."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        public = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        desk.openid._keys = KeySet.of({"keys": [{**public, "kid": "k", "alg": "RS256", "use": "sig"}]})
        desk.openid._keys_at = desk.clock.now()

    def token(self, *, algorithm: str = "RS256", without: str = "", **changed: Any) -> str:
        now = int(self.desk.clock.now().timestamp())
        claims = {
            "iss": self.desk.openid.settings.issuer,
            "aud": "callout",
            "iat": now,
            "exp": now + 120,
            "jti": "one",
            "sub": "bo",
            "events": {oidc_token.LOGOUT: {}},
            **changed,
        }
        claims.pop(without, None)
        key: Any = "x" * 40 if algorithm == "HS256" else self.key if algorithm != "none" else None
        return jwt.encode(claims, key, algorithm, headers={"kid": "k"})


async def test_only_what_the_provider_signed_for_us_just_now_ends_anything(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callout.access.tries.MOST", 1000)
    browser = Browser(desk)
    async with Person("bo") as bo:
        await comes(browser, bo)
    forger = Forger(desk)
    now = int(desk.clock.now().timestamp())
    for why, token in {
        "nothing": "",
        "no token": "x.y.z",
        "another key": Forger(desk).token(),
        "no signature": forger.token(algorithm="none"),
        "our secret": forger.token(algorithm="HS256"),
        "another issuer": forger.token(iss="https://evil.example"),
        "another program": forger.token(aud="other"),
        "an ID token": forger.token(without="events", nonce="n"),
        "an ID token with events": forger.token(nonce="n"),
        "another event": forger.token(events={"urn:x": {}}),
        "events that are no object": forger.token(events=[oidc_token.LOGOUT]),
        "nobody": forger.token(without="sub"),
        "no mark": forger.token(without="jti"),
        "no time": forger.token(without="iat"),
        "expired": forger.token(iat=now - 600, exp=now - 300),
        "too old, and it does not say until when": forger.token(iat=now - 600, without="exp"),
        "to come": forger.token(iat=now + 600, exp=now + 900),
        "a subject that is no name": forger.token(sub={"a": 1}),
    }.items():
        if why == "another key":
            forger = Forger(desk)
        answer = await desk.http.post(NOTICE, data={"logout_token": token})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request"), why
        assert await browser.is_in(), why
    good = Forger(desk)
    for harmless in (
        good.token(sub="somebody else", jti="a"),
        good.token(sid="another", without="sub", jti="b"),
    ):
        assert (await desk.http.post(NOTICE, data={"logout_token": harmless})).status_code == 200
        assert await browser.is_in()
    assert (await desk.http.post(NOTICE, data={"logout_token": good.token(without="exp")})).status_code == 200
    assert not await browser.is_in(), "all of theirs, where no session is named"


async def test_whoever_guesses_notices_has_to_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callout.access.tries.MOST", 3)
    said = [(await desk.http.post(NOTICE, data={"logout_token": "x.y.z"})).status_code for _ in range(4)]
    assert said == [400, 400, 400, 429]


async def test_what_was_kept_is_forgotten_in_time(desk: Desk) -> None:
    browser = Browser(desk)
    async with Person("bo") as bo:
        await comes(browser, bo)
    token = Forger(desk).token(sub="somebody else")
    await desk.http.post(NOTICE, data={"logout_token": token})
    logouts = desk.framework.state.services.sign_in.openid_logouts
    sessions = desk.core.sessions
    assert await desk.core.database.transaction(logouts.purge) == 0
    desk.clock.advance(timedelta(hours=SHORT))
    assert await desk.core.database.transaction(logouts.purge) == 1
    assert await desk.core.database.transaction(sessions.purge) == 0, "it may be renewed"
    desk.clock.advance(timedelta(days=2))
    assert await desk.core.database.transaction(sessions.purge) == 1
