"""What tickets need to be resolved: asked for in the form, sent with the move, said at the field where it is wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from callout.sandbox.jira.twin import JiraTwin
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Json, eventually
from tests.stories.vendors import add_servicenow, settled

PLACE = "customfield_10042"
"""Environment name: Production, Staging, Test."""


@pytest.fixture
async def three(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Jira, ServiceNow and Slack."""
    url = f"sqlite:///{sqlite_path}"
    async with running(url, tmp_path / "data", twins=("jira", "slack", "servicenow")) as found:
        yield found


def twin_of(installation: Installation) -> JiraTwin:
    twin = installation.sandbox.twin("jira")
    assert isinstance(twin, JiraTwin)
    return twin


def done_asks_for(installation: Installation, field: str) -> None:
    """Let an administrator of the Jira twin put a required field on the screen of the move to Done."""
    project = next(one for one in twin_of(installation).desk.site.projects.values() if one.key == "TST")
    project.transitions = tuple(
        replace(move, screen=(field,), required=frozenset({field})) if move.name == "Done" else move
        for move in project.transitions
    )


async def in_progress(installation: Installation) -> tuple[str, str]:
    """Return an incident that is acknowledged and its ticket, which follows."""
    key = await installation.api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.api.act(key, "acknowledge")
    await installation.issue_when(ticket, status="In Progress")
    return key, ticket


async def needs_of(installation: Installation, key: str, integration: str = "jira", **query: str) -> Json:
    """Return the needs of one ticket by field, once they are known."""

    async def known() -> Json:
        found: list[Json] = await installation.api("GET", f"/v1/incidents/{key}/needs", params=query)
        one = next(one for one in found if one["integration"] == integration)
        assert one["known"], found
        return {field["field"]: field for field in one["fields"]}

    return await eventually(known, what=f"what {key} needs in {integration}")


async def open_form(installation: Installation, key: str, *, user: str = "U0BOB") -> Json:
    """Press Resolve on the card of an incident; returns the fields of the form by their names."""
    await installation.quiet()
    slack = installation.slack
    cards = [one for one in await slack.messages("incidents") if key in str(one) and one.get("blocks")]
    where: Json = {"user": user, "channel": "C0INCIDENTS", "ts": cards[0]["ts"]}
    await slack.act("press_button", **where, action_id="form.resolve")

    async def there() -> Json:
        modal: Json = (await slack.act("sees", user=user))["modal"] or {}
        assert modal.get("title", {}).get("text") == "Resolve"
        return {block["block_id"]: block for block in modal["blocks"] if block["type"] == "input"}

    return await eventually(there, what="the form")


async def submit(installation: Installation, values: Json, *, user: str = "U0BOB") -> Json:
    return await installation.slack.act("submit_view", user=user, values=values)


async def test_a_value_chosen_in_the_form_is_sent_with_the_move(installation: Installation) -> None:
    done_asks_for(installation, PLACE)
    key, ticket = await in_progress(installation)
    need = (await needs_of(installation, key))[PLACE]
    assert (need["name"], need["label"], need["missing"]) == (f"jira.{PLACE}", "Environment name", True)
    assert [one["label"] for one in need["choices"]] == ["Production", "Staging", "Test"]

    fields = await open_form(installation, key)
    block = fields[f"jira.{PLACE}"]
    assert block["label"]["text"] == f"Environment name ({ticket})"
    assert block["optional"] is False
    assert block["element"]["type"] == "static_select"
    staging = next(one["value"] for one in need["choices"] if one["label"] == "Staging")
    # Jira is away meanwhile: the incident is resolved at once, and the value arrives with the move later.
    await installation.jira.fault({"match": {"path": "/rest/"}, "effect": {"kind": "status", "status": 503}})
    done = await submit(installation, {"note": "moved it", f"jira.{PLACE}": staging})
    assert done["outcome"] == "closed"
    await installation.incident_when(key, status="resolved")
    assert "moved it" in await installation.api.notes(key)
    [line] = [one for one in await installation.api.timeline(key) if one["kind"] == "ticket_fields_given"]
    assert line["data"]["fields"] == {"Environment name": "Staging"}
    assert line["actor"]["name"].lower().startswith("bob")

    async def waiting() -> bool:
        return (await installation.api.link(key))["problem"] is not None

    await eventually(waiting, what="the trouble with Jira")
    await installation.jira.fault()
    await installation.skip(61)
    await installation.issue_when(ticket, status="Done")
    assert (await installation.jira.issue(ticket))["fields"][PLACE]["value"] == "Staging"
    await installation.quiet()
    # Nothing is left for the next time.
    await installation.api.act(key, "reopen")
    await installation.quiet()
    again = (await needs_of(installation, key))[PLACE]
    assert (again["given_by"], again["missing"]) == ("", True)


