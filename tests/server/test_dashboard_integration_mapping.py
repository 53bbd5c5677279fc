"""The mapping editor: the instance's own choices, only what differs is stored, the plan's word follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.server.by_forms import Page, Visitor
from tests.server.desk import JIRA, SLACK

if TYPE_CHECKING:
    from typing import Any

    from tests.server.desk import Desk

MOCK = {"type": "ticketing_mock_ticketing", "default_project": "TST"}


async def sync_of(desk: Desk) -> dict[str, Any]:
    [one] = await desk.api("GET", "/v1/integrations")
    found: dict[str, Any] = one["settings"].get("sync", {})
    return found


async def test_a_mapping_is_edited_with_the_choices_of_the_instance(desk_on_both: Desk) -> None:
    desk = desk_on_both
    one = await desk.add(MOCK)
    path = f"/integrations/{one.id}/mapping"
    me = await Visitor.of(desk)
    page = await me.see(path)
    assert "read from the live instance" in page.text
    form = page.form(path)
    assert form["statuses.open"] == "category:new"
    assert ">In Progress" in page.text
    assert (await me.send(path, form)).status_code == 303
    assert await sync_of(desk) == {}, "what was not chosen otherwise is left to the connector"

    named = next(form[name] for name in form if name.startswith("statuses_in.") and name.endswith(".name"))
    number = next(name for name in form if form[name] == named and name.endswith(".name"))
    to = await me.do(
        path,
        path,
        **{
            "direction.title": "outbound",
            "resolution.assignee": "local",
            "statuses.acknowledged": "In Progress",
            number.removesuffix(".name"): "acknowledged",
            "severities.SEV-1": "HIGH",
            "severities_in.HIGH": "SEV-1",
            "comments": "none",
            "custom.0.name": "impact",
            "custom.0.path": "impact",
        },
    )
    assert to == f"/integrations/{one.id}/plan"
    assert await sync_of(desk) == {
        "fields": {"title": {"direction": "outbound"}, "assignee": {"resolution": "local"}},
        "statuses": {"acknowledged": "In Progress"},
        "statuses_in": {named: "acknowledged"},
        "severities": {"SEV-1": "HIGH"},
        "severities_in": {"HIGH": "SEV-1"},
        "comments": "none",
    }
    plan = await me.see(to)
    assert "title" in plan.text
    form = (await me.see(path)).form(path)
    assert (form["statuses.acknowledged"], form["comments"], form["custom.0.name"]) == (
        "In Progress",
        "none",
        "impact",
    )
    await me.do(path, path, **{"comments": "bidirectional", "direction.title": "bidirectional"})
    after = await sync_of(desk)
    assert "comments" not in after
    assert after["fields"] == {"assignee": {"resolution": "local"}}


async def test_what_cannot_be_is_said_beside_it(desk: Desk) -> None:
    one = await desk.add(MOCK)
    path = f"/integrations/{one.id}/mapping"
    me = await Visitor.of(desk)
    form = (await me.see(path)).form(path)
    before = await desk.written()
    for typed, field in (
        ({"direction.title": "sideways"}, "direction.title"),
        ({"resolution.title": "dice"}, "resolution.title"),
        ({"severities.SEV-1": "WORST"}, "severities.SEV-1"),
        ({"comments": "shouted"}, "comments"),
        ({"custom.0.name": "impact", "custom.0.path": ""}, "custom.0.path"),
    ):
        answer = await me.send(path, {**form, **typed})
        assert (answer.status_code, f"e-{field}" in Page(answer.text).ids) == (422, True), typed
    assert await desk.written() == before
    assert (await me.send(path, form)).status_code == 303
    stale = await me.send(path, form)
    assert (stale.status_code, "somebody else changed this" in stale.text) == (422, True)


async def test_an_instance_that_cannot_be_read_leaves_free_text(desk: Desk) -> None:
    one = await desk.add(JIRA)
    path = f"/integrations/{one.id}/mapping"
    me = await Visitor.of(desk)
    page = await me.see(path)
    assert "could not be read" in page.text
    assert await me.do(path, path, **{"statuses.resolved": "Erledigt"}) == f"/integrations/{one.id}/plan"
    assert (await sync_of(desk))["statuses"] == {"resolved": "Erledigt"}
    chat = await desk.add(SLACK, name="chat")
    assert (await me.answer(f"/integrations/{chat.id}/mapping")).status_code == 400


async def test_a_viewer_maps_nothing(desk: Desk) -> None:
    one = await desk.add(MOCK)
    path = f"/integrations/{one.id}/mapping"
    me, viewer = await Visitor.of(desk), await Visitor.of(desk, "viewer")
    form = (await me.see(path)).form(path)
    await viewer.see(path, 403)
    mark = (await viewer.see("/integrations")).form("/logout")["csrf"]
    before = await desk.written()
    assert (await viewer.send(path, {**form, "csrf": mark})).status_code == 403
    assert await desk.written() == before
