"""Administration: members, teams, services, rules and tokens, by forms; nobody does what is not theirs, and no secret is shown twice."""

from __future__ import annotations

import asyncio
import json
import re
from typing import TYPE_CHECKING

import pytest

from tests.server.by_forms import Page, Visitor
from tests.server.visitor import Browser, audited, member

if TYPE_CHECKING:
    from tests.server.desk import Desk

PAGES = (
    "/admin/people",
    "/admin/people/new",
    "/admin/catalogue",
    "/admin/catalogue/teams/new",
    "/admin/catalogue/services/new",
    "/admin/levels",
    "/admin/escalation",
    "/admin/routing",
    "/admin/tokens",
    "/admin/tokens/new",
    "/admin/audit",
    "/admin/audit.csv",
    "/admin/audit.json",
    "/admin/audit/chain",
    "/admin/audit/head.json",
    "/admin/jobs",
    "/admin/settings",
)
SEEN_BY_VIEWERS = {
    "/admin/people",
    "/admin/catalogue",
    "/admin/levels",
    "/admin/escalation",
    "/admin/routing",
}


def shown_secret(text: str) -> str:
    found = re.search(r'<code id="secret">([^<]+)</code>', text)
    assert found, text[:3000]
    return found[1]


async def test_each_page_is_for_those_who_hold_its_permission(desk: Desk) -> None:
    for permission_set, allowed in (("administrator", set(PAGES)), ("viewer", SEEN_BY_VIEWERS)):
        me = await Visitor.of(desk, permission_set)
        begun = await me.answer("/admin")
        assert (begun.status_code, begun.headers["location"]) == (303, "/admin/people")
        for path in PAGES:
            answer = await me.answer(path)
            assert answer.status_code == (200 if path in allowed else 403), (permission_set, path)
            if answer.status_code == 200 and path in allowed & SEEN_BY_VIEWERS:
                tabs = {one for one in Page(answer.text).links if one.startswith("/admin/")}
                assert ("/admin/settings" in tabs) is (permission_set == "administrator")
                assert ('method="post" action="/admin' in answer.text) <= (permission_set == "administrator")


