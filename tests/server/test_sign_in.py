"""Signing in and out, as a browser does it: over HTTP, with its cookies and headers."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import select

from callout.access import tries
from callout.access.tables import members, sessions, sign_in_tries
from tests.server.desk import OPERATOR, problem_of
from tests.server.visitor import HOSTILE, PASSWORD, Browser, audited, errors_beside, guarded, member

if TYPE_CHECKING:
    from tests.server.desk import Desk

WRONG = "the name or the secret is wrong"


# ------------------------------------------------------------------------------------------ name and secret


async def test_a_member_signs_in_and_out(desk_on_both: Desk) -> None:
    desk = desk_on_both
    bo = await member(desk)
    browser = Browser(desk)
    sent_away = await browser.open("/incidents?status=open&text=a%26b")
    assert sent_away.headers["location"] == "/login?next=/incidents%3Fstatus%3Dopen%26text%3Da%2526b"
    form = await browser.open(sent_away.headers["location"])
    guarded(form)
    done = await browser.send(
        "/login", name="Bo@Example.com", password=PASSWORD, next="/incidents?status=open&text=a%26b"
    )
    assert (done.status_code, done.headers["location"]) == (303, "/incidents?status=open&text=a%26b")
    cookie = done.headers["set-cookie"].lower()
    for flag in ("callout_session=", "httponly", "samesite=lax", "path=/", "max-age=12"):
        assert flag in cookie
    assert "secure" not in cookie
    assert await browser.is_in()
    [row] = await desk.core.database.read(lambda tx: tx.all(select(sessions)))
    assert (row["member_id"], row["method"], row["address"], row["user_agent"]) == (
        bo.id,
        "password",
        "192.0.2.7",
        "Test/1.0",
    )
    kept = browser.session
    await browser.open("/me")
    out = await browser.send("/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert browser.session == ""
    # The cookie is of no use any more, even for whoever kept it.
    browser.http.cookies.set("callout_session", kept)
    assert not await browser.is_in()
    trail = await audited(desk, "session.opened", "session.ended")
    assert [(one["action"], one["actor_id"], one["remote_addr"]) for one in trail] == [
        ("session.opened", bo.id, "192.0.2.7"),
        ("session.ended", bo.id, "192.0.2.7"),
    ]
    assert kept not in str(trail)


@pytest.mark.parametrize(
    ("wanted", "leads"),
    [
        ("/incidents/INC-1", "/incidents/INC-1"),
        ("", "/incidents"),
        ("//evil.example/x", "/incidents"),
        ("/\\evil.example", "/incidents"),
        ("https://evil.example", "/incidents"),
        ("/a\nSet-Cookie: x=y", "/incidents"),
        ("/logout", "/incidents"),
        ("/login?next=/login", "/incidents"),
        ("javascript:alert(1)", "/incidents"),
    ],
)
async def test_signing_in_leads_only_to_pages_of_ours(desk: Desk, wanted: str, leads: str) -> None:
    await member(desk)
    browser = Browser(desk)
    form = await browser.http.get("/login", params={"next": wanted})
    assert f'name="next" value="{leads}"' in form.text
    done = await browser.sign_in(next=wanted)
    assert done.headers["location"] == leads


async def test_over_https_the_cookie_is_of_this_host_and_for_https_only(desk: Desk) -> None:
    await member(desk)
    browser = Browser(desk, "https://callout.test")
    done = await browser.sign_in()
    cookie = done.headers["set-cookie"]
    assert cookie.startswith("__Host-callout_session=")
    assert "secure" in cookie.lower()
    assert "path=/" in cookie.lower()
    assert "domain" not in cookie.lower()
    assert await browser.is_in()
    # A cookie of the plain name, which others could set, is not looked at.
    secret = browser.http.cookies.get("__Host-callout_session")
    browser.http.cookies.clear()
    browser.http.cookies.set("callout_session", str(secret))
    assert not await browser.is_in()


async def test_whatever_is_wrong_is_answered_alike(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await member(desk)
    await member(desk, "cy", password_hash=None)
    browser = Browser(desk)
    answers = []
    for name in ("bo", "nobody", "cy", HOSTILE):
        answer = await browser.sign_in(name, "wrong")
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        guarded(answer)
        assert "wrong" not in re.findall(r'value="([^"]*)"', answer.text)
        answers.append(re.sub(r'(id="f-name"[^>]* value=")[^"]*"', r"\1", answer.text))
        assert WRONG in answer.text
    assert len(set(answers)) == 1
    assert 'value="nobody"' in (await browser.sign_in("nobody", "wrong")).text
    trail = await audited(desk, "member.logon_failed")
    assert len(trail) == 2, "those that have a name here"


async def test_what_is_missing_is_told_beside_its_field(desk: Desk) -> None:
    await member(desk)
    browser = Browser(desk)
    assert errors_beside(await browser.sign_in("", "")) == {"name": "is missing", "password": "is missing"}
    assert errors_beside(await browser.sign_in("bo", " ")) == {"password": "is missing"}
    assert errors_beside(await browser.sign_in("x" * 400, "y" * 2000)) == {
        "name": "is too long",
        "password": "is too long",
    }
    assert 'value="bo"' in (await browser.sign_in("bo", "")).text


async def test_five_wrong_secrets_lock_the_member(desk_on_both: Desk) -> None:
    desk = desk_on_both
    await member(desk)
    browser = Browser(desk)
    for _ in range(5):
        assert (await browser.sign_in(secret="wrong")).status_code == 401
    locked = await browser.sign_in()
    assert (locked.status_code, WRONG in locked.text) == (401, True)
    desk.clock.advance(timedelta(minutes=15))
    assert (await browser.sign_in()).status_code == 303
    assert await audited(desk, "member.locked")


async def test_an_address_that_tries_many_names_has_to_wait(
    desk_on_both: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_on_both
    monkeypatch.setattr(tries, "MOST", 3)
    await member(desk)
    guesser, other = Browser(desk), Browser(desk, client="192.0.2.8")
    for number in range(3):
        assert (await guesser.sign_in(f"name-{number}", "wrong")).status_code == 401
    refused = await guesser.sign_in()
    assert refused.status_code == 429
    assert 0 < int(refused.headers["retry-after"]) <= 900
    assert "too many wrong sign-ins" in refused.text
    assert (await guesser.send("/login", token=desk.api.token)).status_code == 429
    assert (await other.sign_in()).status_code == 303
    desk.clock.advance(timedelta(minutes=15))
    assert (await guesser.sign_in()).status_code == 303
    # One more wrong one begins a new count.
    assert (await guesser.sign_in(secret="wrong")).status_code == 401
    assert (await guesser.sign_in()).status_code == 303
    desk.clock.advance(timedelta(minutes=16))
    await desk.core.database.transaction(desk.core.sign_in_tries.purge)
    assert await desk.core.database.read(lambda tx: tx.all(select(sign_in_tries))) == []


async def test_the_api_counts_with_the_pages(desk_on_both: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = desk_on_both
    monkeypatch.setattr(tries, "MOST", 3)
    await member(desk)

    async def logon(name: str, secret: str) -> httpx.Response:
        body = {"name": name, "secret": secret}
        return await desk.http.post("/v1/auth/logon/organization", json=body)

    page = Browser(desk, client="127.0.0.1")
    assert (await page.sign_in("name-1", "wrong")).status_code == 401
    for number in (2, 3):
        assert (await logon(f"name-{number}", "wrong")).status_code == 401
    refused = await logon("bo", PASSWORD)
    assert refused.json()["type"] == "rate-limited"
    assert 0 < int(refused.headers["retry-after"]) <= 900
    problem_of(refused, 429)
    assert (await page.sign_in()).status_code == 429
    desk.clock.advance(timedelta(minutes=15))
    assert (await logon("bo", PASSWORD)).status_code == 200


async def test_while_a_member_is_locked_a_right_secret_counts_like_a_wrong_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MOST", 7)
    await member(desk)
    page = Browser(desk)
    said = [(await page.sign_in(secret="wrong")).status_code for _ in range(5)]
    said += [(await page.sign_in()).status_code for _ in range(3)]
    assert said == [401] * 7 + [429]
    desk.clock.advance(timedelta(minutes=15))
    monkeypatch.setattr(tries, "MOST", 100)
    body = {"name": "bo", "secret": "wrong"}
    for _ in range(5):
        await desk.http.post("/v1/auth/logon/organization", json=body)
    problem_of(await desk.http.post("/v1/auth/logon/organization", json=body | {"secret": PASSWORD}), 401)
    desk.clock.advance(timedelta(minutes=15))
    assert (
        await desk.http.post("/v1/auth/logon/organization", json=body | {"secret": PASSWORD})
    ).status_code == 200


def test_all_of_an_ipv6_customer_is_one_address() -> None:
    assert tries.home_of("2001:db8:1:2:3::4") == tries.home_of("2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"
    assert tries.home_of("2001:db8:1:3::1") != "2001:db8:1:2::/64"
    assert tries.home_of("::ffff:192.0.2.1") == tries.home_of("192.0.2.1") == "192.0.2.1"
    assert tries.home_of("") == tries.home_of("\x00") == "unknown"


async def test_a_disabled_member_does_not_come_in_and_is_out_at_once(desk: Desk) -> None:
    bo = await member(desk)
    browser = Browser(desk)
    await browser.sign_in()
    assert await browser.is_in()
    await desk.core.database.transaction(
        lambda tx: desk.core.members.update(tx, bo.id, changes={"state": "disabled"}, actor=OPERATOR)
    )
    assert not await browser.is_in()
    refused = await browser.sign_in()
    assert (refused.status_code, "the member may not sign in" in refused.text) == (401, True)


async def test_signing_in_again_ends_the_session_before(desk: Desk) -> None:
    bo = await member(desk)
    browser = Browser(desk)
    await browser.sign_in()
    before = browser.session
    await browser.send("/login", name="bo", password=PASSWORD)
    assert browser.session not in {"", before}
    listed = await desk.core.database.read(lambda tx: desk.core.sessions.list(tx, bo.id))
    assert len(listed) == 1


# --------------------------------------------------------------------------------------------------- token


async def test_a_token_signs_in_and_takes_its_session_along(desk_on_both: Desk) -> None:
    desk = desk_on_both
    token = await desk.token("viewer")
    browser = Browser(desk)
    done = await browser.send("/login", token=f" {desk.holder(token).token} ", next="/incidents")
    assert (done.status_code, done.headers["location"]) == (303, "/incidents")
    assert desk.holder(token).token not in done.headers["set-cookie"]
    assert await browser.is_in()
    me = await browser.open("/me")
    assert "belongs to no member" in me.text
    revoke = desk.core.tokens.revoke
    await desk.core.database.transaction(lambda tx: revoke(tx, token.id, actor=OPERATOR))
    assert not await browser.is_in()
    refused = await browser.send("/login", token=desk.holder(token).token)
    assert refused.status_code == 401


async def test_what_is_no_token_opens_nothing(desk: Desk) -> None:
    browser = Browser(desk)
    for token in ("wrong", "", HOSTILE, "x" * 10_000):
        answer = await browser.send("/login", token=token)
        assert answer.status_code == 401
        assert 'role="alert"' in answer.text
        assert "set-cookie" not in answer.headers
        assert '<details class="panel" open>' in answer.text
        guarded(answer)


# ------------------------------------------------------------------------------------------- foreign forms


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "", "origin": "https://evil.example"},
        {"sec-fetch-site": "", "origin": "null"},
    ],
)
async def test_a_form_of_another_site_does_nothing(desk: Desk, headers: dict[str, str]) -> None:
    await member(desk)
    browser = Browser(desk)
    if not headers["sec-fetch-site"]:
        del browser.http.headers["sec-fetch-site"]
        headers = {"origin": headers["origin"]}
    refused = await browser.send_with(headers, "/login", name="bo", password=PASSWORD)
    assert refused.status_code == 403
    assert browser.session == ""
    browser.http.headers["sec-fetch-site"] = "same-origin"
    await browser.sign_in()
    await browser.open("/me")
    if "origin" in headers:
        del browser.http.headers["sec-fetch-site"]
    for path in ("/logout", "/me/sessions/end-others", "/me/profile"):
        assert (await browser.send_with(headers, path, csrf=browser.csrf())).status_code == 403
    browser.http.headers["sec-fetch-site"] = "same-origin"
    assert await browser.is_in()


@pytest.mark.parametrize("token", ["", "wrong", "\u00e9", "of another"])
async def test_a_form_without_the_sessions_own_token_does_nothing(desk: Desk, token: str) -> None:
    bo = await member(desk)
    browser, other = Browser(desk), Browser(desk)
    await browser.sign_in()
    await other.sign_in()
    if token == "of another":
        await other.open("/me")
        token = other.csrf()
    before = await desk.core.database.read(lambda tx: tx.all(select(members)))
    others = [one.id for one in await desk.core.database.read(lambda tx: desk.core.sessions.list(tx, bo.id))]
    for path in (
        "/logout",
        "/me/profile",
        "/me/password",
        "/me/sessions/end-others",
        *(f"/me/sessions/{one}/end" for one in others),
    ):
        sent = {
            "csrf": token,
            "fullname": "Mallory",
            "old_password": PASSWORD,
            "new_password": "another zebra",
            "new_password_again": "another zebra",
        }
        assert (await browser.http.post(path, data=sent)).status_code == 403
    assert await desk.core.database.read(lambda tx: tx.all(select(members))) == before
    assert await browser.is_in()
    assert await other.is_in()


@pytest.mark.parametrize("path", ["/logout", "/me/sessions/end-others", "/me/sessions/x/end"])
async def test_nothing_is_changed_by_looking(desk: Desk, path: str) -> None:
    await member(desk)
    browser = Browser(desk)
    await browser.sign_in()
    assert (await browser.open(path)).status_code in {404, 405}
    assert await browser.is_in()
