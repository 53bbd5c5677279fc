"""Files between an incident's channel, the incident and its ticket: each is in each place once, and nobody sees what is not for them."""

from __future__ import annotations

import asyncio
import signal
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from callout.access import SYSTEM
from callout.bootstrap.core import open_core, prepare_database
from callout.bootstrap.run import run
from callout.bootstrap.wiring import wire
from callout.cli.bench.installation import Installation as Home
from callout.cli.bench.installation import add_integration, at_home, stop
from callout.sandbox.core.serve import SandboxServer
from tests.stories.installation import TLS, Installation, SteppedClock
from tests.stories.people import (
    JIRA_USER,
    SLACK_SECRET,
    Api,
    JiraPeople,
    Json,
    SlackPeople,
    eventually,
)

if TYPE_CHECKING:
    from callout.bootstrap.core import Core

HURRY = {"CALLOUT_POLL_SECONDS": "1", "CALLOUT_TAKEOVER_SECONDS": "1"}
SHOT = "iVBORw0KGgo="
POINTS = {
    "chat.file_fetched": "taken.png",
    "chat.file_shown": "shown.log",
    # Last: whether this one is shown is waited out.
    "chat.file_put": "put.log",
}


class Place:
    """Where the files of one incident are to be: its channel, itself, its ticket."""

    def __init__(self, api: Api, slack: SlackPeople, jira: JiraPeople, key: str, issue: str) -> None:
        self.api = api
        self.slack = slack
        self.jira = jira
        self.key = key
        self.issue = issue
        self.channel = ""

    async def here(self) -> dict[str, Json]:
        found = await self.api("GET", f"/v1/incidents/{self.key}/attachments")
        names = [one["name"] for one in found]
        assert len(names) == len(set(names)), names
        return {one["name"]: one for one in found}

    async def in_jira(self) -> list[str]:
        return sorted(one["filename"] for one in (await self.jira.issue(self.issue))["fields"]["attachment"])

    async def in_channel(self) -> list[str]:
        """The names of the files that the channel shows, with each time that it does."""
        channel = (await self.slack.channels())[self.channel]
        return sorted(
            one["name"]
            for message in channel["messages"]
            for one in message.get("files", ())
            if "name" in one
        )

    async def everywhere(self, *names: str) -> None:
        """Wait until these files, and no others, are in all three places."""
        wanted = sorted(names)

        async def there() -> bool:
            assert await self.in_channel() == wanted
            assert sorted(await self.here()) == wanted
            assert all(one["state"] == "stored" for one in (await self.here()).values())
            assert await self.in_jira() == wanted
            return True

        await eventually(there, what=f"{wanted} in all three places")


async def test_files_go_between_channel_incident_and_ticket(installation: Installation) -> None:
    slack, jira, api = installation.slack, installation.jira, installation.api
    key = await api.declare("checkout is down", severity="SEV-2")
    issue = await installation.ticket_of(key)
    place = Place(api, slack, jira, key, issue)
    place.channel = await eventually(lambda: slack.own_channel(key), what="the channel")
    await installation.told(place.channel, "checkout is down")
    await slack.act("join_channel", user="ann", channel=place.channel)

    shared = await slack.act(
        "upload_file",
        user="ann",
        channel=place.channel,
        filename="shot.png",
        content_base64=SHOT,
        comment="look",
    )
    await place.everywhere("shot.png")
    one = (await place.here())["shot.png"]
    assert one["audience"] == "responders"
    assert "ann" in str(one["author"]).lower()

    # What somebody attaches to the ticket is in the channel, under the card; both know it as one file.
    await jira.act("attach", issue=issue, filename="error.log", text="boom")
    await place.everywhere("shot.png", "error.log")
    messages = (await slack.channels())[place.channel]["messages"]
    reply = next(m for m in messages if any(f.get("name") == "error.log" for f in m.get("files", ())))
    [card] = [m for m in messages if m["ts"] == reply["thread_ts"]]
    assert card["bot_id"]

    # What is for us alone is nowhere else; what people write in other channels is not read.
    await api.request(
        "POST",
        f"/v1/incidents/{key}/attachments",
        params={"name": "suspects.txt", "audience": "internal"},
        content=b"hunter2canary",
    )
    await slack.act("upload_file", user="ann", channel="incidents", filename="other.txt", content="other")
    await installation.quiet()
    assert await place.in_channel() == ["error.log", "shot.png"]
    assert await place.in_jira() == ["error.log", "shot.png"]
    assert sorted(await place.here()) == ["error.log", "shot.png", "suspects.txt"]

    # Deleted in Slack, it stays here and at the ticket, and the timeline says so.
    await slack.act("delete_file", user="ann", file=shared["file"]["id"])

    async def noted() -> bool:
        return "chat_file_deleted" in {line["kind"] for line in await api.timeline(key)}

    await eventually(noted, what="the deletion on the timeline")
    assert await place.in_jira() == ["error.log", "shot.png"]
    shown = await api("GET", f"/v1/incidents/{key}/notifications")
    assert [(one["file"], one["state"]) for one in shown if one["what"] == "file"] == [("error.log", "sent")]


