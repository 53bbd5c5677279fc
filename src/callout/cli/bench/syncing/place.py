"""The place where sync is measured: twins in a process of their own, with tickets of the past, and an integration for each."""

from __future__ import annotations

import asyncio
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation, add_integration, free_port, stop

if TYPE_CHECKING:
    from callout.storage import Tx

START_SECONDS: Final = 30.0
IDLE_SECONDS: Final = 2.0
JIRA_SECRET: Final = "jira-hook-secret"  # noqa: S105  # of the twin
SLACK_SECRET: Final = "slack-signing-secret"  # noqa: S105  # of the twin
JIRA_EVENTS: Final = ("jira:issue_created", "jira:issue_updated", "comment_created", "comment_updated")
LOGIN: Final = {"jira": ("admin@example.com", "token"), "servicenow": ("admin", "admin")}
AT_A_TIME: Final = 100
STEP_SECONDS: Final = 600
"""So far apart tickets were made: ten thousand in ten weeks."""
COMMENTED: Final = 10
"""Every so many-th ticket has a comment."""
_WIKI: Final = (
    "Customers in the north see time-outs since noon. We restarted two of the workers, without effect.",
    "The checkout is *slow*.\n\nIt was fine before the release of yesterday; then it was _not_.",
    "Steps:\n* open the shop\n* pay with a [card|https://shop.example.com/pay?x=1]\n* wait for {{504}}\n\nSeen on *three* machines.",
    "Disk of db-3 is full.",
)
"""Descriptions as people write them, in the markup of Jira; ServiceNow keeps plain text."""


class Twin:
    """One twin, over one connection."""

    def __init__(self, address: str, name: str) -> None:
        self.name = name
        self.url = f"{address}/{name}"
        self._host = address.removeprefix("http://")
        self._connection = http.client.HTTPConnection(self._host, timeout=60)
        self._used_at = 0.0

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make a request below the twin's path; returns the decoded answer. Raises NotMeasuredError."""
        text = None if body is None else json.dumps(body)
        headers = {"Content-Type": "application/json", **self._login()}
        if self._used_at < time.monotonic() - IDLE_SECONDS:
            self._connection.close()  # the twin does so with what was idle; the next request opens another
        self._connection.request(method, f"/{self.name}{path}", text, headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        self._used_at = time.monotonic()
        if answer.status >= 300:  # noqa: PLR2004
            raise NotMeasuredError(f"{self.name} {method} {path}: {answer.status} {raw[:200]!r}")
        return json.loads(raw) if raw else None

    def _login(self) -> dict[str, str]:
        import base64

        if self.name not in LOGIN:
            return {}
        user, secret = LOGIN[self.name]
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode()}

    def act(self, action: str, **body: Any) -> Any:
        """Let the vendor's user do something."""
        return self.call("POST", f"/_twin/act/{action}", body)

    def configure(self, **settings: Any) -> None:
        """Change settings of the twin."""
        self.call("PUT", "/_twin/config", settings)

    def latency(self, seconds: float) -> None:
        """Answer every request so much later."""
        rules = [{"match": {}, "effect": {"kind": "latency", "seconds": seconds}}] if seconds else []
        self.call("PUT", "/_twin/faults", {"seed": 1, "rules": rules})

    def drain(self) -> None:
        """Wait until every webhook has been delivered."""
        self.call("POST", "/_twin/drain")

    def ledger(self, since: int = 0, kind: str = "") -> tuple[int, Sequence[Mapping[str, Any]]]:
        """Return the last number, and the entries after `since`."""
        found = self.call("GET", f"/_twin/ledger?since={since}" + (f"&kind={kind}" if kind else ""))
        return found["last_seq"], found["entries"]


@dataclass(frozen=True, slots=True)
class Twins:
    """Where the twins listen."""

    address: str

    def __getitem__(self, name: str) -> Twin:
        return Twin(self.address, name)


@contextmanager
def twins(one: Installation, *names: str) -> Iterator[Twins]:
    """Run the named twins. Raises NotMeasuredError."""
    port = free_port()
    with (one.folder / "twins.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "callout", "sandbox", "--only", ",".join(names), "--port", str(port)],
            env=one.environment,
            cwd=one.folder,
            stdout=log,
            stderr=log,
        )
    try:
        found = Twins(f"http://127.0.0.1:{port}")
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                found[names[0]].call("GET", "/_twin/config")
                break
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise NotMeasuredError("the twins did not start") from None
                time.sleep(0.05)
        yield found
    finally:
        stop(process)


