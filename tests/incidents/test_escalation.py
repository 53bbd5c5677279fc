"""Who is called when nobody answers, on both databases, with real timers."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from callout.incidents.escalation.pages import PageState
from callout.kit.clock import ManualClock
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.ports.values import Audience, Person
from callout.storage import Database
from tests.incidents.response_lab import ANN, ResponseLab

TWO_STEPS = {
    "urgent": {
        "steps": [
            {"after": "5m", "targets": ["person:ann"]},
            {"after": "10m", "targets": ["team:payments", "#critical-incidents"]},
        ]
    }
}


@pytest.fixture
async def lab(database: Database, clock: ManualClock) -> ResponseLab:
    """An account with people, a team, two steps for SEV-1, and no service levels."""
    lab = ResponseLab(database, clock)
    for name in ("ann", "bob", "cat"):
        await lab.member(name)
    await lab.tx(
        lambda tx: lab.catalogue.add_team(
            tx, {"name": "payments", "members": ["bob", "cat@example.com"]}, ANN
        )
    )
    await lab.rules()
    await lab.policies(TWO_STEPS, SEV_1="urgent")
    return lab


async def who(lab: ResponseLab, key: str = "INC-1") -> list[str]:
    return [
        f"{page.callee.who}: {page.state}" for page in await lab.tx(lambda tx: lab.escalations.pages(tx, key))
    ]


async def test_steps_follow_each_other_until_all_were_taken(lab: ResponseLab) -> None:
    await lab.declare()
    assert await lab.later(minutes=4) == []
    assert await lab.later(minutes=1) == ["escalated"]
    assert await lab.later(minutes=9) == []
    assert await lab.later(minutes=1) == ["escalated"]
    assert await lab.later(days=3) == []
    first, second = lab.told
    assert (first.data["step"], second.data["step"]) == (1, 2)
    assert [page["who"] for page in second.data["pages"]] == [
        "Bob (team payments)",
        "Cat (team payments)",
        "#critical-incidents",
    ]
    assert (await lab.kinds()).count("escalated") == 2
    assert await lab.timers() == []


async def test_an_acknowledgement_stops_it(lab: ResponseLab) -> None:
    await lab.declare()
    assert await lab.later(minutes=6) == ["escalated"]
    await lab.act("acknowledge")
    assert await lab.timers() == []
    assert await lab.later(days=1) == []


async def test_it_begins_again_when_the_incident_is_reopened(lab: ResponseLab) -> None:
    await lab.declare()
    await lab.act("resolve")
    assert await lab.later(hours=1) == []
    await lab.act("reopen")
    assert await lab.later(minutes=5) == ["escalated"]
    assert lab.told[-1].data["reason"] == "it was reopened"


async def test_hours_of_downtime_end_in_one_call_that_says_when_it_was_due(lab: ResponseLab) -> None:
    await lab.declare()
    declared = lab.clock.now()
    assert await lab.later(hours=3) == ["escalated"]
    data = lab.told[-1].data
    assert data["due_at"] == (declared + timedelta(minutes=5)).isoformat()
    assert data["late_seconds"] == (3 * 60 - 5) * 60
    # The next step is reckoned from now: who was called a moment ago gets time to answer.
    assert await lab.later(minutes=9) == []
    assert await lab.later(minutes=1) == ["escalated"]
    assert lab.told[-1].data["late_seconds"] == 0


async def test_a_timer_that_fires_again_does_nothing(lab: ResponseLab) -> None:
    incident = await lab.declare()
    await lab.later(minutes=5)
    assert not await lab.tx(lambda tx: lab.escalations.step_due(tx, incident.id, 1, 0))
    assert not await lab.tx(lambda tx: lab.escalations.step_due(tx, incident.id, 1, 1))
    assert not await lab.tx(lambda tx: lab.escalations.step_due(tx, incident.id, 2, 1))
    assert (await lab.kinds()).count("escalated") == 1


async def test_a_person_takes_the_next_step_at_once_and_the_steps_after_it_follow(lab: ResponseLab) -> None:
    await lab.declare()
    done = await lab.tx(lambda tx: lab.escalations.escalate(tx, "INC-1", origin=ANN, reason="it burns"))
    assert (done.step, done.policy) == (1, "urgent")
    await lab.run_jobs()
    assert lab.told[-1].data["reason"] == "it burns"
    assert await lab.later(minutes=9) == []
    assert await lab.later(minutes=1) == ["escalated"]
    assert await lab.timers() == []


async def test_after_an_acknowledgement_a_person_takes_one_step(lab: ResponseLab) -> None:
    await lab.declare()
    await lab.act("acknowledge")
    done = await lab.tx(lambda tx: lab.escalations.escalate(tx, "INC-1", origin=ANN))
    assert (done.step, done.next_at) == (1, None)
    assert await lab.later(days=1) == ["escalated"]
    done = await lab.tx(lambda tx: lab.escalations.escalate(tx, "INC-1", origin=ANN))
    assert done.step == 2


async def test_nobody_is_called_for_what_is_over(lab: ResponseLab) -> None:
    await lab.declare()
    await lab.act("resolve")
    with pytest.raises(ConflictError, match="INC-1 is resolved"):
        await lab.tx(lambda tx: lab.escalations.escalate(tx, "INC-1", origin=ANN))


async def test_without_a_policy_it_is_said_what_to_do(lab: ResponseLab) -> None:
    await lab.declare(severity=3)
    with pytest.raises(InvalidRequestError, match="no escalation policy is for INC-1") as caught:
        await lab.tx(lambda tx: lab.escalations.escalate(tx, "INC-1", origin=ANN))
    assert "callout escalation set" in caught.value.remediation
    with pytest.raises(InvalidRequestError) as caught:
        await lab.tx(lambda tx: lab.escalations.escalate(tx, "INC-1", origin=ANN, policy="urgnt"))
    assert "urgent" in caught.value.remediation


async def test_a_policy_is_chosen_by_service_then_team_then_severity(lab: ResponseLab) -> None:
    one = {"steps": [{"targets": ["ann"]}]}
    await lab.policies({"urgent": one, "ours": one, "theirs": one}, SEV_1="urgent")
    await lab.tx(lambda tx: lab.catalogue.change_team(tx, "payments", {"policy": "theirs"}, ANN))
    await lab.tx(lambda tx: lab.catalogue.add_service(tx, {"name": "Checkout", "policy": "ours"}, ANN))
    await lab.tx(lambda tx: lab.catalogue.add_service(tx, {"name": "ledger", "team": "payments"}, ANN))
    places: tuple[dict[str, Any], ...] = (
        {},
        {"team": "Payments"},
        {"service": "checkout", "team": "payments"},
        {"service": "ledger"},
    )
    for fields in places:
        await lab.declare(**fields)
    await lab.run_jobs()
    chosen = {event.data["incident"]["key"]: event.data["policy"] for event in lab.told}
    assert chosen == {"INC-1": "urgent", "INC-2": "theirs", "INC-3": "ours", "INC-4": "theirs"}


async def test_steps_are_repeated(lab: ResponseLab) -> None:
    policy = {"repeat": 2, "repeat_after": "20m", "steps": [{"targets": ["ann"]}]}
    await lab.policies({"again": policy}, SEV_1="again")
    await lab.declare()
    assert await lab.later() == ["escalated"]
    assert await lab.later(minutes=20) == ["escalated"]
    assert await lab.later(minutes=20) == ["escalated"]
    assert lab.told[-1].data["round"] == 3
    assert await lab.later(days=1) == []


async def test_a_worse_severity_begins_its_own_policy(lab: ResponseLab) -> None:
    await lab.declare(severity=3)
    assert await lab.later(hours=1) == []
    await lab.tx(lambda tx: lab.incidents.patch(tx, "INC-1", {"severity": "SEV-1"}, ANN))
    assert await lab.later(minutes=5) == ["escalated"]


async def test_who_cannot_be_called_is_passed_over_at_once(lab: ResponseLab) -> None:
    steps = [{"targets": ["role:commander"]}, {"after": "30m", "targets": ["ann"]}]
    await lab.policies({"urgent": {"steps": steps}}, SEV_1="urgent")
    await lab.declare()
    assert await lab.later() == ["escalated", "escalated"]
    assert await who(lab) == ["commander: failed", "Ann: pending"]
    [line] = [line for line in await lab.timeline() if line.kind == "page_failed"]
    assert line.data["why"] == "INC-1 has no commander"


async def test_a_step_whose_calls_all_failed_is_followed_by_the_next_at_once(lab: ResponseLab) -> None:
    await lab.declare()
    assert await lab.later(minutes=5) == ["escalated"]
    [page] = await lab.tx(lambda tx: lab.escalations.pages(tx, "INC-1"))
    await lab.tx(lambda tx: lab.escalations.untold(tx, page.id, why="deactivated in Slack", means="Slack"))
    assert await lab.later() == ["escalated"]
    assert await lab.later(days=1) == []
    # Told again, it changes nothing.
    await lab.tx(lambda tx: lab.escalations.untold(tx, page.id, why="again"))
    assert (await who(lab))[0] == "Ann: failed"
    assert (await lab.kinds()).count("page_failed") == 1


async def test_a_page_that_was_told_says_by_which_means(lab: ResponseLab) -> None:
    await lab.declare()
    [page] = await lab.tx(
        lambda tx: lab.escalations.page(tx, "INC-1", target="bob", origin=ANN, reason="help")
    )
    await lab.tx(lambda tx: lab.escalations.told(tx, page.id, means="direct message in slack"))
    [page] = await lab.tx(lambda tx: lab.escalations.pages(tx, "INC-1"))
    assert (page.state, page.means, page.ended_at) == (
        PageState.TOLD,
        "direct message in slack",
        lab.clock.now(),
    )
    assert (await lab.kinds())[-2:] == ["paged", "page_told"]


@pytest.mark.parametrize(
    ("target", "called"),
    [
        ("ann", "Ann"),
        ("@Ann", "Ann"),
        ("ann@example.com", "Ann"),
        ("team:Payments", "Bob (team payments)"),
        ("payments", "Bob (team payments)"),
        ("checkout", "Bob (team payments)"),
        ("commander", "Cat (commander)"),
        ("#incidents", "#incidents"),
        ("channel:slack/incidents", "#incidents"),
        ("pagerduty", "pagerduty"),
        ("oncall:pagerduty/Database", "pagerduty (Database)"),
    ],
)
async def test_what_can_be_paged(lab: ResponseLab, target: str, called: str) -> None:
    await lab.tx(lambda tx: lab.catalogue.add_service(tx, {"name": "checkout", "team": "payments"}, ANN))
    cat = (await lab.tx(lambda tx: lab.members.get(tx.system, "cat"))).id
    await lab.declare(commander=Person(f"member:{cat}", "Cat"))
    made = await lab.tx(lambda tx: lab.escalations.page(tx, "INC-1", target=target, origin=ANN))
    assert made[0].callee.who == called


@pytest.mark.parametrize(
    ("target", "said", "meant"),
    [
        ("anm", "there is no person, team, role or on-call system 'anm'", "Did you mean Ann?"),
        ("person:bib", "there is no member 'bib'", "Did you mean bob?"),
        ("team:payment", "there is no team 'payment'", "Did you mean payments?"),
        ("role:comander", "there is no role 'comander'", "Did you mean commander?"),
        ("oncall:pagerdutty", "there is no integration that can call people 'pagerdutty'", "pagerduty"),
        ("tema:payments", "'tema' is nothing that can be called", "team"),
        ("channel:slak/incidents", "there is no chat integration 'slak'", "slack"),
        ("role:commander", "nobody can be called: INC-1 has no commander", "somebody else"),
        ("", "must be text", ""),
    ],
)
async def test_an_unknown_target_is_refused_with_the_nearest(
    lab: ResponseLab, target: str, said: str, meant: str
) -> None:
    await lab.declare()
    with pytest.raises(InvalidRequestError) as caught:
        await lab.tx(lambda tx: lab.escalations.page(tx, "INC-1", target=target, origin=ANN))
    assert said in caught.value.message
    assert meant in caught.value.remediation
    assert await who(lab) == []


async def test_a_member_who_is_disabled_is_not_called(lab: ResponseLab) -> None:
    await lab.tx(
        lambda tx: lab.members.update(tx.system, "bob", changes={"state": "disabled"}, actor=ANN.actor)
    )
    await lab.declare()
    made = await lab.tx(lambda tx: lab.escalations.page(tx, "INC-1", target="payments", origin=ANN))
    assert [(one.callee.who, one.state) for one in made] == [
        ("Bob (team payments)", PageState.FAILED),
        ("Cat (team payments)", PageState.PENDING),
    ]
    with pytest.raises(InvalidRequestError, match="Bob is disabled"):
        await lab.tx(lambda tx: lab.escalations.page(tx, "INC-1", target="bob", origin=ANN))


async def test_a_note_does_not_stop_an_escalation(lab: ResponseLab) -> None:
    await lab.declare()
    await lab.tx(lambda tx: lab.incidents.add_note(tx, "INC-1", "looking", Audience.RESPONDERS, ANN))
    assert await lab.later(minutes=5) == ["escalated"]


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"policies": {"x": {}}}, "/policies/x/steps: a policy needs a step"),
        ({"policies": {"x": {"steps": [{}]}}}, "/policies/x/steps/0/targets: a step has to call somebody"),
        ({"policies": {"x": {"steps": [{"targets": ["anm"]}]}}}, "'anm'"),
        ({"policies": {"x": {"steps": [{"after": "soon", "targets": ["ann"]}]}}}, "'soon' is no duration"),
        ({"policies": {"x": {"steps": [{"targets": ["ann"]}], "repeat": 99}}}, "from 0 to 10"),
        ({"default": {"SEV-1": "none"}}, "/default/SEV-1: there is no policy 'none'"),
        ({"default": {"red": "none"}}, "'red' is no severity"),
        ({"polices": {}}, "there is no setting 'polices'"),
        ({"policies": {"x": {"steps": [{"targets": ["ann"]}], "triggers": ["never"]}}}, "'never' begins"),
    ],
)
async def test_policies_that_cannot_work_are_refused(
    lab: ResponseLab, document: dict[str, object], said: str
) -> None:
    before = await lab.tx(lab.settings.load)
    with pytest.raises(InvalidRequestError) as caught:
        await lab.tx(lambda tx: lab.escalations.set_policies(tx, document, ANN))
    assert said in caught.value.message
    assert await lab.tx(lab.settings.load) == before
