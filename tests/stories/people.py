"""The people of a story: who polls until something happened, the twins' own users, and the holder of an API token."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx

T = TypeVar("T")
Json = dict[str, Any]
JIRA_SECRET = "jira-hook-secret"
SLACK_SECRET = "slack-signing-secret"
JIRA_USER = ("admin@example.com", "token")
JIRA_EVENTS = (
    "jira:issue_created",
    "jira:issue_updated",
    "jira:issue_deleted",
    "comment_created",
    "comment_updated",
    "comment_deleted",
)
PATIENCE = 60.0
LOOK_EVERY = 0.03
LOOK_AT_LEAST_EVERY = 0.12
"""Seconds between looks: the first come fast, later ones leave the machine to what they wait for."""


async def eventually(look: Callable[[], Awaitable[T]], *, within: float = PATIENCE, what: str = "") -> T:
    """Return the first truthy result of `look`; fails with the last one, or the last failed assertion, after `within` seconds."""
    deadline = time.monotonic() + within
    pause = LOOK_EVERY
    while True:
        last: object
        begun = time.monotonic()
        try:
            result = await look()
            if result:
                return result
            last = result
        except (AssertionError, LookupError) as error:
            last = error
        if time.monotonic() > deadline:
            raise AssertionError(f"{what or 'it'} did not happen within {within:g} s; last seen: {last!r}")
        await asyncio.sleep(max(pause, 2 * (time.monotonic() - begun)))
        pause = min(1.3 * pause, LOOK_AT_LEAST_EVERY)


class TwinUser:
    """One twin as its own people use it, and as a test steers it."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, name: str) -> None:
        self._http = http
        self.name = name
        self.url = f"{base_url}/{name}"

    async def act(self, action: str, **body: Any) -> Json:
        """Let a person do something."""
        answer = await self._http.post(f"{self.url}/_twin/act/{action}", json=body)
        assert answer.status_code == 200, answer.text
        done: Json = answer.json()
        return done

    async def configure(self, **settings: Any) -> None:
        answer = await self._http.put(f"{self.url}/_twin/config", json=settings)
        assert answer.status_code == 200, answer.text

    async def fault(self, *rules: Json, seed: int = 0) -> None:
        """Set the fault plan; without rules everything works again."""
        answer = await self._http.put(f"{self.url}/_twin/faults", json={"seed": seed, "rules": list(rules)})
        assert answer.status_code == 200, answer.text

    async def faults_fired(self) -> int:
        """Return how often the rules of the plan fired."""
        rules = (await self._http.get(f"{self.url}/_twin/faults")).json()["rules"]
        return sum(rule["fired"] for rule in rules)

    async def effects(self, kind: str = "*", *, since: int = 0) -> list[Json]:
        """Return what was really done in the twin, of a kind."""
        query = {"kind": kind, "effect": "true", "since": str(since)}
        answer = await self._http.get(f"{self.url}/_twin/ledger", params=query)
        entries: list[Json] = answer.json()["entries"]
        return entries

    async def calls(self, *, since: int = 0) -> list[Json]:
        """Return every request to the twin."""
        answer = await self._http.get(
            f"{self.url}/_twin/ledger", params={"kind": "http", "since": str(since)}
        )
        entries: list[Json] = answer.json()["entries"]
        return entries

    async def our_writes(self, *, since: int = 0) -> list[Json]:
        """Return what our app changed in the twin, without what its own people did."""
        return [entry for entry in await self.effects(since=since) if entry["method"] != "ACT"]

    async def last_seq(self) -> int:
        """Return the number of the newest line in the ledger."""
        answer = await self._http.get(f"{self.url}/_twin/ledger", params={"since": str(2**40)})
        return int(answer.json()["last_seq"])

    async def state(self) -> Json:
        state: Json = (await self._http.get(f"{self.url}/_twin/state")).json()
        return state

    async def drain(self) -> list[Json]:
        """Wait until every webhook was delivered or given up; return every attempt."""
        attempts: list[Json] = (await self._http.post(f"{self.url}/_twin/drain")).json()["attempts"]
        return attempts


class JiraPeople(TwinUser):
    """Jira, with what stories ask of it."""

    async def issue(self, key: str) -> Json:
        """Read an issue as Jira's own API shows it."""
        answer = await self._http.get(f"{self.url}/rest/api/2/issue/{key}", auth=JIRA_USER)
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def field(self, key: str, name: str) -> Any:  # whatever the field holds
        """Return a field: its name where Jira shows an object with one."""
        value = (await self.issue(key))["fields"][name]
        return value["name"] if isinstance(value, dict) and "name" in value else value

    async def comments(self, key: str) -> list[str]:
        """Return the bodies of an issue's comments, oldest first."""
        return [one["body"] for one in (await self.issue(key))["fields"]["comment"]["comments"]]

    async def edit(self, key: str, *, by: str = "ann@example.com", **fields: Any) -> None:
        await self.act("edit_issue", issue=key, fields=fields, **{"as": by})

    async def comment(self, key: str, body: str, *, by: str = "ann@example.com") -> None:
        await self.act("comment", issue=key, body=body, **{"as": by})

    async def transition(self, key: str, to: str, *, by: str = "ann@example.com") -> None:
        await self.act("transition", issue=key, to=to, **{"as": by})

    async def register_webhook(self, url: str, *, secret: str = JIRA_SECRET) -> None:
        """Register an administrator's webhook, as Jira's settings page does."""
        answer = await self._http.post(
            f"{self.url}/rest/webhooks/1.0/webhook",
            json={"name": "callout", "url": url, "events": list(JIRA_EVENTS), "secret": secret},
            auth=JIRA_USER,
        )
        assert answer.status_code in {200, 201}, answer.text


