"""An installation moves from SQLite to PostgreSQL and back: nothing that the organization owns changes, no secret goes along, and
sync goes on with the tickets and cards that there are.
"""

from __future__ import annotations

import asyncio
import base64
import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from callout.access.passwords import hashed
from callout.bootstrap.portability import TRAVELS
from callout.cli import main
from callout.cli.bench.installation import Installation as Place
from callout.cli.bench.installation import at_home
from callout.kit.secrets import Secret
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Json, eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

JIRA_TOKEN = "Canary0JiraApiToken1234567"
JIRA_HOOK = "Canary0JiraHookSecret1234567"
SLACK_TOKEN = "xoxb-Canary0SlackBotToken1234567"
SLACK_SIGNING = "Canary0SlackSigning1234567"
RECEIVER = "Canary0ReceiverKey1234567890"
ENDPOINT = "Canary0EndpointSecret1234567890"
PASSWORD = "Canary0Password1234567"
JIRA_LOGIN = {"type": "basic", "username": "ann@example.com", "secret": JIRA_TOKEN}
CONFLICTS = "/v1/incidents/INC-2/conflicts"
DOWN = {"match": {"path": "^/rest/api/"}, "effect": {"kind": "status", "status": 503}}


def said(place: Place, *words: str) -> Result:
    return CliRunner().invoke(main, words, env=place.environment)


