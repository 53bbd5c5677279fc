"""Plan before apply: every slip of a mapping is said in plain words before the first write, and what follows when it is ignored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from callout.sandbox.jira.twin import JiraTwin
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Json, eventually
from tests.stories.vendors import add_pagerduty, add_servicenow


@pytest.fixture
async def vendors(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product beside Jira, ServiceNow and PagerDuty."""
    twins = ("jira", "slack", "servicenow", "pagerduty")
    url = f"sqlite:///{sqlite_path}"
    async with running(url, tmp_path / "data", vendors=("jira",), twins=twins) as found:
        yield found


async def planned(installation: Installation, name: str = "jira") -> Json:
    found: Json = await installation.api("GET", f"/v1/integrations/{name}/plan")
    return found


def about(plan: Json, part: str, subject: str = "") -> Json:
    """Return the one finding about a part and subject."""
    found: list[Json] = [
        one for one in plan["findings"] if one["part"] == part and subject in {"", one["subject"]}
    ]
    assert len(found) == 1, [(one["part"], one["subject"], one["message"]) for one in plan["findings"]]
    return found[0]


async def change(installation: Installation, name: str = "jira", **changes: Any) -> None:
    one = installation.integrations[name]
    await installation.in_account(
        lambda tx: installation.core.integrations.update(tx, one.id, changes=changes, actor=OPERATOR)
    )


async def test_a_mapping_that_holds_is_valid_on_every_vendor(vendors: Installation) -> None:
    installation = vendors
    _, snow = await add_servicenow(installation, sync={"create": False})
    _, pager = await add_pagerduty(installation, sync={"create": False}, subscribe=False)
    mark = {twin: await twin.last_seq() for twin in (installation.jira, snow, pager)}
    # Two tickets there are enough to read Jira's workflow; the other two know theirs without one.
    await installation.jira.act("create_issue", fields=_issue("one"))
    moved = await installation.jira.act("create_issue", fields=_issue("two"))
    await installation.jira.transition(moved["key"], "In Progress")

    for name, there in (
        ("jira", ("To Do", "In Progress", "Done")),
        ("servicenow", ("New", "In Progress", "Resolved")),
        ("pagerduty", ("triggered", "acknowledged", "resolved")),
    ):
        plan = await planned(installation, name)
        assert plan["valid"], plan
        assert plan["counts"]["not_checked"] == 0, plan
        fresh, working, done = there
        start = about(plan, "status", "open")["data"]
        assert (start["from"], start["path"]) == (fresh, [])
        path = about(plan, "status", "acknowledged")["data"]["path"]
        assert [step["to"] for step in path] == [working]
        path = about(plan, "status", "resolved")["data"]["path"]
        # Jira's workflow has no way from To Do straight to Done.
        assert [step["to"] for step in path] == ([working, done] if name == "jira" else [done])
        for severity in ("SEV-1", "SEV-2", "SEV-3", "SEV-4"):
            assert about(plan, "severity", severity)["verdict"] == "valid"
    closing = about(await planned(installation, "servicenow"), "status", "resolved")["data"]["path"][-1]
    assert {(need["field"], need["given_by"]) for need in closing["requires"]} == {
        ("close_code", "default"),
        ("close_notes", "default"),
    }
    for twin, since in mark.items():
        assert await twin.our_writes(since=since) == []


def _issue(title: str) -> Json:
    return {"project": "TST", "issuetype": {"name": "Incident"}, "summary": title}


async def test_what_an_empty_project_cannot_tell_is_said_as_not_checked(jira_only: Installation) -> None:
    plan = await planned(jira_only)
    assert plan["valid"]
    found = about(plan, "status", "resolved")
    assert found["verdict"] == "not_checked"
    assert "'To Do'" in found["message"]
    assert found["remediation"]


