"""Nobody answers: who is called, by which means, and exactly once, whatever dies meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import Core, open_core, prepare_database
from callout.bootstrap.wiring import wire
from callout.cli.bench.installation import add_integration, at_home, stop
from callout.incidents import DeclareIncident
from callout.ports.values import Channel, Origin, Severity
from callout.sandbox.core.serve import SandboxServer
from callout.storage import AccountTx
from tests.stories.forked import forked
from tests.stories.installation import OPERATOR, TLS, Installation, running
from tests.stories.people import Json, SlackPeople, eventually
from tests.stories.vendors import add_pagerduty

US = Origin(Channel.CLI, OPERATOR)
CALLED = "You are called"


async def calls(slack: SlackPeople) -> list[Json]:
    """Return the messages by which somebody was called, whoever it was."""
    return [
        {**message, "members": sorted(channel["members"])}
        for channel in (await slack.state())["channels"].values()
        for message in channel["messages"]
        if CALLED in str(message)
    ]


async def add_people(core: Core, tx: AccountTx, *names: str) -> None:
    for name in names:
        await core.members.create(
            tx.system, actor=OPERATOR, name=name, fullname=name.capitalize(), email=f"{name}@example.com"
        )


async def set_policy(core: Core, tx: AccountTx, *steps: Json) -> None:
    document = {"policies": {"urgent": {"steps": list(steps)}}, "default": {"SEV-1": "urgent"}}
    await core.responding.escalations.set_policies(tx, document, US)


async def test_a_worker_that_is_killed_calls_once_after_its_restart_and_an_acknowledgement_in_time_calls_none(
    database_url: str, tmp_path: Path
) -> None:
    one = at_home(tmp_path, database_url)
    await prepare_database(one.settings(), migrate=True)
    async with (
        SandboxServer(only=("slack",)) as sandbox,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
        open_core(one.settings()) as core,
    ):
        wired = wire(core)  # who declares knows who is to hear of it, as every process does
        slack = SlackPeople(http, sandbox.base_url, "slack")
        config = {
            "type": "chat_slack",
            "url": f"{slack.url}/api",
            "credential": {"type": "token", "secret": "xoxb-acc"},
            "channels": {"default": "incidents"},
        }
        await add_integration(core, config, name="slack")
        account = (await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))).id

        async def prepare(tx: Any) -> None:
            await add_people(core, tx.account(account), "ann")
            await set_policy(core, tx.account(account), {"after": "3s", "targets": ["ann"]})

        async def declare(title: str, severity: int = 1) -> str:
            draft = DeclareIncident(title, Severity(severity))
            made = await core.database.transaction(
                lambda tx: core.incidents.declare(tx.account(account), draft, US)
            )
            return made.key

        await core.database.transaction(prepare)
        worker = forked(one, "worker", CALLOUT_TAKEOVER_SECONDS="1")
        try:
            early = await declare("the worker works", 3)
            await eventually(lambda: slack.told("incidents", early), what="the card")
            first = await declare("nobody answers")
            second = await declare("somebody answers")
            worker.kill()
            worker.wait()
            await core.database.transaction(
                lambda tx: core.incidents.act(tx.account(account), second, "acknowledge", US)
            )
            await asyncio.sleep(3.5)
            assert await calls(slack) == []
            worker = forked(one, "worker", CALLOUT_TAKEOVER_SECONDS="1")
            await eventually(lambda: calls(slack), what="the call")
            await asyncio.sleep(2)
        finally:
            stop(worker)
            await wired.connections.close()
        [call] = await calls(slack)
        assert "U0ANN" in call["members"]
        assert first in str(call)

        async def history(tx: Any) -> list[tuple[list[str], list[Any]]]:
            mine = tx.account(account)
            return [
                (
                    [line.kind for line in await core.incidents.timeline(mine, key)],
                    await core.responding.escalations.pages(mine, key),
                )
                for key in (first, second)
            ]

        (lines, [page]), (others, none) = await core.database.read(history)
        assert (lines.count("escalated"), lines.count("page_told")) == (1, 1)
        assert (page.state, page.means) == ("told", "direct message in slack")
        assert (others.count("escalated"), none) == (0, [])


@pytest.fixture
async def with_pagerduty(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product with Slack, and PagerDuty at hand."""
    async with running(
        database_url, tmp_path / "data", vendors=("slack",), twins=("jira", "slack", "pagerduty")
    ) as found:
        yield found


