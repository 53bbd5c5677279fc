"""A backup taken while a real `callout serve` takes in incidents all the time, and put back elsewhere: nothing acknowledged is missing."""

from __future__ import annotations

import asyncio
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from click.testing import CliRunner, Result

from callout.access import DEFAULT_ACCOUNT, SYSTEM
from callout.bootstrap.core import Core, open_core, prepare_database
from callout.chatops.tables import chat_message
from callout.cli import main
from callout.cli.bench.installation import Installation, at_home, stop
from callout.incidents import DeclareIncident
from callout.incidents.tables import incident
from callout.kit.secrets import KeyRing
from callout.ports.values import Channel, Origin
from callout.storage import backup as copying
from callout.storage import migrate
from callout.sync import Link, LinkStatus, links
from callout.sync.tables import sync_link
from tests.stories.forked import forked
from tests.stories.installation import OPERATOR, TLS

if TYPE_CHECKING:
    from callout.incidents import Incident
    from callout.storage import Tx

ORIGIN = Origin(Channel.CLI, OPERATOR)
WRITERS = 4
BEFORE = 20
"""So many incidents are acknowledged before the backup begins."""
TRIES = 5
"""A backup takes a moment: on a busy machine nobody's answer may come within it."""
PATIENCE = 60.0


@pytest.fixture
def elsewhere(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[Installation]:
    """Another installation, with nothing in its database."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    if database_url.startswith("sqlite"):
        yield at_home(folder, f"sqlite:///{folder / 'callout.db'}")
        return
    admin: psycopg.Connection = request.getfixturevalue("postgres_admin")
    name = f"test_{uuid4().hex}"
    admin.execute(f'CREATE DATABASE "{name}"')
    yield at_home(folder, f"{database_url.rpartition('/')[0]}/{name}")
    admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def command(one: Installation, *words: str) -> Result:
    return CliRunner().invoke(main, words, env=one.environment)


async def said(one: Installation, *words: str) -> Result:
    """Run a command beside the event loop."""
    return await asyncio.to_thread(command, one, *words)


async def prepared(one: Installation) -> str:
    """Give an installation a token, an endpoint for webhooks, and a secret; return the token."""
    await prepare_database(one.settings(), migrate=True)
    async with open_core(one.settings()) as core:
        made = await core.database.transaction(
            lambda tx: core.tokens.create(tx, SYSTEM, permission_set="administrator", name="tests")
        )
        account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))
        await core.database.transaction(
            lambda tx: core.outbound.endpoints.create(
                tx.account(account.id), name="sink", url="http://127.0.0.1:9/hook", filters=[], actor=OPERATOR
            )
        )
        await core.database.transaction(
            lambda tx: core.integrations.create(
                tx.account(account.id),
                provider_config={
                    "type": "ticketing_jira",
                    "url": "http://127.0.0.1:9",
                    "credential": {"type": "basic", "username": "a@example.com", "secret": "s3cret-word"},
                    "default_project": "TST",
                    "default_issue_type": "Incident",
                },
                actor=OPERATOR,
                name="jira",
            )
        )
        await _declared(core, "before")
    assert made.primary.access.secret is not None
    return made.primary.access.secret.reveal()


async def _titles(core: Core) -> set[str]:
    rows = await core.database.read(lambda tx: tx.all(incident.select()))
    return {row["title"] for row in rows}


async def _made(
    one: Installation, backup: Path, acknowledged: Sequence[str]
) -> tuple[set[str], Result, set[str]]:
    """Make a backup; return what was acknowledged before, what the command said, and what was acknowledged meanwhile."""
    before = set(acknowledged)
    made = await said(one, "backup", str(backup), "--json")
    return before, made, set(acknowledged) - before


async def _backed_up_under_load(
    one: Installation, token: str, backup: Path
) -> tuple[set[str], set[str], Mapping[str, Any]]:
    """Return the titles acknowledged before the backup began, all of them, and what the backup says of itself."""
    acknowledged: list[str] = []
    stopping = asyncio.Event()
    process = forked(one, "all")
    try:
        await asyncio.to_thread(one.wait_ready, process)
        async with httpx.AsyncClient(
            base_url=one.address, timeout=60, verify=TLS, headers={"authorization": f"Bearer {token}"}
        ) as http:

            async def write(writer: int) -> None:
                number = 0
                while not stopping.is_set():
                    number += 1
                    title = f"outage {writer}/{number}"
                    answer = await http.post("/v1/incidents", json={"title": title, "severity": "SEV-3"})
                    assert answer.status_code == httpx.codes.CREATED, answer.text
                    acknowledged.append(title)

            writing = [asyncio.create_task(write(number)) for number in range(WRITERS)]
            async with asyncio.timeout(PATIENCE):
                while len(acknowledged) < BEFORE:
                    await asyncio.sleep(0.02)
                    assert not any(task.done() for task in writing)
            before, made, during = await _made(one, backup, acknowledged)
            for _ in range(TRIES):
                if not during:
                    backup.unlink()  # noqa: ASYNC240  # at once
                    before, made, during = await _made(one, backup, acknowledged)
            stopping.set()
            await asyncio.gather(*writing)
    finally:
        stop(process)
    assert made.exit_code == 0, made.output
    assert during, "nobody wrote while the backup was made"
    return before, set(acknowledged), json.loads(made.stdout)


@pytest.mark.timeout(240)
async def test_a_backup_under_load_has_all_that_was_acknowledged(
    database_url: str, elsewhere: Installation, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    one = at_home(home, database_url)
    backup = tmp_path / "callout.backup"
    before, acknowledged, told = await _backed_up_under_load(one, await prepared(one), backup)
    assert stat.S_IMODE(os.stat(backup).st_mode) == 0o600  # noqa: PTH116  # the mode that is meant
    assert len(before) < told["counts"]["incident"] <= len(acknowledged) + 1
    await asyncio.to_thread(_holds_no_key, backup, home / "keys")

    # Without its keys it is of no use; with them it is what it was.
    refused = await said(elsewhere, "restore", str(backup))
    assert refused.exit_code == 1
    assert "encryption keys" in refused.stderr
    await asyncio.to_thread(_bring_keys, home, elsewhere)
    done = await said(elsewhere, "restore", str(backup), "--json")
    assert done.exit_code == 0, done.output
    restored = json.loads(done.stdout)
    assert (restored["endpoints_off"], restored["unreadable"]) == (1, [])
    assert restored["secrets"] >= 2
    verified = await said(elsewhere, "audit", "verify", "--json")
    assert json.loads(verified.stdout)["ok"] is True, verified.output
    async with open_core(elsewhere.settings()) as core:
        titles = await _titles(core)
    assert before | {"before"} <= titles <= acknowledged | {"before"}
    assert len(titles) == told["counts"]["incident"]


async def test_what_would_go_out_is_held_until_somebody_lets_it_go(
    database_url: str, elsewhere: Installation, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    one = at_home(home, database_url)
    await prepared(one)
    backup = tmp_path / "callout.backup"
    assert (await said(one, "backup", str(backup))).exit_code == 0
    await asyncio.to_thread(_bring_keys, home, elsewhere)
    assert (await said(elsewhere, "restore", str(backup), "--skip-numbers", "50")).exit_code == 0
    async with open_core(elsewhere.settings()) as core:
        pauses = await core.database.read(core.pauses.list)
        assert [(one.account_id, one.scope) for one in pauses] == [("*", "everything")]
        assert not await _endpoint_enabled(core)
        # Numbers that were given after the backup are not given again.
        assert (await _declared(core, "after")).key == "INC-52"
    told = json.loads((await said(elsewhere, "doctor", "--json")).stdout)["findings"]
    assert [one["verdict"] for one in told if one["area"] == "pauses"] == ["warning"]

    assert (
        await said(elsewhere, "restore", str(backup))
    ).exit_code == 1  # over what is there only by --replace
    assert (await said(elsewhere, "resume")).exit_code == 0
    async with open_core(elsewhere.settings()) as core:
        assert await core.database.read(core.pauses.list) == []
        assert await _endpoint_enabled(core)
    assert (await said(elsewhere, "resume")).exit_code == 1  # nothing is held any more

    again = await said(elsewhere, "restore", str(backup), "--replace", "--json")
    assert again.exit_code == 0, again.output
    assert json.loads(again.stdout)["put_aside"]
    async with open_core(elsewhere.settings()) as core:
        assert await _titles(core) == {"before"}


async def test_what_was_still_to_be_made_is_not_made_blindly(
    database_url: str, elsewhere: Installation, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    one = at_home(home, database_url)
    await prepared(one)
    async with open_core(one.settings()) as core:
        await core.database.transaction(lambda tx: _on_its_way(core, tx))
    backup = tmp_path / "callout.backup"
    assert (await said(one, "backup", str(backup))).exit_code == 0
    await asyncio.to_thread(_bring_keys, home, elsewhere)
    done = await said(elsewhere, "restore", str(backup), "--json")
    told = json.loads(done.stdout)
    assert told["doubtful"] == {"tickets": 1, "channels": 0, "messages": 1}
    async with open_core(elsewhere.settings()) as core:
        [link] = await core.database.read(lambda tx: tx.all(sync_link.select()))
        [message] = await core.database.read(lambda tx: tx.all(chat_message.select()))
    # As a crash in the middle of making them would have left them: searched for by its mark; perhaps sent.
    begun = datetime.fromisoformat(told["manifest"]["begun_at"])
    assert (link["create_begun_at"], message["attempted_at"]) == (begun, begun)


async def _on_its_way(core: Core, tx: Tx) -> None:
    account = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
    [made] = await tx.all(incident.select())
    now = core.clock.now()
    jira = await core.integrations.get(account, "jira")
    await links.insert(
        account,
        Link("link-1", account.account_id, made["id"], jira.id, "mark", LinkStatus.CREATING, now),
    )
    texts = dict.fromkeys(("purpose", "place", "channel", "ts", "thread", "error"), "")
    row = {"id": "m", "account_id": account.account_id, "integration_id": "slack", "incident_id": made["id"]}
    stamps = {"created_at": now, "updated_at": now}
    await tx.execute(
        chat_message.insert().values(**row, **texts, **stamps, key="card/1", state="pending", version=1)
    )


async def _declared(core: Core, title: str) -> Incident:
    account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))
    return await core.database.transaction(
        lambda tx: core.incidents.declare(tx.account(account.id), DeclareIncident(title), ORIGIN)
    )


async def _endpoint_enabled(core: Core) -> bool:
    account = await core.database.read(lambda tx: core.accounts.get(tx, DEFAULT_ACCOUNT))
    found = await core.database.read(lambda tx: core.outbound.endpoints.get(tx.account(account.id), "sink"))
    return found.enabled


def _bring_keys(home: Path, elsewhere: Installation) -> None:
    keys = elsewhere.folder / "keys"
    keys.write_bytes((home / "keys").read_bytes())
    keys.chmod(0o600)


def _holds_no_key(backup: Path, keys: Path) -> None:
    secret = keys.read_text().strip().rpartition(":")[2].encode()
    assert secret not in backup.read_bytes()


async def test_what_is_no_genuine_backup_is_refused(database_url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    one = at_home(home, database_url)
    await prepared(one)
    backup = tmp_path / "callout.backup"
    made = await said(one, "backup", str(backup))
    assert made.exit_code == 0, made.output
    assert (await said(one, "backup", str(backup))).exit_code == 1  # never over another

    in_place = await said(one, "restore", str(backup))
    assert in_place.exit_code == 1
    assert "--replace" in in_place.stderr

    async with open_core(one.settings()):
        in_use = await said(one, "restore", str(backup), "--replace")
    assert in_use.exit_code == 1
    assert "is in use" in in_use.stderr

    damaged = tmp_path / "damaged.backup"
    content = bytearray(backup.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    answer = await said(one, "restore", str(damaged), "--replace")
    assert answer.exit_code == 1
    assert "damaged" in answer.stderr

    newer = tmp_path / "newer.backup"
    await asyncio.to_thread(_with_schema, backup, newer, "9999")
    answer = await said(one, "restore", str(newer), "--replace")
    assert answer.exit_code == 1
    assert "does not know" in answer.stderr

    KeyRing.generate().save(home / "keys", replace=True)
    answer = await said(one, "restore", str(backup), "--replace")
    assert answer.exit_code == 1
    assert "other keys" in answer.stderr


async def test_a_backup_of_an_older_schema_is_migrated_when_it_is_put_back(elsewhere: Installation) -> None:
    url = elsewhere.database_url
    await migrate._on(url, lambda on: migrate._upgrade(on, "0012"))
    await asyncio.to_thread(KeyRing.load_or_create, elsewhere.folder / "keys")
    told = json.loads((await said(elsewhere, "doctor", "--json")).stdout)
    assert any("schema 0012, this program needs" in one["what"] for one in told["findings"])
    backup = elsewhere.folder / "old.backup"
    made = json.loads((await said(elsewhere, "backup", str(backup), "--json")).stdout)
    assert made["schema"] == "0012"
    done = await said(elsewhere, "restore", str(backup), "--replace", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["migrated_to"] == migrate.head()
    async with open_core(elsewhere.settings()) as core:
        assert len(await core.database.read(core.pauses.list)) == 1


async def test_without_its_tool_postgres_is_not_copied_and_it_is_said_plainly(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "_FOLDERS", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    one = at_home(tmp_path, postgres_url)
    await prepared(one)
    answer = await said(one, "backup", str(tmp_path / "callout.backup"))
    assert answer.exit_code == 1
    assert "there is no pg_dump on this machine" in answer.stderr
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.1'\n")
    old.chmod(0o755)
    answer = await said(one, "backup", str(tmp_path / "callout.backup"))
    assert "pg_dump here is of version 9" in answer.stderr
    assert [name for name in os.listdir(tmp_path) if "backup" in name] == []  # noqa: PTH208  # nothing is left behind


def test_a_password_is_not_shown_to_who_lists_processes() -> None:
    address, environment = copying.address_of("postgresql://me:s%40cret@host:5433/name?sslmode=require")
    assert address == "postgresql://me@host:5433/name?sslmode=require"
    assert environment == {"PGPASSWORD": "s@cret"}


def _with_schema(source: Path, target: Path, schema: str) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old.getmembers():
            file = old.extractfile(member)
            assert file is not None
            data = file.read()
            if member.name == "manifest.json":
                data = json.dumps(json.loads(data) | {"schema": schema}).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
