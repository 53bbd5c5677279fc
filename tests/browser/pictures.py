"""The pictures of the documents, taken of a whole installation in a real browser: make screenshots

No test of its own, and not run with the others: what the pages show is judged by `test_everybody.py` and the stories. The incidents of
eleven weeks are told at their own times, with people's names; the last one is lived through with Jira and Slack, up to a conflict.
"""

from __future__ import annotations

import asyncio
import math
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from argon2 import PasswordHasher
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.browser.screen import complaints, wait_for
from tests.stories.installation import OPERATOR, Installation, running
from tests.stories.people import Api, eventually

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

FOLDER: Final = Path(os.environ.get("CALLOUT_SCREENSHOTS") or Path(__file__).parents[2] / "docs" / "images")
Colour = tuple[int, int, int]
LARGEST: Final = 1_500_000
"""Of all pictures together, in bytes."""
PASSWORD: Final = "five Zebras walk"
KEPT: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
DOWN = {"match": {"path": "^/rest/api/"}, "effect": {"kind": "status", "status": 503}}
BEGINS: Final = timedelta(days=77)
PEOPLE: Final = {
    "dana": ("Dana Novak", "admin"),
    "ann": ("Ann Lee", "responder"),
    "bo": ("Bo Jensen", "responder"),
    "chandra": ("Chandra Rao", "responder"),
    "eli": ("Eli Sanders", "viewer"),
}
TEAMS: Final = {"Payments": ["ann", "bo"], "Identity": ["chandra", "ann"], "Search": ["bo"]}
SERVICES: Final = {"checkout": "Payments", "invoices": "Payments", "login": "Identity", "search": "Search"}


class Past(NamedTuple):
    """An incident that is over: when it was declared, and after how many minutes somebody did what."""

    days: float
    title: str
    severity: str
    service: str
    acknowledged: int
    resolved: int


PAST: Final = (
    Past(75.2, "Card payments are declined", "SEV-1", "checkout", 2, 71),
    Past(70.6, "Password resets are not sent", "SEV-3", "login", 14, 190),
    Past(66.4, "Search returns no results in German", "SEV-3", "search", 22, 260),
    Past(61.3, "Checkout is slow", "SEV-2", "checkout", 4, 95),
    Past(57.7, "Invoices have the wrong currency", "SEV-2", "invoices", 9, 310),
    Past(52.1, "Sign-in with Google fails", "SEV-2", "login", 5, 48),
    Past(47.5, "Index is a day old", "SEV-4", "search", 40, 900),
    Past(44.9, "Checkout is down in Asia", "SEV-1", "checkout", 1, 33),
    Past(38.2, "Invoice e-mails arrive twice", "SEV-3", "invoices", 18, 420),
    Past(33.6, "Sessions end after a minute", "SEV-2", "login", 6, 77),
    Past(29.3, "Vouchers cannot be used", "SEV-3", "checkout", 12, 130),
    Past(24.8, "Search times out", "SEV-2", "search", 3, 58),
    Past(19.4, "Refunds are stuck", "SEV-2", "invoices", 8, 205),
    Past(15.1, "Two-factor codes come late", "SEV-3", "login", 11, 160),
    Past(11.7, "Checkout is down", "SEV-1", "checkout", 2, 44),
    Past(8.3, "Autocomplete is empty", "SEV-4", "search", 35, 480),
    Past(4.6, "Certificate of the payment gateway expired", "SEV-1", "checkout", 1, 29),
    Past(1.9, "PDF invoices are blank", "SEV-3", "invoices", 16, 240),
)


class Picture(NamedTuple):
    """One picture: of which page, how large, in which scheme."""

    name: str
    path: str
    height: int = 800
    width: int = 1200
    scheme: str = "light"


PICTURES: Final = (
    Picture("board-light", "/incidents", height=600),
    Picture("board-dark", "/incidents", height=600, scheme="dark"),
    Picture("board-phone", "/incidents", width=390, height=844),
    Picture("incident-light", "/incidents/{key}", height=1300),
    Picture("incident-dark", "/incidents/{key}", height=1000, scheme="dark"),
    Picture("insights", "/insights", height=900),
    Picture("integration", "/integrations/{jira}", height=900),
    Picture("mapping", "/integrations/{jira}/mapping", height=900),
    Picture("administration", "/admin/people", height=600),
    Picture("doctor", "/admin/doctor", height=900),
)


