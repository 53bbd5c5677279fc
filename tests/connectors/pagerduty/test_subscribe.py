"""`callout integration subscribe`: the subscription is made by API, and its signing key kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from callout.cli import main
from callout.sandbox.core.serve import SandboxServer
from tests.connectors.pagerduty.site import KEY


@pytest.fixture
def control(pagerduty_server: SandboxServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"{pagerduty_server.base_url}/pagerduty/", verify=False) as client:  # noqa: S501
        client.post("_twin/reset").raise_for_status()
        yield client


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return {
        "CALLOUT_DATA_DIR": str(tmp_path),
        "CALLOUT_ALLOW_NETWORKS": "127.0.0.0/8",
        "CALLOUT_PUBLIC_URL": "http://127.0.0.1:9",
    }


def callout(environment: dict[str, str], *words: str) -> Result:
    return CliRunner().invoke(main, words, env=environment, catch_exceptions=False)


def subscriptions(control: httpx.Client) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = control.get("_twin/state").json()["subscriptions"]
    return found


def test_a_subscription_is_made_its_key_kept_and_nothing_made_twice(
    control: httpx.Client, environment: dict[str, str]
) -> None:
    config = {
        "url": str(control.base_url).rstrip("/"),
        "credential": {"type": "token", "secret": KEY},
        "default_creator": "admin@example.com",
    }
    added = callout(
        environment,
        "integration",
        "add",
        "ticketing_pagerduty",
        "--name",
        "pd",
        "--config",
        json.dumps(config),
        "--json",
    )
    assert added.exit_code == 0, added.output
    url = json.loads(added.output)["webhook_url"]
    first = callout(environment, "integration", "subscribe", "pd", "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.output)
    assert (told["url"], told["state"]) == (url, "created")
    again = json.loads(callout(environment, "integration", "subscribe", "pd", "--json").output)
    assert (again["id"], again["state"]) == (told["id"], "in order")
    assert list(subscriptions(control)) == [told["id"]]
    replaced = json.loads(callout(environment, "integration", "subscribe", "pd", "--new", "--json").output)
    assert replaced["state"] == "created"
    assert list(subscriptions(control)) == [replaced["id"]]


def test_a_system_that_cannot_says_so(environment: dict[str, str]) -> None:
    assert (
        callout(environment, "integration", "add", "ticketing_mock_ticketing", "--name", "mock").exit_code
        == 0
    )
    refused = callout(environment, "integration", "subscribe", "mock")
    assert refused.exit_code == 1
    assert "cannot be told by API" in refused.output
