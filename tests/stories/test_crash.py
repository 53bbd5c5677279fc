"""`kill -9` at every named crash point while people work; what is lost or doubled is counted by the twins' own ledgers.

`CALLOUT_TEST_CRASHES` says how often each point is hit (1); `callout bench crash` does 200 and prints a table.
"""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from callout.bootstrap.core import prepare_database
from callout.cli.bench.crash import ELSEWHERE, POINTS, plan, points_in, run_on, table
from callout.cli.bench.crashing import deliveries
from callout.cli.bench.installation import at_home

PER_POINT = int(os.environ.get("CALLOUT_TEST_CRASHES", "1"))
ROOT = Path(__file__).resolve().parents[2]


def test_every_crash_point_of_the_code_is_documented_and_hit_somewhere() -> None:
    calls = re.compile(r'crash_point\(\s*"([^"]+)"')
    in_code = {
        name for path in (ROOT / "src/callout").rglob("*.py") for name in calls.findall(path.read_text())
    }
    assert points_in((ROOT / "docs/crash-points.md").read_text()) == in_code
    assert POINTS.keys() | deliveries.POINTS.keys() | ELSEWHERE.keys() == in_code
    for point, where in ELSEWHERE.items():
        assert point in (ROOT / where).read_text()


@pytest.mark.timeout(300)
def test_kill_9_at_every_point_loses_nothing_and_doubles_nothing(database_url: str, tmp_path: Path) -> None:
    one = at_home(tmp_path, database_url)
    asyncio.run(prepare_database(one.settings(), migrate=True))
    lines: list[str] = []

    outcome = run_on(one, one.database_url, plan(PER_POINT * len(POINTS), seed=7), say=lines.append)

    assert outcome.sound, "\n".join([*reversed(table(outcome)), *lines])  # what is wrong comes first
    assert {point: outcome.hits[point] for point in POINTS} == dict.fromkeys(POINTS, PER_POINT), "\n".join(
        lines
    )
    assert outcome.counted.totals["tickets"] >= PER_POINT
