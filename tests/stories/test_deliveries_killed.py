"""`kill -9` of APIs and workers while webhooks come in and go out, and while programs create tickets; then everything is counted.

`callout bench crash --part deliveries` kills at every point, and at any moment; here only at those that no other test comes by.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from callout.bootstrap.core import prepare_database
from callout.cli.bench.crash import POINTS as OF_INCIDENTS
from callout.cli.bench.crashing.crew import Kill
from callout.cli.bench.crashing.deliveries import MOMENT, POINTS, run_on, table
from callout.cli.bench.installation import at_home

HERE = {point: role for point, role in POINTS.items() if point not in OF_INCIDENTS}
ANY_MOMENT = (("api", 0.4), ("worker", 0.6))


@pytest.mark.timeout(180)
def test_kill_9_loses_no_webhook_and_creates_no_second_ticket(database_url: str, tmp_path: Path) -> None:
    one = at_home(tmp_path, database_url)
    asyncio.run(prepare_database(one.settings(), migrate=True))
    kills = [Kill(point, role) for point, role in HERE.items()]
    kills += [Kill(MOMENT, role, after=after) for role, after in ANY_MOMENT]
    if not one.embedded:
        for number, kill in enumerate(kills):
            kill.post = f"{kill.role}-{number % 2 + 1}"
    lines: list[str] = []

    outcome = run_on(one, one.database_url, kills, seed=7, say=lines.append, hurried=True)

    report = "\n".join([*reversed(table(outcome)), *lines])  # what is wrong comes first
    assert outcome.sound, report
    assert outcome.hits == {**dict.fromkeys(HERE, 1), MOMENT: len(ANY_MOMENT)}, report
    assert outcome.tally.totals["deliveries"] > len(kills), report
    assert outcome.tally.totals["answers given again"] > 0, report
