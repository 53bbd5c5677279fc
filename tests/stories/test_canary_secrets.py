"""Secrets are planted wherever one can be, a story with trouble in it is told, and everything that came out is searched."""

from __future__ import annotations

import base64
import io
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import MetaData, select

from callout.bootstrap.tables import METADATA
from callout.kit.log import configure
from callout.sandbox.jira.twin import JiraTwin
from callout.sandbox.slack.twin import SlackTwin
from tests.stories.installation import Installation, running
from tests.stories.people import Api, eventually

JIRA_TOKEN = "Canary0JiraApiToken1234567"
JIRA_HOOK = "Canary0JiraHookSecret1234567"
SLACK_TOKEN = "xoxb-Canary0SlackBotToken1234567"
SLACK_SIGNING = "Canary0SlackSigning1234567"
WRONG_TOKEN = "co_org_Canary0WrongToken1234567"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """Everything that the product logs, down to the smallest detail, as machines read it."""
    root, out = logging.getLogger(), io.StringIO()
    handlers, level = list(root.handlers), root.level
    configure("json", "DEBUG", stream=out)
    yield out
    root.handlers, root.level = handlers, level
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_no_planted_secret_comes_out(database_url: str, tmp_path: Path, logged: io.StringIO) -> None:
    async with running(database_url, tmp_path / "data", vendors=()) as installation:
        answers: list[str] = []
        await _plant(installation)
        outside = Api(
            httpx.AsyncClient(event_hooks={"response": [_Keep(answers)]}),
            installation.url,
            installation.api.token,
        )
        secrets = {JIRA_TOKEN, JIRA_HOOK, SLACK_TOKEN, SLACK_SIGNING, WRONG_TOKEN, installation.api.token}
        secrets |= {installation.integrations[name].hook_token.reveal() for name in ("jira", "slack")}
        secrets |= {base64.b64encode(f"ann@example.com:{JIRA_TOKEN}".encode()).decode()}
        secrets |= _keys(tmp_path / "data")
        try:
            await _story(installation, outside)
            for path in ("/metrics", "/readyz", "/v1/meta/openapi", "/v1/incidents", "/login"):
                await outside.request("GET", path)
            for part in ("", "/notes", "/timeline", "/links"):
                await outside.request("GET", f"/v1/incidents/INC-1{part}")
            answers.append((await installation.page("/incidents/INC-1")).text)
        finally:
            await outside._http.aclose()
        rows = await _everything_stored(installation)

    for secret in secrets:
        assert len(secret) > 15, "a secret that short would be found by chance"
        assert secret not in logged.getvalue(), "in the log"
        assert secret not in "\n".join(answers), "in an answer"
        for table, text in rows.items():
            assert secret not in text, f"in the table {table}"
        for file in (tmp_path / "data").glob("*.db*"):
            assert secret.encode() not in file.read_bytes(), file
    # What was searched was really there.
    assert "sync_trouble" in logged.getvalue()
    assert "webhook_refused" in logged.getvalue()
    assert len(answers) > 12
    assert {"audit_log", "credentials", "event", "inbound_event", "timeline_entry"} <= {
        t for t in rows if rows[t]
    }


class _Keep:
    """Keeps status, headers and body of every answer."""

    def __init__(self, kept: list[str]) -> None:
        self._kept = kept

    async def __call__(self, answer: httpx.Response) -> None:
        await answer.aread()
        self._kept.append(f"{answer.status_code} {answer.headers!r}\n{answer.text}")


async def _plant(installation: Installation) -> None:
    jira, slack = installation.sandbox.twin("jira"), installation.sandbox.twin("slack")
    assert isinstance(jira, JiraTwin)
    assert isinstance(slack, SlackTwin)
    await installation.add_jira(
        secret=JIRA_HOOK,
        credential={"type": "basic", "username": "ann@example.com", "secret": JIRA_TOKEN},
    )
    ann = next(user for user in jira.desk.site.users.values() if user.email == "ann@example.com")
    ann.api_token = JIRA_TOKEN
    slack.space.tokens[SLACK_TOKEN] = slack.space.tokens["xoxb-acc"]
    await installation.slack.configure(signing_secret=SLACK_SIGNING)
    await installation.add_slack(secret=SLACK_SIGNING, credential={"type": "token", "secret": SLACK_TOKEN})


def _keys(data_dir: Path) -> set[str]:
    return {
        part
        for part in (data_dir / "keys").read_text().replace(",", "\n").replace(":", "\n").split()
        if len(part) > 15
    }


async def _story(installation: Installation, api: Api) -> None:
    jira, slack = installation.jira, installation.slack
    await slack.said("declare sev1 checkout is down")
    ticket = await installation.ticket_of("INC-1")
    await api.patch("INC-1", severity="SEV-2")
    await api.note("INC-1", "a note", audience="internal")
    await jira.comment(ticket, "a comment")
    await eventually(lambda: api.notes("INC-1"), what="the comment")

    # Trouble is where secrets slip out: vendors refuse, answer nonsense, repeat what they were sent.
    await jira.fault({"match": {"path": "^/rest/api"}, "effect": {"kind": "html"}})
    await slack.fault({"match": {"path": "^/api/"}, "effect": {"kind": "status", "status": 500}})
    await api.patch("INC-1", title="checkout is still down")
    await eventually(lambda: _problem(api), what="the trouble")
    echo = {"errorMessages": [f"bad token {JIRA_TOKEN}"], "errors": {"authorization": f"Basic {JIRA_TOKEN}"}}
    await jira.fault(
        {"match": {"path": "^/rest/api"}, "effect": {"kind": "status", "status": 401, "body": echo}}
    )
    await slack.fault()
    await installation.skip(10)
    await eventually(lambda: _problem(api, "AUTH_FAILED"), what="the refusal")
    await jira.fault()

    for headers in (
        {},
        {"authorization": f"Bearer {WRONG_TOKEN}"},
        {"cookie": f"callout_session={WRONG_TOKEN}"},
    ):
        await api.request("GET", "/v1/incidents", headers={"authorization": "", **headers})
    await api.request("POST", "/login", data={"token": WRONG_TOKEN})
    door = f"/v1/hooks/{installation.integrations['jira'].id}"
    await api.request("POST", door, json={}, headers={"x-hub-signature": f"sha256={JIRA_HOOK}"})
    await api.request("POST", f"/v1/hooks?token={WRONG_TOKEN}", json={})
    token = installation.integrations["jira"].hook_token.reveal()
    await api.request(
        "POST", f"{door}?token={token}", json={"webhookEvent": "jira:issue_updated"}, headers={"token": token}
    )
    await installation.skip(60)
    await installation.ticket_of("INC-1")
    await installation.issue_when(ticket, summary="checkout is still down")


async def _problem(api: Api, code: str = "") -> bool:
    problem = (await api.link("INC-1"))["problem"]
    return problem is not None and code in problem["code"]


async def _everything_stored(installation: Installation) -> dict[str, str]:
    """Return every table's rows as text."""
    found: dict[str, str] = {}
    metadata: MetaData = METADATA
    for table in metadata.sorted_tables:
        rows: Any = await installation.core.database.read(lambda tx, table=table: tx.all(select(table)))  # type: ignore[misc]
        found[table.name] = "\n".join(str(dict(row)) for row in rows)
    return found
