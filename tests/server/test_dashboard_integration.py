"""One integration's page: how it fares, what is done to it, its settings, its plan; and that no secret is ever shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from callout.ports.errors import UnavailableError
from tests.server.by_forms import Page, Visitor
from tests.server.desk import JIRA

if TYPE_CHECKING:
    from tests.server.desk import Desk

CANARY = "canary-s3cr3t-of-the-vendor"
HOOK_CANARY = "canary-signing-key-0123456789"
MOCK = {"type": "ticketing_mock_ticketing", "default_project": "TST"}
SECRET = {**JIRA, "credential": {"type": "basic", "username": "admin@example.com", "secret": CANARY}}


async def test_an_integration_is_looked_after_by_forms(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(MOCK, name="trial")
    home = f"/integrations/{one.id}"
    me = await Visitor.of(desk)
    answer = await me.fill(home, f"{home}/check")
    assert (answer.status_code, "lets us in" in answer.text) == (200, True)

    assert await me.do(home, f"{home}/pause", reason="they move", hours="2") == home
    page = await me.see(home)
    assert "they move" in page.text
    assert f"{home}/pause" not in [action for action, _ in page.forms]
    assert "paused" in (await me.see("/integrations")).text
    await me.do(home, f"{home}/resume")
    assert "they move" not in (await me.see(home)).text

    await me.do(home, f"{home}/enable")
    assert (await desk.api("GET", "/v1/integrations"))[0]["enabled"] is False
    await me.do(home, f"{home}/enable")
    assert (await desk.api("GET", "/v1/integrations"))[0]["enabled"] is True

    await me.do(home, f"{home}/shadow")
    assert (await desk.api("GET", "/v1/integrations"))[0]["settings"]["sync"] == {"shadow": True}
    assert "nothing is written there" in (await me.see(home)).text
    await me.do(home, f"{home}/shadow")
    assert (await desk.api("GET", "/v1/integrations"))[0]["settings"]["sync"] == {}

    plan = await me.see(f"{home}/plan")
    assert "Read from the live instance" in plan.text
    assert "a new ticket is" in plan.text

    refused = await me.fill(home, f"{home}/remove", name="another")
    assert (refused.status_code, "e-name" in Page(refused.text).ids) == (422, True)
    assert await me.do(home, f"{home}/remove", name="trial") == "/integrations"
    assert await desk.api("GET", "/v1/integrations") == []
    await me.see(home, 404)


async def test_trouble_is_told_with_its_remedy(desk: Desk) -> None:
    one = await desk.add(SECRET)
    home = f"/integrations/{one.id}"
    error = UnavailableError("nobody answers there", remediation="Look at the network.")
    await desk.core.database.transaction(
        lambda tx: desk.core.health.failed(tx.account(desk.account), one.id, error)
    )
    await desk.core.database.transaction(
        lambda tx: desk.core.problems.tell(
            tx.account(desk.account),
            one.id,
            "silence",
            code="SILENT",
            message="no webhook for an hour",
            remediation="Look at its webhook there.",
        )
    )
    me = await Visitor.of(desk)
    for path in ("/integrations", home):
        page = await me.see(path)
        for said in (
            "degraded",
            "nobody answers there",
            "Look at the network",
            "no webhook",
            "Look at its webhook",
        ):
            assert said in page.text, (path, said)
    answer = await me.fill(home, f"{home}/check")
    assert (answer.status_code, 'role="alert"' in answer.text) == (422, True)
    plan = await me.see(f"{home}/plan")
    assert "would be refused" in plan.text
    refused = await me.fill(home, f"{home}/pause", reason=" ", hours="x")
    assert (refused.status_code, "e-hours" in Page(refused.text).ids) == (422, True)


async def test_settings_are_changed_and_what_was_not_typed_stays(desk: Desk) -> None:
    one = await desk.add({**SECRET, "url": "https://j.example", "further": "kept"}, key=HOOK_CANARY)
    path = f"/integrations/{one.id}/settings"
    me = await Visitor.of(desk)
    page = await me.see(path)
    assert 'value="https://j.example"' in page.text
    assert "One is stored" in page.text
    await me.do(path, path, go="save", default_project="OPS")
    [after] = await desk.api("GET", "/v1/integrations")
    assert after["provider_config"]["default_project"] == "OPS"
    assert after["provider_config"]["further"] == "kept"
    assert after["provider_config"]["credential"] == one.provider_config["credential"]

    form = (await me.see(path)).form(path)
    moved = await me.send(path, {**form, "go": "save", "url": "https://evil.example"})
    assert (moved.status_code, "e-url" in Page(moved.text).ids) == (422, True)
    assert "given for another address" in moved.text
    tried = await me.send(path, {**form, "go": "test", "url": "https://evil.example"})
    assert (tried.status_code, "given for another address" in tried.text) == (422, True)
    typed = {
        "credential.kind": "basic",
        "credential.basic.username": "b",
        "credential.basic.secret": CANARY + "2",
    }
    await me.do(path, path, go="save", url="https://new.example", **typed)
    stale = await me.send(path, {**form, "go": "save", "default_project": "LATE"})
    assert (stale.status_code, "somebody else changed this" in stale.text) == (422, True)
    assert (await desk.api("GET", "/v1/integrations"))[0]["provider_config"]["url"] == "https://new.example"


async def test_no_page_shows_a_secret_and_no_viewer_changes_anything(desk: Desk) -> None:
    one = await desk.add(SECRET, key=HOOK_CANARY)
    home = f"/integrations/{one.id}"
    me, viewer = await Visitor.of(desk), await Visitor.of(desk, "viewer")
    mark = (await viewer.see(home)).form("/logout")["csrf"]
    before = await desk.written()
    seen: set[str] = set()
    for path in ("/integrations", home, *(f"{home}{part}" for part in PARTS)):
        page = await me.see(path)
        for secret in (CANARY, HOOK_CANARY, one.hook_token.reveal()):
            assert secret not in page.text, path
        for action, fields in page.forms:
            if action.startswith("/integrations"):
                seen.add(action)
                refused = await viewer.send(action, {**fields, "csrf": mark})
                assert refused.status_code == 403, (path, action, refused.status_code)
    assert len(seen) >= 5
    assert await desk.written() == before
    for part in PARTS:
        assert (await viewer.answer(f"{home}{part}")).status_code in {200, 403}
    for action, _ in (await viewer.see(home)).forms:
        assert not action.startswith("/integrations"), "no button that would be refused"


async def test_no_account_reaches_the_integrations_of_another(desk: Desk) -> None:
    one = await desk.add(SECRET)
    other = await desk.add_account("elsewhere")
    token = desk.holder(await desk.token(resources={"accounts": {"ids": [other]}})).token
    stranger = Visitor(desk, await desk.cookie(token))
    home = f"/integrations/{one.id}"
    me = await Visitor.of(desk)
    assert one.name not in (await stranger.see("/integrations")).text
    mark = (await stranger.see("/integrations")).form("/logout")["csrf"]
    before = await desk.written()
    for path in (home, *(f"{home}{part}" for part in PARTS)):
        assert (await stranger.answer(path)).status_code == 404, path
        for action, fields in (await me.see(path)).forms:
            if action.startswith(home):
                refused = await stranger.send(action, {**fields, "csrf": mark, "name": one.name})
                assert refused.status_code in {404, 422}, (action, refused.status_code)
                assert one.name not in refused.text or action.endswith("/remove")
    assert await desk.written() == before


PARTS = ("/settings", "/mapping", "/plan", "/webhooks", "/access")
