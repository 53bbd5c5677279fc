"""What is left of a server process that died; and how little the process weighs that looks after them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from callout.bootstrap.supervise import forget_gauges


def test_what_it_had_open_is_open_no_more_and_what_it_counted_stays(tmp_path: Path) -> None:
    names = {f"{kind}_{pid}.db" for kind in ("counter", "histogram", "gauge_livesum") for pid in (41, 42)}
    for name in names:
        (tmp_path / name).touch()
    forget_gauges(41, str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == names - {"gauge_livesum_41.db"}


def test_a_supervisor_and_a_server_that_is_up_to_date_carry_nothing_they_do_not_need() -> None:
    assert _imports("callout.bootstrap.supervise").isdisjoint(
        {"sqlalchemy", "pydantic", "fastapi", "uvicorn", "aiohttp", "callout.bootstrap.core"}
    )
    assert _imports("callout.bootstrap.run").isdisjoint({"alembic", "mako", "callout.sandbox"})


def _imports(module: str) -> set[str]:
    """Return the modules that are there once this one is."""
    command = (sys.executable, "-c", f"import sys, {module}; print(*sys.modules)")
    return set(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split())
