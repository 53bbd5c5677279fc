"""From a webhook to the chat call in one trace, through two processes; what is exported holds no secret; a dead collector harms nobody."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from callout.bootstrap.core import open_core, prepare_database
from callout.bootstrap.wiring import wire
from callout.cli.bench.installation import at_home, free_port, stop
from callout.sandbox.core.serve import SandboxServer
from callout.sandbox.jira.twin import JiraTwin
from callout.sandbox.slack.twin import SlackTwin
from tests.stories.forked import forked
from tests.stories.installation import TLS, Installation, SteppedClock
from tests.stories.otlp_collector import Collector, Seen, collecting
from tests.stories.people import Api, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

JIRA_TOKEN = "Canary1JiraApiToken1234567"
JIRA_HOOK = "Canary1JiraHookSecret1234567"
SLACK_TOKEN = "xoxb-Canary1SlackBotToken1234567"
SLACK_SIGNING = "Canary1SlackSigning1234567"
IN_ADDRESS = "Canary1InTheAddress1234567"
TITLE = "Canary1 customers cannot pay"
PROGRAM = "4bf92f3577b34da6a3ce929d0e0e4736"
"""The trace of a program that calls our API."""
PATIENCE = 60.0
SERVER, CLIENT, CONSUMER = 2, 3, 5


@pytest.mark.timeout(240)
async def test_one_trace_from_the_webhook_to_the_chat_call(database_url: str, tmp_path: Path) -> None:
    place = at_home(tmp_path, database_url)
    await prepare_database(place.settings(), migrate=True)
    clock = SteppedClock()
    with collecting() as collector:
        traced = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=tests",
            "CALLOUT_LOG": "json",
        }
        asked_at = free_port()
        async with (
            SandboxServer(only=("jira", "slack")) as sandbox,
            httpx.AsyncClient(timeout=60, verify=TLS) as http,
            open_core(place.settings(), clock=clock) as core,
        ):
            wired = wire(core)
            one = Installation(wired, sandbox, http, place.address, clock)
            one.account = (await one.transaction(lambda tx: core.accounts.get(tx, "default"))).id
            one.api = await one.client(name="stories")
            await _plant(one)
            api = forked(place, "api", **traced)
            worker = forked(place, "worker", **traced, CALLOUT_WORKER_PORT=str(asked_at))
            try:
                await asyncio.to_thread(place.wait_ready, api)
                key, ticket = await _declared(one)
                await _strangers(one)
                await one.jira.edit(ticket, priority={"name": "Low"})
                await eventually(
                    lambda: one.slack.told("incidents", "SEV-4"), within=PATIENCE, what="the news"
                )
                await eventually(lambda: _one_trace(collector), within=PATIENCE, what="the one trace")
                _programs_go_on(collector)
                _nothing_secret(collector, one, tmp_path)
                _logs_name_the_trace(collector, tmp_path)
                # What is read from the database is some seconds old: a first reading may be of before the worker's first sign of life.
                own = f"http://127.0.0.1:{asked_at}"
                await eventually(
                    lambda: _workers_are_asked(http, own), within=PATIENCE, what="the worker's figures"
                )
                # The collector dies: work goes on, and is told of once.
                collector.close()
                await one.jira.edit(ticket, priority={"name": "High"})
                await eventually(
                    lambda: _severity(one.api, key, "SEV-2"), within=PATIENCE, what="work goes on"
                )
                await eventually(lambda: _complained(tmp_path), within=PATIENCE, what="a line in the log")
            finally:
                stop(worker)
                stop(api)
                await wired.connections.close()
            assert (worker.returncode, api.returncode) == (0, 0)
            assert len(_lines(tmp_path, "traces_not_sent", "worker")) == 1


async def _plant(one: Installation) -> None:
    """Let every secret be one that can be looked for."""
    jira, slack = one.sandbox.twin("jira"), one.sandbox.twin("slack")
    assert isinstance(jira, JiraTwin)
    assert isinstance(slack, SlackTwin)
    ann = next(user for user in jira.desk.site.users.values() if user.email == "ann@example.com")
    ann.api_token = JIRA_TOKEN
    slack.space.tokens[SLACK_TOKEN] = slack.space.tokens["xoxb-acc"]
    await one.slack.configure(signing_secret=SLACK_SIGNING)
    credential = {"type": "basic", "username": "ann@example.com", "secret": JIRA_TOKEN}
    await one.add_jira(secret=JIRA_HOOK, credential=credential)
    await one.add_slack(secret=SLACK_SIGNING, credential={"type": "token", "secret": SLACK_TOKEN})


async def _declared(one: Installation) -> tuple[str, str]:
    """Declare an incident as a program with a trace of its own does; return its key and its ticket's."""
    answer = await one.api.request(
        "POST",
        "/v1/incidents",
        json={"title": TITLE, "severity": "SEV-2"},
        headers={"traceparent": f"00-{PROGRAM}-00f067aa0ba902b7-01"},
    )
    assert answer.status_code == 201, answer.text
    key = str(answer.json()["result"]["key"])

    async def linked() -> str:
        link = await one.api.link(key)
        return str(link["ticket_key"]) if link["state"] == "active" else ""

    ticket = await eventually(linked, within=PATIENCE, what="the ticket")
    await eventually(lambda: one.slack.told("incidents", TITLE), within=PATIENCE, what="the card")
    return key, ticket


