"""An incident by keyboard alone: whoever uses no mouse reaches everything, and sees where they are."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from tests.browser.screen import Served, complaints, wait_for

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

MOST_STEPS = 80


class Keyboard:
    """Somebody's ten fingers."""

    def __init__(self, browser: Chrome) -> None:
        self._browser = browser

    def press(self, *keys: str) -> None:
        ActionChains(self._browser).send_keys(*keys).perform()

    @property
    def focus(self) -> WebElement:
        return self._browser.switch_to.active_element

    def to(self, name: str) -> None:
        """Press Tab until the element with this name (or label) has the focus, which has to be seen."""
        for _ in range(MOST_STEPS):
            self.press(Keys.TAB)
            element = self.focus
            if name in (element.accessible_name, element.text.strip()):
                assert self._browser.execute_script(
                    "const s = getComputedStyle(document.activeElement); return s.outlineStyle !== 'none' && s.outlineWidth !== '0px'"
                ), f"one does not see that {name!r} has the focus"
                return
        raise AssertionError(f"{name!r} is not reached by keyboard")


async def test_an_incident_by_keyboard_alone(served: Served, chromium: Chrome) -> None:
    desk = served.desk
    member = await desk.client("member")

    def play() -> None:
        hands = Keyboard(chromium)
        chromium.get(served.url)
        hands.to("Sign in with an API token")
        hands.press(Keys.ENTER)
        hands.to("API token")
        hands.press(member.token, Keys.ENTER)
        wait_for(chromium, "Nothing is under way")
        hands.to("Declare")
        hands.press(Keys.ENTER)
        wait_for(chromium, "Declare an incident")
        hands.press("checkout is down", Keys.ENTER)
        wait_for(chromium, "Declared.")
        hands.to("Acknowledge")
        hands.press(Keys.ENTER)
        wait_for(chromium, "Acknowledged.")
        hands.to("Note")
        hands.press("looking into it")
        hands.to("Write it down")
        hands.press(Keys.ENTER)
        wait_for(chromium, "noted: looking into it")
        hands.to("Resolve")
        hands.press(Keys.ENTER)
        wait_for(chromium, "What was done")
        hands.to("Resolve")
        hands.press(Keys.ENTER)
        wait_for(chromium, "Resolved.")
        assert complaints(chromium) == []

    await asyncio.to_thread(play)
    [one] = await desk.api("GET", "/v1/incidents")
    assert (one["title"], one["status"]) == ("checkout is down", "resolved")


async def test_skipping_to_the_content_and_to_the_search(served: Served, chromium: Chrome) -> None:
    from tests.browser.screen import sign_in  # noqa: PLC0415

    def play() -> None:
        hands = Keyboard(chromium)
        sign_in(chromium, served.url, served.desk.api.token)
        hands.to("Skip to the content")
        hands.press(Keys.ENTER)
        assert hands.focus.get_attribute("id") == "content"
        hands.press("/")
        assert hands.focus.get_attribute("type") == "search"

    await asyncio.to_thread(play)
