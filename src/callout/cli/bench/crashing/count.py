"""The count afterwards: what was promised against what is there, by the twins' own ledgers and by our database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callout.cli.bench.crashing.story import Promise, call
from callout.cli.bench.installation import Installation

if TYPE_CHECKING:
    from callout.storage import Tx

IDLE = (
    "audit.seal",
    "retention.purge",
    "sync.poll",
    "sync.poll_all",
    "sync.shadow_ended",
    "incident.clock",
    "integrations.watch_all",
)
_JOBS = "SELECT id, kind, state, coalesce(last_error, waiting_for, '') FROM job ORDER BY id"
_LATCHES = "SELECT count(*) FROM job_partition WHERE latch = 1"
_LINKS = "SELECT incident_id, mark, ticket_key, state, coalesce(problem, '') FROM sync_link"
_COMMENTS = "SELECT note_id, comment_id FROM sync_comment"
_MESSAGES = "SELECT key, state, channel, ts, incident_id FROM chat_message"
_CHANNELS = "SELECT incident_id, channel_id, name, state FROM chat_channel"
_DELIVERIES = "SELECT dedupe, outcome FROM inbound_event"


@dataclass(slots=True)
class Counted:
    """What was found. `lost` and `doubled` must be empty; `perhaps` is shown to people, `repeated` is harmless."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    perhaps: int = 0
    repeated: Counter[str] = field(default_factory=Counter)
    totals: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class _Ours:
    links: Sequence[Sequence[Any]]
    comments: Mapping[str, str]
    messages: Sequence[Sequence[Any]]
    channels: Sequence[Sequence[Any]]
    deliveries: Mapping[str, str]
    waiting: Sequence[Sequence[Any]]
    latches: int


def rows(one: Installation) -> _Ours:
    """Read our side, straight from the database."""
    return asyncio.run(_read(one))


async def _read(one: Installation) -> _Ours:
    from callout.storage import open_database

    async def unit(tx: Tx) -> _Ours:
        async def all_of(text: str) -> Sequence[Sequence[Any]]:
            return [tuple(row) for row in await tx.driver_all(text, text)]

        jobs = await all_of(_JOBS)
        return _Ours(
            links=await all_of(_LINKS),
            comments={str(note): str(comment or "") for note, comment in await all_of(_COMMENTS)},
            messages=await all_of(_MESSAGES),
            channels=await all_of(_CHANNELS),
            deliveries={str(dedupe): str(outcome) for dedupe, outcome in await all_of(_DELIVERIES)},
            waiting=[job for job in jobs if job[1] not in IDLE],
            latches=(await all_of(_LATCHES))[0][0],
        )

    database = await open_database(one.database_url)
    try:
        return await database.read(unit)
    finally:
        await database.close()


def unfinished(one: Installation, twins: str) -> list[str]:
    """Return what is still to be done, in words; empty when all is quiet."""
    for twin in ("jira", "slack"):
        call("POST", f"{twins}/{twin}/_twin/drain", seconds=30)
    return [f"{kind} {state}: {error}" for _, kind, state, error in rows(one).waiting]


def count(one: Installation, twins: str, token: str, promises: Sequence[Promise]) -> Counted:
    """Compare both sides. Every process must be alive, and everything quiet."""
    found = Counted()
    ours = rows(one)
    _count_incidents(found, one, token, promises)
    _count_tickets(found, ours, twins)
    _count_slack(found, ours, twins)
    _count_webhooks(found, ours, twins)
    for _, kind, state, error in ours.waiting:
        found.lost.append(f"job {kind} is {state}: {error}")
    return found


def _ledger(twins: str, twin: str, kind: str) -> list[Mapping[str, Any]]:
    reply = call("GET", f"{twins}/{twin}/_twin/ledger?effect=true&kind={kind}", seconds=30)
    entries: list[Mapping[str, Any]] = reply.body["entries"]
    return entries


def _state(twins: str, twin: str) -> Mapping[str, Any]:
    state: Mapping[str, Any] = call("GET", f"{twins}/{twin}/_twin/state", seconds=30).body
    return state


def _count_incidents(found: Counted, one: Installation, token: str, promises: Sequence[Promise]) -> None:
    for promise in promises:
        path = f"{one.address}/v1/incidents/{promise.key}"
        incident = call("GET", path, token=token).body["result"]
        wanted = {"title": promise.title, "severity": promise.severity, "status": promise.status}
        wrong = {name: incident[name] for name, value in wanted.items() if incident[name] != value}
        if wrong:
            found.lost.append(f"{promise.key}: {wrong} instead of {wanted}")
        notes = Counter(note["text"] for note in call("GET", f"{path}/notes", token=token).body["result"])
        for text in (*promise.notes, *promise.comments):
            found.totals["notes"] += 1
            if not notes[text]:
                found.lost.append(f"{promise.key}: the note {text!r} is gone")
            elif notes[text] > 1:
                found.doubled.append(f"{promise.key}: the note {text!r} is there {notes[text]} times")


