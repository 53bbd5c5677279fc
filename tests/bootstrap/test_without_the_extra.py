"""PostgreSQL without the extra that it needs: said before anything is touched, with what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import callout.jobs
from callout.bootstrap.backup import restore
from callout.bootstrap.core import NotReadyError, prepare_database
from callout.bootstrap.settings import Settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.delitem(sys.modules, "callout.jobs.procrastinate", raising=False)
    monkeypatch.delattr(callout.jobs, "procrastinate", raising=False)
    monkeypatch.setitem(sys.modules, "procrastinate", None)
    return Settings(data_dir=tmp_path, database_url="postgresql://nobody@127.0.0.1:1/nowhere")


async def test_the_database_is_not_prepared(settings: Settings) -> None:
    with pytest.raises(NotReadyError, match=r"pip install '\.\[postgres\]'"):
        await prepare_database(settings, migrate=True)


async def test_no_backup_is_put_back(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(NotReadyError, match="extra `postgres`"):
        await restore(settings, tmp_path / "backup")
