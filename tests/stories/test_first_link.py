"""From a fresh installation to the first administrator: `callout serve` prints a link, a person opens it, nobody else can."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from callout.bootstrap.core import prepare_database
from callout.cli.bench.installation import Installation, at_home, stop
from tests.stories.test_processes import children, listening

FORM = {
    "fullname": "Ann Admin",
    "email": "ann@example.com",
    "name": "ann",
    "password": "five Zebras walk",
    "password_again": "five Zebras walk",
}
PATIENCE = 100.0
OWN = {"sec-fetch-site": "same-origin"}


def wait(one: Installation, processes: int) -> None:
    """Wait until all listen; a machine with much else to do takes long to start one."""
    deadline = time.monotonic() + PATIENCE
    while listening(one) < processes:
        assert time.monotonic() < deadline, (one.folder / "api.log").read_text()
        time.sleep(0.1)


def links(one: Installation) -> list[str]:
    return re.findall(r"^  (http\S+/setup/\S+)$", (one.folder / "api.log").read_text(), re.MULTILINE)


def command(one: Installation, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = one.settings()
    return subprocess.run(
        [sys.executable, "-m", "callout", *arguments],
        env={
            "CALLOUT_DATABASE_URL": settings.database,
            "CALLOUT_DATA_DIR": str(settings.data_dir),
            "PATH": "/usr/bin:/bin",
        },
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )


@pytest.mark.timeout(200)
@pytest.mark.parametrize("processes", [1, 2])
def test_one_link_is_printed_and_makes_one_administrator(
    processes: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # Several processes want PostgreSQL.
    url = request.getfixturevalue("postgres_url") if processes > 1 else f"sqlite:///{tmp_path}/one.db"
    one = at_home(tmp_path, url)
    asyncio.run(prepare_database(one.settings(), migrate=True))
    several = ("--processes", str(processes)) if processes > 1 else ()
    process = one.start("api", *several, CALLOUT_LOG_LEVEL="info")
    try:
        wait(one, processes)
        assert len(children(process)) == (processes if processes > 1 else 0)
        [printed] = links(one)
        other = f"{one.address}/setup/nonsense"
        if processes == 1:
            made = json.loads(command(one, "member", "setup-link", "--json").stdout)["link"]
            other = f"{one.address}/setup/{made.rpartition('/')[2]}"
        with httpx.Client(headers=OWN, timeout=60) as browser:
            link = f"{one.address}/setup/{printed.rpartition('/')[2]}"
            assert "Set up Callout" in browser.get(link).text
            done = browser.post(link, data=FORM)
            assert (done.status_code, done.headers["location"]) == (303, "/")
            assert "ann@example.com" in browser.get(f"{one.address}/me").text
            assert browser.get(other).status_code == browser.get(link).status_code == 403
        if processes == 1:
            refused = command(one, "member", "setup-link")
            assert refused.returncode == 1
            assert "has an administrator already" in refused.stderr
    finally:
        stop(process)