class Company:
    """The people of the pictures, and what they did."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.ids: dict[str, str] = {}
        self.api: dict[str, Api] = {}

    async def found(self) -> None:
        """Make members, teams and services."""
        core = self.installation.core
        for name, (fullname, role) in PEOPLE.items():
            made = await self.installation.transaction(
                lambda tx, name=name, fullname=fullname, role=role: core.members.create(  # type: ignore[misc]
                    tx,
                    actor=OPERATOR,
                    name=name,
                    fullname=fullname,
                    email=f"{name}@example.com",
                    role=role,
                    password_hash=KEPT,
                )
            )
            self.ids[name] = made.id
            permission_set = {"admin": "administrator", "responder": "member", "viewer": "viewer"}[role]
            self.api[name] = await self.installation.client(
                permission_set, name=name, ttl="8760h", member_id=made.id
            )
        boss = self.installation.api = self.api["dana"]
        for team, names in TEAMS.items():
            await boss("POST", "/v1/teams", {"name": team, "members": [f"{n}@example.com" for n in names]})
        for service, team in SERVICES.items():
            await boss("POST", "/v1/services", {"name": service, "team": team})

    async def live_through(self, past: Past, number: int) -> None:
        """Tell one incident that is over, at its own time."""
        one, two = (["ann", "bo", "chandra"] * 2)[number % 3 : number % 3 + 2]
        await self.until(timedelta(days=past.days))
        key = await self.api[one].declare(past.title, severity=past.severity, service=past.service)
        await self.installation.skip(60 * past.acknowledged)
        await self.api[two].act(key, "acknowledge")
        await self.installation.skip(60 * (past.resolved - past.acknowledged))
        await self.api[two].act(key, "resolve")

    async def until(self, before_now: timedelta) -> None:
        """Let time pass until so long before now."""
        await self.later((-before_now - self.installation.clock.ahead).total_seconds())

    async def later(self, seconds: float) -> None:
        """Let time pass, when nothing is on its way any more: what is signed may not be old."""
        await self.installation.quiet()
        await self.installation.skip(seconds)

    def person(self, name: str) -> Mapping[str, str]:
        return {"id": f"member:{self.ids[name]}", "name": PEOPLE[name][0], "email": f"{name}@example.com"}

    async def sign_in(self, name: str) -> None:
        """Let somebody sign in, so that it is seen when they were last here."""
        await self.api[name]("POST", "/v1/auth/logon/organization", {"name": name, "secret": PASSWORD})

    async def today(self) -> str:
        """Tell the incidents that are under way; return the key of the one with a conflict."""
        one, jira = self.installation, self.installation.jira
        await self.until(timedelta(minutes=340))
        late = await self.api["bo"].declare("Invoices arrive late", severity="SEV-3", service="invoices")
        await self.later(900)
        await self.api["bo"].act(late, "acknowledge")
        await self.later(5400)
        await self.api["bo"].act(late, "mitigate")
        await self.until(timedelta(minutes=96))
        slow = await self.api["ann"].declare("Search is slow in Europe", severity="SEV-2", service="search")
        await self.later(240)
        await self.api["bo"].act(slow, "acknowledge")
        await self.sign_in("bo")
        await self.until(timedelta(minutes=52))
        key = await self.api["chandra"].declare(
            "Login fails on iOS",
            severity="SEV-2",
            service="login",
            tags=["ios", "release-482"],
            description="Since release 482 the app answers “session expired” right after signing in. Android is fine.",
        )
        ticket = await one.ticket_of(key)
        await one.told("incidents", "Login fails on iOS")
        await self.later(130)
        await self.sign_in("ann")
        await self.api["ann"].act(key, "acknowledge")
        await self.api["ann"].patch(key, assignee=self.person("ann"))
        commander = {"person": self.person("chandra")}
        await self.api["ann"]("PUT", f"/v1/incidents/{key}/roles/commander", commander)
        await self.later(200)
        await self.api["chandra"].note(key, "The session store is full; errors began at 14:02.")
        await self.later(310)
        await self.api["ann"].patch(key, severity="SEV-1")
        await self.api["ann"].note(
            key, "Some customers on iOS cannot sign in. We are working on it.", audience="customer"
        )
        await self.later(420)
        await self.api["chandra"].note(
            key, "Key rotation was skipped in 482, do not say so yet.", audience="internal"
        )
        for title in ("Roll back release 482", "Empty the session store", "Tell support what to answer"):
            await self.api["ann"]("POST", f"/v1/incidents/{key}/tasks", {"title": title}, status=201)
        await jira.comment(ticket, "Support counts 212 reports so far.")
        await self.later(60)
        await self.until(timedelta(minutes=17))
        await self.api["bo"].declare("Vouchers are rejected", severity="SEV-4", service="checkout")
        await one.quiet()
        await jira.fault(DOWN)
        await self.api["ann"].patch(key, title="Login fails since release 482")
        await jira.edit(ticket, summary="Login fails for everyone on iOS")
        await jira.fault()
        await one.skip(31)

        async def in_conflict() -> bool:
            return any(link["conflicts"] for link in await self.api["dana"].links(key))

        await eventually(in_conflict, what="the conflict")
        await one.quiet()
        await self.until(timedelta(0))
        return key


def take(browser: Chrome, url: str, known: Mapping[str, str]) -> None:
    """Sign in as an administrator does, and take every picture."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    browser.get(f"{url}/login")
    shoot(browser, Picture("sign-in", "/login", height=480, width=900))
    browser.find_element(By.ID, "f-name").send_keys("dana")
    browser.find_element(By.ID, "f-password").send_keys(PASSWORD)
    browser.find_element(By.CSS_SELECTOR, "main form button").click()
    WebDriverWait(browser, 30).until(lambda b: b.current_url == f"{url}/incidents")
    wait_for(browser, "Login fails")
    for picture in PICTURES:
        show(browser, picture)
        browser.get(url + picture.path.format(**known))
        shoot(browser, picture)
    place = "scrollTo(0, arguments[0].getBoundingClientRect().top + scrollY - 7)"
    conflict = Picture("conflict", "/incidents/{key}", height=300)
    show(browser, conflict)
    browser.get(url + conflict.path.format(**known))
    browser.execute_script(place, browser.find_element(By.ID, "conflicts"))
    shoot(browser, conflict)
    assert [one for one in complaints(browser) if "Content Security Policy" in one] == []


