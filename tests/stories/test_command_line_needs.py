"""What tickets need, from the command line: shown, given with the resolve, refused in words; no server runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import Core, open_core
from callout.bootstrap.settings import load_settings
from callout.cli import main
from callout.ports.values import Status
from callout.storage import AccountTx, Tx
from callout.sync import Base, Link, LinkState, LinkStatus, links, needs_store
from callout.sync.needs_reading import Asked, NeededField, Reading

JIRA = {
    "url": "http://127.0.0.1:9",
    "credential": {"type": "basic", "username": "admin@example.com", "secret": "token"},
    "default_project": "TST",
    "default_issue_type": "Incident",
}
CHOICES = (("1", "Fixed"), ("2", "Won't do"))
ASKED = Asked(
    "category:done", (NeededField("resolution", "Resolution", "enum", required=True, choices=CHOICES),)
)


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "CALLOUT_DATA_DIR": str(tmp_path),
        "CALLOUT_ALLOW_NETWORKS": "127.0.0.0/8",
        "CALLOUT_REQUIRE_HTTPS": "false",
    }


def callout(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def stored(environment: dict[str, str], work: Callable[[Core, AccountTx], Awaitable[Any]]) -> Any:
    """Run a unit of work in the default account."""

    async def opened() -> Any:
        async with open_core(load_settings({}, environ=environment)) as core:

            async def unit(tx: Tx) -> Any:
                account = await core.accounts.get(tx, DEFAULT_ACCOUNT)
                return await work(core, tx.account(account.id))

            return await core.database.transaction(unit)

    return asyncio.run(opened())


async def _link(core: Core, tx: AccountTx) -> None:
    incident, one = await core.incidents.get(tx, "INC-1"), await core.integrations.get(tx, "jira")
    now = datetime.now(UTC)
    link = Link(
        id="link-1",
        account_id=tx.account_id,
        incident_id=incident.id,
        integration_id=one.id,
        mark="callout-inc-1",
        status=LinkStatus.ACTIVE,
        created_at=now,
        ticket_id="10001",
        ticket_key="TST-1",
        project="TST",
        merge=LinkState({"status": Base("open", "To Do|new")}),
    )
    await links.insert(tx, link)
    await needs_store.keep(tx, one.id, "TST", Reading({Status.RESOLVED: ASKED}), now)


async def _given(_core: Core, tx: AccountTx) -> Mapping[str, Any]:
    return (await links.load(tx, "link-1")).given


def test_shown_refused_and_given(environment: dict[str, str]) -> None:
    config = ("--name", "jira", "--config", json.dumps(JIRA))
    assert callout(environment, "integration", "add", "ticketing_jira", *config).exit_code == 0
    assert callout(environment, "incident", "declare", "login fails").exit_code == 0
    stored(environment, _link)
    shown = callout(environment, "incident", "needs", "INC-1")
    assert shown.output == "jira TST-1: jira.resolution [Resolution] = MISSING; one of: Fixed, Won't do\n"

    act = ("incident", "act", "INC-1", "resolve", "--field")
    assert callout(environment, *act, "resolution").exit_code == 2
    wrong = callout(environment, *act, "jira.resolution=Magic")
    assert wrong.exit_code != 0
    assert "jira.resolution: choose one of: Fixed, Won't do" in wrong.output
    assert stored(environment, _given) == {}

    done = callout(environment, *act, "jira.resolution=Won't do")
    assert (done.exit_code, "resolved" in done.output) == (0, True), done.output
    assert stored(environment, _given) == {"resolution": "2"}
    shown = callout(environment, "incident", "needs", "INC-1", "--json")
    [field] = json.loads(shown.output)[0]["fields"]
    assert (field["value"], field["given_by"]) == ("Won't do", "person")
