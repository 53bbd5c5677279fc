"""`callout integration webhook-script`: what it prints is enough to have a vendor's webhooks accepted, and shows no secret unasked."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.stories.installation import Installation, running
from tests.stories.people import eventually
from tests.stories.vendors import SERVICENOW_SECRET, add_pagerduty, add_servicenow


async def command(hub: Installation, *arguments: str, code: int = 0) -> str:
    """Run `callout integration …` as an operator beside the running product; return what it printed."""
    environment = {
        "CALLOUT_DATABASE_URL": hub.core.settings.database_url,
        "CALLOUT_DATA_DIR": str(hub.core.settings.data_dir),
        "CALLOUT_PUBLIC_URL": hub.url,
        "CALLOUT_REQUIRE_HTTPS": "false",
        "PATH": "",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "callout",
        "integration",
        *arguments,
        env={**environment, "PYTHONPATH": ":".join(sys.path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == code, (out, err)
    return (out if code == 0 else err).decode()


@pytest.fixture
async def hub(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Installation]:
    """The product and two twins; no database plays a part."""
    url = f"sqlite:///{sqlite_path}"
    async with running(
        url, tmp_path / "data", vendors=(), twins=("jira", "slack", "servicenow", "pagerduty")
    ) as found:
        yield found


async def test_the_printed_rule_and_key_make_servicenow_heard(hub: Installation) -> None:
    one, people = await add_servicenow(hub)
    printed = await command(hub, "webhook-script", "servicenow")
    assert f"callout.hook_key.{one.id}" in printed
    assert f'var URL = "{hub.url}/v1/hooks/{one.id}"' in printed
    assert "---- sys_attachment ----" in printed
    assert SERVICENOW_SECRET not in printed
    assert "--show-secret prints it" in printed
    script = await command(hub, "webhook-script", "servicenow", "--script", "incident")
    assert script.startswith("// Callout: tells of changes of incident.")
    assert script.endswith("(current, previous);\n")
    assert "sys_attachment" in await command(hub, "webhook-script", "servicenow", "--script", "x", code=2)

    shown: Any = json.loads(
        await command(hub, "webhook-script", "servicenow", "--new-secret", "--show-secret", "--json")
    )
    key = shown["steps"][0].split("value: ")[1].split(".")[0]
    assert key not in {"", SERVICENOW_SECRET}
    rule = {"url": f"{hub.url}/v1/hooks/{one.id}", "secret": key, "table": "incident"}
    await people.configure(business_rules=[rule])
    hub.wired.connections.forget()  # as by itself within seconds
    await people.create("signed with the printed key")
    await people.drain()

    async def signed() -> bool:
        health = await hub.in_account(lambda tx: hub.core.health.get(tx, one.id))
        return health.last_webhook is not None

    await eventually(signed, what="the webhook is accepted")


async def test_pagerduty_makes_its_own_key(hub: Installation) -> None:
    one, _ = await add_pagerduty(hub)
    printed = await command(hub, "webhook-script", "pagerduty", "--show-secret")
    assert "callout integration subscribe" in printed
    assert f"{hub.url}/v1/hooks/{one.id}" in printed
    refused = await command(hub, "webhook-script", "pagerduty", "--new-secret", code=1)
    assert "makes the signing key itself" in refused