@pytest.mark.parametrize(
    ("sync", "part", "subject", "word"),
    [
        ({"statuses": {"mitigated": "Watching"}}, "status", "mitigated", "In Progress"),
        ({"statuses_in": {"Watching": "mitigated"}}, "status", "theirs Watching", "In Progress"),
        ({"statusses": {}}, "settings", "statusses", "statuses"),
        ({"statuses": {"mitigatd": "Done"}}, "settings", "statuses", ""),
        ({"severities": {"SEV-1": "VERY BAD"}}, "settings", "severities", ""),
        ({"fields": {"colour": {}}}, "settings", "fields", "assignee"),
        ({"create": [{"colour": ["red"]}]}, "settings", "create", "severity"),
        ({"transition_fields": {"Finished": {"resolution": "Done"}}}, "settings", "", "category:done"),
        ({"transition_fields": {"category:done": "Done"}}, "settings", "transition_fields", "resolution"),
    ],
)
async def test_a_slip_in_the_settings_is_rejected_with_the_next_step(
    jira_only: Installation, sync: Json, part: str, subject: str, word: str
) -> None:
    await change(jira_only, settings={"sync": sync})
    plan = await planned(jira_only)
    assert not plan["valid"]
    found = next(one for one in plan["findings"] if one["verdict"] == "rejected")
    assert (found["part"], subject or found["subject"]) == (part, found["subject"])
    assert word in found["remediation"] + found["message"]
    assert plan["counts"]["rejected"] == 1


async def test_fields_projects_and_types_that_the_instance_lacks(jira_only: Installation) -> None:
    config = dict(jira_only.integrations["jira"].provider_config)
    custom = [
        {"name": "reference", "project_id": "*", "provider_field_path": "customfield_10040"},
        {"name": "impact", "project_id": "*", "provider_field_path": "customfield_99999"},
    ]
    await change(jira_only, provider_config={**config, "custom_field_mappings": custom})
    plan = await planned(jira_only)
    assert about(plan, "custom field", "reference")["verdict"] == "valid"
    lacking = about(plan, "custom field", "impact")
    assert lacking["verdict"] == "rejected"
    assert "customfield_99999" in lacking["message"]

    await change(jira_only, provider_config={**config, "default_issue_type": "Outage"})
    found = about(await planned(jira_only), "place")
    assert found["verdict"] == "rejected"
    assert "Incident" in found["message"]
    await change(jira_only, provider_config={**config, "default_project": "NOPE"})
    found = about(await planned(jira_only), "place")
    assert found["verdict"] == "rejected"
    assert "NOPE" in found["message"]
    await change(jira_only, provider_config={**config, "default_project": ""})

    async def none_named() -> bool:
        found = about(await planned(jira_only), "place")
        return found["verdict"] == "rejected" and "default_project" in found["remediation"]

    await eventually(none_named, what="no default project")


def _done_asks_for(installation: Installation, field: str) -> None:
    """Let an administrator of the Jira twin put a required field on the screen of the move to Done."""
    project = next(one for one in _twin(installation).desk.site.projects.values() if one.key == "TST")
    project.transitions = tuple(
        replace(move, screen=(field,), required=frozenset({field})) if move.name == "Done" else move
        for move in project.transitions
    )


async def test_a_move_that_needs_a_field_which_nothing_gives(jira_only: Installation) -> None:
    installation, api = jira_only, jira_only.api
    _done_asks_for(installation, "customfield_10042")
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await api.act(key, "acknowledge")
    await installation.issue_when(ticket, status="In Progress")
    await installation.jira.act("create_issue", fields=_issue("a fresh one"))

    found = about(await planned(installation), "status", "resolved")
    assert found["verdict"] == "rejected"
    assert "Environment name" in found["message"]
    assert "customfield_10042" in found["remediation"]
    assert "Production, Staging, Test" in found["remediation"]

    # Whoever goes on all the same sees it on the incident, with the same words; nothing loops.
    await api.act(key, "resolve")

    async def told() -> bool:
        return (await api.link(key))["problem"] is not None

    await eventually(told, what="the sync problem")
    problem = (await api.link(key))["problem"]
    assert "Environment name" in problem["message"]
    assert problem["remediation"]
    await installation.quiet()
    assert await installation.jira.field(ticket, "status") == "In Progress"

    wrong = {"category:done": {"customfield_10042": "Moon"}}
    await change(installation, settings={"sync": {"transition_fields": wrong}})
    found = about(await planned(installation), "status", "resolved")
    assert found["verdict"] == "rejected"
    assert "'Moon'" in found["message"]

    right = {"category:done": {"Environment name": "Production"}}
    await change(installation, settings={"sync": {"transition_fields": right}})
    found = about(await planned(installation), "status", "resolved")
    assert found["verdict"] == "valid"
    need = found["data"]["path"][-1]["requires"][0]
    assert (need["value"], need["given_by"]) == ("Production", "settings")
    await api.note(key, "look again")
    await installation.issue_when(ticket, status="Done")
    assert await installation.jira.field(ticket, "customfield_10042")


