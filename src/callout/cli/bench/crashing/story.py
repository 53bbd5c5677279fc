"""What people do while processes die: declare, note, edit, acknowledge, comment, resolve, in Slack, in Jira and through the API.

Everything that was answered with success is written down as a promise; the count at the end compares it with what is there.
"""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.crashing.crew import Crew
from callout.cli.bench.installation import Installation

PATIENCE_SECONDS = 60.0
LOOK_SECONDS = 0.03
NO_ANSWER = 0
_AGAIN = frozenset({NO_ANSWER, 503})


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; status 0 when none came."""

    status: int
    body: Any


def call(
    method: str, url: str, body: object = None, *, token: str = "", key: str = "", seconds: float = 10.0
) -> Reply:
    """Make one request with a JSON body."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=seconds)
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if key:
        headers["Idempotency-Key"] = key
    try:
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        raw = answer.read()
        return Reply(answer.status, json.loads(raw) if raw else None)
    except (OSError, http.client.HTTPException, ValueError):
        return Reply(NO_ANSWER, None)
    finally:
        connection.close()


@dataclass(slots=True)
class Promise:
    """An incident, with everything about it that was accepted."""

    title: str
    key: str = ""
    ticket: str = ""
    severity: str = "SEV-3"
    status: str = "open"
    notes: list[str] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)


class Story:
    """People at work on one installation."""

    def __init__(self, one: Installation, twins: str, token: str, crew: Crew) -> None:
        self._one, self._twins, self._token, self._crew = one, twins, token, crew
        self.promises: list[Promise] = []
        self._todo: list[Iterator[bool]] = []

    @property
    def open(self) -> int:
        """How many incidents people still have to do something about."""
        return len(self._todo)

    def act(self, twin: str, action: str, **body: Any) -> Any:
        """Let somebody do something at a vendor."""
        reply = call("POST", f"{self._twins}/{twin}/_twin/act/{action}", body, seconds=20)
        if reply.status != 200:  # noqa: PLR2004
            raise NotMeasuredError(f"the {twin} twin refused {action}: {reply.body}")
        return reply.body

    def api(self, method: str, path: str, body: object = None, *, key: str = "") -> Any:
        """Call the API until it accepts; replacements are started meanwhile."""
        return self._until(
            lambda: call(method, self._one.address + path, body, token=self._token, key=key), path
        )

    def next_incident(self) -> None:
        """Declare one more, and go on with those that are open."""
        number = len(self.promises)
        one = Promise(f"crash run {number}")
        self.promises.append(one)
        self._todo.append(self._life(one, number))
        self.go_on()

    def go_on(self) -> bool:
        """Take every open incident one step on, where that is possible now; return whether any is left."""
        self._crew.mind()
        self._todo = [life for life in self._todo if next(life, False) is not False]
        return bool(self._todo)

    def _life(self, one: Promise, number: int) -> Iterator[bool]:
        if number % 2:
            one.key = self.api("POST", "/v1/incidents", {"title": one.title}, key=f"declare-{number}")[
                "result"
            ]["key"]
        else:
            one.key = self._declare_in_slack(one)
        yield True
        self._note(one, f"first note of {one.title}")
        yield True
        while not self._find_ticket(one):
            yield True
        yield True
        self.act("jira", "comment", issue=one.ticket, body=f"from jira about {one.title}")
        one.comments.append(f"from jira about {one.title}")
        self._note(one, f"second note of {one.title}")
        yield True
        self.act("jira", "edit_issue", issue=one.ticket, fields={"priority": "Highest"})
        one.severity = "SEV-1"
        self.api("PATCH", f"/v1/incidents/{one.key}", {"title": f"{one.title}, edited"})
        one.title = f"{one.title}, edited"
        yield True
        self._slash(f"ack {one.key}")
        one.status = "acknowledged"
        while self.api("GET", f"/v1/incidents/{one.key}")["result"]["status"] != "acknowledged":
            yield True
        yield True
        if number % 3 == 0:
            while not self._done_in_jira(one):
                yield True  # until our own "In Progress" has arrived, Jira's workflow has no way there
        else:
            self.api("POST", f"/v1/incidents/{one.key}/actions", {"action": "resolve"})
        one.status = "resolved"

    def _done_in_jira(self, one: Promise) -> bool:
        asked = {"issue": one.ticket, "to": "Done"}
        return call("POST", f"{self._twins}/jira/_twin/act/transition", asked).status == 200  # noqa: PLR2004

    def _note(self, one: Promise, text: str) -> None:
        self.api("POST", f"/v1/incidents/{one.key}/notes", {"text": text, "audience": "responders"}, key=text)
        one.notes.append(text)

    def _declare_in_slack(self, one: Promise) -> str:
        self._slash(f"declare sev3 {one.title}")
        # The person does not parse our answer; they look at the list.
        found = self.api("GET", "/v1/incidents?limit=20")["result"]
        return str(next(item["key"] for item in found if item["title"] == one.title))

    def _slash(self, text: str) -> None:
        def type_it() -> Reply:
            answer = self.act(
                "slack", "slash_command", user="U0ANN", channel="C0INCIDENTS", command="/im", text=text
            )
            return Reply(int(answer["status"]), answer)

        self._until(type_it, text)

    def _find_ticket(self, one: Promise) -> bool:
        found = self.api("GET", f"/v1/incidents/{one.key}/links")["result"]
        one.ticket = next((link["ticket_key"] for link in found if link["state"] == "active"), "")
        return bool(one.ticket)

    def _until(self, ask: Callable[[], Reply], what: str) -> Any:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            reply = ask()
            if reply.status not in _AGAIN:
                if reply.status >= 400:  # noqa: PLR2004
                    raise NotMeasuredError(f"{what}: {reply.status} {reply.body}")
                return reply.body
            self._crew.mind()
            if time.monotonic() > deadline:
                raise NotMeasuredError(f"{what}: not accepted within {PATIENCE_SECONDS:.0f} s")
            time.sleep(LOOK_SECONDS)
