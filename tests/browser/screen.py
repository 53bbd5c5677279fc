"""The pages as somebody sees them in a browser: opening them, waiting for what appears, judging whether everybody can use them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.server.desk import Desk

SOON = 60.0


class Served:
    """The application on a port, until :meth:`stop`."""

    def __init__(self, desk: Desk, url: str, stopping: asyncio.Event, serving: asyncio.Task[None]) -> None:
        self.desk = desk
        self.url = url
        self._stopping = stopping
        self._serving = serving

    async def stop(self) -> None:
        self._stopping.set()
        await self._serving


def sign_in(browser: Chrome, url: str, token: str) -> None:
    browser.get(url)
    assert browser.current_url.startswith(f"{url}/login")
    browser.find_element(By.CSS_SELECTOR, "main details summary").click()
    browser.find_element(By.ID, "f-token").send_keys(token)
    browser.find_element(By.CSS_SELECTOR, "main details form button").click()
    WebDriverWait(browser, SOON).until(lambda b: b.current_url == f"{url}/incidents")


def wait_for(browser: Chrome, text: str) -> None:
    WebDriverWait(browser, SOON, ignored_exceptions=[WebDriverException]).until(
        lambda b: text in b.find_element(By.TAG_NAME, "body").text, f"{text!r} is not on the page"
    )


def until(browser: Chrome, true: Callable[[], bool], what: str, *, within: float = SOON) -> float:
    """Wait until something holds; return how many seconds that took."""
    began = time.monotonic()
    WebDriverWait(browser, within, poll_frequency=0.02, ignored_exceptions=[WebDriverException]).until(
        lambda _: true(), what
    )
    return time.monotonic() - began


def complaints(browser: Chrome) -> list[str]:
    """Return what the browser complained of: scripts that failed, and what the content security policy forbade."""
    logged: list[dict[str, Any]] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    return [line["message"] for line in logged if "favicon" not in line["message"]]


def barriers(browser: Chrome, *, colours_only: bool = False) -> list[str]:
    """Return what keeps people from using the page, as axe finds it: everything serious or critical.

    With `colours_only` nothing but contrast is looked at: what else there is does not hang on the colour scheme.
    """
    axe = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    if not browser.execute_script("return Boolean(window.axe)"):
        browser.execute_script(axe)
    found: dict[str, Any] = browser.execute_async_script(
        "const done = arguments[arguments.length - 1];"
        "axe.run(document, arguments[0]).then(done, (error) => done({violations: [], error: String(error)}))",
        {"resultTypes": ["violations"], **({"runOnly": ["color-contrast"]} if colours_only else {})},
    )
    assert "error" not in found, found["error"]
    assert found["passes"], "axe looked at nothing"
    return [
        f"{one['impact']} {one['id']}: {one['help']}: {[node['html'][:160] for node in one['nodes'][:3]]}"
        for one in found["violations"]
        if one["impact"] in {"serious", "critical"}
    ]