def _count_tickets(found: Counted, ours: _Ours, twins: str) -> None:
    from callout.cli.bench.crashing.stage import jira_issues

    issues = jira_issues(twins)
    by_mark = Counter(label for issue in issues for label in issue["labels"])
    by_key = {issue["key"]: issue for issue in issues}
    per_incident = Counter(link[0] for link in ours.links)
    for incident_id, mark, ticket, state, problem in ours.links:
        found.totals["tickets"] += 1
        if per_incident[incident_id] > 1:
            found.doubled.append(f"{mark}: {per_incident[incident_id]} links")
        if by_mark[mark] > 1:
            found.doubled.append(f"{mark}: {by_mark[mark]} tickets")
        if not by_mark[mark] or state != "active" or ticket not in by_key:
            found.lost.append(f"{mark}: {by_mark[mark]} tickets, link {state} to {ticket!r} {problem}")
    comments = Counter((issue["key"], text) for issue in issues for text in issue["comments"])
    for (key, text), times in comments.items():
        found.totals["comments"] += 1
        if times > 1:
            found.doubled.append(f"{key}: the comment {text!r} is there {times} times")
    found.lost += [
        f"note {note} never became a comment" for note, comment in ours.comments.items() if not comment
    ]
    for kind in ("issue.update", "issue.transition"):
        # A field written twice with the same value is no second effect; it is counted to be seen.
        entries = _ledger(twins, "jira", kind)
        found.totals[kind] += len(entries)


def _count_slack(found: Counted, ours: _Ours, twins: str) -> None:
    state = _state(twins, "slack")
    posted = [
        (channel["id"], message["ts"], _key_of(message))
        for channel in state["channels"].values()
        for message in channel["messages"]
        if message.get("bot_id") and _key_of(message)
    ]
    found.totals["messages"] += len(posted)
    by_key = Counter(key for _, _, key in posted)
    found.doubled += [f"Slack message {key} is there {n} times" for key, n in by_key.items() if n > 1]
    places = {(channel, ts) for channel, ts, _ in posted}
    known = {key for key, *_ in ours.messages}
    for key, its_state, channel, ts, _ in ours.messages:
        if its_state == "perhaps_sent":
            found.perhaps += 1
        elif its_state == "sent" and (channel, ts) not in places:
            found.lost.append(f"Slack message {key} counts as sent and is not there")
        elif its_state not in {"sent", "perhaps_sent"}:
            found.lost.append(f"Slack message {key} is {its_state}")
    found.doubled += [f"Slack message {key} is not ours to know" for key in by_key if key not in known]
    cards = Counter(incident for key, *_, incident in ours.messages if key.startswith("card/"))
    names = Counter(channel["name"] for channel in state["channels"].values())
    for incident, channel_id, name, its_state in ours.channels:
        found.totals["channels"] += 1
        if its_state not in {"open", "archived"} or channel_id not in state["channels"]:
            found.lost.append(f"channel {name} of incident {incident} is {its_state}")
        if not cards[incident]:
            found.lost.append(f"incident {incident} has no card")
    own = {channel_id for _, channel_id, _, _ in ours.channels}
    found.doubled += [
        f"channel {channel['name']} belongs to no incident"
        for channel in state["channels"].values()
        if channel["name"].startswith("inc-") and channel["id"] not in own
    ]
    found.doubled += [f"{n} channels are called {name}" for name, n in names.items() if n > 1]


def _key_of(message: Mapping[str, Any]) -> str:
    payload = (message.get("metadata") or {}).get("event_payload") or {}
    return str(payload.get("key") or "")


def _count_webhooks(found: Counted, ours: _Ours, twins: str) -> None:
    """Every webhook that we answered with 2xx is in the inbox and was worked on."""
    attempts = call("GET", f"{twins}/jira/_twin/webhooks", seconds=30).body["attempts"]
    accepted = {attempt["delivery_id"] for attempt in attempts if 200 <= attempt["status"] < 300}  # noqa: PLR2004
    found.totals["webhooks"] += len(accepted)
    for delivery in accepted:
        outcome = ours.deliveries.get(delivery)
        if outcome is None:
            found.lost.append(f"webhook {delivery} was accepted and is not stored")
        elif outcome not in {"parsed", "ignored"}:
            found.lost.append(f"webhook {delivery} is {outcome}")
