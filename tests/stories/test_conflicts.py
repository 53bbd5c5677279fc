"""Both sides changed one field during an outage: everybody sees it, a person decides, by API, command line or Slack."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests.stories.installation import running
from tests.stories.people import Json, eventually

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.stories.installation import Installation

DOWN = {"match": {"path": "^/rest/api/"}, "effect": {"kind": "status", "status": 503}}


class Conflict:
    """An incident and its Jira ticket that do not agree about the severity: SEV-1 here, Low there."""

    def __init__(self, installation: Installation, key: str, ticket: str) -> None:
        self.installation = installation
        self.key = key
        self.ticket = ticket

    async def shown(self) -> list[Json]:
        found: list[Json] = await self.installation.api("GET", f"/v1/incidents/{self.key}/conflicts")
        return found

    async def over(self, severity: str, priority: str) -> None:
        """Wait until both sides agree; then nothing is on its way, and nothing is written any more."""
        installation = self.installation
        await installation.incident_when(self.key, severity=severity)
        await installation.issue_when(self.ticket, priority=priority)
        await installation.quiet()
        assert await self.shown() == []
        before, version = (
            await installation.jira.last_seq(),
            (await installation.api.incident(self.key))["version"],
        )
        await installation.jira.comment(self.ticket, "is it quiet?")  # whatever came before it was worked on

        async def noted() -> bool:
            return "is it quiet?" in await installation.api.notes(self.key)

        await eventually(noted, what="the comment")
        await installation.quiet()
        assert await installation.jira.our_writes(since=before) == []
        assert (await installation.api.incident(self.key))["version"] == version
        link = await installation.api.link(self.key)
        assert (link["conflicts"], link["pending"], link["problem"]) == ([], [], None)

    async def resolved_line(self) -> Json:
        """Return the timeline's line about the choice."""
        lines = await self.installation.api.timeline(self.key)
        (line,) = [one for one in lines if one["kind"] == "sync_conflict_resolved"]
        found: Json = line
        return found

    async def audited(self) -> list[tuple[str, str]]:
        """Return who resolved conflicts, and by which way in, as the audit has it."""
        text = "SELECT actor_name, channel FROM audit_log WHERE action = 'incident.sync_conflict_resolved'"
        rows = await self.installation.core.database.read(lambda tx: tx.driver_all(text, text))
        return [(row[0], row[1]) for row in rows]


async def in_conflict(installation: Installation) -> Conflict:
    """Let both sides edit the severity while Jira cannot be reached, and heal it."""
    api, jira = installation.api, installation.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    await jira.fault(DOWN)
    await api.patch(key, severity="SEV-1")
    await jira.edit(ticket, priority="Low")
    await jira.fault()
    found = Conflict(installation, key, ticket)
    await installation.skip(31)
    await eventually(found.shown, what="the conflict")
    await installation.quiet()
    return found


async def test_everybody_sees_the_conflict_and_the_other_fields_go_on(installation: Installation) -> None:
    conflict = await in_conflict(installation)
    api, jira, slack = installation.api, installation.jira, installation.slack
    (shown,) = await conflict.shown()
    assert (shown["field"], shown["ours"], shown["theirs"], shown["theirs_here"]) == (
        "severity",
        "SEV-1",
        "LOW",
        "SEV-4",
    )
    own = await slack.own_channel(conflict.key)
    told = await installation.told(own, "do not agree", "SEV-1", "LOW")
    assert "Keep ours" in told
    assert len([text for text in await slack.texts(own) if "do not agree" in text]) == 1
    said = await slack.said(f"sync {conflict.key}")
    for words in ("waits for a decision", "Take theirs", "SEV-1", conflict.ticket):
        assert words in said, said
    assert conflict.key in await slack.said("sync")

    await api.patch(conflict.key, title="login fails for everybody")
    await installation.issue_when(conflict.ticket, summary="login fails for everybody", priority="Low")
    assert (await api.incident(conflict.key))["severity"] == "SEV-1"

    await jira.edit(conflict.ticket, priority="Medium")  # the message follows what they do

    await installation.told(own, "do not agree", "MEDIUM")
    await installation.quiet()
    assert len([text for text in await slack.texts(own) if "do not agree" in text]) == 1

    await jira.edit(conflict.ticket, priority="Highest")  # now both mean the same: nothing is left to choose

    await installation.told(own, "settled", "both sides mean the same")
    await conflict.over("SEV-1", "Highest")
    assert "do not agree" not in str(await slack.texts(own))


