"""The story of an incident by people who never leave Slack: by requests to our address, and by Socket Mode.

Everything after the set-up is an act in Slack or in Jira's own pages; server and worker are real processes, and a worker dies.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import Core, open_core, prepare_database
from callout.bootstrap.wiring import wire
from callout.cli.bench.installation import Installation as Place
from callout.cli.bench.installation import add_integration, at_home, stop
from callout.ports.values import Channel
from callout.sandbox.core.serve import SandboxServer
from tests.stories.forked import forked
from tests.stories.installation import TLS
from tests.stories.people import (
    JIRA_SECRET,
    JIRA_USER,
    SLACK_SECRET,
    JiraPeople,
    Json,
    SlackPeople,
    eventually,
)
from tests.stories.test_escalation import add_people, calls, set_policy

if TYPE_CHECKING:
    from pathlib import Path

    from callout.incidents import Incident, TimelineEntry
    from tests.stories.forked import Forked

BOT = "<@U0BOTACC>"
PATIENCE = 60.0
DELAY_SECONDS = 8
"""How long nobody may answer a SEV-1 before somebody is called."""


@dataclass(slots=True)
class Scene:
    """Where it plays: the running product, both vendors' people, and a look into the database for the audience."""

    place: Place
    core: Core
    account: str
    slack: SlackPeople
    jira: JiraPeople

    async def incident(self, key: str, **wanted: Any) -> Incident:
        """Return an incident once it is as wanted."""

        async def there() -> Incident:
            found = await self.core.database.read(
                lambda tx: self.core.incidents.get(tx.account(self.account), key)
            )
            assert {name: str(getattr(found, name)) for name in wanted} == wanted
            return found

        return await eventually(there, within=PATIENCE, what=f"{key} {wanted}")

    async def timeline(self, key: str) -> list[TimelineEntry]:
        return list(
            await self.core.database.read(
                lambda tx: self.core.incidents.timeline(tx.account(self.account), key)
            )
        )

    async def noted(self, key: str, kind: str, *words: str) -> None:
        """Wait for a line on the timeline."""

        async def there() -> bool:
            lines = [(one.kind, json.dumps(one.data, default=str)) for one in await self.timeline(key)]
            assert any(found == kind and all(w in text for w in words) for found, text in lines), lines
            return True

        await eventually(there, within=PATIENCE, what=f"{kind} on the timeline of {key}")

    async def mention(self, channel: str, text: str, *, user: str = "U0ANN") -> None:
        await self.slack.act("message", user=user, channel=channel, text=f"{BOT} {text}")

    async def told(self, channel: str, *words: str) -> str:
        return await eventually(
            lambda: self.slack.told(channel, *words), within=PATIENCE, what=f"{words} in #{channel}"
        )

    async def fill_in(self, user: str, form: str, /, **values: Any) -> None:
        """Submit the form of that title, once the person sees it."""

        async def there() -> bool:
            modal = (await self.slack.act("sees", user=user))["modal"] or {}
            assert modal.get("title", {}).get("text") == form
            return True

        await eventually(there, within=PATIENCE, what=f"the form {form!r}")
        done = await self.slack.act("submit_view", user=user, values=values)
        assert done["outcome"] == "closed", done

    async def message(self, channel: str, word: str) -> Json:
        """Return our message in a channel that holds a word."""
        await self.told(channel, word)
        return next(one for one in await self.slack.messages(channel) if word in str(one))


@asynccontextmanager
async def playing(database_url: str, folder: Path, transport: str) -> AsyncIterator[Scene]:
    """Set the stage: all that is not done in Slack. An integration each, two people, and who is called when nobody answers."""
    place = at_home(folder, database_url)
    await prepare_database(place.settings(), migrate=True)
    async with (
        SandboxServer(only=("jira", "slack")) as sandbox,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
        open_core(place.settings()) as core,
    ):
        wired = wire(core)
        slack = SlackPeople(http, sandbox.base_url, "slack")
        jira = JiraPeople(http, sandbox.base_url, "jira")
        config: dict[str, Any] = {
            "type": "chat_slack",
            "url": f"{slack.url}/api",
            "credential": {"type": "token", "secret": "xoxb-acc"},
            "channels": {"SEV-1": "critical-incidents", "default": "incidents"},
        }
        if transport == "socket":
            config["app_credential"] = {"type": "token", "secret": "xapp-acc"}
            await slack.configure(socket_mode=True)
        hook = {"provider_key": SLACK_SECRET, "items": []}
        chat = await add_integration(core, config, name="slack", webhook_config=hook)
        if transport == "http":
            door = f"{place.address}/v1/chat/{chat}"
            urls = {"command_url": "commands", "interactivity_url": "interactions", "events_url": "events"}
            await slack.configure(**{name: f"{door}/{last}" for name, last in urls.items()})
        tickets = {
            "type": "ticketing_jira",
            "url": jira.url,
            "credential": {"type": "basic", "username": JIRA_USER[0], "secret": JIRA_USER[1]},
            "default_project": "TST",
            "default_issue_type": "Incident",
        }
        hook = {"provider_key": JIRA_SECRET, "items": []}
        settings = {"sync": {"create": False}}
        board = await add_integration(core, tickets, name="jira", webhook_config=hook, settings=settings)
        await jira.register_webhook(f"{place.address}/v1/hooks/{board}")
        account = (await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))).id

        async def people(tx: Any) -> None:
            await add_people(core, tx.account(account), "ann", "bob")
            await set_policy(core, tx.account(account), {"after": f"{DELAY_SECONDS}s", "targets": ["bob"]})

        await core.database.transaction(people)
        try:
            yield Scene(place, core, account, slack, jira)
        finally:
            await wired.connections.close()


