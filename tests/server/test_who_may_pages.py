"""Who may open which page and send which form: every route of the dashboard, found by itself."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from callout.access.tables import sessions
from tests.server.test_who_may import pages
from tests.server.visitor import Browser, guarded, member

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk

# Whoever comes here is not signed in yet, or need not be.
OPEN = {
    ("GET", "/"),
    ("GET", "/login"),
    ("POST", "/login"),
    ("POST", "/logout"),
    ("GET", "/login/oidc"),
    ("GET", "/login/oidc/done"),
    ("POST", "/login/oidc/logout"),
    ("GET", "/setup/{secret}"),
    ("POST", "/setup/{secret}"),
    ("GET", "/static/{name}"),
}
# What is believed is signed, whoever brings it; there is no browser (tests/server/test_openid_ends.py).
BY_SIGNATURE = {"/login/oidc/logout"}
# What everybody does with what is theirs, or for themselves alone.
OWN = {
    ("POST", "/account"),
    ("POST", "/me/profile"),
    ("POST", "/me/password"),
    ("POST", "/me/sessions/end-others"),
    ("POST", "/me/sessions/{session}/end"),
}


def judged(desk: Desk) -> list[tuple[str, str]]:
    found = [route for route in pages(desk) if route not in OPEN]
    assert len(found) > 10
    return found


def at(path: str, incident: str) -> str:
    """Return an address of a route, for an incident that is there."""
    known = {"incident": incident, "key": incident, "task": "1", "number": "1", "role": "scribe"}
    return re.sub(r"{(\w+)[^}]*}", lambda part: known.get(part[1], "x"), path)


async def written(desk: Desk) -> dict[str, int]:
    rows = await desk.core.database.read(lambda tx: tx.scalar(select(func.count()).select_from(sessions)))
    return {**await desk.written(), "sessions": int(rows)}


async def test_what_is_open_is_there(desk: Desk) -> None:
    assert set(pages(desk)) >= OPEN | OWN


@pytest.mark.parametrize(
    "cookie", ["", "callout_session=wrong", "callout_token={token}", "callout_session={token}"]
)
async def test_who_is_not_signed_in_is_led_to_signing_in(desk: Desk, cookie: str) -> None:
    key = await desk.api.declare("down")
    before = await written(desk)
    # A token is good for signing in with; it is no session.
    headers = {"cookie": cookie.format(token=desk.api.token)} if cookie else {}
    for method, path in judged(desk):
        address = at(path, key)
        answer = await desk.http.request(
            method, address, headers=headers, data={"csrf": "x"} if method == "POST" else None
        )
        assert answer.status_code == 303, (method, path, answer.status_code)
        leads = f"/login?next={address}" if method == "GET" else "/login"
        assert answer.headers["location"] == leads, (method, path)
    assert await written(desk) == before


async def test_no_form_does_anything_without_the_token_of_its_session(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await member(desk, role="admin")
    browser, other = Browser(desk), Browser(desk)
    await browser.sign_in()
    await other.sign_in()
    await other.open("/me")
    before = await written(desk)
    for method, path in judged(desk):
        if method == "POST":
            for token in ("", other.csrf()):
                answer = await browser.http.post(at(path, key), data={"csrf": token})
                assert answer.status_code == 403, (path, answer.status_code)
                assert "not made for you" in answer.text, path
                guarded(answer)
    assert await written(desk) == before
    assert await other.is_in()


async def test_no_form_of_another_site_does_anything(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await member(desk, role="admin")
    browser = Browser(desk)
    await browser.sign_in()
    await browser.open("/me")
    before = await written(desk)
    for method, path in [*judged(desk), *OPEN]:
        if method == "POST" and path not in BY_SIGNATURE:
            answer = await browser.send_with(
                {"sec-fetch-site": "cross-site"}, at(path, key), csrf=browser.csrf()
            )
            assert answer.status_code == 403, (path, answer.status_code)
            assert "another site" in answer.text, path
            browser.page = await browser.http.get("/me")
    assert await written(desk) == before


async def test_a_viewer_changes_nothing_but_their_own(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await member(desk, role="viewer")
    browser = Browser(desk)
    await browser.sign_in()
    before = await written(desk)
    done: dict[str, httpx.Response] = {}
    for method, path in judged(desk):
        if method == "POST" and (method, path) not in OWN:
            await browser.open("/me")
            done[path] = await browser.send(at(path, key))
    assert await written(desk) == before
    # Refused, or not even looked at because of what is missing: never a promise that it was done.
    assert {
        path: one.status_code for path, one in done.items() if one.status_code not in {400, 403, 404, 422}
    } == {}