async def test_a_member_is_added_signs_in_and_is_managed(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    refused = await me.fill("/admin/people/new", "/admin/people/new", name="Not A Name", email="nowhere")
    assert refused.status_code == 422
    assert {"e-name", "e-email"} & set(Page(refused.text).ids)
    made = await me.fill(
        "/admin/people/new",
        "/admin/people/new",
        name="cleo",
        fullname="Cleo Fox",
        email="cleo@example.com",
        role="responder",
    )
    assert made.status_code == 200
    assert made.headers["cache-control"] == "no-store"
    assert "set-cookie" not in made.headers
    first = shown_secret(made.text)
    browser = Browser(desk)
    assert (await browser.sign_in("cleo", first)).status_code == 303
    cleo = (await desk.core.database.read(lambda tx: desk.core.members.get(tx, "cleo"))).id
    home = f"/admin/people/{cleo}"
    for path in ("/admin/people", home, "/admin/audit"):
        page = await me.see(path)
        assert first not in page.text
        assert "Cleo Fox" in page.text or path == "/admin/audit"
    taken = await me.fill("/admin/people/new", "/admin/people/new", name="cleo", role="viewer")
    assert (taken.status_code, "e-name" in Page(taken.text).ids) == (422, True)

    assert await me.do(home, home, fullname="Cleo Wolf", role="viewer") == home
    assert await browser.is_in()
    await me.do(home, f"{home}/sign-out")
    assert not await browser.is_in()
    again = await me.fill(home, f"{home}/reset")
    second = shown_secret(again.text)
    assert second != first
    assert (await browser.sign_in("cleo", first)).status_code == 422 or not await browser.is_in()
    assert (await browser.sign_in("cleo", second)).status_code == 303
    await me.do(home, home, state="disabled")
    assert not await browser.is_in()
    await me.do(home, f"{home}/remove")
    assert (await me.answer(home)).status_code == 404
    done = await audited(desk, "member.created", "member.updated", "member.secret_changed", "member.deleted")
    assert [one["action"] for one in done] == [
        "member.created",
        "member.updated",
        "member.secret_changed",
        "member.updated",
        "member.deleted",
    ]
    trail = json.loads((await me.answer("/admin/audit.json?action=member.*&channel=dashboard")).text)
    assert {one["action"] for one in done} <= {one["action"] for one in trail}


async def test_the_last_administrator_stays_and_nobody_shuts_themselves_out(desk: Desk) -> None:
    bo = await member(desk, role="admin")
    home = f"/admin/people/{bo.id}"
    me = await Visitor.of(desk)
    for action, typed in ((home, {"role": "viewer"}), (home, {"state": "disabled"}), (f"{home}/remove", {})):
        refused = await me.fill(home, action, **typed)
        assert refused.status_code == 422
        assert "last administrator" in refused.text
    for method, options in (
        ("DELETE", {}),
        ("PATCH", {"json": [{"op": "replace", "path": "/state", "value": "disabled"}]}),
    ):
        answer = await desk.api.request(method, f"/v1/members/{bo.id}", **options)
        assert (answer.status_code, "last administrator" in answer.text) == (409, True), answer.text
    browser = Browser(desk)
    await browser.sign_in()
    await me.fill("/admin/people/new", "/admin/people/new", name="second", role="admin")
    for action, typed in ((home, {"role": "viewer"}), (f"{home}/remove", {})):
        await browser.open("/me")
        refused_me = await browser.send(action, **typed)
        assert (refused_me.status_code, "your own role" in refused_me.text) == (422, True)
    assert await browser.is_in()
    # With another one there, somebody else may.
    await me.do(home, home, role="viewer")
    await browser.open("/me")
    assert (await browser.send("/admin/people/new", name="third", role="admin")).status_code == 403


async def test_of_two_administrators_who_demote_each_other_one_stays(desk_on_both: Desk) -> None:
    desk = desk_on_both
    people = [await member(desk, name, role="admin") for name in ("ann", "bo")]
    browsers = [Browser(desk), Browser(desk)]
    for one, browser in zip(people, browsers, strict=True):
        await browser.sign_in(one.name)
        await browser.open("/me")
    ann, bo = people
    answers = await asyncio.gather(
        browsers[0].send(f"/admin/people/{bo.id}", role="viewer"),
        browsers[1].send(f"/admin/people/{ann.id}", role="viewer"),
    )
    left = [
        one for one in (await desk.core.database.read(desk.core.members.list)).items if one.role == "admin"
    ]
    assert len(left) == 1
    assert sorted(one.status_code for one in answers) in ([303, 403], [303, 422])


async def test_teams_and_services_by_forms(desk_on_both: Desk) -> None:
    desk = desk_on_both
    bo = await member(desk)
    me = await Visitor.of(desk)
    home = "/admin/catalogue"
    await me.do(f"{home}/teams/new", f"{home}/teams/new", name="payments", members="bo", channel="pay")
    unknown = await me.fill(f"{home}/teams/new", f"{home}/teams/new", name="x", members="bo\nnobody-here")
    assert (unknown.status_code, "e-members" in Page(unknown.text).ids) == (422, True)
    await me.do(
        f"{home}/services/new", f"{home}/services/new", name="checkout", team="payments", severity="SEV-1"
    )
    twice = await me.fill(f"{home}/services/new", f"{home}/services/new", name="Checkout")
    assert (twice.status_code, "e-name" in Page(twice.text).ids) == (422, True)
    [team], [service] = await desk.api("GET", "/v1/teams"), await desk.api("GET", "/v1/services")
    assert (team["members"], team["channel"]) == ([bo.id], "pay")
    assert (service["team"], service["severity"]) == ("payments", "SEV-1")
    page = await me.see(home)
    assert "payments" in page.text
    assert "SEV-1" in page.text
    one = f"{home}/services/{service['id']}"
    await me.do(one, one, description="takes the money", severity="")
    assert (await desk.api("GET", "/v1/services"))[0]["severity"] is None
    mine = f"{home}/teams/{team['id']}"
    await me.do(mine, mine, members="", group="pay-people")
    assert (await desk.api("GET", "/v1/teams"))[0]["members"] == []
    await me.do(one, f"{one}/remove")
    await me.do(mine, f"{mine}/remove")
    assert await desk.api("GET", "/v1/teams") == await desk.api("GET", "/v1/services") == []


async def test_rules_are_shown_and_edited_as_documents(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    path = "/admin/levels"
    page = await me.see(path)
    assert "Built in" in page.text
    stale = page.form(path)
    rules = {"rules": [{"severity": "SEV-1", "acknowledge": "5m"}, {"service": "web", "resolve": "2h"}]}
    await me.do(path, path, document=json.dumps(rules))
    assert (await desk.api("GET", "/v1/sla"))["document"] == rules
    assert "service web" in (await me.see(path)).text
    late = await me.send(path, {**stale, "document": '{"rules": []}'})
    assert (late.status_code, "somebody else changed it" in late.text) == (422, True)
    assert "&#34;rules&#34;: []" in late.text, "what was typed is kept"
    for typed, said in (
        ("{", "line 1"),
        ("[]", "has to be an object"),
        ("[" * 5000, "JSON"),
        ('{"rules": [{"severity": "SEV-1", "acknowledge": "soon"}]}', "rules, number 1, acknowledge: "),
        ('{"rules": [{"severty": "SEV-1"}]}', "rules, number 1, severty"),
        ('{"rules": NaN}', "JSON"),
    ):
        wrong = await me.fill(path, path, document=typed)
        assert wrong.status_code == 422, typed[:40]
        assert "e-document" in Page(wrong.text).ids
        assert said in wrong.text, typed[:40]
    assert (await desk.api("GET", "/v1/sla"))["document"] == rules

    path = "/admin/escalation"
    await member(desk)
    policies = {"policies": {"urgent": {"steps": [{"targets": ["bo"]}]}}, "default": {"SEV-1": "urgent"}}
    await me.do(path, path, document=json.dumps(policies))
    shown = await me.see(path)
    assert "urgent" in shown.text
    policies["policies"]["urgent"]["steps"][0]["targets"] = ["team:none-such"]  # type: ignore[index]
    wrong = await me.fill(path, path, document=json.dumps(policies))
    assert (wrong.status_code, "steps, number 1, targets, number 1" in wrong.text) == (422, True)


async def test_a_token_is_shown_once_and_never_again(desk_on_both: Desk) -> None:
    desk = desk_on_both
    me = await Visitor.of(desk)
    await desk.add_account("east")
    bad = await me.fill("/admin/tokens/new", "/admin/tokens/new", ttl="for ever")
    assert (bad.status_code, "e-ttl" in Page(bad.text).ids) == (422, True)
    made = await me.fill(
        "/admin/tokens/new", "/admin/tokens/new", fullname="the dashboards", permission_set="viewer", ttl="1h"
    )
    assert (made.status_code, "set-cookie" in made.headers) == (200, False)
    secret = shown_secret(made.text)
    assert (
        await desk.http.get("/v1/members", headers={"authorization": f"Bearer {secret}"})
    ).status_code == 200
    page = await me.see("/admin/tokens")
    assert "the dashboards" in page.text
    assert secret not in page.text
    [token] = [
        one
        for one in await desk.core.database.read(desk.core.tokens.list)
        if one.fullname == "the dashboards"
    ]
    home = f"/admin/tokens/{token.id}"
    rotated = shown_secret((await me.fill("/admin/tokens", f"{home}/rotate")).text)
    for one in (secret, rotated):
        answer = await desk.http.get("/v1/members", headers={"authorization": f"Bearer {one}"})
        assert answer.status_code == 200
    reset = shown_secret((await me.fill("/admin/tokens", f"{home}/reset")).text)
    for one, status in ((secret, 401), (rotated, 401), (reset, 200)):
        answer = await desk.http.get("/v1/members", headers={"authorization": f"Bearer {one}"})
        assert answer.status_code == status
    await me.do("/admin/tokens", f"{home}/revoke")
    answer = await desk.http.get("/v1/members", headers={"authorization": f"Bearer {reset}"})
    assert answer.status_code == 401
    trail = (await me.answer("/admin/audit.json?action=token.*")).text
    assert not [one for one in (secret, rotated, reset) if one in trail]
    assert "token.revoked" in trail


@pytest.mark.parametrize("permission_set", ["viewer", "member"])
async def test_who_may_not_is_refused(desk: Desk, permission_set: str) -> None:
    bo = await member(desk)
    me = await Visitor.of(desk, permission_set)
    csrf = (await me.see("/admin/people")).form("/logout")["csrf"]
    before = await desk.written()
    for path in (
        "/admin/people/new",
        f"/admin/people/{bo.id}",
        f"/admin/people/{bo.id}/reset",
        f"/admin/people/{bo.id}/remove",
        f"/admin/people/{bo.id}/sign-out",
        "/admin/catalogue/teams/new",
        "/admin/catalogue/services/new",
        "/admin/levels",
        "/admin/escalation",
        "/admin/tokens/new",
        "/admin/tokens/x/reset",
        "/admin/jobs/replay",
        "/admin/jobs/pause",
        "/admin/audit/chain",
    ):
        answer = await me.send(
            path, {"csrf": csrf, "name": "x", "role": "admin", "document": "{}", "job": "1"}
        )
        assert answer.status_code == 403, path
    assert await desk.written() == before
