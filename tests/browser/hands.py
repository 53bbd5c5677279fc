"""A person's hands at a page: with a mouse, or at the keyboard alone. Both find things by the names that people see."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

if TYPE_CHECKING:
    from selenium.webdriver import Chrome
    from selenium.webdriver.remote.webelement import WebElement

PATIENCE: Final = 60.0
LOOK_SECONDS: Final = 0.1
STYLED_SECONDS: Final = 30.0
"""A field may have the focus before the page has its style."""
EYES: Final = """
const [wanted, within] = arguments;
const tidy = (text) => (text || "").replace("(optional)", "").replace(/\\s+/g, " ").trim();
const name = (one) => tidy(one.labels?.length ? one.labels[0].innerText : one.getAttribute("aria-label") || one.innerText || one.value);
const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")].filter(
  (one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled && one.tabIndex >= 0 && one.type !== "hidden"
    && (one.type !== "radio" || one.checked));
const there = all.filter((one) => name(one) === wanted && (!within || one.closest(within)));
const target = there[0] || null;
const active = document.activeElement;
const style = active ? getComputedStyle(active) : null;
return {
  target,
  at: all.indexOf(active),
  to: all.indexOf(target),
  here: target !== null && target === active,
  seen: style !== null && style.outlineStyle !== "none" && style.outlineWidth !== "0px",
  style: style && [active.outerHTML.slice(0, 160), style.outline, active.matches(":focus-visible"), document.hasFocus(), location.href],
  names: all.map(name),
};
"""
"""What somebody sees: where the thing of a name is among all that Tab stops at, where the focus is, and whether one sees that."""


class Hands(Protocol):
    """What a person does."""

    def press(self, name: str, *, within: str = "") -> None:
        """Press a button, follow a link, fold something out, tick a box."""

    def fill(self, label: str, text: str, *, within: str = "") -> None:
        """Type into a field, over what stands there."""

    def choose(self, label: str, option: str, *, within: str = "") -> None:
        """Choose from a list."""


def look(browser: Chrome, name: str, within: str) -> dict[str, Any]:
    """Return what is seen of the thing of a name, once it is there."""
    deadline = time.monotonic() + PATIENCE
    while True:
        seen: dict[str, Any] = browser.execute_script(EYES, name, within)
        if seen["target"] is not None:
            return seen
        assert time.monotonic() < deadline, f"no {name!r} in {within or 'the page'}: {seen['names']}"
        time.sleep(LOOK_SECONDS)


class Mouse:
    """Moves the pointer and clicks; types where it clicked."""

    def __init__(self, browser: Chrome) -> None:
        self._browser = browser

    def press(self, name: str, *, within: str = "") -> None:
        for last in (False, False, True):
            element: WebElement = look(self._browser, name, within)["target"]
            try:
                # Into the middle: at the edge a note of the page's own may lie over it.
                self._browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
                ActionChains(self._browser, duration=0).move_to_element(element).click().perform()
            except WebDriverException:  # a newer state of the page took its place
                if last:
                    raise
            else:
                return

    def fill(self, label: str, text: str, *, within: str = "") -> None:
        self.press(label, within=within)
        keys = ActionChains(self._browser, duration=0)
        keys.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(text).perform()

    def choose(self, label: str, option: str, *, within: str = "") -> None:
        # The list that opens belongs to the machine, not to the page: no pointer of a test reaches it.
        Select(look(self._browser, label, within)["target"]).select_by_visible_text(option)


class Keyboard:
    """Tab, Shift+Tab, Enter, Space, arrows and letters; sees where the focus is, and refuses to go on where one does not."""

    MOST_TRIES = 12

    def __init__(self, browser: Chrome) -> None:
        self._browser = browser

    def press(self, name: str, *, within: str = "") -> None:
        kind = self._to(name, within).get_attribute("type")
        self._send(Keys.SPACE if kind in {"checkbox", "radio"} else Keys.ENTER)

    def fill(self, label: str, text: str, *, within: str = "") -> None:
        self._to(label, within)
        keys = ActionChains(self._browser)
        keys.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL).send_keys(text).perform()

    def choose(self, label: str, option: str, *, within: str = "") -> None:
        select = Select(self._to(label, within))
        texts = [one.text.strip() for one in select.options]
        steps = texts.index(option) - texts.index(select.first_selected_option.text.strip())
        if steps:
            self._send(*[Keys.ARROW_DOWN if steps > 0 else Keys.ARROW_UP] * abs(steps))
        assert select.first_selected_option.text.strip() == option

    def _send(self, *keys: str) -> None:
        ActionChains(self._browser).send_keys(*keys).perform()

    def _to(self, name: str, within: str) -> WebElement:
        """Press Tab as often as it takes, or backwards where that is nearer; the focus has to be seen there."""
        for _ in range(self.MOST_TRIES):
            seen = look(self._browser, name, within)
            if seen["here"]:
                deadline = time.monotonic() + STYLED_SECONDS
                while not seen["seen"]:
                    assert time.monotonic() < deadline, (
                        f"one does not see that {name!r} has the focus: {seen['style']}"
                    )
                    time.sleep(LOOK_SECONDS)
                    seen = look(self._browser, name, within)
                target: WebElement = seen["target"]
                return target
            steps = seen["to"] - seen["at"]
            keys = ActionChains(self._browser)
            if steps < 0 <= seen["at"]:
                keys.key_down(Keys.SHIFT).send_keys(*[Keys.TAB] * -steps).key_up(Keys.SHIFT)
            else:
                keys.send_keys(*[Keys.TAB] * max(1, steps))
            keys.perform()
        raise AssertionError(f"{name!r} is not reached by keyboard")