async def killed_at(one: Home, point: str) -> None:
    process = one.start("worker", **HURRY, CALLOUT_CRASH_AT=point)
    try:
        code = await asyncio.wait_for(asyncio.to_thread(process.wait), 60)
    finally:
        stop(process)
    assert code == -signal.SIGKILL, point


async def _connected(core: Core, sandbox: SandboxServer) -> str:
    """Add Jira and Slack; return the address of Slack's doors."""
    jira = {
        "type": "ticketing_jira",
        "url": f"{sandbox.base_url}/jira",
        "credential": {"type": "basic", "username": JIRA_USER[0], "secret": JIRA_USER[1]},
        "default_project": "TST",
        "default_issue_type": "Incident",
    }
    await add_integration(core, jira, name="jira")
    slack = {
        "type": "chat_slack",
        "url": f"{sandbox.base_url}/slack/api",
        "credential": {"type": "token", "secret": "xoxb-acc"},
    }
    hook = {"provider_key": SLACK_SECRET, "items": []}
    return f"/v1/chat/{await add_integration(core, slack, name='slack', webhook_config=hook)}"


async def _token(core: Core) -> str:
    made = await core.database.transaction(
        lambda tx: core.tokens.create(tx, SYSTEM, permission_set="administrator", ttl="24h", name="tests")
    )
    assert made.primary.access.secret is not None
    return made.primary.access.secret.reveal()


@pytest.mark.timeout(240)
async def test_killed_while_files_travel_through_the_channel(database_url: str, tmp_path: Path) -> None:
    """Real processes: one that answers Slack all the time, and workers that are killed one after the other."""
    one = at_home(tmp_path, database_url)
    await prepare_database(one.settings(), migrate=True)
    clock = SteppedClock()
    settings = one.settings().model_copy(update={"poll_seconds": 1.0, "takeover_seconds": 1.0})
    async with (
        SandboxServer(only=("jira", "slack")) as sandbox,
        httpx.AsyncClient(timeout=60, verify=TLS) as http,
        open_core(settings, clock=clock) as core,
    ):
        door = one.address + await _connected(core, sandbox)
        slack, jira = SlackPeople(http, sandbox.base_url, "slack"), JiraPeople(http, sandbox.base_url, "jira")
        await slack.configure(events_url=f"{door}/events", command_url=f"{door}/commands")
        api = Api(http, one.address, await _token(core))
        answering = one.start("api")
        try:
            await asyncio.to_thread(one.wait_ready, answering)
            await slack.type("declare checkout is down")
            place = Place(api, slack, jira, "INC-1", "")
            worker = one.start("worker", **HURRY)
            try:
                place.channel = await eventually(
                    lambda: slack.own_channel("INC-1"), what="the channel", within=40
                )
                await eventually(lambda: slack.told(place.channel, "checkout"), what="the card")
                place.issue = (await eventually(lambda: _linked(api), what="the ticket"))["ticket_key"]
            finally:
                stop(worker)
            await slack.act("join_channel", user="ann", channel=place.channel)
            for point, name in POINTS.items():
                if point == "chat.file_fetched":
                    about = {"user": "ann", "channel": place.channel}
                    await slack.act("upload_file", **about, filename=name, content_base64=SHOT)
                    await slack.drain()
                else:
                    await jira.act("attach", issue=place.issue, filename=name, text=name)
                await killed_at(one, point)
            # What was about to be shown may be for as long as a call may take, and told later: that time goes by.
            clock.advance(timedelta(minutes=3))
            wired, ending = wire(core), asyncio.Event()
            working = asyncio.create_task(run(wired, "worker", ending))
            try:
                await place.everywhere(*POINTS.values())
            finally:
                ending.set()
                await asyncio.gather(working, return_exceptions=True)
                await wired.connections.close()
        finally:
            stop(answering)
        assert len(await slack.effects("files.completeUploadExternal")) == 2
        assert len(await jira.effects("attachment.create")) == len(POINTS)


async def _linked(api: Api) -> Json:
    found = await api.link("INC-1")
    assert found["ticket_key"]
    return found