async def done(place: Place, *words: str) -> Any:
    """Run a command beside the event loop, and return the JSON that it prints."""
    result = await asyncio.to_thread(said, place, *words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def home(folder: Path, url: str) -> Place:
    folder.mkdir(exist_ok=True)
    return at_home(folder, url)


def read(archive: Path) -> tuple[Json, dict[str, list[Json]]]:
    """Return the manifest and every table's rows, in an order of their own."""
    with tarfile.open(archive) as opened:
        content = {one.name: opened.extractfile(one).read() for one in opened.getmembers()}  # type: ignore[union-attr]
    rows = {
        name.removesuffix(".jsonl"): sorted(
            (json.loads(line) for line in text.splitlines()), key=lambda row: json.dumps(row, sort_keys=True)
        )
        for name, text in content.items()
        if name != "manifest.json"
    }
    return json.loads(content["manifest.json"]), rows


def whole_text(archive: Path) -> bytes:
    with tarfile.open(archive) as opened:
        return b"".join(opened.extractfile(one).read() for one in opened.getmembers())  # type: ignore[union-attr]


@pytest.mark.timeout(240)
async def test_it_moves_to_postgresql_goes_on_there_and_moves_back(
    sqlite_path: Path, postgres_url: str, tmp_path: Path
) -> None:
    async with running(
        f"sqlite:///{sqlite_path}", tmp_path / "first", vendors=(), settings={"takeover_seconds": 2.0}
    ) as first:
        secrets = await _planted(first)
        ticket = await _told(first)
        await _still(first)
        one = home(tmp_path / "first", f"sqlite:///{sqlite_path}")
        out = tmp_path / "first.tar.gz"
        made = await done(one, "export", str(out))
        assert {part["table"]: part["rows"] for part in made["parts"]}["incident"] == 2
        text = await asyncio.to_thread(whole_text, out)
        for secret in secrets | _keys(tmp_path / "first"):
            assert len(secret) > 15, "a secret that short would be found by chance"
            assert secret.encode() not in text, "in the export"
        assert b"checkout is down" in text
        lacking = {
            (lack.get("integration"), lack["what"].partition(" ")[0]) for lack in made["to_enter_again"]
        }
        assert {("jira", "credential"), ("slack", "credential"), (None, "its"), (None, "the")} <= lacking
        for name in ("jira", "slack"):  # the first one ends
            await _switch(first, name, on=False)

        other = home(tmp_path / "second", postgres_url)
        taken = await done(other, "import", str(out))
        assert (taken["integrations_off"], taken["endpoints_off"]) == (2, 2)
        back = tmp_path / "second.tar.gz"
        await done(other, "export", str(back))
        third = home(tmp_path / "third", f"sqlite:///{tmp_path / 'third' / 'callout.db'}")
        await done(third, "import", str(back))
        again = tmp_path / "third.tar.gz"
        await done(third, "export", str(again))
        _same(out, back)
        _same(out, again)

        async with running(
            postgres_url, tmp_path / "second", vendors=(), sandbox=first.sandbox, ahead=first.clock.ahead
        ) as second:
            await _it_is_quiet(second)
            await _credentials_come_back(other, second)
            await _it_goes_on(second, ticket)


def _same(left: Path, right: Path) -> None:
    """Every row that travels is the same."""
    (_, ours), (_, theirs) = read(left), read(right)
    for one in TRAVELS:
        assert theirs[one.name] == ours[one.name], one.name
    for table in ("timeline_entry", "sync_link", "sync_comment", "chat_message", "incident_attachment_part"):
        assert ours[table], f"nothing of {table} was there to travel"
    assert len(ours["audit_log"]) > 10


async def _still(one: Installation) -> None:
    """Wait until no job waits but deliveries to receivers that are not there; the twin's own webhooks still go to the first one."""

    async def still() -> bool:
        waiting = [kind for kind, _ in await one.waiting_jobs() if kind != "webhooks.deliver"]
        assert waiting == []
        return True

    await eventually(still, what="quiet")


async def _planted(first: Installation) -> set[str]:
    """Add integrations, a receiver, an endpoint, a member; return every secret among that."""
    twins = first.sandbox.twin("jira"), first.sandbox.twin("slack")
    ann = next(user for user in twins[0].desk.site.users.values() if user.email == "ann@example.com")  # type: ignore[attr-defined]
    ann.api_token = JIRA_TOKEN
    tokens = twins[1].space.tokens  # type: ignore[attr-defined]
    tokens[SLACK_TOKEN] = tokens["xoxb-acc"]
    await first.slack.configure(signing_secret=SLACK_SIGNING)
    await first.add_jira(secret=JIRA_HOOK, credential=JIRA_LOGIN)
    await first.add_slack(secret=SLACK_SIGNING, credential={"type": "token", "secret": SLACK_TOKEN})
    hook = {
        "provider_key": JIRA_HOOK,
        "items": [{"webhook_url": "http://127.0.0.1:9/tickets", "integrator_key": RECEIVER}],
    }
    core, jira = first.core, first.integrations["jira"]
    await first.in_account(
        lambda tx: core.integrations.update(tx, jira.id, changes={"webhook_config": hook}, actor=OPERATOR)
    )
    await first.in_account(
        lambda tx: core.outbound.endpoints.create(
            tx, name="sink", url="http://127.0.0.1:9/all", filters=[], actor=OPERATOR, secret=Secret(ENDPOINT)
        )
    )
    password = await hashed(Secret(PASSWORD))
    await first.transaction(
        lambda tx: core.members.create(
            tx, actor=OPERATOR, name="bo", email="bo@example.com", role="admin", password_hash=password
        )
    )
    return {
        *(JIRA_TOKEN, JIRA_HOOK, SLACK_TOKEN, SLACK_SIGNING, RECEIVER, ENDPOINT, PASSWORD, password),
        first.api.token,
        *(one.hook_token.reveal() for one in first.integrations.values()),
        base64.b64encode(f"ann@example.com:{JIRA_TOKEN}".encode()).decode(),
    }


def _keys(data_dir: Path) -> set[str]:
    words = (data_dir / "keys").read_text().replace(",", "\n").replace(":", "\n").split()
    return {word for word in words if len(word) > 15}


async def _told(first: Installation) -> str:
    """Tell a story with something of everything in it; return the ticket's key."""
    api, jira = first.api, first.jira
    await api.declare("checkout is down", severity="SEV-1", tags=["payments"])
    ticket = await first.ticket_of("INC-1")
    await api.note("INC-1", "the cause is the cache", audience="internal")
    await api.note("INC-1", "we are looking into it", audience="responders")
    await jira.comment(ticket, "a customer called")
    await eventually(lambda: _noted(first, "INC-1", "a customer called"), what="the comment")
    sent = await api.request(
        "POST",
        "/v1/incidents/INC-1/attachments",
        params={"name": "trace.txt"},
        content=b"\x00\xff trace",
    )
    assert sent.status_code == 201, sent.text
    await api("POST", "/v1/incidents/INC-1/tasks", json={"title": "call the vendor"})
    await api.declare("search is slow", severity="SEV-3")
    await first.ticket_of("INC-2")
    await first.told("incidents", "search is slow")
    await _in_conflict(first, await first.ticket_of("INC-2"))
    return ticket


async def _in_conflict(first: Installation, ticket: str) -> None:
    """Let both sides change the severity of INC-2 while they cannot reach each other."""
    await first.jira.fault(DOWN)
    await first.api.patch("INC-2", severity="SEV-1")
    await first.jira.edit(ticket, priority="Low")
    await first.jira.fault()
    await first.skip(31)
    await eventually(lambda: first.api("GET", CONFLICTS), what="the conflict")


async def _noted(one: Installation, key: str, text: str) -> bool:
    return text in await one.api.notes(key)


async def _switch(one: Installation, name: str, *, on: bool) -> None:
    await one.in_account(
        lambda tx: one.core.integrations.update(tx, name, changes={"enabled": on}, actor=OPERATOR)
    )


async def _it_is_quiet(second: Installation) -> None:
    """Nothing is asked of anybody, whatever happens here, and whoever knocks from there is not let in."""
    seqs = {twin.name: await twin.last_seq() for twin in (second.jira, second.slack)}
    await second.api.note("INC-1", "we have moved")
    await second.api.patch("INC-2", title="search is very slow")
    await _still(second)
    await asyncio.sleep(2.5)  # more than two rounds of polling, which would come every second
    assert {name: await twin.calls(since=seqs[name]) for name, twin in _twins(second).items()} == {
        "jira": [],
        "slack": [],
    }
    rows = "SELECT count(*) FROM webhook_attempt"
    assert (await second.core.database.read(lambda tx: tx.driver_all(rows, rows)))[0][0] == 0


def _twins(one: Installation) -> Mapping[str, Any]:
    return {"jira": one.jira, "slack": one.slack}


async def _credentials_come_back(place: Place, second: Installation) -> None:
    refused = await asyncio.to_thread(said, place, "resume")
    assert refused.exit_code == 1
    assert "jira stays off: a credential of jira is to be entered again (secret)" in refused.stderr
    listed = await done(place, "integration", "list")
    assert {one["name"]: one["enabled"] for one in listed} == {"jira": False, "slack": False}
    for name, login in (("jira", JIRA_LOGIN), ("slack", {"type": "token", "secret": SLACK_TOKEN})):
        await done(place, "integration", "set", name, "--config", json.dumps({"credential": login}))
    assert (await done(place, "resume"))["integrations_on"] == ["jira", "slack"]
    assert (await asyncio.to_thread(said, place, "resume")).exit_code == 1  # nothing is held any more
    _ = second


async def _it_goes_on(second: Installation, ticket: str) -> None:
    """What was written meanwhile goes to the tickets that there are, and what happens there comes here."""
    issue = (await second.api.link("INC-2"))["ticket_key"]
    await second.issue_when(issue, summary="search is very slow")
    await eventually(lambda: _commented(second, ticket, "we have moved"), what="our note there")
    [conflict] = await second.api("GET", CONFLICTS)  # still there for a person to decide
    assert (conflict["field"], conflict["ours"], conflict["theirs"]) == ("severity", "SEV-1", "LOW")
    await second.api("POST", f"{CONFLICTS}/{conflict['link_id']}/severity", json={"choice": "ours"})
    await second.issue_when(issue, priority="Highest")
    await second.jira.edit(ticket, summary="checkout is down in the north")
    await second.incident_when("INC-1", title="checkout is down in the north")
    await _still(second)
    assert len(await second.jira.effects("issue.create")) == 2  # no ticket twice
    comments = await second.jira.comments(ticket)
    assert len(comments) == len(set(comments)) == 3  # one of a customer, two of ours; the internal one stays
    cards = [text for text in await second.slack.texts("incidents") if "INC-2" in text]
    assert len(cards) == 1, cards


async def _commented(second: Installation, ticket: str, text: str) -> bool:
    return any(text in comment for comment in await second.jira.comments(ticket))