def seed(twin: Twin, count: int) -> None:
    """Let people have made `count` tickets over the weeks before, the newest ten minutes ago."""
    for number in range(count):
        if number % AT_A_TIME == 0:
            ago = (count - number) * STEP_SECONDS
            twin.configure(clock_offset=-ago)
        if twin.name == "jira":
            _issue(twin, number)
        else:
            _record(twin, number)
    twin.configure(clock_offset=0)


def _issue(twin: Twin, number: int) -> None:
    fields = {
        "project": "TST",
        "issuetype": "Incident",
        "summary": f"Ticket {number} of the past",
        "description": _WIKI[number % len(_WIKI)],
        "priority": ("Highest", "High", "Medium", "Low")[number % 4],
        "labels": ["prod"],
    }
    made = twin.act("create_issue", fields=fields)
    if number % COMMENTED == 0:
        twin.act("comment", issue=made["key"], body="Looking at it, with *Mia*.")


def _record(twin: Twin, number: int) -> None:
    fields = {
        "short_description": f"Ticket {number} of the past",
        "description": _WIKI[number % len(_WIKI)],
        "impact": str(1 + number % 3),
        "urgency": str(1 + number % 3),
    }
    if number % COMMENTED == 0:
        fields["comments"] = "Looking at it, with Mia."
    twin.act("create_record", fields=fields)


def provider_config(twin: Twin) -> dict[str, Any]:
    """Return the provider config of an integration with a twin."""
    if twin.name == "slack":
        return {
            "type": "chat_slack",
            "url": f"{twin.url}/api",
            "credential": {"type": "token", "secret": "xoxb-acc"},
            "channels": {"default": "incidents"},
        }
    user, secret = LOGIN[twin.name]
    project = {"jira": ("TST", "Incident"), "servicenow": ("incident", "")}[twin.name]
    return {
        "type": f"ticketing_{twin.name}",
        "url": twin.url,
        "credential": {"type": "basic", "username": user, "secret": secret},
        "default_project": project[0],
        **({"default_issue_type": project[1]} if project[1] else {}),
    }


def connect(one: Installation, *wanted: Twin, hooks: bool) -> str:
    """Add an integration for each twin, all tickets accepted, and tell the twins where we listen; returns an API token."""
    ids, token = asyncio.run(_add(one, wanted))
    if hooks:
        for twin, integration_id in zip(wanted, ids, strict=True):
            if twin.name == "jira":
                url = f"{one.address}/v1/hooks/{integration_id}"
                body = {"name": "callout", "url": url, "events": list(JIRA_EVENTS), "secret": JIRA_SECRET}
                twin.call("POST", "/rest/webhooks/1.0/webhook", body)
    return token


async def _add(one: Installation, wanted: Sequence[Twin]) -> tuple[list[str], str]:
    from callout.access import SYSTEM
    from callout.bootstrap.core import open_core

    async with open_core(one.settings()) as core:
        ids: list[str] = []
        for twin in wanted:
            more: dict[str, Any] = {}
            if twin.name != "servicenow":
                key = SLACK_SECRET if twin.name == "slack" else JIRA_SECRET
                more["webhook_config"] = {"provider_key": key, "items": []}
            if twin.name != "slack":
                more["settings"] = {"sync": {"accept": True}}
            ids.append(await add_integration(core, provider_config(twin), name=twin.name, **more))

        async def token(tx: Tx) -> str:
            made = await core.tokens.create(
                tx, SYSTEM, permission_set="administrator", ttl="24h", name="bench"
            )
            assert made.primary.access.secret is not None  # noqa: S101  # shown once, which is now
            return made.primary.access.secret.reveal()

        return ids, await core.database.transaction(token)


def backfill(one: Installation, name: str) -> dict[str, Any]:
    """Run `callout integration backfill` to its end; returns what it printed. Raises NotMeasuredError."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-m", "callout", "integration", "backfill", name, "--json"],
        env=one.environment,
        cwd=one.folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise NotMeasuredError(f"the backfill failed: {(done.stderr or done.stdout)[-400:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found