@pytest.mark.parametrize(
    ("body", "severity", "priority"),
    [
        ({"choice": "ours"}, "SEV-1", "Highest"),
        ({"choice": "theirs"}, "SEV-4", "Low"),
        ({"choice": "value", "value": "sev2"}, "SEV-2", "High"),
    ],
)
async def test_resolved_by_api(installation: Installation, body: Json, severity: str, priority: str) -> None:
    conflict = await in_conflict(installation)
    (shown,) = await conflict.shown()
    responder = await installation.client("member", name="rita")
    place = f"/v1/incidents/{conflict.key}/conflicts/{shown['link_id']}/severity"

    viewer = await installation.client("viewer")
    assert (await viewer.request("POST", place, json=body)).status_code == 403
    await responder("POST", place, {**body, "seen": shown["seen"]})

    await conflict.over(severity, priority)
    line = await conflict.resolved_line()
    assert (line["actor"]["name"], line["channel"], line["data"]["value"]) == (
        "rita",
        "api",
        severity,
    )
    assert await conflict.audited() == [("rita", "api")]
    own = await installation.slack.own_channel(conflict.key)
    await installation.told(own, "settled", "rita", severity)


@pytest.mark.parametrize(
    ("choice", "severity", "priority"), [("ours", "SEV-1", "Highest"), ("theirs", "SEV-4", "Low")]
)
async def test_resolved_in_slack(
    installation: Installation, choice: str, severity: str, priority: str
) -> None:
    conflict = await in_conflict(installation)
    slack = installation.slack
    own = await slack.own_channel(conflict.key)
    await installation.told(own, "do not agree")
    message = next(one for one in await slack.messages(own) if "do not agree" in json.dumps(one))
    where = {"user": "U0ANN", "channel": own, "ts": message["ts"], "action_id": f"conflict.{choice}"}

    pressed = await slack.act("press_button", **where, repeat=2)

    assert pressed["status"] == 200
    await conflict.over(severity, priority)
    await installation.told(own, "settled", severity)
    assert "do not agree" not in str(await slack.texts(own))
    line = await conflict.resolved_line()
    assert line["actor"]["name"].lower().startswith("ann")
    assert line["channel"] == "chat"


async def test_resolved_from_the_answer_to_sync_which_is_replaced(on_sqlite: Installation) -> None:
    installation = on_sqlite
    conflict = await in_conflict(installation)
    slack = installation.slack
    typed = await slack.type(f"sync {conflict.key}")
    where = {"user": "U0ANN", "channel": "C0INCIDENTS", "ts": typed["shown"]["ts"]}

    await slack.act("press_button", **where, action_id="sync.theirs")

    await conflict.over("SEV-4", "Low")

    async def replaced() -> bool:
        (answer,) = (await slack.channels())["incidents"]["ephemerals"]
        return "in step" in json.dumps(answer) and "Take theirs" not in json.dumps(answer)

    await eventually(replaced, what="the answer that was replaced")


async def test_a_viewer_in_slack_may_look_and_not_choose(sqlite_path: Path, tmp_path: Path) -> None:
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data", vendors=("jira",)) as installation:
        await installation.add_slack(default_role="viewer")
        conflict = await in_conflict(installation)
        slack = installation.slack
        assert "SEV-1" in await slack.said(f"sync {conflict.key}")
        own = await slack.own_channel(conflict.key)
        await installation.told(own, "do not agree")
        message = next(one for one in await slack.messages(own) if "do not agree" in json.dumps(one))

        await slack.act(
            "press_button", user="U0ANN", channel=own, ts=message["ts"], action_id="conflict.theirs"
        )

        async def refused() -> bool:
            return "does not allow this" in json.dumps(await slack.state())

        await eventually(refused, what="the refusal")
        await installation.quiet()
        assert len(await conflict.shown()) == 1
        assert (await installation.api.incident(conflict.key))["severity"] == "SEV-1"


# ---------------------------------------------------------------------------------------- the command line


