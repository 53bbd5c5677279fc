"""The fixtures are what they say: real, clean, and refused where they must be."""

from __future__ import annotations

import socket
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from pytest_socket import SocketConnectBlockedError

from tests import rings

if TYPE_CHECKING:
    from selenium.webdriver import Chrome


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_database_of_its_own(database_url: str, turn: int) -> None:
    if database_url.startswith("sqlite:///"):
        with sqlite3.connect(database_url.removeprefix("sqlite:///")) as file:
            file.execute("CREATE TABLE seen (turn int)")
        file.close()
    else:
        with psycopg.connect(database_url) as connection:
            connection.execute("CREATE TABLE seen (turn int)")


def test_postgres_is_a_real_server(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SELECT version()").fetchone()
    assert row is not None
    assert row[0].startswith("PostgreSQL")


def test_chromium_renders_a_page_and_runs_its_script(chromium: Chrome) -> None:
    chromium.get("data:text/html,<title>x</title><script>document.title = 'call' + 'out'</script>")
    assert chromium.title == "callout"


@pytest.mark.filterwarnings("ignore:A test tried to use socket")  # the plugin warns and raises
def test_no_test_reaches_beyond_this_machine() -> None:
    with socket.socket() as client, pytest.raises(SocketConnectBlockedError):
        client.connect(("192.0.2.1", 80))


LEAKING = """
import aiohttp

async def test_that_leaks():
    session = aiohttp.ClientSession()
    ring = [session]
    ring.append(ring)  # nothing but a collection finds it

async def test_that_does_not():
    async with aiohttp.ClientSession():
        pass
"""


def test_a_session_left_open_is_blamed_on_the_test_that_opened_it(tmp_path: Path) -> None:
    (tmp_path / "test_leaking.py").write_text(LEAKING)
    settings = (
        "asyncio_mode = auto",
        "asyncio_default_fixture_loop_scope = function",
        "filterwarnings = error",
    )
    (tmp_path / "pytest.ini").write_text("\n".join(["[pytest]", *settings]))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.leaks", "-p", "no:randomly", tmp_path],
        cwd=rings.TESTS.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert "Unclosed client session" in run.stdout, run.stdout + run.stderr
    blamed = [line for line in run.stdout.splitlines() if line.startswith(("ERROR", "FAILED"))]
    assert len(blamed) == 1, run.stdout
    assert "test_that_leaks" in blamed[0]
    assert "2 passed, 1 error" in run.stdout


def test_a_test_that_asks_for_a_database_leaves_ring_one() -> None:
    path = rings.TESTS / "incidents" / "test_lifecycle.py"
    assert rings.ring_of_test(path, []) == 1
    assert rings.ring_of_test(path, ["tmp_path", "database_url"]) == 2
    assert rings.ring_of_test(rings.TESTS / "stories" / "test_declare.py", ["database_url"]) == 3


@dataclass(frozen=True)
class Placed:
    path: Path
    number: int = 0


def test_long_tests_begin_at_once_and_each_worker_has_its_share() -> None:
    crash, story = (rings.TESTS / "stories" / name for name in ("test_crash.py", "test_why.py"))
    pure = [Placed(rings.TESTS / "kit" / f"test_{n}.py") for n in range(8)]
    one, other = Placed(crash, 1), Placed(crash, 2)
    stories = [Placed(story, n) for n in range(3)]
    found = rings.dealt([*pure, *stories, one, other], 2)
    assert sorted(found, key=hash) == sorted([*pure, *stories, one, other], key=hash)
    assert found[0] is one
    middle = found.index(other)
    assert middle in range(5, 9), "about half of the tests are the first worker's"
    assert found[1:4] == stories, "the tests of a file stay together"
    assert found[-1] in pure


def test_alone_a_run_keeps_its_order_but_for_what_is_long_and_what_is_short() -> None:
    story, pure = Placed(rings.TESTS / "stories" / "test_why.py"), Placed(rings.TESTS / "kit" / "test_x.py")
    long = Placed(rings.TESTS / "browser" / "test_everybody.py")
    assert rings.dealt([pure, story, long], 1) == [long, story, pure]
