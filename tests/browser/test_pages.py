"""The pages in a real browser, against an installation served over HTTP."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.screen import SOON, Served, sign_in, wait_for
from tests.server.desk import OPERATOR

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

HOSTILE = "<img src=x onerror=\"document.title='owned'\"> 50% & more"


async def test_the_pages_show_what_happens_without_a_reload(
    served: Served, chromium: Chrome, tmp_path: Path
) -> None:
    desk, api = served.desk, served.desk.api
    key = await api.declare("checkout is down", severity="SEV-2")

    def open_it() -> None:
        sign_in(chromium, served.url, api.token)
        wait_for(chromium, "checkout is down")
        chromium.find_element(By.LINK_TEXT, key).click()
        wait_for(chromium, "declared SEV-2")
        chromium.execute_script("window.same = 'page'")

    await asyncio.to_thread(open_it)
    await api.patch(key, severity="SEV-1", title=HOSTILE)
    await api.act(key, "acknowledge")
    await api.note(key, "looking into it")

    def watch() -> None:
        for text in ("SEV-1", "acknowledged", HOSTILE, "noted: looking into it", "severity: SEV-2 → SEV-1"):
            wait_for(chromium, text)
        assert chromium.execute_script("return window.same") == "page", "the page was loaded again"
        assert "owned" not in chromium.title
        assert chromium.find_elements(By.CSS_SELECTOR, "main img") == []
        assert not chromium.find_element(By.ID, "live").is_displayed()
        cookie = chromium.get_cookie("callout_session")
        assert cookie is not None
        assert cookie["httpOnly"] is True
        assert chromium.execute_script("return document.cookie") == ""

    await asyncio.to_thread(watch)
    assert desk.api is api
    await served.stop()

    def alone() -> None:
        wait_for(chromium, "Not connected")
        assert HOSTILE in chromium.find_element(By.TAG_NAME, "main").text
        chromium.save_screenshot(str(tmp_path / "not-connected.png"))
        logged = chromium.get_log("browser")  # type: ignore[no-untyped-call]
        severe = [line for line in logged if "Content Security Policy" in line["message"]]
        assert severe == []

    await asyncio.to_thread(alone)


async def test_a_token_that_ends_leads_back_to_signing_in(served: Served, chromium: Chrome) -> None:
    token = await served.desk.token("viewer")
    secret = served.desk.holder(token).token
    await asyncio.to_thread(sign_in, chromium, served.url, secret)
    revoke = served.desk.core.tokens.revoke
    await served.desk.core.database.transaction(lambda tx: revoke(tx, token.id, actor=OPERATOR))

    def sent_back() -> None:
        WebDriverWait(chromium, SOON).until(lambda b: b.current_url.startswith(f"{served.url}/login"))
        chromium.find_element(By.CSS_SELECTOR, "main button")

    await asyncio.to_thread(sent_back)