class SlackPeople(TwinUser):
    """Slack, with what stories ask of it."""

    async def type(
        self, text: str, *, user: str = "U0ANN", channel: str = "C0INCIDENTS", **more: Any
    ) -> Json:
        """Type `/im text`; returns what the app answered and what the person saw."""
        return await self.act("slash_command", user=user, channel=channel, command="/im", text=text, **more)

    async def said(self, text: str, **where: Any) -> str:
        """Type `/im text` and return all that the person saw, as one text."""
        answer = await self.type(text, **where)
        assert answer["status"] == 200, answer
        shown = answer["shown"] or {}
        return f"{shown.get('text', '')} {answer['body']}"

    async def press(
        self, message: Json, action: str, *, channel: str, user: str = "U0ANN", **more: Any
    ) -> Json:
        """Press a button of a message."""
        return await self.act(
            "press_button",
            user=user,
            channel=channel,
            ts=message["ts"],
            action_id=f"incident.{action}",
            **more,
        )

    async def channels(self) -> dict[str, Json]:
        """Return the channels by name."""
        found: Json = (await self.state())["channels"]
        # A direct message has no name.
        return {channel.get("name") or channel["id"]: channel for channel in found.values()}

    async def messages(self, channel: str) -> list[Json]:
        """Return what our app posted in a channel, threads included, oldest first; empty when there is no such channel."""
        found = (await self.channels()).get(channel)
        return [] if found is None else [m for m in found["messages"] if m.get("bot_id")]

    async def texts(self, channel: str) -> list[str]:
        """Return each message of ours as one text, blocks and attachments included."""
        return [_all_text(message) for message in await self.messages(channel)]

    async def told(self, channel: str, *words: str) -> str:
        """Return the message of ours that holds all `words`. Raises LookupError."""
        texts = await self.texts(channel)
        for text in texts:
            if all(word in text for word in words):
                return text
        raise LookupError(f"nothing with {words} in #{channel}: {texts}")

    async def own_channel(self, key: str) -> str:
        """Return the name of an incident's own channel. Raises LookupError."""
        prefix = f"inc-{key.removeprefix('INC-')}-"
        names = [name for name in await self.channels() if name.startswith(prefix)]
        if not names:
            raise LookupError(f"no channel of {key}")
        return names[0]


def _all_text(message: Json) -> str:
    parts: list[str] = []

    def walk(node: object) -> None:
        if isinstance(node, dict):
            parts.extend(
                str(value) for key, value in node.items() if key == "text" and isinstance(value, str)
            )
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk({key: message.get(key) for key in ("text", "blocks", "attachments")})
    return "\n".join(parts)


class Api:
    """The REST API as the holder of one token calls it."""

    def __init__(self, http: httpx.AsyncClient, base_url: str, token: str) -> None:
        self._http = http
        self._base_url = base_url
        self.token = token

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Call; nothing is expected of the answer."""
        headers = {"authorization": f"Bearer {self.token}", **options.pop("headers", {})}
        return await self._http.request(method, self._base_url + path, headers=headers, **options)

    async def __call__(
        self, method: str, path: str, body: object = None, *, status: int = 0, **options: Any
    ) -> Any:
        """Call and return `result`, or the whole body where there is none; expects a 2xx, or just `status`."""
        if body is not None:
            options["json"] = body
        answer = await self.request(method, path, **options)
        expected = answer.status_code == status if status else answer.is_success
        assert expected, f"{method} {path}: {answer.status_code} {answer.text}"
        found = answer.json() if answer.content else None
        return found["result"] if isinstance(found, dict) and "result" in found else found

    async def declare(self, title: str = "checkout is down", **fields: Any) -> str:
        """Declare an incident; returns its key."""
        made = await self("POST", "/v1/incidents", {"title": title, **fields}, status=201)
        return str(made["key"])

    async def incident(self, key: str) -> Json:
        found: Json = await self("GET", f"/v1/incidents/{key}")
        return found

    async def patch(self, key: str, **fields: Any) -> Json:
        found: Json = await self("PATCH", f"/v1/incidents/{key}", fields)
        return found

    async def act(self, key: str, action: str) -> Json:
        found: Json = await self("POST", f"/v1/incidents/{key}/actions", {"action": action})
        return found

    async def note(self, key: str, text: str, audience: str = "responders") -> Json:
        found: Json = await self("POST", f"/v1/incidents/{key}/notes", {"text": text, "audience": audience})
        return found

    async def notes(self, key: str) -> list[str]:
        return [one["text"] for one in await self("GET", f"/v1/incidents/{key}/notes")]

    async def links(self, key: str) -> list[Json]:
        found: list[Json] = await self("GET", f"/v1/incidents/{key}/links")
        return found

    async def link(self, key: str, integration: str = "jira") -> Json:
        """Return the link of an incident to one integration. Raises LookupError."""
        for one in await self.links(key):
            if one["integration"] == integration:
                return one
        raise LookupError(f"{key} has no link to {integration}")

    async def timeline(self, key: str) -> list[Json]:
        found: list[Json] = await self("GET", f"/v1/incidents/{key}/timeline")
        return found
