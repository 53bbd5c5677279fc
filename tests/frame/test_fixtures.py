"""The fixtures are what they say: real, clean, and refused where they must be."""

from __future__ import annotations

import socket
import sqlite3
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


def test_a_test_that_asks_for_a_database_leaves_ring_one() -> None:
    path = rings.TESTS / "incidents" / "test_lifecycle.py"
    assert rings.ring_of_test(path, []) == 1
    assert rings.ring_of_test(path, ["tmp_path", "database_url"]) == 2
    assert rings.ring_of_test(rings.TESTS / "stories" / "test_declare.py", ["database_url"]) == 3
