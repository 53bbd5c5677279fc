"""Shadow mode: read and merged as usual, nothing written, all of it counted; ended, each side gets what differs then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from callout.sync.mapping import FieldMappings
from callout.sync.merge import Base, LinkState, Pending, Resolution, fold, merge
from callout.sync.shadow import unsent_state
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Json, eventually
from tests.stories.vendors import add_pagerduty, add_servicenow, settled


async def _shadow(installation: Installation, name: str, *, on: bool, **sync: Any) -> None:
    one = installation.integrations[name]
    settings = {"sync": {**sync, **({"shadow": True} if on else {})}}
    await installation.in_account(
        lambda tx: installation.core.integrations.update(
            tx, one.id, changes={"settings": settings}, actor=OPERATOR
        )
    )


async def _held(installation: Installation, name: str = "jira") -> Json:
    found: Json = await installation.api("GET", f"/v1/integrations/{name}/shadow")
    return found


async def test_nothing_is_written_and_all_of_it_is_counted(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await _shadow(installation, "jira", on=True)
    since = await jira.last_seq()

    await api.patch(key, title="login fails in Europe", severity="SEV-2")
    await api.patch(key, title="login fails everywhere")
    await api.act(key, "resolve")
    await api.note(key, "the cache was full")
    await api.note(key, "do not tell anybody", "internal")
    await api.request("POST", f"/v1/incidents/{key}/attachments?name=graph.png", content=b"a picture")
    second = await api.declare("another one")
    await installation.quiet()
    # What people do there is read and merged as ever.
    await jira.edit(ticket, description="Since noon.")
    await installation.incident_when(key, description="Since noon.")
    await installation.quiet()

    assert await jira.our_writes(since=since) == []
    held = await _held(installation)
    assert held["on"]
    assert held["counts"]["create"] == {"held_back": 1, "waiting": 1}
    assert held["counts"]["comment"] == {"held_back": 1, "waiting": 1}
    assert held["counts"]["file"] == {"held_back": 1, "waiting": 1}
    assert held["counts"]["patch"]["waiting"] == 3
    values = {one["what"]: one["value"] for one in held["newest"] if one["kind"] == "patch"}
    assert values == {"title": "login fails everywhere", "severity": "HIGH", "status": "category:done"}
    assert "do not tell anybody" not in str(held)
    plan = await api("GET", "/v1/integrations/jira/plan")
    assert plan["shadow"]["on"]
    # Nothing pretends to be agreed.
    why = await api("GET", f"/v1/incidents/{key}/why/title")
    assert why["tickets"][0]["last_said"] == "login fails"
    assert why["tickets"][0]["pending"] is None

    await _shadow(installation, "jira", on=False)
    await installation.issue_when(
        ticket, summary="login fails everywhere", status="Done", description="Since noon."
    )
    await installation.ticket_of(second)
    await installation.quiet()
    assert len(await jira.comments(ticket)) == 1
    assert [one["filename"] for one in (await jira.issue(ticket))["fields"]["attachment"]] == ["graph.png"]
    assert (await api.incident(key))["status"] == "resolved"
    # One visit for each: the titles of between were never sent.
    written = str(await jira.our_writes(since=since))
    assert "login fails in Europe" not in written
    held = await _held(installation)
    assert held == {
        "integration": "jira",
        "on": False,
        "counts": {kind: {"held_back": 0, "waiting": 0} for kind in ("create", "patch", "comment", "file")},
        "newest": [],
    }


async def test_what_was_taken_back_meanwhile_is_never_written(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await _shadow(installation, "jira", on=True)
    since = await jira.last_seq()
    await api.patch(key, title="oops")
    await eventually(lambda: _waiting(installation, 1), what="the title held back")
    await api.patch(key, title="login fails")
    await eventually(lambda: _waiting(installation, 0), what="the title taken back")
    gone = await api.declare("a false alarm")
    await api.act(gone, "resolve")
    await api.act(gone, "close")
    await installation.quiet()

    await _shadow(installation, "jira", on=False)

    async def stopped() -> bool:
        return bool((await api.link(gone))["state"] == "stopped")

    await eventually(stopped, what="no ticket for what is over")
    await installation.quiet()
    assert await jira.our_writes(since=since) == []
    assert await jira.field(ticket, "summary") == "login fails"
    kinds = [entry["kind"] for entry in await api.timeline(gone)]
    assert "ticket_not_created" in kinds


async def _waiting(installation: Installation, number: int) -> bool:
    counts = (await _held(installation))["counts"]
    return bool(counts["patch"]["waiting"] == number and counts["patch"]["held_back"])


async def test_both_sides_edit_in_shadow_and_nothing_is_lost_after_it(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails", description="one\n\ntwo\n\nthree")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await _shadow(installation, "jira", on=True)
    await api.patch(key, description="ONE\n\ntwo\n\nthree")
    await installation.quiet()
    await jira.edit(ticket, description="one\n\ntwo\n\nTHREE")
    await installation.incident_when(key, description="ONE\n\ntwo\n\nTHREE")
    await jira.edit(ticket, description="one\n\ntwo\n\nTHREE\n\nfour")
    await installation.incident_when(key, description="ONE\n\ntwo\n\nTHREE\n\nfour")
    await _shadow(installation, "jira", on=False)
    await installation.issue_when(ticket, description="ONE\n\ntwo\n\nTHREE\n\nfour")
    await installation.quiet()
    assert (await api.link(key))["conflicts"] == []


async def test_a_setting_that_is_no_switch_writes_nothing_and_is_rejected(jira_only: Installation) -> None:
    installation, api = jira_only, jira_only.api
    one = installation.integrations["jira"]
    settings = {"sync": {"shadow": "yes"}}
    await installation.in_account(
        lambda tx: installation.core.integrations.update(
            tx, one.id, changes={"settings": settings}, actor=OPERATOR
        )
    )
    await api.declare("login fails")
    await installation.quiet()
    assert await installation.jira.our_writes() == []
    plan = await api("GET", "/v1/integrations/jira/plan")
    assert not plan["valid"]
    assert any("shadow" in found["message"] for found in plan["findings"])


@pytest.fixture
async def three_vendors(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product beside Jira, ServiceNow and PagerDuty."""
    twins = ("jira", "slack", "servicenow", "pagerduty")
    url = f"sqlite:///{sqlite_path}"
    async with running(url, tmp_path / "data", vendors=("jira",), twins=twins) as found:
        yield found


