"""Calling people from chat: the next step, a person, a team, whoever is on call for a service; called by jobs, answered at once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from callout.chatops.dispatch import Dispatcher
from callout.kit.clock import ManualClock
from callout.storage import Database
from tests.chatops.lab import ACCOUNT, ChatLab
from tests.chatops.test_commands import said
from tests.incidents.response_lab import ACCOUNT as RESPONSE_ACCOUNT
from tests.incidents.response_lab import ANN, ResponseLab

assert ACCOUNT == RESPONSE_ACCOUNT


@pytest.fixture
async def calling(lab: ChatLab, database: Database, clock: ManualClock) -> ChatLab:
    response = ResponseLab(database, clock)
    for name in ("bob", "cat"):
        await response.member(name)
    catalogue = response.catalogue
    await response.tx(lambda tx: catalogue.add_team(tx, {"name": "core", "members": ["bob", "cat"]}, ANN))
    await response.tx(lambda tx: catalogue.add_service(tx, {"name": "payments", "team": "core"}, ANN))
    steps = [{"after": "5m", "targets": ["person:bob"]}, {"after": "10m", "targets": ["team:core"]}]
    await response.policies({"urgent": {"steps": steps}}, SEV_2="urgent")
    lab.context = replace(lab.context, escalations=response.escalations)
    lab.dispatcher = Dispatcher(lab.context)
    await lab.type("declare sev2 checkout is down")
    return lab


async def test_people_teams_and_services_are_called_by_name(calling: ChatLab) -> None:
    assert await said(calling, "page INC-1 @bob wake up") == "Called for INC-1: Bob."
    assert "Bob (team core), Cat (team core)" in await said(calling, "page INC-1 --team core")
    assert "Bob (team core), Cat (team core)" in await said(calling, "page --service payments INC-1")
    assert "Called for INC-1: bob." in await said(calling, "page INC-1 <@U0BOB|bob> now")
    assert "Called for INC-1: Cat." in await said(calling, "escalate INC-1 to cat@example.com please")
    paged = [line for line in await calling.timeline() if line.kind == "paged"]
    assert [line.data["reason"] for line in paged] == ["wake up", "", "", "now", "please"]
    assert {line.origin.actor.name for line in paged} == {"u0ann"}
    assert "called somebody: Bob (wake up)" in await said(calling, "timeline INC-1")
    assert calling.calls == 0


async def test_the_next_step_is_taken_and_told(calling: ChatLab) -> None:
    first = await said(calling, "escalate INC-1 nobody answers")
    assert first.startswith("INC-1 escalated by urgent, step 1 of 2: Bob.")
    assert "The next step follows at " in first
    second = await said(calling, "escalate INC-1")
    assert "step 2 of 2: Bob (team core), Cat (team core)." in second
    await calling.type("resolve INC-1")
    assert "nobody is called for it" in await said(calling, "escalate INC-1")


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("page INC-1 payroll", "payroll"),
        ("page INC-1 --team cor", "core"),
        ("page INC-1 @ghost", "nobody called ghost is known here"),
        ("escalate INC-1 --policy urgen", "urgent"),
        ("page @bob", "which incident"),
    ],
)
async def test_whom_nobody_knows_is_answered_with_the_nearest(
    calling: ChatLab, typed: str, words: str
) -> None:
    assert words in (await said(calling, typed)).lower()
    assert [line.kind for line in await calling.timeline()] == ["declared"]
