"""The pages, as a browser without scripts gets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk
    from tests.stories.people import Api

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7*7 }} \u202e'


async def see(desk: Desk, path: str, api: Api | None = None) -> httpx.Response:
    headers = {"cookie": await desk.cookie((api or desk.api).token)}
    return await desk.http.get(path, headers=headers)


def guarded(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert "<script>" not in answer.text


async def test_who_has_no_right_does_not_come_in(desk: Desk) -> None:
    for path in ("/incidents", "/incidents/INC-1"):
        for cookie in ("", "callout_session=wrong", "callout_session="):
            refused = await desk.http.get(path, headers={"cookie": cookie} if cookie else {})
            assert (refused.status_code, refused.headers["location"]) == (303, f"/login?next={path}")
    connect = await desk.client("connect-ui")
    forbidden = await see(desk, "/incidents", connect)
    assert forbidden.status_code == 403
    guarded(forbidden)


async def test_the_list_and_the_incident(desk: Desk) -> None:
    empty = await see(desk, "/incidents")
    assert "Nothing is under way" in empty.text
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
        assert "<img src=x" not in answer.text
        assert "&lt;script&gt;" in answer.text
        assert "{{ 7*7 }}" in answer.text


async def test_notes_for_responders_inside_are_not_shown_to_viewers(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await desk.api.note(key, "between us", "internal")
    viewer = await desk.client("viewer")
    assert "between us" in (await see(desk, f"/incidents/{key}")).text
    assert "between us" not in (await see(desk, f"/incidents/{key}", viewer)).text