async def test_one_system_in_shadow_beside_two_that_are_written(three_vendors: Installation) -> None:
    installation, api = three_vendors, three_vendors.api
    _, snow = await add_servicenow(installation, sync={"shadow": True})
    _, pager = await add_pagerduty(installation, sync={"shadow": True}, subscribe=False)
    mark = {twin: await twin.last_seq() for twin in (snow, pager)}
    key = await api.declare("login fails", severity="SEV-1")
    ticket = await installation.ticket_of(key)
    await api.note(key, "we are on it")
    await api.act(key, "acknowledge")
    await installation.issue_when(ticket, status="In Progress")
    await settled(installation, snow, pager)
    for twin, since in mark.items():
        assert await twin.our_writes(since=since) == []
    assert (await _held(installation, "servicenow"))["counts"]["create"]["waiting"] == 1

    await _shadow(installation, "servicenow", on=False)
    await installation.ticket_of(key, "servicenow")
    await settled(installation, snow, pager)
    sys_id = (await api.link(key, "servicenow"))["ticket_id"]
    record = await snow.record(sys_id)
    assert record["state"] == "In Progress"
    assert "we are on it" in record["work_notes"]
    created = [one for one in await snow.our_writes(since=mark[snow]) if one["method"] == "POST"]
    assert len(created) == 1, created
    assert await pager.our_writes(since=mark[pager]) == []


# --------------------------------------------------------------------------------- bases, without a vendor

MAPPING = FieldMappings(resolutions={"title": Resolution.LOCAL})
RULES = MAPPING.rules("A")


def _once(state: LinkState, ours: Json, theirs: Json) -> tuple[LinkState, Json, Json]:
    result = merge(state, ours, theirs, RULES)
    return unsent_state(result.state, result.to_theirs, RULES), dict(result.to_theirs), dict(result.to_ours)


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_however_often_it_is_looked_at_the_edit_stays_to_be_sent(looks: int) -> None:
    state = LinkState({"title": Base("a", "a")})
    for _ in range(looks):
        state, sent, taken = _once(state, {"title": "b"}, {"title": "a"})
        assert (sent, taken) == ({"title": "b"}, {})
        assert state.pending == {}
    _, sent, taken = _once(state, {"title": "a"}, {"title": "a"})
    assert (sent, taken) == ({}, {})


def test_a_person_s_choice_for_ours_outlives_the_mode_though_ours_is_as_it_was_agreed() -> None:
    # As after a conflict was decided for ours, which had gone back to what both once agreed on.
    state = LinkState({"title": Base("a", "c")}, {"title": Pending("a", "a")})
    for _ in range(3):
        state, sent, taken = _once(state, {"title": "a"}, {"title": "c"})
        assert (sent, taken) == ({"title": "a"}, {})
    result = merge(state, {"title": "a"}, {"title": "c"}, RULES)
    assert result.to_theirs == {"title": "a"}
    assert fold(result.state, {"title": "a"}, RULES).bases["title"] == Base("a", "a")


def test_texts_merged_in_the_mode_have_what_they_said_as_their_common_ground() -> None:
    ours, theirs = "ONE\n\ntwo\n\nthree", "one\n\ntwo\n\nTHREE"
    base = "one\n\ntwo\n\nthree"
    state = LinkState({"description": Base(base, base)})
    state, sent, taken = _once(state, {"description": ours}, {"description": theirs})
    both = "ONE\n\ntwo\n\nTHREE"
    assert sent == taken == {"description": both}
    state, sent, taken = _once(state, {"description": both}, {"description": f"{theirs}\n\nfour"})
    assert taken == {"description": f"{both}\n\nfour"}
    assert state.conflicts == {}


def test_an_edit_of_theirs_after_ours_was_held_back_is_no_lost_edit() -> None:
    state = LinkState({"severity": Base("SEV-3", "MEDIUM")})
    state, sent, _ = _once(state, {"severity": "SEV-2"}, {"severity": "MEDIUM"})
    assert sent == {"severity": "HIGH"}
    result = merge(state, {"severity": "SEV-2"}, {"severity": "LOW"}, RULES)
    assert [conflict.field for conflict in result.conflicts] == ["severity"]
