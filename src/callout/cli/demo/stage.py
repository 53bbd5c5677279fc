"""The stage: a throw-away installation with its integrations, its processes, and clients that speak to them over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import httpx

from callout.cli.demo.checks import PATIENCE_SECONDS, START_SECONDS, StepFailedError, wait_until
from callout.cli.demo.processes import Process, Processes, free_port, refuse_taken

if TYPE_CHECKING:
    from callout.access import RefreshToken
    from callout.audit import AuditEntry
    from callout.bootstrap.settings import Settings
    from callout.storage import AccountTx, Tx

T = TypeVar("T")
KEPT = "CALLOUT_WORKER_NICE"
"""Is as the caller wants it: a worker that gives way does so to whatever else is at work on the machine, too."""
TAKEOVER_SECONDS = 2
POLL_SECONDS = 2
JIRA_HOOK_SECRET = "the secret that Jira signs its webhooks with"  # noqa: S105  # made up, and gone with the demo
JIRA_EVENTS = ["jira:issue_created", "jira:issue_updated", "jira:issue_deleted", "comment_created"]


@dataclass(frozen=True, slots=True)
class Places:
    """Where everything of one demo is."""

    folder: Path
    callout: str
    twins: str

    @property
    def settings_file(self) -> Path:
        """The settings that every process of the demo reads."""
        return self.folder / "callout.toml"

    def write_settings(self) -> None:
        """Write the settings file; a demo never reads the settings of a real installation."""
        port = self.callout.rpartition(":")[2]
        settings = {
            "data_dir": str(self.folder / "data"),
            "port": int(port),
            "public_url": self.callout,
            "allow_networks": ["127.0.0.0/8"],
            "require_https": False,
            "takeover_seconds": TAKEOVER_SECONDS,
            "poll_seconds": POLL_SECONDS,
        }
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        self.settings_file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def environment(self) -> dict[str, str]:
        """Return the environment of the demo's processes: none of the caller's Callout settings, this very program."""
        import callout

        own = {n: v for n, v in os.environ.items() if not n.startswith("CALLOUT_") or n == KEPT}
        source = str(Path(callout.__file__).parents[1])
        paths = [source, *filter(None, [os.environ.get("PYTHONPATH")])]
        return {
            **own,
            "CALLOUT_CONFIG": str(self.settings_file),
            "PYTHONPATH": os.pathsep.join(paths),
            "PYTHONUNBUFFERED": "1",
        }

    def load(self) -> Settings:
        """Return the settings as the demo's processes see them."""
        from callout.bootstrap.settings import load_settings

        return load_settings({"log_level": "warning"}, environ={}, file=self.settings_file)


@dataclass(frozen=True, slots=True)
class Connected:
    """What preparing the installation gave: the token to sign in with, and the address of each integration's webhooks."""

    token: str
    jira: str
    slack: str


def choose_places(folder: Path, port: int) -> Places:
    """Return addresses that are free now. Raises StepFailedError when `port` is not."""
    if port:
        refuse_taken(port)
    places = Places(folder, f"http://127.0.0.1:{port or free_port()}", f"http://127.0.0.1:{free_port()}")
    (folder / "data").mkdir()
    (folder / "logs").mkdir()
    places.write_settings()
    return places


def prepare(places: Places, seeds: Mapping[str, Mapping[str, Any]]) -> Connected:
    """Make database, token and both integrations: what `callout token create` and `callout integration add` do."""
    jira, slack = seeds["jira"], seeds["slack"]
    wanted = {
        "jira": {
            "type": "ticketing_jira",
            "url": f"{places.twins}{jira['base_path']}",
            "credential": {"type": "basic", "username": jira["email"], "secret": jira["api_token"]},
            "default_project": "TST",
            "default_issue_type": "Incident",
        },
        "slack": {
            "type": "chat_slack",
            "url": f"{places.twins}{slack['api_path']}",
            "credential": {"type": "token", "secret": slack["bot_token"]},
            "channels": {"SEV-1": "critical-incidents", "default": "incidents"},
        },
    }
    secrets = {"jira": JIRA_HOOK_SECRET, "slack": slack["signing_secret"]}
    return asyncio.run(_prepare(places.load(), wanted, secrets))


