"""Every page, in light and dark, wide and on a phone: nothing serious by axe, nothing forbidden by the policy, nothing out of sight."""

from __future__ import annotations

import asyncio
import itertools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By

from tests.browser.screen import Served, barriers, complaints
from tests.server.every_page import (
    ADMINISTRATION,
    EVERY,
    INCIDENTS,
    INTEGRATIONS,
    NO_PAGES,
    OWN,
    STRANGERS,
    furnished,
    set_up_link,
)
from tests.server.test_who_may import pages
from tests.server.visitor import Browser

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.server.desk import Desk

KEEP = os.environ.get("CALLOUT_SCREENSHOTS", "")
"""A folder to keep what was seen in, so that somebody looks at it."""


GROUPS = {"incidents": (*OWN, *INCIDENTS), "integrations": INTEGRATIONS, "administration": ADMINISTRATION}
WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")
EXPECTED = ("422", "404", "403", "401", "500", "does not conform to the required format")
"""What the browser tells of answers that are refusals."""


def pattern(route: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"{[^}]+}", "[^/]+", route))


async def test_every_page_is_among_those_that_are_looked_at(served: Served) -> None:
    routes = [path for method, path in pages(served.desk) if method == "GET"]
    assert set(routes) >= NO_PAGES.keys()
    looked_at = [one.partition("?")[0] for one in EVERY]
    judged = [route for route in routes if route not in NO_PAGES]
    assert len(judged) > 40
    # An address with a name in it may be that of another page, too: `/incidents/new` is no incident.
    plain = {route for route in judged if "{" not in route}
    missed = [
        route
        for route in judged
        if not any(pattern(route).fullmatch(one) for one in looked_at if one == route or one not in plain)
    ]
    assert missed == []


@pytest.mark.parametrize("group", GROUPS)
async def test_everybody_can_use_every_page(served: Served, chromium: Chrome, group: str) -> None:
    known = await furnished(served.desk)
    cookie = await cookie_of_member(served.desk, "bo")

    def look_at_all() -> list[str]:
        signed_in(chromium, served.url, cookie)
        return looked(chromium, served.url, [page.format(**known) for page in GROUPS[group]])

    assert await asyncio.to_thread(look_at_all) == []


async def test_everybody_can_use_what_strangers_see_and_what_goes_wrong(
    served: Served, chromium: Chrome, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = served.desk
    known = await set_up_link(desk)
    viewer = await desk.cookie((await desk.client("viewer")).token)

    async def broken(*_arguments: object, **_named: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("callout.server.dashboard.insights.report", broken)

    def look_at_all() -> list[str]:
        found = looked(chromium, served.url, [page.format(**known) for page in STRANGERS])
        signed_in(chromium, served.url, viewer)
        wrong = {"/insights": "This failed", "/admin/tokens": "Not allowed", "/nothing": "Not here"}
        for path, title in wrong.items():
            found += looked(chromium, served.url, [path])
            assert chromium.find_element(By.TAG_NAME, "h1").text == title
        return found

    assert await asyncio.to_thread(look_at_all) == []


def looked(browser: Chrome, url: str, paths: Sequence[str]) -> list[str]:
    """Return what keeps people from using these pages, in both schemes, wide and on a phone."""
    found = []
    for path in paths:
        browser.get(url + path)
        for scheme, width in itertools.product(SCHEMES, WIDTHS):
            browser.execute_cdp_cmd(
                "Emulation.setEmulatedMedia",
                {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
            )
            browser.set_window_size(width, 900)
            where = f"{path} ({scheme}, {width})"
            found += [f"{where}: {one}" for one in barriers(browser, colours_only=scheme == "dark")]
            wide = browser.execute_script(
                "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            if wide > 0:
                found.append(f"{where}: {wide} pixels are out of sight")
            keep(browser, f"{path}-{scheme}-{width}")
    return found + [one for one in complaints(browser) if not any(part in one for part in EXPECTED)]


def signed_in(browser: Chrome, url: str, cookie: str) -> None:
    browser.get(f"{url}/login")
    name, _, value = cookie.partition("=")
    browser.add_cookie({"name": name, "value": value, "path": "/"})


async def cookie_of_member(desk: Desk, name: str) -> str:
    """Return what the browser of a member sends who signed in with their password."""
    visitor = Browser(desk)
    assert (await visitor.sign_in(name)).status_code == 303
    return f"callout_session={visitor.session}"


def keep(browser: Chrome, name: str) -> None:
    if KEEP:
        folder = Path(KEEP)
        folder.mkdir(parents=True, exist_ok=True)
        browser.save_screenshot(str(folder / f"{name.strip('/').replace('/', '_').replace('?', '_')}.png"))