async def test_a_deactivated_person_is_passed_over_and_an_on_call_system_is_called_by_one_ticket(
    with_pagerduty: Installation,
) -> None:
    here = with_pagerduty
    _, pagerduty = await add_pagerduty(here, sync={"create": False}, subscribe=False)
    await here.in_account(lambda tx: add_people(here.core, tx, "gone", "bob"))
    await here.in_account(
        lambda tx: set_policy(
            here.core,
            tx,
            {"targets": ["gone"]},
            {"after": "30m", "targets": ["bob", "#critical-incidents", "oncall:pagerduty"]},
        )
    )
    key = await here.api.declare(severity="SEV-1")

    async def pages() -> list[Json]:
        found: list[Json] = [
            one.to_json()
            for one in await here.in_account(lambda tx: here.core.responding.escalations.pages(tx, key))
        ]
        assert len(found) == 4
        assert all(one["state"] != "pending" for one in found)
        return found

    gone, bob, channel, oncall = await eventually(pages, what="all calls")
    assert (gone["state"], gone["why"]) == ("failed", "nobody in Slack has the e-mail gone@example.com")
    assert (bob["state"], bob["means"]) == ("told", "direct message in slack")
    assert (channel["state"], channel["means"]) == ("told", "message in slack")
    assert oncall["state"] == "told", oncall
    assert "which calls whoever is on call" in oncall["means"]
    [incident] = await pagerduty.incidents()
    assert incident["title"] == "checkout is down"
    [told] = [text for text in await here.slack.texts("critical-incidents") if CALLED in text]
    assert "U0BOB" in told
    await here.told("critical-incidents", "Escalated", "Bob")

    # Called again, the same ticket goes to the next level.
    await here.in_account(
        lambda tx: here.core.responding.escalations.page(tx, key, target="pagerduty", origin=US, reason="now")
    )

    async def again() -> bool:
        found = await here.in_account(lambda tx: here.core.responding.escalations.pages(tx, key))
        return len(found) == 5 and found[-1].state != "pending"

    await eventually(again, what="the second call")
    last = (await here.in_account(lambda tx: here.core.responding.escalations.pages(tx, key)))[-1]
    assert len(await pagerduty.incidents()) == 1
    assert (last.state, last.why) == ("told", ""), last

    # An answer that is lost is no reason to wake people twice.
    before = await pagerduty.last_seq()
    lost = {
        "match": {"method": "POST", "path": "/responder_requests"},
        "effect": {"kind": "disconnect_after_write"},
    }
    await pagerduty.fault(lost)
    policy = (
        "oncall:pagerduty/"
        + (await pagerduty.request("GET", "/escalation_policies"))["escalation_policies"][0]["name"]
    )
    await here.in_account(lambda tx: here.core.responding.escalations.page(tx, key, target=policy, origin=US))

    async def third() -> bool:
        found = await here.in_account(lambda tx: here.core.responding.escalations.pages(tx, key))
        return len(found) == 6 and found[-1].state == "perhaps"

    await eventually(third, within=60, what="the third call")
    asked = [one for one in await pagerduty.effects(since=before) if "responder_requests" in str(one)]
    assert len(asked) == 1, asked


async def test_what_was_due_while_nothing_ran_is_told_once_with_its_true_time(
    installation: Installation,
) -> None:
    here = installation
    await here.in_account(lambda tx: add_people(here.core, tx, "ann"))
    await here.in_account(lambda tx: set_policy(here.core, tx, {"after": "10m", "targets": ["ann"]}))
    await here.api.declare(severity="SEV-1")
    await here.told("critical-incidents", "checkout is down")
    await here.quiet()  # an event on its way would arrive three hours late, and be refused for that
    await here.skip(3 * 3600)

    async def called() -> Json:
        found = await calls(here.slack)
        assert len(found) == 1
        return found[0]

    call = await eventually(called, what="the call")
    assert "because Callout was not running" in str(call)
    text = await here.told("critical-incidents", "Missed", "acknowledgement")
    assert "because Callout was not running" in text
    texts = await here.slack.texts("critical-incidents")
    assert sum("Missed" in one and "acknowledgement" in one for one in texts) == 1
    await here.quiet()
