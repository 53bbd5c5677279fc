"""The operator's commands for teams, services, service levels and escalation, over one data directory; no server runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callout.bootstrap.core import open_core
from callout.bootstrap.settings import load_settings
from callout.cli import main
from callout.ports.values import Actor
from callout.storage import Tx

RULES = """
[calendars.office]
time_zone = "Europe/Berlin"
hours = { "mon-fri" = ["09:00-17:00"] }
holidays = [2026-12-25]

[[rules]]
service = "checkout"
acknowledge = "5m"

[[rules]]
severity = "SEV-3"
acknowledge = "4h"
hours = "office"
"""
POLICIES = """
[default]
SEV-1 = "urgent"

[[policies.urgent.steps]]
targets = ["ann"]

[[policies.urgent.steps]]
after = "10m"
targets = ["team:payments", "#incidents"]
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    found = {"CALLOUT_DATA_DIR": str(tmp_path / "data")}

    async def add_ann() -> None:
        async with open_core(load_settings({}, environ=found)) as core:

            async def unit(tx: Tx) -> None:
                await core.members.create(
                    tx, actor=Actor.system(), name="ann", fullname="Ann", email="ann@example.com"
                )

            await core.database.transaction(unit)

    asyncio.run(add_ann())
    return found


def callout(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def said(environment: dict[str, str], *words: str) -> str:
    done = callout(environment, *words)
    assert done.exit_code == 0, done.output
    return done.output


def test_teams_and_services(environment: dict[str, str]) -> None:
    assert "none; add one" in said(environment, "team", "list")
    assert said(environment, "team", "add", "payments", "--member", "ann@example.com") == "payments: ann\n"
    wrong = callout(environment, "service", "add", "checkout", "--team", "paymnts")
    assert (wrong.exit_code, "Did you mean payments?" in wrong.output) == (1, True)
    said(environment, "service", "add", "checkout", "--team", "payments", "--severity", "1")
    assert said(environment, "service", "list") == "checkout: team payments, SEV-1\n"
    assert said(environment, "service", "change", "checkout", "--channel", "#pay").endswith("SEV-1, #pay\n")
    one = json.loads(said(environment, "incident", "declare", "x", "--service", "checkout", "--json"))
    assert (one["severity"], one["team"]) == ("SEV-1", "payments")
    said(environment, "service", "remove", "checkout")
    said(environment, "team", "change", "payments", "--name", "money")
    said(environment, "team", "remove", "money")
    assert "none; add one" in said(environment, "service", "list")


def test_rules_and_policies_from_files(environment: dict[str, str], tmp_path: Path) -> None:
    rules, policies = tmp_path / "sla.toml", tmp_path / "escalation.toml"
    rules.write_text(RULES)
    policies.write_text(POLICIES)
    assert "SEV-1: acknowledge 15m, update 1h, resolve 4h" in said(environment, "sla", "show")
    assert said(environment, "sla", "set", str(rules)) == "2 rules set\n"
    assert "SEV-3: acknowledge 4h (office, warned at 80 %)" in said(environment, "sla", "show")
    assert json.loads(said(environment, "sla", "show", "--json"))["calendars"]["office"]["holidays"]

    missing = callout(environment, "escalation", "set", str(policies))
    assert (missing.exit_code, "there is no team 'payments'" in missing.output) == (1, True)
    assert "none: nobody is called" in said(environment, "escalation", "show")
    said(environment, "team", "add", "payments", "--member", "ann")
    assert said(environment, "escalation", "set", str(policies)) == "1 policy set\n"
    assert "2. after 10m: team:payments, channel:incidents" in said(environment, "escalation", "show")

    said(environment, "incident", "declare", "x", "--severity", "SEV-1", "--service", "checkout")
    assert "running   service checkout, due" in said(environment, "sla", "show", "INC-1")
    assert "Ann: pending" in said(environment, "escalation", "page", "INC-1", "ann", "--reason", "look")
    assert "Ann: pending" in said(environment, "escalation", "next", "INC-1")
    assert "running, 1 of 2 steps taken" in said(environment, "escalation", "show", "INC-1")
    assert len(json.loads(said(environment, "escalation", "show", "INC-1", "--json"))["pages"]) == 2


def test_a_file_that_is_no_document_is_said_to_be_none(environment: dict[str, str], tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("[[rules]\n")
    done = callout(environment, "sla", "set", str(broken))
    assert (done.exit_code, "cannot be read" in done.output) == (2, True)
    listed = tmp_path / "list.json"
    listed.write_text("[]")
    assert callout(environment, "sla", "set", str(listed)).exit_code == 2