async def test_people_without_a_counterpart(jira_only: Installation) -> None:
    installation, api, core = jira_only, jira_only.api, jira_only.core
    for name, email in (("ann", "ann@example.com"), ("bob", "bob@nowhere.example")):
        await installation.transaction(
            lambda tx, name=name, email=email: core.members.create(  # type: ignore[misc]
                tx, name=name, email=email, actor=OPERATOR
            )
        )
    key = await api.declare("login fails", commander={"email": "carol@nowhere.example"})
    plan = await planned(installation)
    assert plan["valid"]
    assert about(plan, "people", "ann@example.com")["verdict"] == "valid"
    assert about(plan, "people", "bob@nowhere.example")["verdict"] == "warning"
    assert key in about(plan, "people", "carol@nowhere.example")["message"]

    await api.patch(key, assignee={"email": "bob@nowhere.example"})
    found = about(await planned(installation), "people", "bob@nowhere.example")
    assert found["verdict"] == "rejected"
    assert key in found["message"]

    async def told() -> bool:
        link = await api.link(key)
        return link["problem"] is not None and "bob@nowhere.example" in link["problem"]["message"]

    await eventually(told, what="the sync problem about the person")
    await api.patch(key, assignee={"email": "ann@example.com"})
    await installation.quiet()
    assert (await api.link(key))["problem"] is None


async def test_texts_that_would_be_cut_or_lose_their_structure(vendors: Installation) -> None:
    installation, api = vendors, vendors.api
    await add_servicenow(installation, sync={"create": False})
    key = await api.declare(
        "x" * 200, description="# What we know\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n" + "word " * 1000
    )
    plan = await planned(installation, "servicenow")
    found = [one for one in plan["findings"] if (one["part"], one["subject"]) == ("text", key)]
    words = " ".join(one["message"] for one in found)
    assert {one["verdict"] for one in found} == {"warning"}
    for said in ("200 characters", "160", "4000", "headings", "tables"):
        assert said in words
    # Jira has room for both.
    plan = await planned(installation)
    assert {one["verdict"] for one in plan["findings"] if one["part"] == "text"} == {"valid"}


