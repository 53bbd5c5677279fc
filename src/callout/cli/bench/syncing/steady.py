"""Steady two-way sync: a thousand links, people who edit on both sides, until both sides agree; every write counted by the twin."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import Installation, installation, stop
from callout.cli.bench.rounds import middle
from callout.cli.bench.syncing import place
from callout.cli.bench.table import Row

GIVE_UP_SECONDS: Final = 300.0
LOOK_SECONDS: Final = 0.1
PAGE: Final = 200
SEVERITY: Final = {"Highest": "SEV-1", "High": "SEV-2", "Medium": "SEV-3", "Low": "SEV-4"}


class OurApi:
    """Our API, over one connection."""

    def __init__(self, one: Installation, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", one.port, timeout=60)
        self._used_at = 0.0
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def call(self, method: str, path: str, body: object = None) -> Any:
        """Make a request; returns the answer's result. Raises NotMeasuredError."""
        found = self._send(method, path, body)
        return found["result"] if isinstance(found, dict) and "result" in found else found

    def _send(self, method: str, path: str, body: object = None) -> Any:
        text = None if body is None else json.dumps(body)
        if self._used_at < time.monotonic() - place.IDLE_SECONDS:
            self._connection.close()
        self._connection.request(method, path, text, self._headers)
        answer = self._connection.getresponse()
        raw = answer.read()
        self._used_at = time.monotonic()
        if answer.status >= 300:  # noqa: PLR2004
            raise NotMeasuredError(f"{method} {path}: {answer.status} {raw[:200]!r}")
        return json.loads(raw) if raw else None

    def incidents(self) -> list[Mapping[str, Any]]:
        """Return all incidents."""
        found: list[Mapping[str, Any]] = []
        cursor = ""
        while True:
            page = self._send("GET", f"/v1/incidents?limit={PAGE}" + (f"&cursor={cursor}" if cursor else ""))
            found += page["result"]
            cursor = page["cursor"]
            if not cursor:
                return found


@dataclass(frozen=True, slots=True)
class Steady:
    """One run."""

    seconds: float
    calls: int
    echoes: int
    problems: tuple[str, ...]


def run(
    database: str,
    postgres_url: str | None,
    *,
    links: int,
    edits: int,
    rounds: int,
    say: Callable[[str], None],
) -> Row:
    """Measure on one database."""
    what = f"two-way sync of {links:,} links, {edits} edits, half on each side, Jira"
    try:
        done: list[Steady] = []
        for number in range(rounds):
            with installation(database, postgres_url) as one, place.twins(one, "jira") as twins:
                done.append(_steady(one, twins["jira"], links, edits))
            say(f"{what}, {database}, round {number + 1}: {edits / done[-1].seconds:,.1f} edits/s")
    except NotMeasuredError as error:
        return Row(what, database, note=f"not measured: {error}")
    problems = [problem for one in done for problem in one.problems]
    echoes = sum(one.echoes for one in done)
    return Row(
        what,
        database,
        rate=middle([edits / one.seconds for one in done]),
        goal="0 echoes, 0 duplicates",
        met=not echoes and not problems,
        detail={
            "until_both_agree_s": round(middle([one.seconds for one in done]), 1),
            "vendor_calls_per_edit": round(middle([one.calls / edits for one in done]), 2),
            "echoes_and_duplicates": echoes,
        },
        note="; ".join(problems),
    )


def _steady(one: Installation, twin: place.Twin, links: int, edits: int) -> Steady:
    place.seed(twin, links)
    token = place.connect(one, twin, hooks=True)
    one.environment["CALLOUT_POLL_SECONDS"] = "3600"  # what a webhook loses has to be seen here
    process = one.start("all")
    try:
        one.wait_ready(process)
        place.backfill(one, "jira")
        api = OurApi(one, token)
        ours = {incident["title"]: incident for incident in api.incidents()}
        if len(ours) != links:
            raise NotMeasuredError(f"{len(ours)} of {links} tickets became incidents")
        before, _ = twin.ledger()
        chance = random.Random(7)  # noqa: S311  # a run that can be repeated
        titles = chance.sample(sorted(ours), edits)
        started = time.monotonic()
        wanted: dict[str, tuple[str, str]] = {}  # key there → summary and priority at the end
        for number, title in enumerate(titles):
            incident = ours[title]
            issue = f"TST-{int(title.split()[1]) + 1}"
            if number % 2:
                summary = f"{title}, changed there"
                twin.act("edit_issue", issue=issue, fields={"summary": summary})
                wanted[issue] = summary, ""
            else:
                severity = next(name for name in SEVERITY.values() if name != incident["severity"])
                api.call("PATCH", f"/v1/incidents/{incident['key']}", {"severity": severity})
                wanted[issue] = title, next(name for name, ours in SEVERITY.items() if ours == severity)
        _until_agreed(api, twin, wanted, before, started)
        seconds = time.monotonic() - started
        time.sleep(2.0)  # an echo would come now
        twin.drain()
        _, entries = twin.ledger(before)
    finally:
        stop(process)
    writes = [entry for entry in entries if entry["effect"] and entry["method"] != "ACT"]
    calls = [entry for entry in entries if entry["kind"] == "http"]
    expected = sum(bool(priority) for _, priority in wanted.values())
    return Steady(seconds, len(calls), abs(len(writes) - expected), ())


def _until_agreed(
    api: OurApi, twin: place.Twin, wanted: Mapping[str, tuple[str, str]], before: int, started: float
) -> None:
    """Wait until each edit is on the other side. Raises NotMeasuredError when that takes too long."""
    written: set[str] = set()
    there = {issue for issue, (_, priority) in wanted.items() if priority}
    here = {summary for summary, priority in wanted.values() if not priority}
    while True:
        before, entries = twin.ledger(before)
        written |= {str(entry["target"]) for entry in entries if entry["effect"] and entry["method"] != "ACT"}
        if there <= written and here <= {incident["title"] for incident in api.incidents()}:
            return
        if time.monotonic() - started > GIVE_UP_SECONDS:
            raise NotMeasuredError(f"both sides did not agree within {GIVE_UP_SECONDS:g} s")
        time.sleep(LOOK_SECONDS)
