"""The story of an incident told wholly in two browsers: Slack and Jira follow, and answer; a conflict is decided on the page."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.by import By

from tests.browser.screen import complaints, sign_in, until, wait_for

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

    from tests.stories.installation import Installation

DOWN = {"match": {"path": "^/rest/api/"}, "effect": {"kind": "status", "status": 503}}
SOON = 60.0


def press(browser: Chrome, label: str) -> None:
    browser.find_element(By.XPATH, f"//main//*[self::button or self::a][normalize-space()='{label}']").click()


def region(browser: Chrome, name: str, *words: str) -> None:
    """Wait until a part of the page, which is not loaded again for it, says all of these words."""
    element = browser.find_element(By.ID, name)
    until(browser, lambda: all(word in element.text for word in words), f"{words} in {name}", within=SOON)


class Pair:
    """Two people, each with a browser, at one installation."""

    def __init__(self, ann: Chrome, bob: Chrome, url: str) -> None:
        self.ann, self.bob, self.url = ann, bob, url

    def declare(self, tokens: tuple[str, str]) -> str:
        """One declares; the other sees it on the board without doing anything, and goes there. Return the key."""
        for browser, token in zip((self.ann, self.bob), tokens, strict=True):
            sign_in(browser, self.url, token)
        self.bob.execute_script("window.same = 'page'")
        self.ann.find_element(By.LINK_TEXT, "Declare").click()
        self.ann.find_element(By.ID, "f-title").send_keys("checkout is down")
        self.ann.find_element(By.CSS_SELECTOR, "#f-severity option[value='SEV-3']").click()
        press(self.ann, "Declare")
        wait_for(self.ann, "Declared.")
        region(self.bob, "board", "checkout is down")
        assert self.bob.execute_script("return window.same") == "page"
        self.bob.find_element(By.LINK_TEXT, "checkout is down").click()
        return self.ann.current_url.rpartition("/")[2]

    def work(self, ticket: str) -> None:
        """Both see the ticket and what is said there; one joins and acknowledges."""
        for browser in (self.ann, self.bob):
            region(browser, "tickets-now", ticket, "in step")
            region(browser, "lines", "the cable was pulled")
            region(browser, "messages", "sent")
        press(self.bob, "Join")
        region(self.ann, "people-now", "Taking part")
        press(self.bob, "Acknowledge")
        region(self.ann, "head", "acknowledged")

    def decide(self) -> None:
        """Both see the conflict; one takes what the ticket says, and it is over for both."""
        for browser in (self.ann, self.bob):
            region(browser, "conflicts", "Severity: two people changed it", "SEV-1", "LOW")
        press(self.ann, "Take this")
        wait_for(self.ann, "Decided.")
        region(self.bob, "head", "SEV-4")
        place = self.bob.find_element(By.ID, "conflicts")
        until(self.bob, lambda: place.text == "", "the conflict is over", within=SOON)

    def end(self) -> None:
        """One resolves it, with a note."""
        self.bob.refresh()
        press(self.bob, "Resolve")
        wait_for(self.bob, "What was done")
        self.bob.find_element(By.ID, "f-note").send_keys("plugged it in again")
        press(self.bob, "Resolve")
        wait_for(self.bob, "Resolved.")
        region(self.ann, "head", "resolved")
        region(self.ann, "lines", "plugged it in again")


@pytest.mark.browser
async def test_an_incident_is_lived_through_in_two_browsers(
    installation: Installation, chromium: Chrome, another_chromium: Chrome
) -> None:
    tokens = (await installation.client("member")).token, (await installation.client("member")).token
    pair, jira = Pair(chromium, another_chromium, installation.url), installation.jira
    key = await asyncio.to_thread(pair.declare, tokens)
    ticket = await installation.ticket_of(key)
    await installation.told("incidents", "checkout is down")
    await jira.comment(ticket, "the cable was pulled")
    await asyncio.to_thread(pair.work, ticket)
    await installation.quiet()
    await jira.fault(DOWN)
    await installation.api.patch(key, severity="SEV-1")
    await jira.edit(ticket, priority="Low")
    await jira.fault()
    await installation.skip(31)
    await asyncio.to_thread(pair.decide)
    await installation.issue_when(ticket, priority="Low")
    await asyncio.to_thread(pair.end)
    await installation.issue_when(ticket, status="Done")
    await installation.quiet()
    one = await installation.api.incident(key)
    assert (one["status"], one["severity"]) == ("resolved", "SEV-4")
    assert [complaints(browser) for browser in (chromium, another_chromium)] == [[], []]
