"""`callout plan`, `callout why` and shadow mode from the command line, against twins on a real socket; no server runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callout.cli import main
from callout.sandbox.core.serve import SandboxServer


@pytest.fixture
def sandbox() -> Iterator[SandboxServer]:
    server = SandboxServer(only=("jira", "servicenow")).start_thread()
    yield server
    server.stop_thread()


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "CALLOUT_DATA_DIR": str(tmp_path),
        "CALLOUT_ALLOW_NETWORKS": "127.0.0.0/8",
        "CALLOUT_REQUIRE_HTTPS": "false",
    }


def callout(environment: dict[str, str], *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, words, env=environment, catch_exceptions=False)
    assert result.exit_code == code, result.output + result.stderr
    return result


def _add(environment: dict[str, str], sandbox: SandboxServer, provider: str, **sync: object) -> None:
    credential = {"type": "basic", "username": "admin@example.com", "secret": "token"}
    if provider == "servicenow":
        credential |= {"username": "admin", "secret": "admin"}
    place = {"default_project": "TST", "default_issue_type": "Incident"} if provider == "jira" else {}
    config = {"url": f"{sandbox.base_url}/{provider}", "credential": credential, **place}
    words = ("--name", provider, "--config", json.dumps(config), "--settings", json.dumps({"sync": sync}))
    callout(environment, "integration", "add", f"ticketing_{provider}", *words)


def test_a_plan_says_in_words_and_by_its_exit_code_whether_a_mapping_holds(
    environment: dict[str, str], sandbox: SandboxServer
) -> None:
    assert "no ticketing integration" in callout(environment, "plan").output
    _add(environment, sandbox, "servicenow")
    said = callout(environment, "plan", "servicenow").output
    assert said.startswith("servicenow (ticketing_servicenow): valid")
    assert "New → Resolved" in said
    assert "Solution provided" in said

    _add(environment, sandbox, "jira", statuses={"mitigated": "Watching"})
    said = callout(environment, "plan", "jira", code=1).output
    assert "REJECTED status mitigated" in said
    assert "→ Set statuses.mitigated to one of: To Do, In Progress, Done" in said
    both = json.loads(callout(environment, "plan", "--json", code=1).output)
    assert {one["integration"]: one["valid"] for one in both} == {"jira": False, "servicenow": True}

    callout(environment, "integration", "set", "jira", "--settings", '{"sync": {}}')
    callout(environment, "plan", code=0)
    refused = callout(
        environment, "integration", "set", "jira", "--settings", '{"sync": {"shadow": 1}}', code=1
    )
    assert "shadow must be true or false" in refused.stderr
    assert "nothing to change" in callout(environment, "integration", "set", "jira", code=2).stderr


def test_shadow_mode_is_set_and_ended_and_keeps_the_other_settings(
    environment: dict[str, str], sandbox: SandboxServer
) -> None:
    _add(environment, sandbox, "jira", create=False)
    callout(environment, "integration", "set", "jira", "--shadow")
    (listed,) = json.loads(callout(environment, "integration", "list", "--json").output)
    assert listed["shadow"]["on"]
    assert "shadow mode: nothing was held back yet" in callout(environment, "integration", "list").output
    assert "shadow mode" in callout(environment, "plan", "jira").output
    assert "nothing was held back yet" in callout(environment, "plan", "--shadow").output
    made = json.loads(callout(environment, "integration", "set", "jira", "--no-shadow", "--json").output)
    assert made["settings"]["sync"] == {"create": False}
    (held,) = json.loads(callout(environment, "plan", "jira", "--shadow", "--json").output)
    assert not held["on"]


def test_why_tells_the_chain_and_takes_the_newest_change_back(environment: dict[str, str]) -> None:
    callout(environment, "incident", "declare", "login fails")
    callout(environment, "incident", "act", "INC-1", "acknowledge")
    said = callout(environment, "why", "INC-1", "status").output
    assert "'acknowledged'" in said
    assert "by the command line" in said
    assert "before that 'open'" in said
    answer = json.loads(callout(environment, "why", "INC-1", "status", "--json").output)
    change = answer["current"]["change_id"]
    assert answer["replaced"]["value"] == "open"

    back = callout(environment, "why", "INC-1", "status", "--revert", "--change", change).output
    assert "taken back" in back
    assert json.loads(callout(environment, "incident", "show", "INC-1", "--json").output)["status"] == "open"
    stale = callout(environment, "why", "INC-1", "status", "--revert", "--change", change, code=1)
    assert "has changed since" in stale.stderr
    assert callout(environment, "why", "INC-1", "colour", code=1).stderr
    assert "--revert" in callout(environment, "why", "INC-1", "status", "--change", "x", code=2).stderr
