from __future__ import annotations

import stat
from pathlib import Path

from callout.bootstrap.core import load_keys, prepare_database
from callout.bootstrap.settings import Settings


async def test_what_is_made_at_first_start_is_for_its_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    await prepare_database(settings)
    load_keys(settings)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in settings.data_dir.iterdir()}
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700
    assert {"callout.db", "keys"} <= modes.keys()
    assert set(modes.values()) == {0o600}
