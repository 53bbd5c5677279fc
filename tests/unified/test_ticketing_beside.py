"""Incident response and capabilities by the SDK, and our own routes beside the contract."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from synqly.engine import NotFoundError
from synqly.engine import NotImplementedError as Unsupported
from synqly.management import NotFoundError as NoSuchProvider

from callout.ports.filtering import ORDER_FIELDS
from callout.sync.making import is_ours
from tests.server.desk import problem_of
from tests.unified.test_ticketing_faults import people, send
from tests.unified.test_ticketing_operations import EVERYTHING, PROVIDERS, Provider, connected, each_provider

if TYPE_CHECKING:
    from tests.unified.sdk import Connected, Sdk


def response_config(sdk: Sdk) -> dict[str, Any]:
    return {
        "type": "incidentresponse_pagerduty",
        "url": sdk.twin("pagerduty"),
        "credential": {"type": "token", "secret": "pd-key-0000000000000"},
    }


async def ours(sdk: Sdk, one: Connected, path: str, **params: str) -> Any:
    answer = await sdk.http.get(
        f"{sdk.url}{path}", params=params, headers={"authorization": f"Bearer {one.token}"}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["result"]


async def test_policies_of_incident_response_are_told_in_milliseconds(sdk: Sdk) -> None:
    api = (await sdk.connect(response_config(sdk))).engine.incidentresponse
    page = await api.query_escalation_policies(limit=1)
    policy = page.result[0]
    assert policy.escalation_rules
    assert all(
        rule.escalation_delay % 60_000 == 0 and rule.escalation_delay for rule in policy.escalation_rules
    )
    assert all(rule.targets for rule in policy.escalation_rules)
    users = (await api.query_escalation_policy_users_on_call(policy.uid)).result
    assert users
    assert {one["type"] for one in sdk.raw["result"]} <= {
        "incident_response_user",
        "incident_response_user_reference",
    }
    with pytest.raises(NotFoundError):
        await api.query_escalation_policy_users_on_call("PNOTHING")


async def test_a_token_opens_the_operations_of_its_category_only(sdk: Sdk) -> None:
    response = (await sdk.connect(response_config(sdk), name="response")).engine
    with pytest.raises(Unsupported):
        await response.ticketing.query_tickets()
    tickets = (await connected(sdk, PROVIDERS[-1])).engine
    with pytest.raises(Unsupported):
        await tickets.incidentresponse.query_escalation_policies()


@each_provider
async def test_capabilities_are_what_the_provider_does(sdk: Sdk, provider: Provider) -> None:
    api = sdk.management.capabilities
    told = (await api.get_provider(provider.type, expand=["operations", "provider_config"])).result
    supported = {one.name for one in told.operations if one.supported}
    assert {one.name for one in told.operations} == EVERYTHING
    assert supported == provider.can
    assert told.operations[0].id == f"ticketing_{told.operations[0].name}"
    assert told.provider_config["properties"]["type"] == {"const": provider.type}
    one = await connected(sdk, provider)
    own = await ours(sdk, one, "/v1/ticketing/capabilities")
    assert {o["name"] for o in own["operations"] if o["supported"]} == provider.can


async def test_capabilities_are_listed(sdk: Sdk) -> None:
    api = sdk.management.capabilities
    categories = (await api.list_connectors(expand="providers")).result
    assert {one.id for one in categories} >= {"ticketing", "incidentresponse"}
    listed = (await api.list_providers(expand=["connector", "operations"])).result
    names = {one.id for one in listed}
    assert {provider.type for provider in PROVIDERS} | {"incidentresponse_pagerduty"} <= names
    assert {name for one in categories for name in one.provider_ids} == names
    with pytest.raises(NoSuchProvider):
        await api.get_provider("ticketing_nothing")


@each_provider
async def test_forms_moves_and_people_are_told(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    ticket = (await one.engine.ticketing.create_ticket(name="moved")).result
    form = await ours(sdk, one, "/v1/ticketing/create-form")
    assert form["project"] == ticket.project
    assert any(field["required"] for field in form["fields"])
    assert provider.done in [status["name"] for status in form["statuses"]]
    moves = await ours(sdk, one, f"/v1/ticketing/tickets/{ticket.id}/transitions")
    assert moves
    assert {"id", "name", "to_status", "to_category", "fields"} <= set(moves[0])
    found = await ours(sdk, one, "/v1/ticketing/people", email="admin@example.com")
    assert [person["email"] for person in found] == ["admin@example.com"]
    assert isinstance(sdk.answers[-1], httpx.Response)


@pytest.mark.parametrize("name", ["ticketing_jira", "ticketing_pagerduty"])
async def test_the_provider_is_told_to_send_its_webhooks_here(sdk: Sdk, name: str) -> None:
    provider = next(one for one in PROVIDERS if one.type == name)
    one = await connected(sdk, provider)
    api = one.engine.integration_webhooks
    assert (await api.list_webhooks()).result == []
    project = one.integration.provider_config["default_project"]
    made = (await api.create_webhook(project=project)).result
    assert made.enabled
    assert made.value == f"{sdk.url}/v1/hooks/{one.integration.id}"
    listed = await api.list_webhooks()
    assert [hook.id for hook in listed.result] == [made.id]
    assert one.integration.hook_token.reveal() in listed.url
    core = sdk.installation.core
    kept = await core.database.read(
        lambda tx: core.integrations.get(tx.account(one.integration.account_id), one.integration.id)
    )
    assert kept.webhook_config is not None
    assert kept.webhook_config["provider_key"].reveal()
    # What is signed with the key that was stored is taken.
    await one.engine.ticketing.create_ticket(name="told by a webhook")
    assert {attempt["status"] for attempt in await people(sdk, provider).drain()} == {202}
    assert (await api.create_webhook(project=project)).result.id != made.id
    assert len((await api.list_webhooks()).result) == 1
    await api.delete_webhook()
    assert (await api.list_webhooks()).result == []
    with pytest.raises(NotFoundError):
        await api.delete_webhook()


async def test_webhooks_that_no_api_sets_up_are_shown_where_to_send(sdk: Sdk) -> None:
    servicenow = next(one for one in PROVIDERS if one.type == "ticketing_servicenow")
    api = (await connected(sdk, servicenow)).engine.integration_webhooks
    listed = await api.list_webhooks()
    assert listed.result == []
    assert "token=" in listed.url
    with pytest.raises(Unsupported):
        await api.create_webhook(project="incident")
    with pytest.raises(Unsupported):
        await (await connected(sdk, PROVIDERS[0])).engine.integration_webhooks.list_webhooks()


async def passed(sdk: Sdk, one: Connected, method: str, path: str, **more: Any) -> httpx.Response:
    body = {"method": method, "path": path, **more}
    return await send(sdk, one, "POST", "/v1/ticketing/pass-through", json=body)


async def test_the_providers_own_api_is_called_only_where_an_operator_allowed_it(sdk: Sdk) -> None:
    jira, me = sdk.config("ticketing_jira"), "/rest/api/3/myself"
    closed = await sdk.connect(jira, name="closed")
    said = problem_of(await passed(sdk, closed, "GET", me), 403, "forbidden")
    assert "pass_through" in said["remediation"]
    reading = await sdk.connect(jira, name="reading", settings={"ticketing": {"pass_through": "read"}})
    told = (await passed(sdk, reading, "GET", me, query={"expand": ["groups"]})).json()["result"]
    assert told["status"] == 200
    assert told["body"]["emailAddress"] == "admin@example.com"
    missing = (await passed(sdk, reading, "GET", "/rest/api/3/issue/TST-99999")).json()["result"]
    assert (missing["status"], bool(missing["body"]["errorMessages"])) == (404, True)
    problem_of(await passed(sdk, reading, "DELETE", "/rest/api/3/issue/TST-1"), 403, "forbidden")

    writing = await sdk.connect(jira, name="writing", settings={"ticketing": {"pass_through": "write"}})
    issue = {"fields": {"project": {"key": "TST"}, "issuetype": {"name": "Task"}, "summary": "own"}}
    made = (await passed(sdk, writing, "POST", "/rest/api/3/issue", body=issue)).json()["result"]
    assert made["status"] == 201
    assert (await writing.engine.ticketing.get_ticket(made["body"]["key"])).result.summary == "own"
    account, core = closed.integration.account_id, sdk.installation.core
    entries = await core.database.read(
        lambda tx: core.audit.entries(tx.account(account), subject_type="provider")
    )
    assert [entry.data["path"] for entry in entries] == ["/rest/api/3/issue"]
    for path in (
        "https://elsewhere.example/x",
        "//elsewhere.example/x",
        "/rest/../../secret",
        "/rest/%2e%2e/secret",
        "/rest/%252e%252e/secret",
        "/rest\\x",
        "/rest?x=1",
        "rest",
        "/rest/\n",
        "/a@elsewhere//b",
    ):
        problem_of(await passed(sdk, writing, "GET", path), 400, "invalid-request")
    problem_of(await passed(sdk, writing, "TRACE", me), 400, "invalid-request")


@pytest.mark.parametrize(
    ("name", "path"),
    [("ticketing_servicenow", "/api/now/table/sys_user"), ("ticketing_pagerduty", "/users")],
)
async def test_other_providers_can_be_called_too(sdk: Sdk, name: str, path: str) -> None:
    one = await sdk.connect(sdk.config(name), settings={"ticketing": {"pass_through": "read"}})
    assert (await passed(sdk, one, "GET", path)).json()["result"]["status"] == 200


@pytest.mark.parametrize(
    "provider", [one for one in PROVIDERS if "mock" not in one.type], ids=lambda one: one.type
)
async def test_people_and_teams_are_listed(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    seen: list[str] = []
    cursor = ""
    while True:
        params = {"query": "admin", "limit": "1", **({"cursor": cursor} if cursor else {})}
        page = (await send(sdk, one, "GET", "/v1/ticketing/people", params=params)).json()
        seen += [person["email"] for person in page["result"]]
        cursor = page["cursor"]
        if not cursor:
            break
    assert "admin@example.com" in seen
    assert len(seen) == len(set(seen))
    assert await ours(sdk, one, "/v1/ticketing/people", query="nobody of that name") == []
    wrong = await send(sdk, one, "GET", "/v1/ticketing/people", params={"cursor": "x"})
    problem_of(wrong, 400, "invalid-cursor")
    answer = await send(sdk, one, "GET", "/v1/ticketing/teams")
    if provider.type == "ticketing_jira":
        problem_of(answer, 501, "operation-not-supported")
    else:
        assert all(team["id"] and team["name"] for team in answer.json()["result"])
        assert answer.json()["result"]


async def test_a_ticket_that_a_program_made_may_become_an_incident_as_any_other(sdk: Sdk) -> None:
    jira = next(one for one in PROVIDERS if one.type == "ticketing_jira")
    one = await connected(sdk, jira)
    made = (await one.engine.ticketing.create_ticket(name="made by a program")).result
    connector = await sdk.installation.wired.connections.provider(
        one.integration.account_id, one.integration.id
    )
    ticket = await connector.get_ticket(made.id)
    assert any(mark.startswith("callout-") for mark in ticket.marks)
    assert not is_ours(ticket)


async def test_service_management_is_a_provider_as_well(sdk: Sdk) -> None:
    one = await sdk.connect(sdk.config("ticketing_jira_service_management"))
    api = one.engine.ticketing
    made = (await api.create_ticket(name="I cannot log in", description="since today")).result
    assert (await api.get_ticket(made.id)).result.summary == "I cannot log in"
    await api.create_comment(made.id, content="for us")
    assert sdk.raw["result"]["audience"] == "responders"
    answer = await send(
        sdk,
        one,
        "POST",
        f"/v1/ticketing/tickets/{made.id}/comments",
        json={"content": "Hello", "audience": "customer"},
    )
    assert answer.json()["result"]["audience"] == "customer"
    assert [note.content for note in (await api.list_comments(made.id)).result] == ["for us", "Hello"]
    assert [found.id for found in (await api.query_tickets(filter="summary[like]log in")).result] == [made.id]


@each_provider
async def test_what_capabilities_say_of_filters_and_orders_is_true(sdk: Sdk, provider: Provider) -> None:
    one = await connected(sdk, provider)
    await one.engine.ticketing.create_ticket(name="any")
    ticket = sdk.raw["result"]
    told = await ours(sdk, one, "/v1/ticketing/capabilities")
    [query] = [found for found in told["operations"] if found["name"] == "query_tickets"]
    for name in ORDER_FIELDS:
        answer = await send(sdk, one, "GET", "/v1/ticketing/tickets", params={"order": name})
        known = name in {found["name"] for found in query["orders"]}
        assert answer.status_code == (200 if known else 400), (name, answer.text)
    kinds = {"datetime": "2026-01-01T00:00:00Z", "enum": "HIGH"}
    for found in query["filters"]:
        # A name that the provider does not know (a type of issues, a parent) it may refuse.
        own = {**ticket, "parent": ticket["key"]}
        value = kinds.get(found["type"]) or own.get(found["name"]) or "x"
        text = f"{found['name']}[eq]{value if isinstance(value, str) else 'x'}"
        answer = await send(sdk, one, "GET", "/v1/ticketing/tickets", params={"filter": text})
        assert answer.status_code == 200, (text, answer.text)