async def command(installation: Installation, *arguments: str, code: int = 0) -> str:
    """Run `callout incident …` as an operator beside the running product; return what it printed."""
    environment = {
        "CALLOUT_DATABASE_URL": installation.core.settings.database_url,
        "CALLOUT_DATA_DIR": str(installation.core.settings.data_dir),
        "PATH": "",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "callout",
        "incident",
        *arguments,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return (out if code == 0 else err).decode()


@pytest.fixture
async def jira_on_both(database_url: str, tmp_path: Path) -> AsyncIterator[Installation]:
    """Jira alone, on both databases."""
    async with running(database_url, tmp_path / "data", vendors=("jira",)) as found:
        yield found


async def test_resolved_on_the_command_line(jira_only: Installation) -> None:
    installation = jira_only
    conflict = await in_conflict(installation)
    key = conflict.key

    listed = await command(installation, "conflicts")
    assert f"{key}  severity: here “SEV-1”, in jira {conflict.ticket} “LOW” (which is “SEV-4” here)" in listed
    assert f"resolve-conflict {key} severity --take ours|theirs" in listed
    (one,) = json.loads(await command(installation, "conflicts", key, "--json"))
    stale = ("--take", "theirs", "--seen", "000000000000")
    said = await command(installation, "resolve-conflict", key, "severity", *stale, code=1)
    assert "has changed since you looked" in said
    await command(installation, "resolve-conflict", key, "severity", code=2)
    said = await command(installation, "resolve-conflict", key, "title", "--take", "ours", code=1)
    assert "no open conflict about title" in said
    wrong = await command(installation, "resolve-conflict", key, "severity", "--value", "bad", code=1)
    assert "cannot be the severity" in wrong

    choice = ("--value", "SEV-2", "--integration", "jira", "--seen", one["seen"])
    done = await command(installation, "resolve-conflict", key, "severity", *choice)

    assert f"{key}  severity is “SEV-2”" in done
    await conflict.over("SEV-2", "High")
    assert "no conflict" in await command(installation, "conflicts", key)
    assert await conflict.audited() == [("the command line", "cli")]


async def test_a_link_is_stopped_and_started_again_on_the_command_line(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails", severity="SEV-3")
    ticket = await installation.ticket_of(key)
    await installation.quiet()

    before = await jira.last_seq()

    assert "left alone" in await command(installation, "link", key, "stop")
    await api.patch(key, title="login fails for some")
    await api.note(key, "while it was stopped, here")
    await jira.edit(ticket, priority="Low")
    await jira.comment(ticket, "while it was stopped, there")
    await installation.quiet()
    assert await jira.our_writes(since=before) == []
    assert (await api.link(key))["state"] == "stopped"
    assert await api.notes(key) == ["while it was stopped, here"]
    assert "stopped" in await command(installation, "link", key, "retry", code=1)

    await command(installation, "link", key, "resume", "--json")

    await installation.incident_when(key, severity="SEV-4", title="login fails for some")
    await installation.issue_when(ticket, summary="login fails for some", priority="Low")

    async def caught_up() -> bool:
        return len(await api.notes(key)) == 2 and len(await jira.comments(ticket)) == 2

    await eventually(caught_up, what="the comments of both sides")
    await installation.quiet()


async def test_a_link_that_is_stopped_while_jira_answers_writes_nothing_more(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("login fails")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    before = await jira.last_seq()
    read = {"path": "^/rest/api/.*/issue/", "method": "GET"}
    await jira.fault({"match": read, "effect": {"kind": "latency", "seconds": 1.0}})
    await api.patch(key, title="login fails for some")

    async def reading() -> bool:
        return await jira.faults_fired() > 0

    await eventually(reading, what="the read before the write")
    link = await api.link(key)
    await api("POST", f"/v1/incidents/{key}/links/{link['id']}/actions", {"action": "stop"})
    await installation.quiet()

    assert (await api.link(key))["state"] == "stopped"
    assert await jira.our_writes(since=before) == []
    await jira.fault()
    await api("POST", f"/v1/incidents/{key}/links/{link['id']}/actions", {"action": "resume"})
    await installation.issue_when(ticket, summary="login fails for some")


# ------------------------------------------------------------------------------- while the other side is down


async def test_a_choice_holds_while_jira_is_down_and_a_later_edit_there_is_asked_about(
    jira_on_both: Installation,
) -> None:
    installation, jira = jira_on_both, jira_on_both.jira
    conflict = await in_conflict(installation)
    (shown,) = await conflict.shown()
    place = f"/v1/incidents/{conflict.key}/conflicts/{shown['link_id']}/severity"
    await jira.fault(DOWN)

    await installation.api("POST", place, {"choice": "ours", "seen": shown["seen"]})
    assert await conflict.shown() == []
    await jira.edit(conflict.ticket, priority="Medium")
    await jira.fault()
    await installation.skip(31)

    async def asked() -> Any:
        found = await conflict.shown()
        return found and found[0]["theirs"] == "MEDIUM"

    await eventually(asked, what="the new conflict")
    assert await jira.field(conflict.ticket, "priority") == "Medium"
    (shown,) = await conflict.shown()
    await installation.api("POST", place, {"choice": "theirs", "seen": shown["seen"]})
    await conflict.over("SEV-3", "Medium")
