"""The HTTP application over a real database, called in the test's own event loop: no port, no worker, no twin."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import httpx
from argon2 import PasswordHasher
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Route

from callout.access import SYSTEM, passwords
from callout.bootstrap.core import Core, open_core
from callout.bootstrap.settings import Settings
from callout.bootstrap.web import build_web
from callout.bootstrap.wiring import Wired, wire
from callout.jobs.outbox import Sequencer
from callout.ports.values import Actor, ActorKind
from callout.sync.conflicts import Conflicts
from tests.signed_in import cookie_of
from tests.stories.installation import SteppedClock
from tests.stories.people import Api, Json

if TYPE_CHECKING:
    from callout.access import RefreshToken
    from callout.access.oidc import OpenId
    from callout.integrations import Integration

OPERATOR = Actor(ActorKind.SYSTEM, "tests", "an operator")
ADDRESS = "http://callout.test"
JIRA = {
    "type": "ticketing_jira",
    "url": "http://127.0.0.1:9",
    "credential": {"type": "basic", "username": "admin@example.com", "secret": "token"},
    "default_project": "TST",
    "default_issue_type": "Incident",
}
SLACK = {
    "type": "chat_slack",
    "url": "http://127.0.0.1:9/api",
    "credential": {"type": "token", "secret": "xoxb-acc"},
    "channels": {"default": "incidents"},
    # Nobody can be asked there who is a guest.
    "guest_role": "responder",
}
# What any effect of a request would add a row to.
WRITTEN = (
    "incident",
    "incident_note",
    "incident_attachment",
    "incident_attachment_part",
    "timeline_entry",
    "audit_log",
    "event",
    "inbound_event",
    "idempotency_keys",
    "job",
)


class Desk:
    """The application, its services, and whoever calls it."""

    def __init__(self, wired: Wired, web: Any, http: httpx.AsyncClient, clock: SteppedClock) -> None:
        self.wired = wired
        self.core: Core = wired.core
        self.web = web
        self.http = http
        self.clock = clock
        self.account = ""
        self.api = Api(http, "", "")
        self._cookies: dict[str, str] = {}

    @property
    def conflicts(self) -> Conflicts:
        """The service behind the conflicts' routes."""
        return Conflicts(self.wired.sync)

    async def cookie(self, token: str) -> str:
        """Return the header of a browser that is signed in with a token; once signed in, it stays so."""
        if token not in self._cookies:
            self._cookies[token] = await cookie_of(self.core, token)
        return self._cookies[token]

    @property
    def openid(self) -> OpenId:
        """The OpenID provider that is configured."""
        found: OpenId | None = self.framework.state.services.sign_in.openid
        assert found is not None
        return found

    @property
    def framework(self) -> FastAPI:
        """The FastAPI application inside."""
        inner = self.web
        while not isinstance(inner, FastAPI):  # inside of what looks at requests before it
            inner = inner._rest_behind_proxy if hasattr(inner, "_rest_behind_proxy") else inner._app
        return inner

    async def token(self, permission_set: str = "administrator", **options: Any) -> RefreshToken:
        """Return a new organization token, with its secrets."""
        options.setdefault("ttl", "8760h")
        return await self.core.database.transaction(
            lambda tx: self.core.tokens.create(tx, SYSTEM, permission_set=permission_set, **options)
        )

    def holder(self, token: RefreshToken, half: str = "access") -> Api:
        """Return the API as the holder of `token` calls it."""
        secret = getattr(token.primary, half).secret
        assert secret is not None
        return Api(self.http, "", secret.reveal())

    async def client(self, permission_set: str = "administrator", **options: Any) -> Api:
        """Return the API as the holder of a new token calls it."""
        return self.holder(await self.token(permission_set, **options))

    async def add_account(self, name: str) -> str:
        """Return the id of a new account."""
        made = await self.core.database.transaction(
            lambda tx: self.core.accounts.create(tx, actor=OPERATOR, name=name)
        )
        return made.id

    async def add(self, config: Mapping[str, Any], *, key: str = "", name: str = "one") -> Integration:
        """Add an integration whose vendor signs with `key`."""
        hook = {"provider_key": key, "items": []} if key else None
        saved = await self.core.database.transaction(
            lambda tx: self.core.integrations.create(
                tx.account(self.account),
                provider_config=dict(config),
                actor=OPERATOR,
                name=name,
                webhook_config=hook,
            )
        )
        return saved.integration

    async def written(self) -> dict[str, int]:
        """Return how many rows each table holds to which effects add rows."""
        counts = {}
        for table in WRITTEN:
            text = f"SELECT count(*) FROM {table}"  # noqa: S608  # constant names
            rows = await self.core.database.read(lambda tx, text=text: tx.driver_all(text, text))  # type: ignore[misc]
            counts[table] = int(rows[0][0])
        return counts

    def routes(self) -> Iterator[tuple[str, str]]:
        """Every method and path that the application answers, HEAD aside."""
        for route in self.framework.routes:
            assert isinstance(route, Route | APIRoute), f"a route of an unknown kind: {route!r}"
            for method in sorted((route.methods or {"*"}) - {"HEAD"}):
                yield method, route.path


