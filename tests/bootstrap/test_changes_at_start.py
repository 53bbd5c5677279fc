"""What is changed while a process starts is seen by it: an app that was added just then is not left unconnected until the next change."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callout.access import Watcher
from callout.bootstrap.core import open_core
from callout.bootstrap.listening import Listening
from callout.bootstrap.run import run
from callout.bootstrap.settings import Settings
from callout.bootstrap.wiring import wire
from tests.postgres_server import free_port


async def test_a_change_behind_the_first_reading_is_seen_though_the_watcher_begins_late(
    sqlite_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(data_dir=tmp_path, database_url=f"sqlite:///{sqlite_path}", port=free_port())
    changed, again = asyncio.Event(), asyncio.Event()
    watch, refresh = Watcher.run, Listening.refresh

    async def late(self: Watcher) -> None:  # as where its connection to the database comes late
        await changed.wait()
        await watch(self)

    async with open_core(settings) as core:

        async def refreshed(self: Listening) -> None:
            await refresh(self)
            if changed.is_set():
                again.set()
                return
            await core.database.transaction(core.version.bump)
            changed.set()

        monkeypatch.setattr(Watcher, "run", late)
        monkeypatch.setattr(Listening, "refresh", refreshed)
        wired = wire(core)
        stop = asyncio.Event()
        running = asyncio.create_task(run(wired, "api", stop))
        try:
            async with asyncio.timeout(30):
                await again.wait()
        finally:
            stop.set()
            await running
            await wired.connections.close()
