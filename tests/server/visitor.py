"""A person at the pages, with a browser: its cookies, its forms, and what it would make of a page."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import httpx
from argon2 import PasswordHasher
from sqlalchemy import select

from callout.audit.tables import audit_log
from tests.server.desk import ADDRESS, OPERATOR

if TYPE_CHECKING:
    from callout.access import Member
    from tests.server.desk import Desk

PASSWORD = "five Zebras walk"
KEPT = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash(PASSWORD)
"""As it is kept, but made with less work than the product would do."""
OWN = {"sec-fetch-site": "same-origin", "user-agent": "Test/1.0"}
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> {{ 7*7 }} \u202e'


class Browser:
    """A browser of one person: keeps its cookies, finds forms in pages and sends them."""

    def __init__(self, desk: Desk, address: str = ADDRESS, client: str = "192.0.2.7") -> None:
        transport = httpx.ASGITransport(desk.web, client=(client, 4711))
        self.http = httpx.AsyncClient(transport=transport, base_url=address, headers=OWN)
        self.page = httpx.Response(200, text="")

    async def open(self, path: str) -> httpx.Response:
        self.page = await self.http.get(path)
        return self.page

    def csrf(self) -> str:
        found = re.search(r'name="csrf" value="([^"]+)"', self.page.text)
        return "" if found is None else found[1]

    async def send(self, path: str, **fields: str) -> httpx.Response:
        return await self.send_with({}, path, **fields)

    async def send_with(self, more: dict[str, str], path: str, **fields: str) -> httpx.Response:
        if self.csrf():
            fields.setdefault("csrf", self.csrf())
        answer = await self.http.post(path, data=fields, headers=more)
        if answer.status_code != 303:
            self.page = answer
        return answer

    async def sign_in(self, name: str = "bo", secret: str = PASSWORD, **fields: str) -> httpx.Response:
        self.http.cookies.clear()
        self.page = httpx.Response(200, text="")
        return await self.send("/login", name=name, password=secret, **fields)

    async def is_in(self) -> bool:
        answer = await self.http.get("/incidents")
        assert answer.status_code in {200, 303}
        return answer.status_code == 200

    @property
    def session(self) -> str:
        return self.http.cookies.get("callout_session") or ""


async def member(desk: Desk, name: str = "bo", **options: Any) -> Member:
    values = {"role": "responder", "email": f"{name}@example.com", "password_hash": KEPT, **options}
    return await desk.core.database.transaction(
        lambda tx: desk.core.members.create(tx, actor=OPERATOR, name=name, fullname=name.title(), **values)
    )


async def audited(desk: Desk, *actions: str) -> list[dict[str, Any]]:
    columns = (
        audit_log.c.action,
        audit_log.c.actor_id,
        audit_log.c.remote_addr,
        audit_log.c.path,
        audit_log.c.data,
    )
    rows = await desk.core.database.read(lambda tx: tx.all(select(*columns).order_by(audit_log.c.id)))
    return [dict(row) for row in rows if row["action"] in actions]


def errors_beside(page: httpx.Response) -> dict[str, str]:
    """Return what is said beside the fields, each of which has to refer to it."""
    found = dict(re.findall(r'<p class="wrong" id="e-([a-z_]+)">([^<]*)</p>', page.text))
    for name in found:
        tag = re.search(rf'<input id="f-{name}"[^>]*>', page.text)
        assert tag is not None
        assert f'aria-describedby="e-{name}' in tag[0]
        assert 'aria-invalid="true"' in tag[0]
    return {name: unescape(words) for name, words in found.items()}


class Tags(HTMLParser):
    """What a browser would make of a page, as far as it can run something."""

    def __init__(self) -> None:
        super().__init__()
        self.handlers: list[str] = []
        self.scripts = self.images = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]
        self.scripts += tag == "script"
        self.images += tag == "img"


def guarded(answer: httpx.Response) -> None:
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self'" in policy
    assert answer.headers["cache-control"] == "no-store"
    tags = Tags()
    tags.feed(answer.text)
    assert tags.handlers == []
    assert tags.scripts == tags.images == 1, "ours"
