"""`callout serve --processes 2`: real processes on one port, on PostgreSQL; killed, replaced, ended together."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from callout.bootstrap.core import open_core, prepare_database
from callout.cli.bench.events import JIRA, KEY
from callout.cli.bench.installation import Installation, add_integration, at_home, stop

PATIENCE = 60.0


@pytest.fixture
def one(postgres_url: str, tmp_path: Path) -> Installation:
    made = at_home(tmp_path, postgres_url)
    asyncio.run(prepare_database(made.settings(), migrate=True))
    return made


@pytest.fixture
def served(one: Installation) -> Iterator[tuple[Installation, subprocess.Popen[bytes]]]:
    process = one.start("api", "--processes", "2", CALLOUT_LOG_LEVEL="info")
    try:
        one.wait_ready(process)
        yield one, process
    finally:
        stop(process)


def eventually(seen: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not seen():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def children(process: subprocess.Popen[bytes]) -> list[int]:
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(pid) for pid in listed]


def listening(one: Installation) -> int:
    return len(re.findall("listening", (one.folder / "api.log").read_text()))


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def count(one: Installation) -> float:
    """Return how many webhooks all processes together have refused."""
    with urllib.request.urlopen(f"{one.address}/metrics", timeout=60) as answer:  # noqa: S310
        found = re.findall(
            r"^callout_webhooks_refused_total\{.*\} ([0-9.]+)$", answer.read().decode(), re.MULTILINE
        )
    return sum(map(float, found))


def unsigned_webhook(one: Installation, hook: str) -> int:
    request = urllib.request.Request(f"{one.address}/v1/hooks/{hook}", b"{}", method="POST")  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


async def add_jira(one: Installation) -> str:
    async with open_core(one.settings()) as core:
        return await add_integration(
            core, JIRA, name="jira", webhook_config={"provider_key": KEY, "items": []}
        )


def test_both_answer_one_that_dies_is_replaced_and_all_end_together(
    served: tuple[Installation, subprocess.Popen[bytes]],
) -> None:
    one, process = served
    eventually(lambda: listening(one) == 2, "both listen")
    hook = asyncio.run(add_jira(one))
    first, second = children(process)

    os.kill(first, signal.SIGKILL)
    eventually(lambda: listening(one) == 3, "a third one listens")
    assert second in children(process)
    assert len(children(process)) == 2

    for _ in range(20):
        assert unsigned_webhook(one, hook) == 401
    assert {count(one) for _ in range(10)} == {20.0}  # whichever of them is asked

    pids = children(process)
    process.terminate()
    assert process.wait(PATIENCE) == 0
    assert not any(lives(pid) for pid in pids)


def test_nobody_is_left_when_the_parent_is_killed(
    served: tuple[Installation, subprocess.Popen[bytes]],
) -> None:
    one, process = served
    eventually(lambda: listening(one) == 2, "both listen")
    pids = children(process)
    process.kill()
    process.wait()
    eventually(lambda: not any(lives(pid) for pid in pids), "the children end")


def test_a_port_in_use_and_a_database_that_is_away_are_said_and_end_it(
    served: tuple[Installation, subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    one, _ = served
    again = [sys.executable, "-m", "callout", "serve", "--processes", "2"]
    ended = subprocess.run(again, env=one.environment, capture_output=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1
    assert b"Something listens on that port already" in ended.stderr

    wrong = {**one.environment, "CALLOUT_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing"}
    wrong["CALLOUT_PORT"] = "0"
    ended = subprocess.run(again, env=wrong, capture_output=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert b"need a port that is named" in ended.stderr

    wrong["CALLOUT_PORT"] = str(at_home(tmp_path, one.database_url).port)
    ended = subprocess.run(again, env=wrong, capture_output=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 1, ended.stderr
    assert b"PostgreSQL cannot be reached" in ended.stderr


def test_sqlite_says_that_it_wants_one(tmp_path: Path) -> None:
    one = at_home(tmp_path, f"sqlite:///{tmp_path / 'callout.db'}")
    again = [sys.executable, "-m", "callout", "serve", "--processes", "2"]
    ended = subprocess.run(again, env=one.environment, capture_output=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert b"SQLite has one writer" in ended.stderr
