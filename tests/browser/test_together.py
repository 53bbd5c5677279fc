"""Two people look at one incident: each sees what the other does at once, and loses nothing of what they are typing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from selenium.webdriver.common.by import By

from callout.server.listen import serve_http
from tests.browser.screen import Served, complaints, sign_in, until, wait_for

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

AT_ONCE = 5.0
"""Far more than the second it may take: a test is no stop-watch, and machines are busy. `callout bench` measures."""


async def test_two_people_at_one_incident(served: Served, chromium: Chrome, another_chromium: Chrome) -> None:
    desk = served.desk
    key = await desk.api.declare("checkout is down", severity="SEV-2")
    ann, bob = await desk.client("member"), await desk.client("member")

    def together() -> None:
        for browser, who in ((chromium, ann), (another_chromium, bob)):
            sign_in(browser, served.url, who.token)
            browser.get(f"{served.url}/incidents/{key}")
            browser.execute_script("window.same = 'page'")
        another_chromium.find_element(By.ID, "f-text").send_keys("half a sent")
        chromium.find_element(By.XPATH, "//button[text()='Acknowledge']").click()
        wait_for(chromium, "Acknowledged.")
        head = another_chromium.find_element(By.ID, "head")
        until(
            another_chromium,
            lambda: "acknowledged" in head.text,
            "the other's acknowledgement",
            within=AT_ONCE,
        )
        another_chromium.find_element(By.ID, "f-text").send_keys("ence")
        chromium.find_element(By.LINK_TEXT, "Change").click()
        field = chromium.find_element(By.ID, "f-title")
        field.clear()
        field.send_keys("checkout is slow")
        chromium.find_element(By.XPATH, "//button[text()='Save']").click()
        until(another_chromium, lambda: "checkout is slow" in head.text, "the new title", within=AT_ONCE)
        typed = another_chromium.find_element(By.ID, "f-text")
        assert typed.get_attribute("value") == "half a sentence"
        another_chromium.find_element(By.XPATH, "//button[text()='Write it down']").click()
        wait_for(another_chromium, "Noted.")
        lines = chromium.find_element(By.ID, "lines")
        until(chromium, lambda: "noted: half a sentence" in lines.text, "the other's note", within=AT_ONCE)
        assert complaints(chromium) == []
        assert complaints(another_chromium) == []

    await asyncio.to_thread(together)


async def test_a_board_that_loses_its_server_and_gets_it_back(served: Served, chromium: Chrome) -> None:
    desk = served.desk
    await desk.api.declare("checkout is down")

    def look() -> None:
        sign_in(chromium, served.url, desk.api.token)
        wait_for(chromium, "checkout is down")
        chromium.execute_script("window.same = 'page'")

    await asyncio.to_thread(look)
    await served.stop()
    await asyncio.to_thread(wait_for, chromium, "Not connected")
    await desk.api.declare("search is slow")
    stopping = asyncio.Event()
    port = int(served.url.rpartition(":")[2])
    again = asyncio.create_task(serve_http(desk.web, "127.0.0.1", port, stopping))

    def back() -> None:
        until(
            chromium,
            lambda: "search is slow" in chromium.find_element(By.ID, "board").text,
            "what was missed",
            within=30,
        )
        until(
            chromium,
            lambda: not chromium.find_element(By.ID, "live").is_displayed(),
            "connected again",
            within=30,
        )
        assert chromium.execute_script("return window.same") == "page"

    await asyncio.to_thread(back)
    stopping.set()
    await again