async def test_a_choice_that_is_gone_is_said_at_its_field(on_sqlite: Installation) -> None:
    installation = on_sqlite
    done_asks_for(installation, PLACE)
    key, ticket = await in_progress(installation)
    need = (await needs_of(installation, key))[PLACE]
    staging, test = (
        next(one["value"] for one in need["choices"] if one["label"] == name) for name in ("Staging", "Test")
    )
    await open_form(installation, key)
    # While the form is open an administrator takes the choice away, and somebody plans.
    site = twin_of(installation).desk.site
    site.fields[PLACE] = replace(
        site.fields[PLACE], options=tuple(one for one in site.fields[PLACE].options if one.id != staging)
    )
    await installation.skip(600)
    await installation.api("GET", "/v1/integrations/jira/plan")
    wrong = await submit(installation, {f"jira.{PLACE}": staging})
    assert (wrong["outcome"], set(wrong["errors"])) == ("errors", {f"jira.{PLACE}"})
    assert "choose one of: Production, Test" in wrong["errors"][f"jira.{PLACE}"]
    assert (await installation.api.incident(key))["status"] == "acknowledged"
    done = await submit(installation, {f"jira.{PLACE}": test})
    assert done["outcome"] == "closed"
    await installation.issue_when(ticket, status="Done")
    assert (await installation.jira.issue(ticket))["fields"][PLACE]["value"] == "Test"
    await installation.quiet()


async def test_close_code_and_notes_from_the_form(three: Installation) -> None:
    installation = three
    _, snow = await add_servicenow(installation)
    key = await installation.api.declare("login fails")
    await installation.ticket_of(key, "servicenow")
    found = await needs_of(installation, key, "servicenow")
    assert {name: one["given_by"] for name, one in found.items()} == {
        "close_code": "default",
        "close_notes": "default",
    }
    fields = await open_form(installation, key)
    assert fields["servicenow.close_code"]["optional"] is True
    initial = fields["servicenow.close_code"]["element"]["initial_option"]["text"]["text"]
    assert initial == found["close_code"]["value"]
    other = next(
        one for one in found["close_code"]["choices"] if one["label"] != found["close_code"]["value"]
    )
    values = {"servicenow.close_code": other["value"], "servicenow.close_notes": "Restarted the pool."}
    assert (await submit(installation, values))["outcome"] == "closed"
    link = await installation.api.link(key, "servicenow")

    async def closed() -> Json:
        record = await snow.record(link["ticket_id"])
        assert record["state"] == "Resolved", record["state"]
        return record

    record = await eventually(closed, what="the record is resolved")
    assert (record["close_code"], record["close_notes"]) == (other["label"], "Restarted the pool.")
    await settled(installation, snow)


async def test_a_refused_move_names_the_way_and_takes_it(jira_only: Installation) -> None:
    installation, api = jira_only, jira_only.api
    done_asks_for(installation, PLACE)
    key, ticket = await in_progress(installation)
    await needs_of(installation, key)
    await api.act(key, "resolve")

    async def told() -> Json:
        problem: Json = (await api.link(key))["problem"]
        assert problem is not None
        return problem

    problem = await eventually(told, what="the problem")
    assert f'callout incident act {key} resolve --field "jira.{PLACE}=..."' in problem["remediation"]

    async def give(fields: Json) -> Any:
        body = {"action": "resolve", "fields": fields}
        return await api.request("POST", f"/v1/incidents/{key}/actions", json=body)

    wrong = await give({"jira": {PLACE: "Moon"}})
    assert wrong.status_code == 400
    assert "Production, Staging, Test" in str(wrong.json())
    assert (await give({ticket: {"Environment name": "production"}})).status_code == 200
    await installation.issue_when(ticket, status="Done")
    assert (await installation.jira.issue(ticket))["fields"][PLACE]["value"] == "Production"
    await installation.quiet()
    assert (await api.link(key))["problem"] is None


async def test_settings_are_shown_and_a_person_wins_over_them(jira_only: Installation) -> None:
    installation = jira_only
    done_asks_for(installation, PLACE)
    one = installation.integrations["jira"]
    sync = {"transition_fields": {"category:done": {"Environment name": "Production"}}}
    await installation.in_account(
        lambda tx: installation.core.integrations.update(
            tx, one.id, changes={"settings": {"sync": sync}}, actor=OPERATOR
        )
    )
    key, ticket = await in_progress(installation)
    need = (await needs_of(installation, key))[PLACE]
    assert (need["value"], need["given_by"], need["missing"]) == ("Production", "settings", False)
    body = {"action": "resolve", "fields": {"jira": {PLACE: "Test"}}}
    await installation.api("POST", f"/v1/incidents/{key}/actions", body)
    await installation.issue_when(ticket, status="Done")
    assert (await installation.jira.issue(ticket))["fields"][PLACE]["value"] == "Test"
    await installation.quiet()
