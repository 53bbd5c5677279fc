"""The vendors in trouble: the incident is unharmed, the link says in words what is wrong, and work goes on by itself."""

from __future__ import annotations

import asyncio
import os
import sys
import time

import pytest

from tests.stories.installation import Installation
from tests.stories.people import Json, eventually

ANY: Json = {"path": "^/rest/api"}
WRITES: Json = {"method": "PUT", "path": "^/rest/api"}

TROUBLES: dict[str, tuple[Json, str]] = {
    "refused connections": ({"kind": "disconnect"}, ""),
    "an HTML page with 200": ({"kind": "html"}, ""),
    "401": ({"kind": "expired_token"}, "api token"),
    "429 without Retry-After": ({"kind": "status", "status": 429}, ""),
    "429 with Retry-After": ({"kind": "status", "status": 429, "retry_after": 1}, ""),
    "500": ({"kind": "status", "status": 500}, ""),
    "503": ({"kind": "status", "status": 503}, ""),
}


@pytest.mark.parametrize("name", TROUBLES)
async def test_jira_in_trouble(jira_only: Installation, name: str) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    before = await api.declare("declared before", severity="SEV-3")
    ticket = await installation.ticket_of(before)
    await installation.quiet()
    effect, words = TROUBLES[name]
    await jira.fault({"match": ANY, "effect": effect})

    started = time.monotonic()
    during = await api.declare("declared during", severity="SEV-2")
    await api.patch(before, title="changed during")
    await api.act(during, "acknowledge")
    assert time.monotonic() - started < 2, "nobody waits for a vendor"

    told: dict[str, dict[str, object]] = {}

    async def in_words() -> bool:
        for key in (before, during):
            if (problem := (await api.link(key))["problem"]) is not None:
                told[key] = problem
        # A 429 closes the account's budget: the second link may have had no call that could fail.
        assert len(told) == 2 or (told and name.startswith("429"))
        for problem in told.values():
            assert problem["message"]
            assert problem["remediation"]
            assert words in str(problem).lower()
        return True

    await eventually(in_words, what="the trouble on the links")
    assert (await api.incident(during))["status"] == "acknowledged"

    await jira.fault()
    await _go_on(installation, during)
    await installation.issue_when(ticket, summary="changed during")
    made = await installation.ticket_of(during)
    await installation.issue_when(made, status="In Progress", priority="High")
    await installation.quiet()
    for key in (before, during):
        assert (await api.link(key))["problem"] is None
        kinds = [line["kind"] for line in await api.timeline(key)]
        assert "sync_problem" in kinds or key not in told
    assert len(await jira.effects("issue.create")) == 2


async def _go_on(installation: Installation, key: str) -> None:
    """Let time pass until the work that waited for the vendor is tried again; by itself, nobody asks for it."""

    async def again() -> bool:
        await installation.skip(20)
        link = await installation.api.link(key)
        return link["state"] == "active" and link["problem"] is None

    await eventually(again, what="work goes on")