async def _strangers(one: Installation) -> None:
    """Ask for what holds secrets in its address, and for what does not exist."""
    door = f"{one.url}/v1/hooks/{one.integrations['jira'].id}"
    wrong = {"x-hub-signature": "sha256=00", "traceparent": f"00-{PROGRAM}-00f067aa0ba902b7-01"}
    assert (await one.http.post(f"{door}?token={IN_ADDRESS}", json={}, headers=wrong)).status_code == 401
    for path in (f"/setup/{IN_ADDRESS}", f"/v1/nothing/{IN_ADDRESS}", f"/{IN_ADDRESS}"):
        await one.http.get(f"{one.url}{path}")
    await one.http.request("PROPFIND", f"{one.url}/v1/incidents")


async def _one_trace(collector: Collector) -> bool:
    for call in list(collector.spans):
        if call.name != "POST /slack/api/chat.postMessage" or call.trace_id == PROGRAM:
            continue
        line = collector.line(call)
        if line[0].name != "POST /v1/hooks/{integration}":
            continue
        names = [span.name for span in line]
        assert names[1] == "webhook intake"
        assert names[2] == "job sync.inbound"
        assert "job event:chat" in names
        assert names[-2] == "job chat.visit"
        assert [line[0].kind, line[2].kind, call.kind] == [SERVER, CONSUMER, CLIENT]
        assert [span.resource["callout.role"] for span in line[:3]] == ["api", "api", "worker"]
        assert {span.resource["service.name"] for span in line} == {"callout"}
        assert line[0].resource["deployment.environment.name"] == "tests"
        assert line[0].attributes["http.response.status_code"] == 202
        assert call.attributes["callout.provider"] == "chat_slack"
        assert not any(span.failed for span in line)
        return True
    return False


def _programs_go_on(collector: Collector) -> None:
    """What a program declared is in that program's trace, down to ticket and card; a stranger's webhook is not."""
    names = [span.name for span in collector.trace(PROGRAM)]
    assert "POST /v1/incidents" in names
    assert "POST /jira/rest/api/2/issue" in names or "POST /jira/rest/api/3/issue" in names
    assert "POST /slack/api/chat.postMessage" in names
    assert not any("/v1/hooks" in name for name in names)


def _nothing_secret(collector: Collector, one: Installation, folder: Path) -> None:
    secrets = {JIRA_TOKEN, JIRA_HOOK, SLACK_TOKEN, SLACK_SIGNING, IN_ADDRESS, TITLE, "Canary1"}
    secrets |= {one.api.token, *(found.hook_token.reveal() for found in one.integrations.values())}
    secrets |= {part for part in (folder / "keys").read_text().replace(":", "\n").split() if len(part) > 15}
    for secret in secrets:
        assert len(secret) > 6
        assert secret.encode() not in collector.raw
    names = {span.name for span in collector.spans}
    # What was searched was really there, by the names of its routes or by none.
    assert {
        "GET /setup/{secret}",
        "POST /v1/chat/{integration}/{what}",
        "GET",
        "_OTHER /v1/incidents",
    } <= names
    assert _named(collector.spans, "POST /v1/hooks/{integration}", 401)


def _named(spans: Sequence[Seen], name: str, status: int) -> bool:
    return any(
        span.name == name and span.attributes.get("http.response.status_code") == status for span in spans
    )


def _lines(folder: Path, event: str, role: str) -> list[dict[str, Any]]:
    lines = (folder / f"{role}.log").read_text().splitlines()
    found = [json.loads(line) for line in lines if line.startswith("{")]
    return [line for line in found if line["event"] == event]


def _logs_name_the_trace(collector: Collector, folder: Path) -> None:
    [line] = _lines(folder, "webhook_refused", "api")
    assert line["trace_id"] in {span.trace_id for span in collector.spans if span.name == "webhook intake"}
    assert line["trace_id"] != PROGRAM
    assert len(line["span_id"]) == 16


async def _workers_are_asked(http: httpx.AsyncClient, url: str) -> bool:
    """A worker that has a port of its own tells what only it knows: its requests to vendors."""
    ready = (await http.get(f"{url}/readyz")).json()
    assert ready["ready"] is True
    lines = (await http.get(f"{url}/metrics")).text.splitlines()
    for sample in (
        'callout_vendor_calls_total{outcome="ok",provider="chat_slack"}',
        'callout_vendor_calls_total{outcome="ok",provider="ticketing_jira"}',
        'callout_webhooks_read_total{outcome="parsed"}',
        "callout_worker_last_seen_timestamp_seconds",
        "callout_database_up",
    ):
        assert any(line.startswith(f"{sample} ") and float(line.split()[-1]) > 0 for line in lines), sample
    assert (await http.get(f"{url}/v1/incidents")).status_code == 404
    return True


async def _complained(folder: Path) -> bool:
    return bool(_lines(folder, "traces_not_sent", "worker"))


async def _severity(api: Api, key: str, wanted: str) -> bool:
    return bool((await api.incident(key))["severity"] == wanted)