def worker_of(scene: Scene) -> Forked:
    return forked(scene.place, "worker", CALLOUT_TAKEOVER_SECONDS="1")


@pytest.mark.timeout(240)
async def test_an_incident_is_lived_through_in_slack_alone(database_url: str, tmp_path: Path) -> None:
    # As they mostly go together: one host without a public address, and an installation that has one.
    transport = "socket" if database_url.startswith("sqlite") else "http"
    async with playing(database_url, tmp_path, transport) as scene:
        api, worker = forked(scene.place, "api"), worker_of(scene)
        try:
            await asyncio.to_thread(scene.place.wait_ready, api)
            await _connected(scene, transport)
            await _together(scene)
            worker = await _nobody_answers(scene, worker)
            await _the_end(scene)
        finally:
            stop(worker)
            stop(api)


async def _connected(scene: Scene, transport: str) -> None:
    async def there() -> bool:
        return any(one["open"] for one in (await scene.slack.state())["sockets"])

    if transport == "socket":
        await eventually(there, within=PATIENCE, what="a socket")


async def _together(scene: Scene) -> None:
    """Declared by a form, shared out in plain words, linked, edited on both sides at once, settled by a button."""
    slack, jira = scene.slack, scene.jira
    await slack.type("declare")
    await scene.fill_in("U0ANN", "Declare an incident", title="search is slow", severity="SEV-2")
    await scene.incident("INC-1", status="open", title="search is slow")
    own = await eventually(lambda: slack.own_channel("INC-1"), within=PATIENCE, what="its channel")
    await scene.told(own, "search is slow")
    await eventually(lambda: _is_in(slack, own, "U0ANN"), within=PATIENCE, what="the invitation")

    assert "INC-1" in await slack.said("list", user="U0BOB")
    await scene.mention(own, "assign this to <@U0BOB>")
    await scene.told(own, "assignee is")
    assert "bob" in str((await scene.incident("INC-1")).assignee).lower()
    await scene.mention(own, "note: the index is rebuilt")
    await scene.noted("INC-1", "noted", "the index is rebuilt")
    await slack.said("task INC-1 call the vendor", user="U0BOB")
    await scene.noted("INC-1", "task_added", "call the vendor")

    ticket = (
        await jira.act(
            "create_issue", fields={"project": "TST", "issuetype": "Incident", "summary": "slow search"}
        )
    )["key"]
    await slack.said(f"link INC-1 {ticket} --prefer incident")
    await eventually(lambda: _in_step(scene, "INC-1", ticket), within=PATIENCE, what="the linked ticket")

    theirs = await _at_the_same_moment(scene, ticket)
    asked = await scene.message(own, "do not agree")
    assert await jira.field(ticket, "priority") == theirs.priority
    await slack.act("press_button", user="U0BOB", channel=own, ts=asked["ts"], action_id="conflict.theirs")
    await scene.told(own, "settled")
    await scene.incident("INC-1", severity=theirs.severity)
    await scene.noted("INC-1", "sync_conflict_resolved", theirs.severity)


@dataclass(frozen=True, slots=True)
class Meeting:
    """What is set in Jira, what that means here, and what is typed in Slack at the same moment."""

    priority: str
    severity: str
    typed: str


LATE = {"match": {}, "effect": {"kind": "webhook_delay", "seconds": 5}}
AWAY = {"match": {"path": "^/rest/api/"}, "effect": {"kind": "status", "status": 503}}
MEETINGS = (
    Meeting("Low", "SEV-4", "3"),
    Meeting("High", "SEV-2", "4"),
    Meeting("Medium", "SEV-3", "2"),
    Meeting("Low", "SEV-4", "3"),
)