async def _prepare(
    settings: Settings, wanted: Mapping[str, Mapping[str, Any]], secrets: Mapping[str, str]
) -> Connected:
    from callout.access import DEFAULT_ACCOUNT, SYSTEM
    from callout.bootstrap.core import open_core

    async with open_core(settings) as core:

        async def connect(tx: AccountTx, name: str) -> str:
            made = await core.integrations.create(
                tx,
                provider_config=wanted[name],
                webhook_config={"provider_key": secrets[name], "items": []},
                name=name,
                actor=SYSTEM.actor,
            )
            return made.integration.id

        async def unit(tx: Tx) -> tuple[RefreshToken, str, str]:
            token = await core.tokens.create(
                tx, SYSTEM, permission_set="administrator", ttl="24h", name="demo"
            )
            account = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
            return token, await connect(account, "jira"), await connect(account, "slack")

        token, jira, slack = await core.database.transaction(unit)
    secret = token.primary.access.secret
    return Connected(
        token="" if secret is None else secret.reveal(),
        jira=f"{settings.address}/v1/hooks/{jira}",
        slack=f"{settings.address}/v1/chat/{slack}",
    )


async def read_audit(settings: Settings) -> list[AuditEntry]:
    """Return the audit record, oldest first."""
    from callout.bootstrap.core import open_core

    async with open_core(settings) as core:
        return list(await core.database.read(lambda tx: core.audit.entries(tx, limit=200)))


class Stage:
    """Everything the story plays with. `call` speaks HTTP; `wait` looks until it sees what it waits for."""

    def __init__(self, places: Places, processes: Processes) -> None:
        self.places = places
        self.processes = processes
        self.connected = Connected("", "", "")
        self.seeds: dict[str, Any] = {}
        self.workers: list[Process] = []
        self._http = httpx.Client(timeout=10.0, trust_env=False)

    def close(self) -> None:
        """Close the connections, so that nobody waits for them."""
        self._http.close()

    def call(self, method: str, url: str, body: object = None, **options: Any) -> Any:
        """Send one request and return the answer's JSON. Raises StepFailedError for anything but success."""
        try:
            answer = self._http.request(method, url, json=body, **options)
        except httpx.HTTPError as error:
            raise StepFailedError(
                f"an answer to {method} {url}", f"{type(error).__name__}: {error}"
            ) from error
        if not answer.is_success:
            raise StepFailedError(f"success for {method} {url}", f"{answer.status_code}: {answer.text}")
        return answer.json() if answer.content else None

    def api(self, method: str, path: str, body: object = None) -> Any:
        """Call Callout's own API with the demo's token and return `result`."""
        token = {"authorization": f"Bearer {self.connected.token}"}
        return self.call(method, f"{self.places.callout}/v1{path}", body, headers=token)["result"]

    def jira(self, method: str, path: str, body: object = None) -> Any:
        """Call Jira's REST API on the twin, as the site's administrator."""
        seed = self.seeds["jira"]
        url = f"{self.places.twins}{seed['base_path']}{path}"
        return self.call(method, url, body, auth=(seed["email"], seed["api_token"]))

    def twin(self, name: str, method: str, path: str, body: object = None) -> Any:
        """Call the control path of a twin: a person acts, or the ledger is read."""
        return self.call(method, f"{self.places.twins}/{name}/_twin/{path}", body)

    def ledger(self, name: str, kind: str = "") -> list[dict[str, Any]]:
        """Return what was really done in a twin, oldest first."""
        query = f"ledger?effect=true&kind={kind}" if kind else "ledger?effect=true"
        entries: list[dict[str, Any]] = self.twin(name, "GET", query)["entries"]
        return entries

    def wait(
        self,
        expected: str,
        look: Callable[[], T],
        accept: Callable[[T], object],
        *,
        seconds: float = PATIENCE_SECONDS,
    ) -> T:
        """Look until `accept` likes it. Raises StepFailedError, also when a process of the demo has died."""
        return wait_until(expected, look, accept, alive=self.processes.check, seconds=seconds)

    def wait_for_start(self, what: str, ready: Callable[[], bool]) -> None:
        """Wait until a process is ready. Raises StepFailedError."""
        self.wait(f"{what} to be ready", ready, bool, seconds=START_SECONDS)

    def answers(self, url: str) -> bool:
        """Return whether something answers there with success; nothing listening is no error yet."""
        try:
            return self._http.get(url).is_success
        except httpx.TransportError:
            return False

    def status_of_forged(self, url: str) -> int:
        """Send what looks like a vendor's request, signed with a key that we made up; return the status of the answer."""
        forged = {
            "x-hub-signature": "sha256=" + "0" * 64,
            "x-slack-signature": "v0=" + "0" * 64,
            "x-slack-request-timestamp": str(int(time.time())),
        }
        return self._http.post(url, json={"webhookEvent": "jira:issue_updated"}, headers=forged).status_code

    def start_worker(self) -> Process:
        """Start one more worker."""
        process = self.processes.start(f"worker {len(self.workers) + 1}", "serve", "--role", "worker")
        self.workers.append(process)
        return process
