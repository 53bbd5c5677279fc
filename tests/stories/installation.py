"""A whole installation in one event loop: database, twins, HTTP server, worker, and people who use them over HTTP.

Nothing is stood in for: the product is what `callout serve` runs, on a port of its own, and the twins are other HTTP servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from callout.access import SYSTEM
from callout.bootstrap.core import Core, open_core, prepare_database
from callout.bootstrap.run import Role, run
from callout.bootstrap.settings import Settings
from callout.bootstrap.wiring import Wired, wire
from callout.jobs.admin import JobAdmin
from callout.ports.values import Actor, ActorKind
from callout.sandbox.core.serve import SandboxServer
from tests.signed_in import cookie_of
from tests.stories.people import (
    JIRA_SECRET,
    JIRA_USER,
    PATIENCE,
    SLACK_SECRET,
    Api,
    JiraPeople,
    Json,
    SlackPeople,
    eventually,
)

if TYPE_CHECKING:
    from pathlib import Path

    from callout.integrations import Integration
    from callout.integrations.pauses import PauseScope
    from callout.jobs import DeadJob
    from callout.storage import AccountTx, Tx

T = TypeVar("T")
OPERATOR = Actor(ActorKind.SYSTEM, "tests", "an operator")
TLS = ssl.create_default_context()  # made once: nothing here leaves the loopback


class SteppedClock:
    """The machine's clock, moved forward where a test would have to wait."""

    def __init__(self) -> None:
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead.total_seconds()

    def advance(self, step: timedelta) -> None:
        self._ahead += step

    @property
    def ahead(self) -> timedelta:
        """How far it was moved."""
        return self._ahead