async def test_a_slow_jira_delays_nobody(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    await jira.fault({"match": ANY, "effect": {"kind": "latency", "seconds": 0.7}})
    started = time.monotonic()
    keys = [await api.declare(f"incident {number}") for number in range(3)]
    await api.act(keys[0], "acknowledge")
    assert time.monotonic() - started < 4 * 0.7  # had each waited for one call only
    for key in keys:
        await installation.ticket_of(key)
    assert len(await jira.effects("issue.create")) == 3


@pytest.mark.parametrize("kind", ["timeout_after_write", "disconnect_after_write"])
async def test_the_answer_to_a_creation_is_lost_and_the_search_lags(
    jira_only: Installation, kind: str
) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    await jira.fault(
        {
            "match": {"method": "POST", "path": "/issue$", "first": 1},
            "effect": {"kind": kind, **({"hold": 0.2} if kind == "timeout_after_write" else {})},
        },
        {"match": {"path": "/search"}, "effect": {"kind": "lagging_search", "seconds": 20}},
        {"match": {"event": ".*"}, "effect": {"kind": "webhook_drop"}},
    )
    key = await api.declare("checkout is down", severity="SEV-1")

    async def made() -> bool:
        return len(await jira.effects("issue.create")) == 1

    await eventually(made, what="the issue")
    await api.act(key, "acknowledge")
    seen = await jira.last_seq()

    async def searched() -> bool:
        return any("/search" in call["path"] for call in await jira.calls(since=seen))

    await eventually(searched, what="a search for our mark")
    assert (await api.link(key))["state"] == "creating"

    await installation.skip(15)  # the index still does not show it
    await eventually(searched, what="another search")
    assert len(await jira.effects("issue.create")) == 1
    await installation.skip(40)
    ticket = await installation.ticket_of(key)
    await installation.issue_when(ticket, status="In Progress")
    await installation.quiet()
    assert len(await jira.effects("issue.create")) == 1
    assert [line["kind"] for line in await api.timeline(key)].count("ticket_created") == 1


async def test_the_answer_to_a_comment_is_lost(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    key = await api.declare("checkout is down")
    ticket = await installation.ticket_of(key)
    await installation.quiet()
    # The webhook that tells of our own comment comes before the answer would have: it must not become a second note.
    await jira.fault(
        {
            "match": {"method": "POST", "path": "/comment$", "first": 1},
            "effect": {"kind": "timeout_after_write", "hold": 0.3},
        },
    )
    await api.note(key, "said once")

    async def there() -> bool:
        return any("said once" in body for body in await jira.comments(ticket))

    await eventually(there, what="the comment")
    await jira.comment(ticket, "said by a person meanwhile")
    await jira.drain()
    await installation.skip(10)

    async def noted() -> bool:
        return "said by a person meanwhile" in await api.notes(key)

    await eventually(noted, what="the other comment")
    await installation.quiet()
    assert len(await jira.effects("comment.create")) == 2
    assert await api.notes(key) == ["said once", "said by a person meanwhile"]


async def test_one_slow_integration_does_not_hold_up_another(jira_only: Installation) -> None:
    installation, api, jira = jira_only, jira_only.api, jira_only.jira
    await installation.add(
        "elsewhere",
        {
            "type": "ticketing_jira",
            "url": "http://127.0.0.1:9/jira",  # nobody listens there
            "credential": {"type": "basic", "username": "ann@example.com", "secret": "token"},
            "default_project": "TST",
        },
    )
    key = await api.declare("checkout is down")
    await installation.ticket_of(key, "jira")

    async def said() -> bool:
        return (await api.link(key, "elsewhere"))["problem"] is not None

    await eventually(said, what="the trouble of the other one")
    assert (await api.link(key, "jira"))["problem"] is None
    assert len(await jira.effects("issue.create")) == 1


async def test_slack_down_the_incident_is_declared_by_api_and_command_line_and_told_later(
    installation: Installation,
) -> None:
    api, slack = installation.api, installation.slack
    await slack.fault({"match": {"path": "^/api/"}, "effect": {"kind": "status", "status": 503}})

    by_api = await api.declare("declared by API", severity="SEV-3")
    by_hand = await _command_line(
        installation, "incident", "declare", "declared by hand", "--severity", "SEV-1"
    )
    assert by_hand.startswith("INC-2")
    await api.act(by_api, "acknowledge")
    await installation.ticket_of(by_api)
    await installation.ticket_of("INC-2")
    fired = await slack.faults_fired()
    assert await eventually(slack.faults_fired, what="a try") >= fired

    await slack.fault()

    async def told() -> bool:
        await installation.skip(10)
        await slack.told("incidents", "declared by API")
        await slack.told("incidents", "open → acknowledged")
        await slack.told("critical-incidents", "declared by hand")
        return True

    await eventually(told, what="the news")
    await installation.quiet()
    assert len([text for text in await slack.texts("incidents") if "→" in text]) == 1
    assert len(await slack.effects("conversations.create")) == 2


async def _command_line(installation: Installation, *arguments: str) -> str:
    settings = installation.core.settings
    own = {name: value for name, value in os.environ.items() if not name.startswith("CALLOUT_")}
    running = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "callout",
        *arguments,
        env={
            **own,
            "CALLOUT_DATA_DIR": str(settings.data_dir),
            "CALLOUT_DATABASE_URL": settings.database_url,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await running.communicate()
    assert running.returncode == 0, err.decode()
    return out.decode()
