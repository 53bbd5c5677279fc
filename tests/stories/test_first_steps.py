"""What newcomers trip over is said in one plain sentence, with what to do, and the right exit code; never as a trace."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


def callout(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("CALLOUT_")}
    return subprocess.run(
        [sys.executable, "-m", "callout", *arguments],
        cwd=folder,
        env={**own, **settings},
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        yield taken.getsockname()[1]


def test_serve_on_a_port_that_is_taken(tmp_path: Path, taken_port: int) -> None:
    done = callout(tmp_path, "serve", "--port", str(taken_port))
    assert done.returncode == 1
    assert "Address already in use" in done.stderr
    assert "--port or CALLOUT_PORT" in done.stderr
    assert "Traceback" not in done.stderr


def test_twins_on_a_port_that_is_taken(tmp_path: Path, taken_port: int) -> None:
    done = callout(tmp_path, "sandbox", "--port", str(taken_port))
    assert done.returncode == 1
    assert "the twins did not start" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", [("migrate",), ("token", "create"), ("serve",)], ids=" ".join)
def test_postgresql_that_does_not_answer(tmp_path: Path, command: tuple[str, ...]) -> None:
    with socket.socket() as nobody:
        nobody.bind(
            ("127.0.0.1", 0)
        )  # bound and not listening: nobody answers, and nobody else gets the port
        url = f"postgresql://callout:secret@127.0.0.1:{nobody.getsockname()[1]}/callout"
        done = callout(tmp_path, *command, CALLOUT_DATABASE_URL=url)
    assert done.returncode == 1
    assert "PostgreSQL cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_a_data_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    done = callout(tmp_path, "token", "create", CALLOUT_DATA_DIR=str(tmp_path / "file" / "data"))
    assert done.returncode == 1
    assert str(tmp_path / "file") in done.stderr
    assert "Traceback" not in done.stderr


def test_a_file_of_settings_that_is_not_there(tmp_path: Path) -> None:
    done = callout(tmp_path, "integration", "add", "ticketing_jira", "--config", "@jira.json")
    assert done.returncode == 2
    assert "jira.json cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_setting_that_does_not_exist(tmp_path: Path) -> None:
    done = callout(tmp_path, "serve", CALLOUT_DATABASE_URI="postgresql://127.0.0.1/callout")
    assert done.returncode == 2
    assert "did you mean database_url?" in done.stderr


def test_addresses_are_named_only_where_the_platform_needs_them(tmp_path: Path) -> None:
    token = {"type": "token", "secret": "xoxb-acc"}
    config = {"url": "http://127.0.0.1:9/slack/api", "credential": token}
    own = {"CALLOUT_ALLOW_NETWORKS": "127.0.0.0/8", "CALLOUT_REQUIRE_HTTPS": "false"}
    called = ("integration", "add", "chat_slack", "--webhook", '{"provider_key": "s", "items": []}')
    by_request = callout(tmp_path, *called, "--name", "one", "--config", json.dumps(config), **own)
    assert by_request.returncode == 0, by_request.stderr
    assert "/interactions" in by_request.stdout
    socket = {**config, "app_credential": {"type": "token", "secret": "xapp-acc"}}
    by_socket = callout(tmp_path, *called, "--name", "two", "--config", json.dumps(socket), **own)
    assert by_socket.returncode == 0, by_socket.stderr
    assert "/interactions" not in by_socket.stdout
    assert "connects to the platform by itself" in by_socket.stdout
