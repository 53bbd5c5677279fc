"""A real browser: sign in, see an incident, see it change without a reload."""

from __future__ import annotations

import asyncio
from pathlib import Path

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By

from tests.stories.installation import running
from tests.stories.people import eventually


async def test_an_incident_changes_under_the_readers_eyes(
    chromium: Chrome, sqlite_path: Path, tmp_path: Path
) -> None:
    async with running(f"sqlite:///{sqlite_path}", tmp_path / "data") as installation:
        api = installation.api
        await api.declare("checkout is <b>down</b>", severity="SEV-2")
        await installation.ticket_of("INC-1")

        async def do(what: str, *arguments: str) -> None:
            await asyncio.to_thread(getattr(chromium, what), *arguments)

        async def text(selector: str = "body") -> str:
            return await asyncio.to_thread(lambda: chromium.find_element(By.CSS_SELECTOR, selector).text)

        async def shows(*words: str) -> None:
            async def there() -> bool:
                shown = await text()
                assert all(word in shown for word in words), shown
                return True

            await eventually(there, what=f"{words} on the page")

        def sign_in(token: str) -> None:
            chromium.find_element(By.ID, "token").send_keys(token)
            chromium.find_element(By.CSS_SELECTOR, "main button").click()

        await do("get", installation.url)
        assert chromium.current_url.endswith("/login")
        await asyncio.to_thread(sign_in, "co_org_nobody")
        await shows("Sign in")
        assert await text("[role=alert]")
        await asyncio.to_thread(sign_in, api.token)
        await shows("INC-1", "SEV-2", "checkout is <b>down</b>")

        await asyncio.to_thread(lambda: chromium.find_element(By.LINK_TEXT, "INC-1").click())
        await shows("in step", "declared")
        await do("execute_script", "window.notReloaded = true")
        await api.patch("INC-1", severity="SEV-1", title="checkout is gone")
        await api.note("INC-1", "looking at it")
        await shows("SEV-1", "checkout is gone", "noted: looking at it")
        assert await asyncio.to_thread(chromium.execute_script, "return window.notReloaded") is True  # type: ignore[no-untyped-call]
        complaints = [line for line in chromium.get_log("browser") if "401" not in line["message"]]  # type: ignore[no-untyped-call]
        assert complaints == []

        await asyncio.to_thread(lambda: chromium.find_element(By.CSS_SELECTOR, "header button").click())
        await shows("Sign in")
        await do("get", f"{installation.url}/incidents/INC-1")
        await shows("Sign in")
