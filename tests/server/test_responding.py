"""The catalogue, service levels, policies and calls over REST."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.server.desk import OPERATOR, problem_of

if TYPE_CHECKING:
    from tests.server.desk import Desk

RULES = {"rules": [{"severity": "SEV-1", "acknowledge": "5m"}]}
POLICIES: dict[str, Any] = {
    "policies": {"urgent": {"steps": [{"targets": ["ann"]}, {"after": "10m", "targets": ["#incidents"]}]}},
    "default": {"SEV-1": "urgent"},
}


async def add_ann(desk: Desk) -> None:
    async def unit(tx: Any) -> None:
        await desk.core.members.create(
            tx, actor=OPERATOR, name="ann", fullname="Ann", email="ann@example.com"
        )

    await desk.core.database.transaction(unit)


async def test_a_team_and_its_service(desk: Desk) -> None:
    await add_ann(desk)
    team = await desk.api(
        "POST", "/v1/teams", {"name": "Payments", "members": ["ann@example.com"]}, status=201
    )
    assert len(team["members"]) == 1
    assert await desk.api("GET", "/v1/teams/payments") == team
    service = await desk.api(
        "POST", "/v1/services", {"name": "checkout", "team": "payments", "severity": "1"}, status=201
    )
    assert (service["team"], service["severity"]) == ("Payments", "SEV-1")
    changed = await desk.api("PATCH", "/v1/services/checkout", {"severity": None, "channel": "#pay"})
    assert (changed["severity"], changed["channel"]) == (None, "pay")
    assert [one["name"] for one in await desk.api("GET", "/v1/services")] == ["checkout"]
    await desk.api("DELETE", "/v1/services/checkout", status=204)
    await desk.api("PATCH", f"/v1/teams/{team['id']}", {"members": []})
    assert (await desk.api("GET", "/v1/teams"))[0]["members"] == []
    await desk.api("DELETE", "/v1/teams/Payments", status=204)
    missing = problem_of(await desk.api.request("GET", "/v1/teams/payments"), 404)
    assert "no team 'payments'" in missing["message"]


async def test_a_taken_name_is_a_conflict_and_an_unknown_member_is_refused(desk: Desk) -> None:
    await desk.api("POST", "/v1/teams", {"name": "x"}, status=201)
    problem_of(await desk.api.request("POST", "/v1/teams", json={"name": "X"}), 409)
    said = problem_of(
        await desk.api.request("POST", "/v1/teams", json={"name": "y", "members": ["bob"]}), 400
    )
    assert "no member 'bob'" in said["message"]


async def test_an_incident_begins_with_what_its_service_says(desk: Desk) -> None:
    await desk.api("POST", "/v1/teams", {"name": "payments"}, status=201)
    await desk.api(
        "POST", "/v1/services", {"name": "checkout", "team": "payments", "severity": "SEV-1"}, status=201
    )
    one = await desk.api.incident(await desk.api.declare(service="Checkout"))
    assert (one["service"], one["team"], one["severity"]) == ("checkout", "payments", "SEV-1")
    one = await desk.api.incident(await desk.api.declare(service="checkout", severity="SEV-4", team="mine"))
    assert (one["team"], one["severity"]) == ("mine", "SEV-4")


async def test_rules_are_read_replaced_and_held_against_their_version(desk: Desk) -> None:
    built_in = await desk.api("GET", "/v1/sla")
    assert built_in["version"] == 0
    assert built_in["document"]["rules"][0]["acknowledge"] == "15m"
    written = await desk.api("PUT", "/v1/sla", {"document": RULES, "version": 0})
    assert written == {"document": RULES, "version": 1}
    assert await desk.api("GET", "/v1/sla") == written
    stale = await desk.api.request("PUT", "/v1/sla", json={"document": RULES, "version": 0})
    assert "at version 1" in problem_of(stale, 409)["message"]
    wrong = await desk.api.request("PUT", "/v1/sla", json={"document": {"rules": [{"acknowlege": "5m"}]}})
    assert "Did you mean acknowledge?" in problem_of(wrong, 400)["remediation"]
    key = await desk.api.declare(severity="SEV-1")
    [clock] = await desk.api("GET", f"/v1/incidents/{key}/sla")
    assert (clock["clock"], clock["state"], clock["limit"]) == ("acknowledge", "running", "5m")
    await desk.api.act(key, "acknowledge")
    [clock] = await desk.api("GET", f"/v1/incidents/{key}/sla")
    assert clock["state"] == "met"


async def test_policies_are_replaced_and_their_next_step_taken(desk: Desk) -> None:
    unknown = await desk.api.request("PUT", "/v1/escalation", json={"document": POLICIES})
    assert "'ann'" in problem_of(unknown, 400)["message"]
    assert (await desk.api("GET", "/v1/escalation"))["version"] == 0
    await add_ann(desk)
    assert (await desk.api("PUT", "/v1/escalation", {"document": POLICIES}))["version"] == 1
    key = await desk.api.declare(severity="SEV-1")
    [page] = await desk.api("POST", f"/v1/incidents/{key}/escalate", {"reason": "it burns"})
    assert (page["who"], page["state"]) == ("Ann", "pending")
    shown = await desk.api("GET", f"/v1/incidents/{key}/escalation")
    assert shown["escalation"]["steps_done"] == 1
    assert shown["pages"] == [page]
    [page] = await desk.api("POST", f"/v1/incidents/{key}/page", {"target": "ann"})
    assert page["who"] == "Ann"
    said = await desk.api.request("POST", f"/v1/incidents/{key}/page", json={"target": "anm"})
    assert "Did you mean Ann?" in problem_of(said, 400)["remediation"]
    kinds = [line["kind"] for line in await desk.api.timeline(key)]
    assert kinds == ["declared", "escalated", "paged"]


async def test_teams_rules_and_policies_of_one_account_are_not_those_of_another(desk: Desk) -> None:
    await add_ann(desk)
    await desk.add_account("other")
    there = {"account": "other"}
    here = {"account": "default"}
    await desk.api("POST", "/v1/teams", {"name": "payments"}, params=here, status=201)
    await desk.api("PUT", "/v1/sla", {"document": RULES}, params=here)
    await desk.api("PUT", "/v1/escalation", {"document": POLICIES}, params=here)
    assert await desk.api("GET", "/v1/teams", params=there) == []
    assert (await desk.api("GET", "/v1/sla", params=there))["version"] == 0
    assert (await desk.api("GET", "/v1/escalation", params=there))["version"] == 0


async def test_responders_call_people_and_change_no_policy(desk: Desk) -> None:
    await add_ann(desk)
    await desk.api("PUT", "/v1/escalation", {"document": POLICIES})
    responder = await desk.client("member")
    key = await desk.api.declare(severity="SEV-1")
    assert await responder("POST", f"/v1/incidents/{key}/page", {"target": "ann"})
    for path, body in (("/v1/sla", RULES), ("/v1/escalation", POLICIES)):
        problem_of(await responder.request("PUT", path, json={"document": body}), 403)
    problem_of(await responder.request("POST", "/v1/teams", json={"name": "x"}), 403)
