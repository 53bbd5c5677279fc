"""How long a change takes through the hub when nothing else goes on: from their edit to ours and to chat, and from ours to theirs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, TypeVar

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation, installation, stop
from callout.cli.bench.rounds import middle
from callout.cli.bench.syncing import place
from callout.cli.bench.syncing.steady import OurApi
from callout.cli.bench.table import Row

T = TypeVar("T")
CHAT_GOAL_MS: Final = 150.0
INCIDENTS: Final = 10
PAUSE_SECONDS: Final = 0.6
LOOK_SECONDS: Final = 0.02
GIVE_UP_SECONDS: Final = 20.0


@dataclass(slots=True)
class Waits:
    """What was waited, in milliseconds."""

    incident: list[float] = field(default_factory=list)
    chat: list[float] = field(default_factory=list)
    vendor: list[float] = field(default_factory=list)


def run(database: str, postgres_url: str | None, *, edits: int, say: Callable[[str], None]) -> list[Row]:
    """Measure on one database."""
    what = "idle: Jira edit to chat call sent, p99"
    try:
        with installation(database, postgres_url) as one, place.twins(one, "jira", "slack") as twins:
            say(f"{what}, {database}: {edits} edits on each side")
            waits = _measure(one, twins, edits)
    except NotMeasuredError as error:
        return [Row(what, database, note=f"not measured: {error}")]
    return [
        _row(what, database, waits.chat, CHAT_GOAL_MS),
        _row("idle: Jira edit to incident changed, p99", database, waits.incident, None),
        _row("idle: our edit to Jira changed, p99", database, waits.vendor, None),
    ]


def _row(what: str, database: str, waits: Sequence[float], goal: float | None) -> Row:
    ordered = sorted(waits)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return Row(
        what,
        database,
        rate=p99,
        unit="ms",
        goal="" if goal is None else f"<= {goal:g} ms",
        met=None if goal is None else p99 <= goal,
        detail={"p50_ms": round(middle(ordered), 1), "edits": len(ordered)},
    )


def _measure(one: Installation, twins: place.Twins, edits: int) -> Waits:
    jira, slack = twins["jira"], twins["slack"]
    token = place.connect(one, jira, slack, hooks=True)
    one.environment["CALLOUT_POLL_SECONDS"] = "3600"
    process = one.start("all")
    try:
        one.wait_ready(process)
        api = OurApi(one, token)
        for number in range(INCIDENTS):
            api.call("POST", "/v1/incidents", {"title": f"idle {number}", "severity": "SEV-3"})
        issues = _linked(api)
        _until_still(slack)
        waits = Waits()
        for number in range(edits):
            key, issue = issues[number % len(issues)]
            _there(api, jira, slack, key, issue, number=number, waits=waits)
            time.sleep(PAUSE_SECONDS)
            _here(api, jira, key, number=number, waits=waits)
            time.sleep(PAUSE_SECONDS)
        return waits
    finally:
        stop(process)


def _linked(api: OurApi) -> list[tuple[str, str]]:
    """Return the key of each incident with that of its ticket, once all are there."""

    def look() -> list[tuple[str, str]] | None:
        found: list[tuple[str, str]] = []
        for incident in api.incidents():
            links = api.call("GET", f"/v1/incidents/{incident['key']}/links")
            found += [(incident["key"], link["ticket_key"]) for link in links if link["state"] == "active"]
        return found if len(found) == INCIDENTS else None

    return _await(look, "the tickets")


def _until_still(twin: place.Twin) -> None:
    """Wait until the twin has not been called for a second."""
    last, _ = twin.ledger()
    while True:
        time.sleep(1.0)
        now, _ = twin.ledger(last)
        if now == last:
            return
        last = now


def _there(
    api: OurApi, jira: place.Twin, slack: place.Twin, key: str, issue: str, *, number: int, waits: Waits
) -> None:
    theirs, _ = jira.ledger()
    chat, _ = slack.ledger()
    summary = f"idle, changed there {number}"
    jira.act("edit_issue", issue=issue, fields={"summary": summary})
    began = _await(lambda: _effect(jira, theirs, by_us=False), "the edit")

    def ours() -> float | None:
        incident = api.call("GET", f"/v1/incidents/{key}")
        changed = datetime.fromisoformat(incident["updated_at"]).timestamp()
        return changed if incident["title"] == summary else None

    waits.chat.append((_await(lambda: _effect(slack, chat, by_us=True), "the chat call") - began) * 1000)
    waits.incident.append((_await(ours, "the incident") - began) * 1000)


def _here(api: OurApi, jira: place.Twin, key: str, *, number: int, waits: Waits) -> None:
    theirs, _ = jira.ledger()
    began = time.time()
    api.call(
        "PATCH", f"/v1/incidents/{key}", {"severity": f"SEV-{2 + number % 2}", "title": f"ours {number}"}
    )
    waits.vendor.append((_await(lambda: _effect(jira, theirs, by_us=True), "their change") - began) * 1000)


def _effect(twin: place.Twin, since: int, *, by_us: bool) -> float | None:
    """Return when the twin's state changed first after `since`, by a call of ours or by its own people."""
    _, entries = twin.ledger(since)
    found: Sequence[Mapping[str, Any]] = [
        entry for entry in entries if entry["effect"] and (entry["method"] != "ACT") is by_us
    ]
    return float(found[0]["at"]) if found else None


def _await(look: Callable[[], T | None], what: str) -> T:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while (found := look()) is None:
        if time.monotonic() > deadline:
            raise NotMeasuredError(f"{what} did not come within {GIVE_UP_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)
    return found
