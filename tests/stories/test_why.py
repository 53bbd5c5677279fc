"""Every value of a field says how it came to be, and can be taken back: through real HTTP, with a real ticket on the other side."""

from __future__ import annotations

from tests.stories.installation import Installation
from tests.stories.people import Json, eventually


async def _no_polls(installation: Installation) -> None:
    """A poll that is quicker than the webhook tells no person: here the webhook has to be the one."""
    await installation.jira.fault({"match": {"path": "/search"}, "effect": {"kind": "status", "status": 503}})
    before = await installation.jira.last_seq()

    async def refused() -> bool:  # whatever poll had begun before is over: one job polls an integration
        return any(entry["status"] == 503 for entry in await installation.jira.calls(since=before))

    await eventually(refused, what="a poll that is refused")


async def _status_was_set(installation: Installation, key: str, wanted: str) -> Json:
    await installation.incident_when(key, status=wanted)
    answer: Json = await installation.api("GET", f"/v1/incidents/{key}/why/status")
    assert answer["value"] == wanted
    return answer


async def test_a_status_says_which_system_person_event_and_rule_set_it(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    declared = await api("GET", f"/v1/incidents/{key}/why/status")
    assert declared["current"]["declared"]
    assert declared["current"]["system"] == "callout"
    assert declared["replaced"] is None

    await _no_polls(installation)
    await jira.transition(ticket, "In Progress", by="ann@example.com")
    answer = await _status_was_set(installation, key, "acknowledged")
    current = answer["current"]
    assert (current["system"], current["channel"], current["ticket"]) == ("jira", "sync", ticket)
    assert current["actor"]["kind"] == "vendor_user"
    assert current["actor"]["name"].startswith("Ann")
    assert current["rule"] == "only_theirs_changed"
    assert current["rule_words"]
    assert current["cause"].startswith("webhook:")
    assert current["link_id"] == (await api.link(key))["id"]
    assert answer["replaced"]["value"] == "open"
    assert answer["replaced"]["declared"]
    # The webhook that it names is one that came in.
    known = await installation.rows(f"inbound_event WHERE id = '{current['cause'].removeprefix('webhook:')}'")
    assert known == 1
    await jira.fault()

    await api.act(key, "resolve")
    await installation.quiet()
    answer = await _status_was_set(installation, key, "resolved")
    assert [step["value"] for step in answer["chain"]] == ["resolved", "acknowledged", "open"]
    assert answer["current"]["channel"] == "api"
    assert answer["current"]["actor"]["name"] == "stories"
    assert answer["current"]["actions"] == ["resolve"]
    (said,) = answer["tickets"]
    assert (said["integration"], said["ticket"]) == ("jira", ticket)
    assert said["last_said"] == "Done|done"
    assert said["agreed"] == {"ours": "resolved", "theirs": "Done|done"}
    assert said["pending"] is None
    assert said["conflict"] is None


async def test_a_text_that_is_read_again_still_names_the_person_who_edited_it(
    jira_only: Installation,
) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails", description="Nobody can log in.")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await _no_polls(installation)
    await jira.edit(ticket, by="ann@example.com", description="Nobody in Europe can log in.")
    await installation.incident_when(key, description="Nobody in Europe can log in.")
    current = (await api("GET", f"/v1/incidents/{key}/why/description"))["current"]
    assert current["actor"]["name"].startswith("Ann")
    assert current["cause"].startswith("webhook:")


async def test_a_lost_webhook_is_said_to_have_been_found_by_polling(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await jira.fault({"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}})
    await jira.edit(ticket, summary="login fails for everybody")
    await installation.incident_when(key, title="login fails for everybody")
    current = (await api("GET", f"/v1/incidents/{key}/why/title"))["current"]
    assert current["cause"]
    assert not current["cause"].startswith("webhook:")
    assert current["system"] == "jira"


async def test_taking_back_a_sync_write_is_an_edit_that_syncs_too(no_chat: Installation) -> None:
    installation, api, jira = no_chat, no_chat.api, no_chat.jira
    key = await api.declare("login fails", severity="SEV-2")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await jira.edit(ticket, summary="never mind")
    await installation.incident_when(key, title="never mind")
    seen = (await api("GET", f"/v1/incidents/{key}/why/title"))["current"]["change_id"]

    back = await api("POST", f"/v1/incidents/{key}/why/title/revert", {"change_id": seen})
    assert back["title"] == "login fails"
    await installation.issue_when(ticket, summary="login fails")
    answer = await api("GET", f"/v1/incidents/{key}/why/title")
    assert answer["current"]["takes_back"] == seen
    assert answer["current"]["actor"]["name"] == "stories"
    assert [step["value"] for step in answer["chain"]] == ["login fails", "never mind", "login fails"]

    # Somebody looked before that: what they saw is not what would be taken back now.
    stale = await api.request("POST", f"/v1/incidents/{key}/why/title/revert", json={"change_id": seen})
    assert stale.status_code == 409
    assert stale.json()["remediation"]
    await installation.quiet()
    assert (await api.incident(key))["title"] == "login fails"


async def test_a_status_is_taken_back_through_the_life_cycle(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await api.act(key, "acknowledge")
    await installation.issue_when(ticket, status="In Progress")
    await jira.transition(ticket, "Done")
    await installation.incident_when(key, status="resolved")
    await api("POST", f"/v1/incidents/{key}/why/status/revert", {})
    assert (await api.incident(key))["status"] == "acknowledged"
    await installation.issue_when(ticket, status="In Progress")


async def test_what_cannot_be_explained_or_taken_back_is_said_in_words(jira_only: Installation) -> None:
    api = jira_only.api
    key = await api.declare("login fails", commander={"email": "ann@example.com"})
    unknown = await api.request("GET", f"/v1/incidents/{key}/why/colour")
    assert unknown.status_code == 400
    assert "status" in unknown.json()["remediation"]
    fresh = await api.request("POST", f"/v1/incidents/{key}/why/title/revert", json={})
    assert fresh.status_code == 409
    assert (await api.request("GET", "/v1/incidents/INC-99/why/title")).status_code == 404
    viewer = await jira_only.client("viewer", name="looker")
    assert (await viewer("GET", f"/v1/incidents/{key}/why/commander"))["value"]["email"] == "ann@example.com"
    refused = await viewer.request("POST", f"/v1/incidents/{key}/why/title/revert", json={})
    assert refused.status_code == 403


async def test_a_priority_that_was_merged_away_says_by_which_rule(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    one = await installation.add_jira(
        "ops", project="OPS", sync={"fields": {"severity": {"resolution": "external"}}}
    )
    await eventually(lambda: _has(installation, one.id), what="the second integration")
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key, "ops")
    await installation.quiet()
    await installation.pause("integration", one.id)
    await api.patch(key, severity="SEV-2")
    await jira.edit(ticket, priority={"name": "Highest"})
    await installation.resume("integration", one.id)
    await installation.incident_when(key, severity="SEV-1")
    answer = await api("GET", f"/v1/incidents/{key}/why/severity")
    assert answer["current"]["rule"] == "external_wins"
    assert {view["integration"] for view in answer["tickets"]} == {"jira", "ops"}


async def _has(installation: Installation, integration_id: str) -> bool:
    return await installation.wired.connections.door(integration_id) is not None
