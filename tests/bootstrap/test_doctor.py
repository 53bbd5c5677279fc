"""What `callout doctor` finds: each kind of trouble is made for real, and found; a fine installation has none."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from callout.access import DEFAULT_ACCOUNT
from callout.bootstrap.core import Core, open_core, prepare_database
from callout.bootstrap.doctor import diagnose
from callout.bootstrap.doctor_model import Diagnosis, Verdict
from callout.bootstrap.doctor_place import check_settings, file_system_of
from callout.bootstrap.memory import folders, open_rules, remembered
from callout.bootstrap.settings import Settings, load_settings
from callout.cli import main
from callout.integrations import Problems
from callout.kit.secrets import KeyRing
from callout.ports.values import Actor
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.storage import Tx

OPERATOR = Actor.system("tests")
CONFIG = {
    "type": "ticketing_jira",
    "url": "http://127.0.0.1:9",
    "credential": {"type": "basic", "username": "a@example.com", "secret": "s3cret-word"},
    "default_project": "TST",
    "default_issue_type": "Incident",
}


def settings_for(folder: Path, url: str = "", **more: str) -> Settings:
    environment = {
        "CALLOUT_DATA_DIR": str(folder),
        "CALLOUT_PUBLIC_URL": "https://127.0.0.1:9",
        "CALLOUT_ALLOW_NETWORKS": "127.0.0.0/8",
        "CALLOUT_REQUIRE_HTTPS": "false",
        **({"CALLOUT_DATABASE_URL": url} if url else {}),
        **more,
    }
    return load_settings({}, environ=environment)


@asynccontextmanager
async def installed(settings: Settings) -> AsyncIterator[Core]:
    """An installation with one Jira integration, and a worker's sign of life."""
    await prepare_database(settings, migrate=True)
    async with open_core(settings) as core:
        await core.database.transaction(lambda tx: _furnish(core, tx))
        yield core


async def _furnish(core: Core, tx: Tx) -> None:
    account = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
    await core.integrations.create(account, provider_config=CONFIG, actor=OPERATOR, name="jira")
    await core.sealer.seal(tx)
    await _tick(core, tx, timedelta(seconds=1))


async def _tick(core: Core, tx: Tx, ahead: timedelta) -> None:
    values = (micros(core.clock.now() + ahead),)
    await tx.driver_all("DELETE FROM job_schedule", "DELETE FROM job_schedule")
    await tx.driver_all(
        "INSERT INTO job_schedule (name, kind, rule, next_at) VALUES ('audit.seal', 'audit.seal', '1', ?)",
        "INSERT INTO job_schedule (name, kind, rule, next_at) VALUES ('audit.seal', 'audit.seal', '1', $1)",
        values,
    )


def words(found: Diagnosis, area: str, verdict: Verdict) -> str:
    return " | ".join(one.what for one in found.areas.get(area, ()) if one.verdict is verdict)


async def test_a_fine_installation_is_fine(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url)
    async with installed(settings):
        found = await diagnose(settings)
    assert [one for one in found.findings if one.verdict is Verdict.WRONG] == []
    assert found.exit_code == 0
    assert "all 2 stored secrets can be read" in words(found, "keys", Verdict.OK)
    assert "rows sealed" in words(found, "audit", Verdict.OK)
    assert "a worker is running" in words(found, "work", Verdict.OK)
    kind = "PostgreSQL" if database_url.startswith("postgres") else "quick_check"
    assert kind in words(found, "database", Verdict.OK)
    assert all(one.next for one in found.findings if one.verdict in {Verdict.WARNING, Verdict.WRONG})


async def test_a_worker_that_is_gone_and_jobs_that_are_stuck(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url)
    async with installed(settings) as core:

        async def stuck(tx: Tx) -> None:
            await _tick(core, tx, -timedelta(minutes=5))
            await core.queue.enqueue(tx, "sync.push", {}, key="a")
            await core.queue.enqueue(tx, "sync.push", {}, key="b")
            now = micros(core.clock.now())
            late = micros(core.clock.now() - timedelta(hours=1))
            for text in (
                "UPDATE job SET state = 'blocked', dead_at = {0} WHERE id = (SELECT min(id) FROM job)",
                "UPDATE job SET run_at = {0} WHERE id = (SELECT max(id) FROM job)",
            ):
                value = now if "dead_at" in text else late
                await tx.driver_all(text.format("?"), text.format("$1"), (value,))

        await core.database.transaction(stuck)
        found = await diagnose(settings)
    told = words(found, "work", Verdict.WRONG)
    assert "no worker is running: the last sign of one is 5 min ago" in told
    assert "1 failed jobs hold up" in told
    assert "has waited since 60 min ago" in told
    assert found.exit_code == 1


