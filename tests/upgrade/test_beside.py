"""Processes of an earlier version go on beside those of the present one, on a database that was upgraded under them."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from click.testing import CliRunner

from callout.bootstrap.core import prepare_database
from callout.cli import main
from callout.cli.bench.installation import Installation, at_home, stop
from callout.sandbox.core.serve import SandboxServer
from callout.storage import migrate
from tests.stories.forked import forked
from tests.stories.installation import TLS
from tests.stories.people import JIRA_USER, Json, eventually

if TYPE_CHECKING:
    from tests.stories.forked import Forked

KNOWN_THEN = (
    "DATA_DIR",
    "DATABASE_URL",
    "PORT",
    "PUBLIC_URL",
    "ALLOW_NETWORKS",
    "REQUIRE_HTTPS",
    "LOG_LEVEL",
)
EACH = 6
"""So many incidents are declared at either."""


def earlier_says(place: Installation, source: Path, *words: str) -> Any:
    """Run a command of the earlier program, and return the JSON that it prints."""
    done = subprocess.run(
        [sys.executable, "-m", "callout", *words],
        env={**place.environment, "PYTHONPATH": str(source)},
        cwd=place.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if "--json" in words else None


async def present_says(place: Installation, *words: str) -> Any:
    """Run a command of the present program beside the event loop."""
    done = await asyncio.to_thread(CliRunner().invoke, main, [*words, "--json"], env=place.environment)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@asynccontextmanager
async def serving(place: Installation, source: Path | None = None) -> AsyncIterator[None]:
    """Run `callout serve`: of the earlier program, where its source is given."""
    process: subprocess.Popen[bytes] | Forked
    process = forked(place, "all") if source is None else place.start("all", PYTHONPATH=str(source))
    try:
        await eventually(lambda: _answers(place, process), within=100, what="the server")
        yield
    finally:
        await asyncio.to_thread(stop, process)


async def _answers(place: Installation, process: subprocess.Popen[bytes] | Forked) -> bool:
    assert process.poll() is None, "it ended"
    async with httpx.AsyncClient(verify=TLS) as http:
        try:
            return (await http.get(f"{place.address}/readyz")).status_code == 200
        except httpx.TransportError:
            return False


@pytest.mark.timeout(400)
async def test_two_versions_work_side_by_side_on_one_database(
    postgres_url: str, earlier: Path, tmp_path: Path
) -> None:
    old = _with_its_settings(at_home(tmp_path, postgres_url))
    new = at_home(tmp_path, postgres_url)  # with the same keys, at another port
    async with SandboxServer(only=("jira",)) as sandbox:
        token = await asyncio.to_thread(_installed, old, earlier, f"{sandbox.base_url}/jira")
        assert await migrate.current(postgres_url) != migrate.head()
        async with serving(old, earlier):
            first = await _declared(old, token, "before the upgrade")
            await prepare_database(new.settings(), migrate=True)
            assert await migrate.current(postgres_url) == migrate.head()
            async with serving(new):
                keys = {first: "before the upgrade"}
                for number in range(EACH):
                    for place, which in ((old, "old"), (new, "new")):
                        title = f"by the {which} one, {number}"
                        keys[await _declared(place, token, title)] = title
                # Each is changed at the other one.
                for number, key in enumerate(list(keys)):
                    keys[key] += ", changed"
                    await _said(
                        (old, new)[number % 2], token, "PATCH", f"/v1/incidents/{key}", title=keys[key]
                    )
                for key, title in keys.items():
                    await _same_at(new, token, sandbox.base_url, key, title)
                await _told_by_both(old, new, token, keys)
        assert await present_says(new, "jobs", "list") == [], "jobs died"
        async with httpx.AsyncClient(verify=TLS) as http:
            ledger = (
                await http.get(f"{sandbox.base_url}/jira/_twin/ledger", params={"kind": "issue.create"})
            ).json()
        assert len(ledger["entries"]) == len(keys)
    assert (await present_says(new, "audit", "verify"))["ok"] is True


def _with_its_settings(place: Installation) -> Installation:
    """Return it without settings that the earlier program does not know, which it refuses at its start."""
    known = {f"CALLOUT_{name}" for name in KNOWN_THEN}
    kept = {k: v for k, v in place.environment.items() if k in known or not k.startswith("CALLOUT_")}
    return replace(place, environment=kept)


def _installed(old: Installation, source: Path, jira: str) -> str:
    earlier_says(old, source, "migrate")
    config = {
        "url": jira,
        "credential": {"type": "basic", "username": JIRA_USER[0], "secret": JIRA_USER[1]},
        "default_project": "TST",
        "default_issue_type": "Incident",
    }
    earlier_says(
        old, source, "integration", "add", "ticketing_jira", "--name", "jira", "--config", json.dumps(config)
    )
    made = earlier_says(old, source, "token", "create", "--kind", "organization", "--json")
    return str(made["access"]["secret"] if "access" in made else made["token"])


async def _said(place: Installation, token: str, method: str, path: str, **body: Any) -> Json:
    async with httpx.AsyncClient(
        base_url=place.address, headers={"authorization": f"Bearer {token}"}, verify=TLS, timeout=60
    ) as http:
        answer = await http.request(method, path, json=body or None)
    assert answer.status_code < 300, answer.text
    found: Json = answer.json()
    return found


async def _declared(place: Installation, token: str, title: str) -> str:
    made = await _said(place, token, "POST", "/v1/incidents", title=title, severity="SEV-3")
    return str(made["result"]["key"])


async def _same_at(place: Installation, token: str, base: str, key: str, title: str) -> None:
    async def there() -> bool:
        links = (await _said(place, token, "GET", f"/v1/incidents/{key}/links"))["result"]
        assert [one["state"] for one in links] == ["active"]
        async with httpx.AsyncClient(verify=TLS) as http:
            ticket = links[0]["ticket_key"]
            answer = await http.get(f"{base}/jira/rest/api/2/issue/{ticket}", auth=JIRA_USER)
        assert answer.json()["fields"]["summary"] == title
        return True

    await eventually(there, within=60, what=f"the ticket of {key}")


async def _told_by_both(old: Installation, new: Installation, token: str, keys: dict[str, str]) -> None:
    """Either one reads what the other wrote."""
    for place in (old, new):
        listed = (await _said(place, token, "GET", "/v1/incidents?limit=100"))["result"]
        assert {one["key"]: one["title"] for one in listed} == keys