class Installation:
    """The product with its two vendors, running. `dead_allowed` is for stories in which jobs must die."""

    def __init__(
        self, wired: Wired, sandbox: SandboxServer, http: httpx.AsyncClient, url: str, clock: SteppedClock
    ) -> None:
        self.wired = wired
        self.clock = clock
        self.core: Core = wired.core
        self.sandbox = sandbox
        self.http = http
        self.url = url
        self.jira = JiraPeople(http, sandbox.base_url, "jira")
        self.slack = SlackPeople(http, sandbox.base_url, "slack")
        self.dead_allowed = False
        self.internal_errors_allowed = False
        self.account = ""
        self._cookie = ""
        self.api: Api = Api(http, url, "")
        self.integrations: dict[str, Integration] = {}

    # ------------------------------------------------------------------------------------- the operator

    async def transaction(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """Run a unit of work as an operator's command would."""
        return await self.core.database.transaction(work)

    async def in_account(self, work: Callable[[AccountTx], Awaitable[T]]) -> T:
        """Run a unit of work in the default account."""
        return await self.transaction(lambda tx: work(tx.account(self.account)))

    async def token(self, permission_set: str = "administrator", **options: Any) -> str:
        """Return the secret of a new organization token."""
        made = await self.transaction(
            lambda tx: self.core.tokens.create(tx, SYSTEM, permission_set=permission_set, **options)
        )
        assert made.primary.access.secret is not None
        return made.primary.access.secret.reveal()

    async def client(self, permission_set: str = "administrator", **options: Any) -> Api:
        """Return the API as the holder of a new token sees it."""
        return Api(self.http, self.url, await self.token(permission_set, **options))

    async def add(
        self, name: str, config: Json, *, secret: str = "", sync: Json | None = None
    ) -> Integration:
        """Add an integration."""
        hook = {"provider_key": secret, "items": []} if secret else None
        settings = {} if sync is None else {"sync": sync}
        saved = await self.in_account(
            lambda tx: self.core.integrations.create(
                tx, provider_config=config, actor=OPERATOR, name=name, webhook_config=hook, settings=settings
            )
        )
        self.integrations[name] = saved.integration
        return saved.integration

    async def add_jira(
        self,
        name: str = "jira",
        *,
        project: str = "TST",
        sync: Json | None = None,
        secret: str = JIRA_SECRET,
        **config: Any,
    ) -> Integration:
        """Add the Jira twin and register our webhook there."""
        one = await self.add(
            name,
            {
                "type": "ticketing_jira",
                "url": self.jira.url,
                "credential": {"type": "basic", "username": JIRA_USER[0], "secret": JIRA_USER[1]},
                "default_project": project,
                "default_issue_type": "Incident",
                **config,
            },
            secret=secret,
            sync=sync,
        )
        await self.jira.register_webhook(f"{self.url}/v1/hooks/{one.id}", secret=secret)
        return one

    async def add_slack(
        self, name: str = "slack", *, secret: str = SLACK_SECRET, **config: Any
    ) -> Integration:
        """Add the Slack twin and tell it where our app listens."""
        one = await self.add(
            name,
            {
                "type": "chat_slack",
                "url": f"{self.slack.url}/api",
                "credential": {"type": "token", "secret": "xoxb-acc"},
                "channels": {"SEV-1": "critical-incidents", "default": "incidents"},
                "batch_seconds": 0,
                **config,
            },
            secret=secret,
        )
        door = f"{self.url}/v1/chat/{one.id}"
        await self.slack.configure(
            command_url=f"{door}/commands",
            interactivity_url=f"{door}/interactions",
            events_url=f"{door}/events",
        )
        return one

    async def pause(self, scope: PauseScope, scope_id: str = "") -> None:
        """Pause writes, as an operator who works on the other system does."""
        await self.in_account(
            lambda tx: self.core.pauses.pause(tx, scope, scope_id, reason="maintenance", actor=OPERATOR)
        )

    async def resume(self, scope: PauseScope, scope_id: str = "") -> None:
        """End a pause, and let the time pass after which paused work is looked at again."""
        await self.in_account(lambda tx: self.core.pauses.resume(tx, scope, scope_id, actor=OPERATOR))
        await self.skip(31)

    async def skip(self, seconds: float) -> None:
        """Let time pass, for us and for the vendors."""
        self.clock.advance(timedelta(seconds=seconds))
        ahead = self.clock.ahead.total_seconds()
        await self.jira.configure(clock_offset=ahead)
        await self.slack.configure(clock_offset=ahead)

    async def dead_jobs(self) -> list[DeadJob]:
        """Return the dead letters."""
        admin = JobAdmin(self.core.engine, clock=self.core.clock)
        return await self.core.database.read(admin.dead)

    async def rows(self, table: str) -> int:
        """Return how many rows a table holds."""
        text = f"SELECT count(*) FROM {table}"  # noqa: S608  # a table's name, from a test
        return int((await self.core.database.read(lambda tx: tx.driver_all(text, text)))[0][0])

    async def waiting_jobs(self, *kinds: str) -> list[tuple[str, str]]:
        """Return kind and last error of jobs that are not done, schedules and polls aside."""
        text = (
            "SELECT kind, coalesce(last_error, waiting_for, '') FROM job WHERE state = 'waiting' ORDER BY id"
        )
        rows = await self.core.database.read(lambda tx: tx.driver_all(text, text))
        idle = {
            "chat.archive_due",
            "chat.failover",
            "sync.poll",
            "sync.poll_all",
            "sync.shadow_ended",
            "webhooks.polled",
            "integrations.watch_all",
            "audit.seal",
            "retention.purge",
            "incident.clock",
            "incident.escalation",
        }
        return [(r[0], r[1]) for r in rows if (r[0] in kinds if kinds else r[0] not in idle)]

    async def quiet(self, *, within: float = PATIENCE) -> None:
        """Wait until no webhook is on its way and no job of a feature waits."""

        async def idle() -> bool:
            await self.jira.drain()
            await self.slack.drain()
            waiting = await self.waiting_jobs()
            assert waiting == []
            return True

        await eventually(idle, within=within, what="quiet")

    # ----------------------------------------------------------------------------------------- stories

    async def metric(self, name: str, **labels: str) -> float:
        """Return the sum of a metric's samples that carry `labels`."""
        answer = await self.http.get(f"{self.url}/metrics")
        total = 0.0
        for line in answer.text.splitlines():
            head, _, value = line.rpartition(" ")
            if head.partition("{")[0] == name and all(f'{k}="{v}' in head for k, v in labels.items()):
                total += float(value)
        return total

    async def page(self, path: str) -> httpx.Response:
        """Return a page as the browser of somebody signed in gets it."""
        self._cookie = self._cookie or await cookie_of(self.core, self.api.token)
        return await self.http.get(self.url + path, headers={"cookie": self._cookie})

    async def ticket_of(self, key: str, integration: str = "jira") -> str:
        """Return the key of the ticket of an incident, once it is there and in step."""

        async def linked() -> str:
            link = await self.api.link(key, integration)
            return str(link["ticket_key"]) if link["state"] == "active" else ""

        return await eventually(linked, what=f"the ticket of {key}")

    async def incident_when(self, key: str, **wanted: Any) -> Json:
        """Return the incident once its fields are as wanted."""

        async def there() -> Json:
            found = await self.api.incident(key)
            assert {name: found[name] for name in wanted} == wanted
            return found

        return await eventually(there, what=f"{key} {wanted}")

    async def issue_when(self, key: str, **wanted: Any) -> None:
        """Wait until the fields of a Jira issue are as wanted (names where Jira has objects)."""

        async def there() -> bool:
            assert {name: await self.jira.field(key, name) for name in wanted} == wanted
            return True

        await eventually(there, what=f"{key} {wanted}")

    async def told(self, channel: str, *words: str) -> str:
        """Return our Slack message that holds all `words`, once it is there."""
        return await eventually(lambda: self.slack.told(channel, *words), what=f"{words} in #{channel}")


@contextlib.contextmanager
def reserved_port() -> Iterator[int]:
    """A port that nobody else is given while this lasts: bound, but not listened on."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


async def _answers(http: httpx.AsyncClient, url: str, serving: asyncio.Task[None]) -> bool:
    if serving.done():
        serving.result()
        raise RuntimeError("the product stopped by itself")
    try:
        return (await http.get(f"{url}/healthz")).status_code == 200
    except httpx.TransportError:
        return False


@contextlib.asynccontextmanager
async def running(
    database_url: str,
    data_dir: Path,
    *,
    role: Role = "all",
    vendors: Sequence[str] = ("jira", "slack"),
    twins: Sequence[str] = ("jira", "slack"),
    settings: Mapping[str, Any] | None = None,
    ahead: timedelta = timedelta(0),
    sandbox: SandboxServer | None = None,
) -> AsyncIterator[Installation]:
    """Run an installation with the named vendors, its clock `ahead` of theirs; judges at its end that nothing broke unnoticed.

    `sandbox`: twins that run already, of another installation.
    """
    with reserved_port() as port:
        url = f"http://127.0.0.1:{port}"
        chosen = Settings(
            data_dir=data_dir,
            database_url=database_url,
            port=port,
            public_url=url,
            allow_networks=("127.0.0.0/8",),
            require_https=False,
            **{"poll_seconds": 1.0, "takeover_seconds": 2.0, "pool_size": 6, **(settings or {})},
        )
        clock = SteppedClock()
        clock.advance(ahead)
        await prepare_database(chosen, migrate=True)
        async with (
            contextlib.nullcontext(sandbox) if sandbox else SandboxServer(only=twins) as running_twins,
            httpx.AsyncClient(timeout=60, verify=TLS) as http,
            open_core(chosen, clock=clock) as core,
        ):
            wired = wire(core)
            stop = asyncio.Event()
            serving = asyncio.create_task(run(wired, role, stop), name="callout serve")
            try:
                installation = Installation(wired, running_twins, http, url, clock)
                installation.account = (
                    await installation.transaction(lambda tx: core.accounts.get(tx, "default"))
                ).id
                installation.api = await installation.client(name="stories")
                if role != "worker":
                    await eventually(lambda: _answers(http, url, serving), what="the server")
                if "jira" in vendors:
                    await installation.add_jira()
                if "slack" in vendors:
                    await installation.add_slack()
                yield installation
                await _judge(installation)
            finally:
                stop.set()
                await asyncio.gather(serving, return_exceptions=True)
                await wired.connections.close()
        serving.result()


async def _judge(installation: Installation) -> None:
    for twin in (installation.jira, installation.slack):
        errors = (await twin.state())["internal_errors"]
        assert installation.internal_errors_allowed or not errors, (
            f"the {twin.name} twin itself failed: {errors}"
        )
    dead = await installation.dead_jobs()
    assert installation.dead_allowed or not dead, f"dead jobs: {[(d.kind, d.error) for d in dead]}"