async def _at_the_same_moment(scene: Scene, ticket: str) -> Meeting:
    """Edit on both sides until the two have met; return the meeting that a person is asked about.

    What was edited in Jira is on its way to us while it is edited in Slack. A look at the ticket that happens to be under way may
    bring it here a moment before: then the edit in Slack came after it, and the timeline shows both. In silence none of them goes.
    On a machine so slow that they do not meet by themselves, Jira cannot be read meanwhile at last, and they have to.
    """
    for meeting in MEETINGS:
        # What was typed last is written there by now: going back to what both agreed on before it would be no edit at all.
        await eventually(lambda: _written_there(scene, ticket), within=PATIENCE, what="our severity in Jira")
        known = len(await scene.timeline("INC-1"))
        await scene.jira.fault(LATE, *([AWAY] if meeting is MEETINGS[-1] else []))
        await scene.jira.edit(ticket, priority=meeting.priority)
        await scene.slack.said(f"severity INC-1 {meeting.typed}")
        if meeting is MEETINGS[-1]:
            await scene.incident("INC-1", severity=f"SEV-{meeting.typed}")
            await scene.jira.fault()

        async def told(known: int = known, meeting: Meeting = meeting) -> str:
            for line in (await scene.timeline("INC-1"))[known:]:
                if line.kind == "sync_conflict" and line.data["field"] == "severity":
                    return line.kind
                change = line.data.get("changes", {}).get("severity", {})
                if line.origin.channel is Channel.SYNC and change.get("after") == meeting.severity:
                    return line.kind
            raise AssertionError(f"{meeting} is gone without a word")

        found = await eventually(told, within=PATIENCE, what="either edit")
        await scene.jira.fault()
        if found == "sync_conflict":
            return meeting
    raise AssertionError("the two sides never met")


async def _written_there(scene: Scene, ticket: str) -> bool:
    severity = str((await scene.incident("INC-1")).severity)
    assert await scene.jira.field(ticket, "priority") in {
        one.priority for one in MEETINGS if one.severity == severity
    }
    return True


async def _is_in(slack: SlackPeople, channel: str, user: str) -> bool:
    return user in (await slack.channels())[channel]["members"]


async def _in_step(scene: Scene, key: str, ticket: str) -> bool:
    said = await scene.slack.said(f"sync {key}")
    assert ticket in said
    assert "in step" in said, said
    return True


async def _nobody_answers(scene: Scene, worker: Forked) -> Forked:
    """A SEV-1 that nobody acknowledges, and the worker dies before anybody is called; returns the one that took over."""
    slack = scene.slack
    await slack.act("global_shortcut", user="U0ANN", callback_id="declare")
    await scene.fill_in("U0ANN", "Declare an incident", title="checkout is down", severity="SEV-1")
    declared = time.monotonic()
    await scene.incident("INC-2", severity="SEV-1", status="open")
    worker.kill()
    worker.wait()
    await asyncio.sleep(max(0.0, declared + DELAY_SECONDS + 1 - time.monotonic()))
    assert await calls(slack) == []
    successor = worker_of(scene)
    try:
        await eventually(lambda: calls(slack), within=PATIENCE, what="the call")
        await scene.told("critical-incidents", "Escalated", "Bob")
        await asyncio.sleep(2)  # a second call would come now
        [call] = await calls(slack)
        assert "U0BOB" in call["members"]
        kinds = [one.kind for one in await scene.timeline("INC-2")]
        assert (kinds.count("escalated"), kinds.count("page_told")) == (1, 1)
    except BaseException:
        stop(successor)
        raise
    return successor


async def _the_end(scene: Scene) -> None:
    """Acknowledged on the home page, resolved by a form; the timeline holds it all."""
    slack, found = scene.slack, await scene.incident("INC-2")
    await slack.act("open_home", user="U0BOB")

    async def home() -> Json:
        page: Json = (await slack.act("sees", user="U0BOB"))["home"]
        assert "INC-2" in json.dumps(page)
        return page

    page = await eventually(home, within=PATIENCE, what="the home page")
    await slack.act(
        "press_button",
        user="U0BOB",
        view_id=page["id"],
        **_button(page, "incident.acknowledge", found.id),
    )
    await scene.incident("INC-2", status="acknowledged")
    card = await scene.message("critical-incidents", "Resolve…")
    where = {"user": "U0BOB", "channel": "critical-incidents", "ts": card["ts"]}
    await slack.act("press_button", **where, action_id="form.resolve")
    await scene.fill_in("U0BOB", "Resolve", note="the gateway answers again")
    await scene.incident("INC-2", status="resolved")
    await scene.told("critical-incidents", "resolved")

    lines = await scene.timeline("INC-2")
    kinds = {one.kind for one in lines}
    assert {"declared", "chat_channel_created", "escalated", "page_told", "changed", "noted"} <= kinds, kinds
    by_hand = [one for one in lines if one.kind in {"declared", "changed", "noted"}]
    assert {one.origin.channel for one in by_hand} == {Channel.CHAT}
    assert {one.origin.actor.name.lower()[:3] for one in by_hand} == {"ann", "bob"}
    assert "INC-1" in await slack.said("list", user="U0BOB")
    assert "resolved" in await slack.said("status INC-2")


def _button(view: Json, action: str, value: str) -> Json:
    """Return by what the button of that value is told from those of the other incidents."""
    for block in view["blocks"]:
        for one in [*block.get("elements", ()), block.get("accessory") or {}]:
            if one.get("action_id", "").startswith(action) and one.get("value") == value:
                return {"block_id": block["block_id"], "action_id": one["action_id"]}
    raise LookupError(f"no {action} of {value}: {view}")
