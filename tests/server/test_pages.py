"""The pages, as a browser without scripts gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk
    from tests.stories.people import Api

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7*7 }} \u202e'


async def see(desk: Desk, path: str, api: Api | None = None) -> httpx.Response:
    headers = {"cookie": f"callout_token={(api or desk.api).token}"}
    return await desk.http.get(path, headers=headers)


def guarded(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "<script>" not in answer.text


async def test_signing_in_and_out(desk: Desk) -> None:
    form = await desk.http.get("/login")
    assert form.status_code == 200
    guarded(form)
    done = await desk.http.post("/login", data={"token": f" {desk.api.token} "})
    assert (done.status_code, done.headers["location"]) == (303, "/incidents")
    cookie = done.headers["set-cookie"]
    for flag in ("HttpOnly", "SameSite=strict", "Path=/", "Max-Age=43200"):
        assert flag.lower() in cookie.lower()
    desk.http.cookies.set("callout_token", desk.api.token)
    assert (await desk.http.get("/incidents")).status_code == 200
    out = await desk.http.post("/logout")
    assert (out.status_code, out.headers["location"]) == (303, "/login")
    assert "max-age=0" in out.headers["set-cookie"].lower()
    desk.http.cookies.clear()
    assert (await desk.http.get("/incidents")).headers["location"] == "/login"
    assert (await desk.http.get("/logout")).status_code == 405


@pytest.mark.parametrize("secure", [True, False])
async def test_over_https_the_cookie_is_for_https_only(desk: Desk, *, secure: bool) -> None:
    address = f"{'https' if secure else 'http'}://callout.test/login"
    done = await desk.http.post(address, data={"token": desk.api.token})
    assert ("secure" in done.headers["set-cookie"].lower()) is secure


async def test_who_has_no_right_does_not_come_in(desk: Desk) -> None:
    for sent in ({"token": "wrong"}, {"token": ""}, {}, {"token": HOSTILE}, {"token": "x" * 10_000}):
        answer = await desk.http.post("/login", data=sent)
        assert answer.status_code == 401
        assert 'role="alert"' in answer.text
        assert "set-cookie" not in answer.headers
        guarded(answer)
    for path in ("/incidents", "/incidents/INC-1"):
        for cookie in ("", "callout_token=wrong", "callout_token="):
            refused = await desk.http.get(path, headers={"cookie": cookie} if cookie else {})
            assert (refused.status_code, refused.headers["location"]) == (303, "/login")
    connect = await desk.client("connect-ui")
    forbidden = await see(desk, "/incidents", connect)
    assert forbidden.status_code == 403
    guarded(forbidden)


async def test_the_list_and_the_incident(desk: Desk) -> None:
    empty = await see(desk, "/incidents")
    assert "No incident yet" in empty.text
    key = await desk.api.declare("checkout is down", severity="SEV-1", service="web")
    await desk.api.note(key, "looking into it")
    listed, one = await see(desk, "/incidents"), await see(desk, f"/incidents/{key}")
    guarded(listed)
    guarded(one)
    assert "checkout is down" in listed.text
    assert f'href="/incidents/{key}"' in listed.text
    for shown in ("SEV-1", "checkout is down", "web", "noted: looking into it", "None."):
        assert shown in one.text
    assert (await desk.http.get("/")).headers["location"] == "/incidents"
    for name, kind in (("live.js", "text/javascript"), ("style.css", "text/css")):
        served = await desk.http.get(f"/static/{name}")
        assert (served.status_code, served.headers["content-type"].partition(";")[0]) == (200, kind)


async def test_what_is_not_there(desk: Desk) -> None:
    for path in ("/incidents/INC-99", "/static/nothing.js", "/static/..%2fpages.py"):
        answer = await see(desk, path)
        assert answer.status_code == 404
    page = await see(desk, "/incidents/%3Cscript%3Ealert(1)%3C%2Fscript%3E")
    assert page.status_code == 404
    guarded(await see(desk, "/incidents/INC-99"))


async def test_another_accounts_incident_is_not_there(desk: Desk) -> None:
    await desk.add_account("ours")
    await desk.add_account("theirs")
    ours = await desk.client(resources={"accounts": {"ids": ["ours"]}})
    theirs = await desk.client(resources={"accounts": {"ids": ["theirs"]}})
    key = await theirs.declare("a secret")
    hidden = await theirs.incident(key)
    for name in (key, hidden["id"]):
        answer = await see(desk, f"/incidents/{name}", ours)
        assert answer.status_code == 404
        assert "a secret" not in answer.text
    assert "a secret" not in (await see(desk, "/incidents", ours)).text
    assert "a secret" in (await see(desk, f"/incidents/{key}", theirs)).text


async def test_hostile_texts_are_shown_as_text(desk: Desk) -> None:
    person = {"id": HOSTILE, "name": HOSTILE}
    key = await desk.api.declare(
        HOSTILE,
        description=HOSTILE,
        service=HOSTILE[:90],
        team=HOSTILE[:90],
        tags=[HOSTILE[:90]],
        assignee=person,
        commander=person,
    )
    await desk.api.note(key, HOSTILE)
    await desk.api.patch(key, title=f"more {HOSTILE}", assignee=None)
    for path in ("/incidents", f"/incidents/{key}"):
        answer = await see(desk, path)
        assert answer.status_code == 200
        guarded(answer)
        assert "<img" not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert "{{ 7*7 }}" in answer.text


async def test_notes_for_responders_inside_are_not_shown_to_viewers(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await desk.api.note(key, "between us", "internal")
    viewer = await desk.client("viewer")
    assert "between us" in (await see(desk, f"/incidents/{key}")).text
    assert "between us" not in (await see(desk, f"/incidents/{key}", viewer)).text
