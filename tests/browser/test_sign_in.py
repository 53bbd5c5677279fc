"""Coming in, in a real browser: the set-up link, mistakes, one's own account on two machines, and single sign-on at a real provider."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from callout.server.listen import serve_http
from tests.browser.screen import Served, barriers, complaints, until, wait_for
from tests.browser.test_everybody import keep
from tests.server.desk import OPERATOR, opened
from tests.server.openid_provider import SCOPES, OpenIdProvider
from tests.server.visitor import Browser, member
from tests.stories.installation import reserved_port

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

pytestmark = pytest.mark.timeout(240)
"""Whichever comes first waits for the provider to be installed."""
PASSWORD = "five Zebras walk"
ANOTHER = "seven Otters swim"
WIDER = """const root = document.documentElement;
if (root.scrollWidth <= root.clientWidth) return [];
return [...document.querySelectorAll("body *")].filter((one) => one.getBoundingClientRect().right > root.clientWidth)
  .map((one) => one.outerHTML.slice(0, 80))"""
"""What does not fit beside what does, where the page is wider than the window."""


@pytest.fixture
async def served(sqlite_path: Path, tmp_path: Path) -> AsyncIterator[Served]:
    """The application on a port that it also calls its public address, with an OpenID provider."""
    with reserved_port() as port, contextlib.ExitStack() as ending:
        url = f"http://127.0.0.1:{port}"
        provider = await asyncio.to_thread(OpenIdProvider, f"{url}/login/oidc/done")
        ending.callback(provider.stop)
        settings = {
            "public_url": url,
            "oidc_issuer": provider.issuer,
            "oidc_client_id": "public",
            "oidc_scopes": SCOPES,
            "oidc_role_claim": "groups",
            "oidc_roles": "sre=responder",
            "oidc_label": "the house's account",
        }
        async with opened(f"sqlite:///{sqlite_path}", tmp_path / "data", **settings) as desk:
            stopping = asyncio.Event()
            serving = asyncio.create_task(serve_http(desk.web, "127.0.0.1", port, stopping))
            one = Served(desk, url, stopping, serving)
            yield one
            await one.stop()


def field(browser: Chrome, name: str) -> WebElement:
    return browser.find_element(By.ID, f"f-{name}")


def fill(browser: Chrome, **values: str) -> None:
    for name, value in values.items():
        field(browser, name).clear()
        field(browser, name).send_keys(value)


def press(browser: Chrome, words: str) -> None:
    browser.find_element(By.XPATH, f"//main//button[normalize-space()='{words}']").click()


def beside(browser: Chrome, name: str) -> str:
    """Return what is said beside a field, found as a screen reader finds it."""
    told = field(browser, name).get_attribute("aria-describedby") or ""
    return " ".join(browser.find_element(By.ID, one).text for one in told.split())


def everybody_can_use(browser: Chrome, name: str) -> None:
    assert barriers(browser) == []
    for width in (390, 1280):
        browser.set_window_size(width, 900)
        keep(browser, f"{name}-{width}")
        assert browser.execute_script(WIDER) == [], f"{name} at {width} pixels"


def comes_in(browser: Chrome, url: str, link: str) -> None:
    """Be the first administrator, by a link that is good once; not without a mistake."""
    browser.get(link)
    everybody_can_use(browser, "set-up")
    fill(browser, fullname="Ann Admin", email="ann@example.com", name="ann")
    fill(browser, password="password1", password_again="passwort1")
    press(browser, "Make the administrator")
    wait_for(browser, "is not the same")
    assert "common" in beside(browser, "password")
    assert field(browser, "fullname").get_attribute("value") == "Ann Admin"
    assert field(browser, "password").get_attribute("value") == ""
    everybody_can_use(browser, "set-up-mistakes")
    fill(browser, password=PASSWORD, password_again=PASSWORD)
    field(browser, "password_again").send_keys(Keys.ENTER)
    until(browser, lambda: browser.current_url == f"{url}/incidents", "the first page")
    cookie = browser.get_cookie("callout_session")
    assert cookie is not None
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
    assert browser.execute_script("return document.cookie") == ""
    browser.get(link)
    wait_for(browser, "set-up link is not good")


def changes_password(browser: Chrome, url: str) -> None:
    browser.get(f"{url}/me")
    everybody_can_use(browser, "me")
    press(browser, "Change the password")  # the browser itself asks for what is missing
    fill(browser, old_password="wrong", new_password=ANOTHER, new_password_again=ANOTHER)
    press(browser, "Change the password")
    wait_for(browser, "is wrong")
    everybody_can_use(browser, "me-mistakes")
    fill(browser, old_password=PASSWORD, new_password=ANOTHER, new_password_again=ANOTHER)
    press(browser, "Change the password")
    wait_for(browser, "Your password is changed")


def ends_the_other(browser: Chrome, url: str) -> None:
    browser.get(f"{url}/me")
    wait_for(browser, "Test/1.0")
    press(browser, "End")
    wait_for(browser, "That session is ended")
    assert "Test/1.0" not in browser.find_element(By.TAG_NAME, "main").text


def goes_and_comes_again(browser: Chrome, url: str) -> None:
    browser.find_element(By.CSS_SELECTOR, "header details summary").click()
    browser.find_element(By.XPATH, "//header//button[normalize-space()='Sign out']").click()
    until(browser, lambda: browser.current_url == f"{url}/login", "the sign-in page")
    browser.get(f"{url}/me")
    everybody_can_use(browser, "login")
    fill(browser, name="ANN@example.com", password="wrong")
    press(browser, "Sign in")
    wait_for(browser, "the name or the secret is wrong")
    everybody_can_use(browser, "login-mistakes")
    fill(browser, password=ANOTHER)
    press(browser, "Sign in")
    until(browser, lambda: browser.current_url == f"{url}/me", "where we wanted to go")


async def test_from_the_set_up_link_to_ones_own_account(served: Served, chromium: Chrome) -> None:
    core, url = served.desk.core, served.url
    link = await core.database.transaction(lambda tx: core.setup_links.issue(tx, actor=OPERATOR))
    await asyncio.to_thread(comes_in, chromium, url, link.address(url))
    elsewhere = Browser(served.desk, url)
    await elsewhere.sign_in("ann", PASSWORD)
    assert await elsewhere.is_in()
    await asyncio.to_thread(changes_password, chromium, url)
    assert not await elsewhere.is_in()
    await elsewhere.sign_in("ann", ANOTHER)
    await asyncio.to_thread(ends_the_other, chromium, url)
    assert not await elsewhere.is_in()
    await asyncio.to_thread(goes_and_comes_again, chromium, url)
    # What the browser tells of answers that are refusals; and nothing that the policy forbids.
    expected = ("422", "401", "403")
    assert [one for one in complaints(chromium) if not any(code in one for code in expected)] == []


async def test_single_sign_on_at_a_real_provider(served: Served, chromium: Chrome) -> None:
    await member(served.desk, "ann", role="admin")

    def at_the_provider(login: str) -> None:
        chromium.get(f"{served.url}/me")
        chromium.find_element(By.LINK_TEXT, "Sign in with the house's account").click()
        until(chromium, lambda: "/interaction/" in chromium.current_url, "the provider's page")
        chromium.find_element(By.NAME, "login").send_keys(login)
        chromium.find_element(By.NAME, "password").send_keys("any", Keys.ENTER)
        until(chromium, lambda: "Authorize" in chromium.page_source, "the provider's question")
        chromium.find_element(By.CSS_SELECTOR, "button[type=submit]").click()

    def come_in() -> None:
        at_the_provider("bo")
        until(chromium, lambda: chromium.current_url == f"{served.url}/me", "where we wanted to go")
        for shown in ("Bo Ek", "bo@example.com", "responder", "single sign-on"):
            wait_for(chromium, shown)
        assert chromium.get_cookie("callout_openid") is None
        chromium.delete_all_cookies()

    await asyncio.to_thread(come_in)

    def stay_out() -> None:
        chromium.execute_cdp_cmd("Network.clearBrowserCookies", {})
        at_the_provider("nil")
        wait_for(chromium, "nothing that the sign-in service says of you gives you a role here")
        everybody_can_use(chromium, "login-refused")

    await asyncio.to_thread(stay_out)