@contextlib.asynccontextmanager
async def feed_numbered(desk: Desk) -> AsyncIterator[None]:
    """Give events their place in the feed meanwhile, as a worker does."""
    sequencer = Sequencer(desk.core.database)
    stopped = asyncio.Event()

    async def number() -> None:
        while not stopped.is_set():
            pause = await sequencer.turn()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopped.wait(), pause or 0.001)

    numbering = asyncio.create_task(number())
    try:
        yield
    finally:
        stopped.set()
        await numbering


@contextlib.contextmanager
def quick_passwords() -> Iterator[None]:
    """Keep passwords with less work than is put in for thieves: tests/access/test_passwords.py is about how they are really kept."""
    hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    with mock.patch.multiple(passwords, _hasher=hasher, _NOBODY=hasher.hash("nobody's")):
        yield


@contextlib.asynccontextmanager
async def opened(database_url: str, data_dir: Path, **further: Any) -> AsyncIterator[Desk]:
    """Open the application over a database whose schema is up to date; `further` are settings."""
    clock = SteppedClock()
    values = {
        "data_dir": data_dir,
        "database_url": database_url,
        "public_url": ADDRESS,
        "allow_networks": ("127.0.0.0/8",),
        "require_https": False,
        "pool_size": 6,
    }
    settings = Settings(**{**values, **further})
    with quick_passwords():
        async with open_core(settings, clock=clock) as core:
            wired = wire(core)
            web = build_web(wired)
            # A fault of ours is answered with 500 and then raised again, for the server's log; the tests look at the answer.
            transport = httpx.ASGITransport(web, raise_app_exceptions=False)
            try:
                async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as http:
                    desk = Desk(wired, web, http, clock)
                    desk.account = (await core.database.read(lambda tx: core.accounts.get(tx, "default"))).id
                    desk.api = await desk.client(name="tests")
                    yield desk
            finally:
                await wired.connections.close()


def problem_of(answer: httpx.Response, status: int, kind: str = "") -> Json:
    """Return the Problem of an answer; fails unless it is whole and of that status (and type, where one is given)."""
    assert answer.status_code == status, f"{answer.status_code} {answer.text}"
    assert answer.headers["content-type"].startswith("application/json"), answer.headers
    body: Json = answer.json()
    assert body["status"] == status
    for field in ("type", "message", "occurred_at", "instance", "remediation"):
        assert isinstance(body.get(field), str), f"{field} is missing: {body}"
        assert body[field], f"{field} is empty: {body}"
    assert body["instance"].startswith("/v1/problems/")
    assert not kind or body["type"] == kind, body
    assert "Traceback" not in answer.text
    return body
