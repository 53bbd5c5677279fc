"""The place where a crash run happens: an installation, the twins in a process of their own, and what connects them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.crashing.story import call
from callout.cli.bench.installation import Installation, add_integration, free_port, stop

if TYPE_CHECKING:
    from callout.storage import Tx

START_SECONDS = 90.0
JIRA_SECRET = "jira-hook-secret"  # noqa: S105  # of the twin
SLACK_SECRET = "slack-signing-secret"  # noqa: S105  # of the twin
JIRA_EVENTS = ("jira:issue_created", "jira:issue_updated", "comment_created", "comment_updated")
WEBHOOK_SPEED = 600.0
"""Jira's first retry comes after five minutes; here after half a second."""
_JIRA_LOGIN = "Basic YWRtaW5AZXhhbXBsZS5jb206dG9rZW4="


@contextmanager
def twins(one: Installation, only: str = "jira,slack") -> Iterator[str]:
    """Run the twins of `only`; yields their address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with (one.folder / "twins.log").open("ab") as log:
        process = subprocess.Popen(  # noqa: S603  # our own program
            [sys.executable, "-m", "callout", "sandbox", "--only", only, "--port", str(port)],
            env=one.environment,
            cwd=one.folder,
            stdout=log,
            stderr=log,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while call("GET", f"{address}/_twin/health").status != 200:  # noqa: PLR2004
            if time.monotonic() > deadline or process.poll() is not None:
                raise NotMeasuredError("the twins did not start")
            time.sleep(0.05)
        yield address
    finally:
        stop(process)


def connect(one: Installation, address: str) -> str:
    """Add Jira and Slack to the installation, tell them where we are, and return an API token."""
    token, jira, slack = asyncio.run(_add(one, address))
    jira_hook(address, f"{one.address}/v1/hooks/{jira}")
    door = f"{one.address}/v1/chat/{slack}"
    _ok(
        call(
            "PUT",
            f"{address}/slack/_twin/config",
            {
                "command_url": f"{door}/commands",
                "interactivity_url": f"{door}/interactions",
                "events_url": f"{door}/events",
            },
        )
    )
    _ok(call("PUT", f"{address}/jira/_twin/config", {"webhook_speed": WEBHOOK_SPEED}))
    return token


async def _add(one: Installation, address: str) -> tuple[str, str, str]:
    from callout.access import SYSTEM
    from callout.bootstrap.core import open_core

    async with open_core(one.settings()) as core:
        jira = await add_integration(
            core,
            {
                "type": "ticketing_jira",
                "url": f"{address}/jira",
                "credential": {"type": "basic", "username": "admin@example.com", "secret": "token"},
                "default_project": "TST",
                "default_issue_type": "Incident",
            },
            name="jira",
            webhook_config={"provider_key": JIRA_SECRET, "items": []},
        )
        slack = await add_integration(
            core,
            {
                "type": "chat_slack",
                "url": f"{address}/slack/api",
                "credential": {"type": "token", "secret": "xoxb-acc"},
                "channels": {"SEV-1": "critical-incidents", "default": "incidents"},
                # One person types everything, quicker than anybody could.
                "user_rate": 0,
                "workspace_rate": 0,
            },
            name="slack",
            webhook_config={"provider_key": SLACK_SECRET, "items": []},
        )

        async def token(tx: Tx) -> str:
            made = await core.tokens.create(
                tx, SYSTEM, permission_set="administrator", ttl="24h", name="bench"
            )
            assert made.primary.access.secret is not None  # noqa: S101  # shown once, which is now
            return made.primary.access.secret.reveal()

        return await core.database.transaction(token), jira, slack


def jira_hook(address: str, url: str) -> None:
    """Have the Jira twin at `address` send its webhooks, signed, to `url`."""
    body = {"name": "callout", "url": url, "events": list(JIRA_EVENTS), "secret": JIRA_SECRET}
    _ok(jira_call("POST", f"{address}/jira/rest/webhooks/1.0/webhook", body))


def jira_call(method: str, url: str, body: object = None) -> Any:
    """Call Jira's own API as its administrator; returns the decoded answer."""
    import json
    import urllib.request

    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": _JIRA_LOGIN, "Content-Type": "application/json"}
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310  # our own twin
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


def jira_issues(address: str) -> list[Mapping[str, Any]]:
    """Return every issue of the twin with key, labels and the texts of its comments, as Jira's own API shows them."""
    found: list[Mapping[str, Any]] = []
    cursor = ""
    while True:
        query = f"jql=project%3DTST+order+by+created&maxResults=100&fields=labels,comment,summary{cursor}"
        page = jira_call("GET", f"{address}/jira/rest/api/2/search/jql?{query}")
        for issue in page["issues"]:
            fields = issue["fields"]
            comments = [comment["body"] for comment in fields["comment"]["comments"]]
            found.append(
                {
                    "id": issue["id"],
                    "key": issue["key"],
                    "labels": fields["labels"],
                    "summary": fields["summary"],
                    "comments": comments,
                }
            )
        if page.get("isLast", True) or not page.get("nextPageToken"):
            return found
        cursor = f"&nextPageToken={page['nextPageToken']}"


def _ok(reply: Any) -> None:
    if getattr(reply, "status", 200) != 200:  # noqa: PLR2004
        raise NotMeasuredError(f"a twin refused its settings: {reply.body}")