def show(browser: Chrome, picture: Picture) -> None:
    """Give the browser a picture's size and scheme."""
    size = {"width": picture.width, "height": picture.height, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": picture.scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def shoot(browser: Chrome, picture: Picture) -> None:
    """Keep what is shown, with few colours: pages have few."""
    show(browser, picture)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    path = FOLDER / f"{picture.name}.png"
    browser.save_screenshot(str(path))
    with Image.open(path) as seen:
        picture_of(seen.convert("RGB")).save(path, optimize=True)


def picture_of(seen: Image.Image) -> Image.Image:
    """Return what was seen with 256 of its own colours: of each kind of colour the one that there is most of, every other its nearest."""
    pixels = seen.tobytes()
    colours = list(zip(pixels[::3], pixels[1::3], pixels[2::3], strict=True))
    often = Counter(colours)
    kinds: dict[Colour, Colour] = {}
    for colour, _ in often.most_common():
        kinds.setdefault((colour[0] >> 3, colour[1] >> 3, colour[2] >> 3), colour)
    kept = list(kinds.values())[:256]
    place = {
        one: min(range(len(kept)), key=lambda number, one=one: math.dist(kept[number], one))  # type: ignore[misc]
        for one in often
    }
    few = Image.frombytes("P", seen.size, bytes(place[one] for one in colours))
    few.putpalette([part for colour in kept for part in colour])
    return few


async def test_the_pictures_of_the_documents(chromium: Chrome) -> None:
    folder = Path(tempfile.mkdtemp(prefix="callout-"))  # a name that can be shown
    database = f"sqlite:///{folder}/callout.db"
    async with running(database, folder, vendors=(), ahead=-BEGINS) as installation:
        await installation.skip(0)
        company = Company(installation)
        await company.found()
        for number, past in enumerate(PAST):
            await company.live_through(past, number)
        await company.until(timedelta(days=1))
        for name in ("chandra", "eli"):
            await company.sign_in(name)
        jira = await installation.add_jira("jira")
        await installation.add_slack("slack", default_role="viewer")
        key = await company.today()
        await asyncio.to_thread(take, chromium, installation.url, {"key": key, "jira": jira.id})
    await asyncio.to_thread(shutil.rmtree, folder)
    total = sum(path.stat().st_size for path in FOLDER.glob("*.png"))
    assert total < LARGEST, f"{total} bytes"
