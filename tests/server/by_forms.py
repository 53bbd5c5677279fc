"""Somebody who looks at the dashboard with a browser that runs no scripts: follows links, fills in forms."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

    from tests.server.desk import Desk


class Page(HTMLParser):
    """What a page holds: its forms with their fields, its links, and what is wrong beside each field."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self._select = ""
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters."""
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found.get("href", ""))
        if tag == "form":
            self._open = True
            self.forms.append((found.get("action", ""), {}))
        if not self._open or not self.forms:
            return
        fields = self.forms[-1][1]
        if tag == "input" and "name" in found:
            ticked = found.get("type") not in {"checkbox", "radio"} or "checked" in found
            if ticked:
                fields[found["name"]] = found.get("value", "")
        elif tag == "textarea":
            fields.setdefault(found.get("name", ""), "")
        elif tag == "select":
            self._select = found.get("name", "")
        elif tag == "option" and self._select and ("selected" in found or self._select not in fields):
            fields[self._select] = found.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        """Note where forms end."""
        if tag == "form":
            self._open = False
        elif tag == "select":
            self._select = ""

    def form(self, action: str) -> dict[str, str]:
        """Return the fields of the first form that goes to `action`, as they stand."""
        for address, fields in self.forms:
            if address == action:
                return dict(fields)
        raise AssertionError(f"no form goes to {action}: {[address for address, _ in self.forms]}")


class Visitor:
    """A signed-in browser."""

    def __init__(self, desk: Desk, cookie: str) -> None:
        self._desk = desk
        self._headers = {"cookie": cookie}

    @property
    def cookie(self) -> str:
        """What the browser sends to say who it is."""
        return self._headers["cookie"]

    @classmethod
    async def of(cls, desk: Desk, permission_set: str = "administrator") -> Visitor:
        """Sign in with a new token of that permission set."""
        token = desk.holder(await desk.token(permission_set)).token
        return cls(desk, await desk.cookie(token))

    async def answer(self, path: str) -> httpx.Response:
        """Return what a page answers."""
        return await self._desk.http.get(path, headers=self._headers)

    async def see(self, path: str, status: int = 200) -> Page:
        """Look at a page."""
        answer = await self.answer(path)
        assert answer.status_code == status, f"{path}: {answer.status_code} {answer.text[:2000]}"
        assert "content-security-policy" in answer.headers
        page = Page(answer.text)
        twice = {one for one in page.ids if page.ids.count(one) > 1}
        assert not twice, f"{path} has elements of the same id: {twice}"
        return page

    async def send(self, path: str, fields: dict[str, str], **headers: str) -> httpx.Response:
        """Send a form as it is."""
        return await self._desk.http.post(path, data=fields, headers={**self._headers, **headers})

    async def fill(self, path: str, action: str, **typed: str) -> httpx.Response:
        """Open the page at `path`, fill in its form that goes to `action`, send it."""
        page = await self.see(path)
        return await self.send(action, {**page.form(action), **typed})

    async def do(self, path: str, action: str, **typed: str) -> str:
        """As :meth:`fill`, which has to succeed; return where it leads."""
        answer = await self.fill(path, action, **typed)
        assert answer.status_code == 303, f"{action}: {answer.status_code} {answer.text[:3000]}"
        return str(answer.headers["location"])