async def test_secrets_of_a_key_that_is_gone(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url)
    async with installed(settings):
        KeyRing.generate().save(tmp_path / "keys", replace=True)
        found = await diagnose(settings)
    assert "credential" in words(found, "keys", Verdict.WRONG)
    assert "webhook address of jira" in words(found, "keys", Verdict.WRONG)
    assert "not signed with the keys at hand" in words(found, "audit", Verdict.WRONG)


async def test_integrations_are_told_with_their_trouble_and_asked(database_url: str, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, database_url)
    async with installed(settings) as core:

        async def trouble(tx: Tx) -> None:
            account = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
            one = await core.integrations.get(account, "jira")
            await core.health.succeeded(account, one.id)
            await Problems(core.clock).tell(
                account, one.id, "silence", code="SILENT", message="webhooks stay away", remediation="look"
            )

        assert "nothing has happened yet" in words(
            await diagnose(settings), "integration jira", Verdict.NOT_CHECKED
        )
        await core.database.transaction(trouble)
        found = await diagnose(settings, ask=True)
    assert "webhooks stay away" in words(found, "integration jira", Verdict.WARNING)
    assert "asked:" in words(found, "integration jira", Verdict.WRONG)  # nobody listens at its address


def test_what_is_not_there_cannot_be_told_and_is_not_made(tmp_path: Path) -> None:
    answer = CliRunner().invoke(main, ["doctor", "--json"], env={"CALLOUT_DATA_DIR": str(tmp_path / "none")})
    assert answer.exit_code == 2
    assert json.loads(answer.stdout)["verdict"] == "cannot tell"
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "callout.db").write_text("this is no database, and it is long enough to be read as one" * 20)
    answer = CliRunner().invoke(main, ["doctor"], env={"CALLOUT_DATA_DIR": str(tmp_path)})
    assert answer.exit_code == 1
    assert "file is not a database" in answer.stdout


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
async def test_keys_that_others_may_read(sqlite_path: Path, tmp_path: Path) -> None:
    settings = settings_for(tmp_path, f"sqlite:///{sqlite_path}")
    async with installed(settings):
        (tmp_path / "keys").chmod(0o644)
        found = await diagnose(settings)
    assert "others may read it" in words(found, "keys", Verdict.WRONG)


def test_settings_that_look_like_a_mistake(tmp_path: Path) -> None:
    settings = settings_for(
        tmp_path, CALLOUT_ALLOW_NETWORKS="0.0.0.0/0", CALLOUT_PROCESSES="4", CALLOUT_LOG_LEVEL="debug"
    )
    told = " | ".join(one.what for one in check_settings(settings))
    for part in ("4 processes with the embedded", "0.0.0.0/0", "without https", "`debug`"):
        assert part in told


@pytest.mark.parametrize(
    ("path", "kind"),
    [("/data/callout.db", "nfs4"), ("/database/x", "ext4"), ("/my disk/x", "cifs"), ("/data", "nfs4")],
)
def test_the_file_system_of_a_path(path: str, kind: str) -> None:
    mounts = "/dev/a / ext4 rw 0 0\nhost:/x /data nfs4 rw 0 0\n//h/s /my\\040disk cifs rw 0 0\n"
    assert file_system_of(Path(path), mounts) == kind


def test_facts_from_memory_are_found_where_they_are_marked() -> None:
    facts = remembered()
    names = {folder.name for folder in folders()}
    assert {one.connector for one in facts} <= names
    for one in facts:
        folder = next(folder for folder in folders() if folder.name == one.connector)
        file, _, line = one.place.rpartition(":")
        assert "from memory:" in (folder / file).read_text().splitlines()[int(line) - 1]
        assert one.fact
    assert any(one.connector == "jira" for one in facts)
    assert all(one.why for one in open_rules())
