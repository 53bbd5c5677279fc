"""The operator's commands for integrations and their tickets, over one data directory; no server runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import open_core
from callout.bootstrap.settings import load_settings
from callout.bootstrap.standing import target_of
from callout.cli import main
from callout.storage import Tx
from callout.sync import SyncDirection, Target
from callout.sync.rules import accepts

PAGERDUTY = {
    "url": "http://127.0.0.1:9",
    "credential": {"type": "token", "secret": "pd-key"},
    "default_creator": "admin@example.com",
}


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "CALLOUT_DATA_DIR": str(tmp_path),
        "CALLOUT_ALLOW_NETWORKS": "127.0.0.0/8",
        "CALLOUT_REQUIRE_HTTPS": "false",
    }


def callout(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def add(environment: dict[str, str], **sync: object) -> Result:
    settings = json.dumps({"sync": sync})
    config = json.dumps(PAGERDUTY)
    words = ("--name", "pd", "--config", config, "--settings", settings, "--json")
    return callout(environment, "integration", "add", "ticketing_pagerduty", *words)


def target(environment: dict[str, str]) -> Target:
    """Return the integration as sync sees it, read back from the database."""

    async def read() -> Target:
        async with open_core(load_settings({}, environ=environment)) as core:

            async def unit(tx: Tx) -> Target:
                account = await core.accounts.get(tx, DEFAULT_ACCOUNT)
                return target_of(core, await core.integrations.get(tx.account(account.id), "pd"))

            return await core.database.read(unit)

    return asyncio.run(read())


def test_a_connectors_defaults_hold_where_the_operator_says_nothing_else(
    environment: dict[str, str],
) -> None:
    assert add(environment, fields={"title": {"direction": "inbound"}}).exit_code == 0
    found = target(environment)
    rules = found.mappings().rules(found.integration_id)
    assert rules["description"].direction is SyncDirection.NONE
    assert rules["title"].direction is SyncDirection.INBOUND
    assert accepts(found.settings)


def test_the_operator_overrules_a_connectors_defaults(environment: dict[str, str]) -> None:
    done = add(environment, accept=False, fields={"description": {"direction": "outbound"}})
    assert done.exit_code == 0
    found = target(environment)
    assert found.mappings().rules(found.integration_id)["description"].direction is SyncDirection.OUTBOUND
    assert not accepts(found.settings)


def test_a_wrong_rule_is_refused_before_anything_is_stored(environment: dict[str, str]) -> None:
    refused = add(environment, accept=[{"colour": ["red"]}])
    assert refused.exit_code != 0
    assert "knows no condition colour" in refused.output
    assert "title_contains" in refused.output
    assert callout(environment, "integration", "list", "--json").output.strip() == "[]"


def test_a_ticket_is_attached_and_detached(environment: dict[str, str]) -> None:
    assert add(environment, create=False).exit_code == 0
    key = json.loads(callout(environment, "incident", "declare", "it is down", "--json").output)["key"]
    other = json.loads(callout(environment, "incident", "declare", "that too", "--json").output)["key"]

    made = callout(
        environment, "incident", "attach", key, "--integration", "pd", "--ticket", "PABC", "--json"
    )
    assert json.loads(made.output)["state"] == "attaching"
    twice = callout(environment, "incident", "attach", other, "--integration", "pd", "--ticket", "PABC")
    assert twice.exit_code != 0
    assert f"linked to {key} already" in twice.output
    unknown = callout(environment, "incident", "attach", other, "--integration", "jira", "--ticket", "A-1")
    assert "There are: pd." in unknown.output
    shown = callout(environment, "incident", "show", key)
    assert "PABC: attaching" in shown.output

    gone = callout(environment, "incident", "detach", key)
    assert "PABC is no longer a ticket of" in gone.output
    assert callout(environment, "incident", "detach", key).exit_code != 0
    again = callout(environment, "incident", "attach", other, "--integration", "pd", "--ticket", "PABC")
    assert again.exit_code == 0, again.output


def test_the_list_says_what_is_wrong_with_an_integration(environment: dict[str, str]) -> None:
    made = json.loads(add(environment).output)

    async def tell() -> None:
        async with open_core(load_settings({}, environ=environment)) as core:

            async def unit(tx: Tx) -> None:
                account = await core.accounts.get(tx, DEFAULT_ACCOUNT)
                await core.problems.tell(
                    tx.account(account.id),
                    made["id"],
                    "silence",
                    code="WEBHOOKS_SILENT",
                    message="webhooks stay away",
                    remediation="Look there.",
                )

            await core.database.transaction(unit)

    asyncio.run(tell())
    [row] = json.loads(callout(environment, "integration", "list", "--json").output)
    assert row["health"] == "degraded"
    assert [problem["code"] for problem in row["problems"]] == ["WEBHOOKS_SILENT"]
    assert "Look there." in callout(environment, "integration", "list").output