async def test_ten_megabytes_of_text_end_in_words_on_either_side(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    huge = "all is lost " * 900_000
    for length, status in ((200_000, 400), (1_500_000, 413)):
        answer = await api.request("POST", "/v1/incidents", json={"title": "x", "description": huge[:length]})
        assert answer.status_code == status
        assert answer.json()["remediation"]

    key = await api.declare("login fails", description="Since noon.")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    issue = next(one for one in _twin(installation).desk.site.issues.values() if one.key == ticket)
    # Past the vendor's own limit, as an import into it can do.
    content = [{"type": "paragraph", "content": [{"type": "text", "text": huge}]}]
    issue.values["description"] = {"type": "doc", "version": 1, "content": content}
    # No webhook of that size comes in; polling finds the change.
    await jira.fault({"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}})
    await jira.edit(ticket, summary="login fails in Europe")
    await installation.incident_when(key, title="login fails in Europe")
    assert (await api.incident(key))["description"] == "Since noon."
    told = [one for one in await api.timeline(key) if one["kind"] == "sync_refused"]
    assert [one["data"]["field"] for one in told] == ["description"]
    assert "characters" in told[0]["data"]["why"]
    assert "note" in told[0]["data"]["remediation"]
    await installation.quiet()


def _twin(installation: Installation) -> JiraTwin:
    twin = installation.sandbox.twin("jira")
    assert isinstance(twin, JiraTwin)
    return twin


@pytest.mark.parametrize("skew", [-110, 110])  # the Date header knows whole seconds only
async def test_a_clock_almost_two_minutes_off_is_said_and_loses_nothing(
    sqlite_path: Path, tmp_path: Path, skew: int
) -> None:
    url, ahead = f"sqlite:///{sqlite_path}", timedelta(seconds=-skew)
    async with running(url, tmp_path / "data", vendors=("jira",), ahead=ahead) as found:
        await _two_minutes_off(found, skew)


async def _two_minutes_off(installation: Installation, skew: int) -> None:
    api, jira = installation.api, installation.jira
    found = about(await planned(installation), "clock")
    assert found["verdict"] == "warning"
    assert ("ahead" if skew > 0 else "behind") in found["message"]
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await jira.fault({"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}})
    await jira.edit(ticket, summary="login fails in Europe")
    await installation.incident_when(key, title="login fails in Europe")
    await api.act(key, "acknowledge")
    await installation.issue_when(ticket, status="In Progress")
    chain = (await api("GET", f"/v1/incidents/{key}/why/title"))["chain"]
    assert [step["value"] for step in chain] == ["login fails in Europe", "login fails"]


async def test_a_credential_that_is_refused_leaves_nothing_unsaid(jira_only: Installation) -> None:
    config = dict(jira_only.integrations["jira"].provider_config)
    credential = {"type": "basic", "username": "admin@example.com", "secret": "wrong"}
    await change(jira_only, provider_config={**config, "credential": credential})

    async def refused() -> bool:
        return not (await planned(jira_only))["valid"]

    await eventually(refused, what="the new credential counts")
    plan = await planned(jira_only)
    assert about(plan, "connection")["data"]["code"] == "AUTH_FAILED"
    assert about(plan, "status")["verdict"] == "not_checked"


async def test_rights_that_are_missing_are_rejected(jira_only: Installation) -> None:
    config = dict(jira_only.integrations["jira"].provider_config)
    # The third account does not see OPS.
    credential = {"type": "basic", "username": "carol@example.com", "secret": "token3"}
    await change(jira_only, provider_config={**config, "default_project": "OPS", "credential": credential})

    async def refused() -> bool:
        return not (await planned(jira_only))["valid"]

    await eventually(refused, what="the new credential counts")
    assert about(await planned(jira_only), "rights")["verdict"] == "rejected"


async def test_severities_of_a_renamed_scheme(jira_only: Installation) -> None:
    site = _twin(jira_only).desk.site
    for ident, name in (("1", "Panic"), ("2", "High"), ("3", "Medium"), ("4", "Low"), ("5", "Lowest")):
        site.priorities[ident] = replace(site.priorities[ident], name=name)
    found = about(await planned(jira_only), "severity", "SEV-1")
    assert found["verdict"] == "warning"
    assert "Panic" in found["message"]
    await change(jira_only, settings={"sync": {"severities": {"SEV-1": "URGENT"}}})
    assert about(await planned(jira_only), "severity", "SEV-1")["verdict"] == "rejected"
    await change(jira_only, settings={"sync": {"severities": {"SEV-1": "HIGH"}}})
    assert about(await planned(jira_only), "severity", "SEV-1")["verdict"] == "valid"


async def test_only_who_may_verify_sees_a_plan_and_only_tickets_have_one(installation: Installation) -> None:
    viewer = await installation.client("viewer", name="looker")
    assert (await viewer.request("GET", "/v1/integrations/jira/plan")).status_code == 403
    assert (await viewer.request("GET", "/v1/integrations/jira/shadow")).status_code == 403
    answer = await installation.api.request("GET", "/v1/integrations/slack/plan")
    assert answer.status_code == 501
    assert (await installation.api.request("GET", "/v1/integrations/nothing/plan")).status_code == 404
