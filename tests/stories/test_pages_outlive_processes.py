"""An open page and the server processes behind it: whichever of two is killed, the page shows what happens next without a reload."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import httpx
import pytest

from callout.access import SYSTEM
from callout.bootstrap.core import open_core, prepare_database
from callout.cli.bench.installation import Installation, at_home, stop
from tests.browser.screen import until
from tests.signed_in import cookie_of
from tests.stories.forked import forked
from tests.stories.test_processes import children, eventually, listening

if TYPE_CHECKING:
    from pathlib import Path

    from selenium.webdriver import Chrome

SOON = 40.0


async def come_in(one: Installation) -> tuple[str, str]:
    """Return a token, and the cookie of somebody who signed in with it."""
    async with open_core(one.settings()) as core:
        made = await core.database.transaction(
            lambda tx: core.tokens.create(tx, SYSTEM, permission_set="administrator", ttl="1h")
        )
        assert made.primary.access.secret is not None
        token = made.primary.access.secret.reveal()
        return token, await cookie_of(core, token)


@pytest.mark.browser
@pytest.mark.timeout(200)
def test_each_of_two_processes_is_killed_in_turn(postgres_url: str, tmp_path: Path, chromium: Chrome) -> None:
    one = at_home(tmp_path, postgres_url)
    asyncio.run(prepare_database(one.settings(), migrate=True))
    token, cookie = asyncio.run(come_in(one))
    api = one.start("api", "--processes", "2", CALLOUT_LOG_LEVEL="info")
    worker = forked(one, "worker")  # it numbers what happens, for the streams
    try:
        one.wait_ready(api)
        eventually(lambda: listening(one) == 2, "both listen")
        chromium.get(f"{one.address}/login")
        name, _, value = cookie.partition("=")
        chromium.add_cookie({"name": name, "value": value, "path": "/"})
        chromium.get(f"{one.address}/incidents")
        chromium.execute_script("window.same = 'page'")
        with httpx.Client(base_url=one.address, headers={"authorization": f"Bearer {token}"}) as program:
            for number, killed in enumerate(children(api)):
                os.kill(killed, signal.SIGKILL)
                title = f"number {number}"
                # A connection that was just cut is no answer; the other process takes the next.
                eventually(lambda title=title: declared(program, title), "it is declared")  # type: ignore[misc]
                until(chromium, lambda title=title: title in board(chromium), title, within=SOON)  # type: ignore[misc]
                until(chromium, lambda: is_connected(chromium), "connected again", within=SOON)
                listed = number + 3
                eventually(lambda listed=listed: listening(one) == listed, "another takes its place")  # type: ignore[misc]
        assert chromium.execute_script("return window.same") == "page", "the page was loaded again"
    finally:
        stop(api)
        stop(worker)


def declared(program: httpx.Client, title: str) -> bool:
    try:
        answer = program.post("/v1/incidents", json={"title": title}, headers={"idempotency-key": title})
    except httpx.TransportError:
        return False
    return answer.status_code == 201


def board(browser: Chrome) -> str:
    return str(browser.execute_script("return document.getElementById('board').innerText"))


def is_connected(browser: Chrome) -> bool:
    return bool(browser.execute_script("return document.getElementById('live').hidden"))
