"""The incidents' pages: everything that can be done there, by forms alone, and what is said when it cannot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.server.by_forms import Page, Visitor

if TYPE_CHECKING:
    from tests.server.desk import Desk


async def test_an_incident_is_lived_through_by_forms(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    home = await me.do(
        "/incidents/new",
        "/incidents/new",
        title="Checkout is down",
        severity="SEV-1",
        service="web",
        tags="eu, payments",
        assignee="ann@example.com",
        description="502\r\nsince 14:05",
    )
    key = home.removeprefix("/incidents/")
    one = await desk.api.incident(key)
    assert (one["severity"], one["tags"], one["description"]) == (
        "SEV-1",
        ["eu", "payments"],
        "502\nsince 14:05",
    )
    assert one["assignee"]["email"] == "ann@example.com"
    page = await me.see(home)
    assert "Checkout is down" in page.text
    assert await me.do(home, f"{home}/actions") == home
    assert (await desk.api.incident(key))["status"] == "acknowledged"
    assert "Checkout is down" in (await me.see("/incidents")).text

    await me.do(f"{home}/edit", f"{home}/edit", title="Checkout is slow", severity="SEV-2", commander="me")
    one = await desk.api.incident(key)
    assert (one["title"], one["severity"]) == ("Checkout is slow", "SEV-2")
    assert one["commander"]["name"]
    assert one["assignee"]["email"] == "ann@example.com", "who was not touched stays as they were"

    await me.do(home, f"{home}/notes", text="only for us", audience="internal")
    await me.do(home, f"{home}/notes", text="we are on it", audience="customer")
    await me.do(home, f"{home}/tasks", task="renew the certificate", task_assignee="ann@example.com")
    await me.do(home, f"{home}/tasks/1")
    await me.do(home, f"{home}/participation")
    await me.do(home, f"{home}/roles", role="scribe", person="Bob")
    page = await me.see(home)
    for shown in ("only for us", "we are on it", "renew the certificate", "Bob", "Leave"):
        assert shown in page.text
    line = (await desk.api("GET", f"/v1/incidents/{key}/timeline"))[0]
    fields = {**page.form(f"{home}/corrections"), "entry": line["id"], "correction": "it was SEV-2"}
    assert (await me.send(f"{home}/corrections", fields)).status_code == 303
    assert "corrected an earlier line: it was SEV-2" in (await me.see(home)).text

    await me.do(f"{home}/resolve", f"{home}/actions", note="renewed the certificate")
    assert (await desk.api.incident(key))["status"] == "resolved"
    assert "renewed the certificate" in (await desk.api.notes(key))[-1]
    why = await me.see(f"{home}/why/severity")
    assert "SEV-1" in why.text
    await me.do(f"{home}/why/severity", f"{home}/why/severity")
    assert (await desk.api.incident(key))["severity"] == "SEV-1"


async def test_what_an_incident_page_leads_to_is_there(desk: Desk) -> None:
    me = await Visitor.of(desk)
    key = await desk.api.declare("Checkout is down", severity="SEV-1")
    page = await me.see(f"/incidents/{key}")
    [jump] = re.findall(r'<nav class="jump".*?</nav>', page.text)
    places = re.findall(r'href="#([^"]+)"', jump)
    assert len(places) == 6
    for place in places:
        assert f'id="{place}"' in page.text
    assert "data-ago" in page.text
    assert "data-left" in page.text, "its clocks run"


async def test_what_is_wrong_is_said_beside_the_field(desk: Desk) -> None:
    me = await Visitor.of(desk)
    answer = await me.fill(
        "/incidents/new", "/incidents/new", title=" ", description="kept", severity="worst"
    )
    assert answer.status_code == 422
    page = Page(answer.text)
    assert "e-severity" in page.ids
    assert "kept" in answer.text
    assert await desk.api("GET", "/v1/incidents") == []
    answer = await me.fill("/incidents/new", "/incidents/new", title="x" * 300, description="kept")
    assert (answer.status_code, "e-title" in Page(answer.text).ids) == (422, True)
    assert 'aria-invalid="true"' in answer.text

    key = await desk.api.declare("down")
    home = f"/incidents/{key}"
    for action, typed, said in (
        (f"{home}/notes", {"text": "", "audience": "customer"}, "text"),
        (f"{home}/notes", {"text": "x", "audience": "everybody"}, "choose who may read"),
        (f"{home}/tasks", {"task": ""}, "title"),
        (f"{home}/roles", {"role": "king", "person": "me"}, "king"),
        (f"{home}/calls", {"target": "person:nobody-like-that"}, "nobody-like-that"),
        (f"{home}/links", {"ticket": "OPS-1", "integration": "none"}, "none"),
        (f"{home}/actions", {"action": "explode"}, "no such action"),
        (f"{home}/actions", {"action": "reopen"}, "reopen"),
    ):
        fields = (
            (await me.see(home)).form(action)
            if action != f"{home}/links"
            else (await me.see(home)).form(f"{home}/notes")
        )
        refused = await me.send(action, {**fields, **typed})
        assert refused.status_code == 422, f"{action} {typed}: {refused.status_code} {refused.text[:500]}"
        assert 'role="alert"' in refused.text
        assert said in refused.text, f"{action} {typed}"
    before = await desk.written()
    for path in (
        "/incidents/list?since=yesterday",
        "/insights?since=2026-13-01",
        "/insights?since=2026-02-01&until=2026-01-01",
    ):
        wrong = await me.answer(path)
        assert (wrong.status_code, 'role="alert"' in wrong.text) == (422, True), path
    assert await desk.written() == before


async def test_who_was_slower_is_told(desk: Desk) -> None:
    me = await Visitor.of(desk)
    key = await desk.api.declare("down")
    form = (await me.see(f"/incidents/{key}/edit")).form(f"/incidents/{key}/edit")
    await desk.api.patch(key, severity="SEV-1")
    answer = await me.send(f"/incidents/{key}/edit", {**form, "title": "down and out"})
    assert answer.status_code == 422
    assert "changed by somebody else" in answer.text
    assert "down and out" in answer.text, "what was typed is kept"
    assert (await desk.api.incident(key))["title"] == "down"


@pytest.mark.parametrize("kept", ["", "wrong"])
async def test_a_form_without_its_mark_does_nothing(desk: Desk, kept: str) -> None:
    me, other = await Visitor.of(desk), await Visitor.of(desk)
    key = await desk.api.declare("down")
    before = await desk.written()
    answer = await me.send(f"/incidents/{key}/actions", {"action": "acknowledge", "csrf": kept})
    assert answer.status_code == 403
    fields = (await me.see(f"/incidents/{key}")).form(f"/incidents/{key}/actions")
    for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        refused = await me.send(f"/incidents/{key}/actions", fields, **headers)
        assert refused.status_code == 403
    assert (await other.send(f"/incidents/{key}/actions", fields)).status_code == 403
    assert await desk.written() == before


async def test_a_viewer_sees_and_does_nothing(desk: Desk) -> None:
    key = await desk.api.declare("down")
    await desk.api.note(key, "only for us", audience="internal")
    home = f"/incidents/{key}"
    mine = await Visitor.of(desk)
    viewer = await Visitor.of(desk, "viewer")
    page = await viewer.see(home)
    assert "only for us" not in page.text
    assert f"{home}/actions" not in [action for action, _ in page.forms]
    before = await desk.written()
    mark = page.form("/logout")["csrf"]
    for action, fields in (await mine.see(home)).forms:
        if action.startswith(home):
            refused = await viewer.send(action, {**fields, "csrf": mark, "text": "x", "task": "x"})
            assert refused.status_code == 403, action
    for path in (f"{home}/edit", f"{home}/resolve", "/incidents/new"):
        await viewer.see(path, 403)
    assert await desk.written() == before


async def test_the_list_is_filtered_and_paged(desk: Desk) -> None:
    me = await Visitor.of(desk)
    for number in range(55):
        await desk.api.declare(
            f"number {number:02}", severity="SEV-2" if number % 5 == 0 else "SEV-3", service="web"
        )
    page = await me.see("/incidents/list?severity=SEV-2")
    assert page.text.count('scope="row"') == 11
    first = await me.see("/incidents/list?text=number")
    [following] = [link for link in first.links if "cursor=" in link]
    second = await me.see(following)
    keys = {link for page in (first, second) for link in page.links if link.startswith("/incidents/INC-")}
    assert len(keys) == 55
    await me.see("/incidents/list?cursor=forged", 400)
    assert "Nothing" not in (await me.see("/incidents")).text


async def test_a_file_is_saved_and_never_shown(desk: Desk) -> None:
    me = await Visitor.of(desk)
    key = await desk.api.declare("down")
    made = await desk.api.request(
        "POST",
        f"/v1/incidents/{key}/attachments?name=page.html",
        content=b"<script>alert(1)</script>",
        headers={"content-type": "text/html"},
    )
    assert made.status_code == 201, made.text
    [link] = [one for one in (await me.see(f"/incidents/{key}")).links if "/files/" in one]
    answer = await me.answer(link)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
