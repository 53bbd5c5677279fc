"""The count of a run with deliveries: promises against our database, the sink's record and the vendors' own ledgers."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import urllib.parse
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.crashing.count import IDLE
from callout.cli.bench.crashing.scene import ACCOUNT_PATH, JIRA_PATH, LIVING, OPS_PATH, Scene
from callout.cli.bench.crashing.sink import DEAD
from callout.cli.bench.crashing.stage import jira_issues
from callout.cli.bench.crashing.story import call
from callout.cli.bench.installation import Installation

if TYPE_CHECKING:
    from callout.cli.bench.crashing.senders import Created, Senders
    from callout.storage import Database, Tx

DELIVER: Final = "webhooks.deliver"
_GOOD: Final = 204
_SAID: Final = re.compile(r"said about crash run ticket \d+")
_JOBS = "SELECT kind, state, coalesce(last_error, waiting_for, '') FROM job ORDER BY id"
_INBOUND = "SELECT id, integration_id, dedupe, outcome FROM inbound_event"
_DELIVERIES = (
    "SELECT e.url, d.message_id, d.subject, d.seq, d.state, d.event_type FROM webhook_delivery d"
    " JOIN webhook_endpoint e ON e.id = d.endpoint_id ORDER BY d.seq"
)
_OPEN = (
    "SELECT e.url, d.state, count(*) FROM webhook_delivery d JOIN webhook_endpoint e ON e.id = d.endpoint_id"
    " WHERE d.state != 'delivered' GROUP BY e.url, d.state"
)
_RECEIVED = "SELECT count(*) FROM inbound_event WHERE outcome = 'received'"


@dataclass(slots=True)
class Tally:
    """What was found. `lost`, `doubled` and `disordered` must be empty; what was sent again under one id is harmless."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    repeated: int = 0
    perhaps: int = 0
    totals: Counter[str] = field(default_factory=Counter)

    @property
    def wrong(self) -> bool:
        """Whether a promise was broken."""
        return bool(self.lost or self.doubled or self.disordered)


@dataclass(frozen=True, slots=True)
class _Inbound:
    id: str
    integration_id: str
    dedupe: str
    outcome: str


@dataclass(frozen=True, slots=True)
class _Delivery:
    path: str
    message_id: str
    subject: str
    seq: int
    state: str
    event_type: str


@dataclass(slots=True)
class _Sunk:
    """What came to one endpoint under one `webhook-id`."""

    bodies: set[str] = field(default_factory=set)
    requests: int = 0
    accepted: bool = False


async def unfinished(database: Database, vendors: str) -> list[str]:
    """Return what is still to be done, in words; empty when all is quiet."""
    for twin in ("jira", "servicenow"):
        await asyncio.to_thread(call, "POST", f"{vendors}/{twin}/_twin/drain", seconds=30)

    async def unit(tx: Tx) -> list[str]:
        jobs = await tx.driver_all(_JOBS, _JOBS)
        waiting = await tx.driver_all(_OPEN, _OPEN)
        [(received,)] = await tx.driver_all(_RECEIVED, _RECEIVED)
        # The dead endpoint's are tried for a day; whose endpoint lives, its deliveries themselves say whether they are done.
        left = [f"{kind} {state}: {why}" for kind, state, why in jobs if kind not in IDLE and kind != DELIVER]
        left += [
            f"{number} deliveries to {url} are {state}"
            for url, state, number in waiting
            if not url.endswith(DEAD)
        ]
        return [*left, f"{received} webhooks are not worked on"] if received else left

    return await database.read(unit)


def tally(
    one: Installation, scene: Scene, vendors: str, senders: Senders, got: Sequence[Mapping[str, Any]]
) -> Tally:
    """Compare all sides. Everything must be quiet."""
    found = Tally()
    inbound, deliveries = asyncio.run(_read(one))
    sunk = _sunk(found, got)
    _inbound(found, scene, senders, vendors, inbound)
    _told(found, scene, inbound, deliveries, sunk)
    _once(found, got)
    _order(found, deliveries, got)
    _incidents(found, senders, got)
    _tickets(found, vendors, senders)
    return found


async def _read(one: Installation) -> tuple[list[_Inbound], list[_Delivery]]:
    from callout.storage import open_database

    async def unit(tx: Tx) -> tuple[list[_Inbound], list[_Delivery]]:
        inbound = [_Inbound(*row) for row in await tx.driver_all(_INBOUND, _INBOUND)]
        listed = await tx.driver_all(_DELIVERIES, _DELIVERIES)
        return inbound, [_Delivery(urllib.parse.urlsplit(row[0]).path, *tuple(row)[1:]) for row in listed]

    database = await open_database(one.database_url)
    try:
        return await database.read(unit)
    finally:
        await database.close()


def _sunk(found: Tally, got: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], _Sunk]:
    sunk: dict[tuple[str, str], _Sunk] = defaultdict(_Sunk)
    for request in got:
        if request["path"] == DEAD:
            continue
        one = sunk[request["path"], request["id"]]
        one.requests += 1
        one.bodies.add(request["body"])
        one.accepted |= request["answer"] == _GOOD
    for (path, name), one in sunk.items():
        found.repeated += one.requests - 1
        if len(one.bodies) > 1:
            found.doubled.append(f"{path} {name}: {len(one.bodies)} bodies under one webhook-id")
    found.totals["requests at the endpoints"] = sum(one.requests for one in sunk.values())
    return sunk


def _inbound(found: Tally, scene: Scene, senders: Senders, vendors: str, inbound: Sequence[_Inbound]) -> None:
    """Every webhook that we answered with 2xx is in the inbox once and was worked on."""
    stored = Counter((row.integration_id, row.dedupe) for row in inbound)
    outcomes = {(row.integration_id, row.dedupe): row.outcome for row in inbound}
    ids = {"jira": scene.jira.id, "servicenow": scene.servicenow.id}
    promised = {(ids[hook.vendor], hook.delivery) for hook in senders.hooks}
    attempts = call("GET", f"{vendors}/jira/_twin/webhooks", seconds=60).body["attempts"]
    promised |= {
        (scene.jira.id, attempt["delivery_id"])
        for attempt in attempts
        if 200 <= attempt["status"] < 300  # noqa: PLR2004
    }
    found.totals["webhooks accepted"] = len(promised)
    for key in promised:
        if not stored[key]:
            found.lost.append(f"webhook {key[1]} was accepted and is not stored")
        elif outcomes[key] not in {"parsed", "ignored"}:
            found.lost.append(f"webhook {key[1]} is {outcomes[key]}")
    found.doubled += [
        f"webhook {key[1]} is stored {times} times" for key, times in stored.items() if times > 1
    ]


def _told(
    found: Tally,
    scene: Scene,
    inbound: Sequence[_Inbound],
    deliveries: Sequence[_Delivery],
    sunk: Mapping[tuple[str, str], _Sunk],
) -> None:
    """Whatever was stored reached every endpoint that wants it, and nothing came there that we do not know of."""
    wanted = {
        (path, f"msg_{row.id}")
        for row in inbound
        for path in ((JIRA_PATH, ACCOUNT_PATH) if row.integration_id == scene.jira.id else (ACCOUNT_PATH,))
    }
    known: Counter[tuple[str, str]] = Counter()
    for delivery in deliveries:
        if delivery.path == DEAD:
            continue
        key = delivery.path, delivery.message_id
        known[key] += 1
        wanted.add(key)
        if delivery.state != "delivered":
            found.lost.append(f"{delivery.path} {delivery.message_id} is {delivery.state}")
    found.totals["deliveries"] = sum(known.values())
    found.lost += [
        f"{path} {name} was never accepted by its endpoint"
        for path, name in wanted
        if not ((path, name) in sunk and sunk[path, name].accepted)
    ]
    found.doubled += [f"{path} {name}: {n} deliveries" for (path, name), n in known.items() if n > 1]
    found.doubled += [
        f"{path} {name} came, and nobody knows of it" for path, name in sunk if not known[path, name]
    ]


def _once(found: Tally, got: Sequence[Mapping[str, Any]]) -> None:
    """One webhook that came in goes out to an endpoint under one `webhook-id`, however often either was sent."""
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for request in got:
        marker = (json.loads(request["body"]).get("raw_payload") or {}).get("marker")
        if marker:
            names[request["path"], marker].add(request["id"])
    found.doubled += [
        f"{path} {marker} came under {len(ids)} ids: {sorted(ids)}"
        for (path, marker), ids in names.items()
        if len(ids) > 1
    ]


def _order(found: Tally, deliveries: Sequence[_Delivery], got: Sequence[Mapping[str, Any]]) -> None:
    """Deliveries about one subject came to an endpoint in their order: ours, and that of the vendor's own numbers."""
    known = {(delivery.path, delivery.message_id): delivery for delivery in deliveries}
    last: dict[tuple[str, str], tuple[int, int, str]] = {}
    for request in got:
        delivery = known.get((request["path"], request["id"]))
        if delivery is None or delivery.path == DEAD:
            continue
        marker = str((json.loads(request["body"]).get("raw_payload") or {}).get("marker") or "")
        number = int(marker.rpartition("-")[2]) if marker else 0
        key = delivery.path, delivery.subject
        before = last.get(key, (0, 0, ""))
        if delivery.seq < before[0] or number < before[1]:
            found.disordered.append(f"{key[0]} {request['id']} ({marker}) came after {before[2]}")
        last[key] = (max(before[0], delivery.seq), max(before[1], number), request["id"])
    found.totals["subjects"] = len(last)


def _incidents(found: Tally, senders: Senders, got: Sequence[Mapping[str, Any]]) -> None:
    """What was done to incidents was told, each thing once and in its order."""
    first: dict[tuple[str, str], int] = {}
    names: dict[tuple[str, str], set[str]] = defaultdict(set)
    for at, request in enumerate(got):
        if request["path"] != OPS_PATH:
            continue
        body = json.loads(request["body"])
        data = body["data"]
        text = data["note"]["text"] if body["event_type"] == "incident.noted" else data["incident"]["title"]
        key = body["event_type"], text
        first.setdefault(key, at)
        names[key].add(request["id"])
    for one in senders.declared:
        found.totals["incidents"] += 1
        wanted = [("incident.declared", one.titles[0])]
        wanted += [("incident.changed", title) for title in one.titles[1:]]
        wanted += [("incident.noted", text) for text in one.notes]
        if not one.done:
            continue
        found.lost += [
            f"{kind} of {text!r} was never told" for kind, text in wanted if (kind, text) not in first
        ]
        found.doubled += [f"{key} came under {len(names[key])} ids" for key in wanted if len(names[key]) > 1]
        came = [first[key] for key in wanted if key in first]
        if came != sorted(came):
            found.disordered.append(f"what happened to {one.titles[0]!r} was told as {came}")


def _tickets(found: Tally, vendors: str, senders: Senders) -> None:
    """Each key made one ticket and one comment, and was answered alike each time."""
    titles: Counter[tuple[str, str]] = Counter()
    texts: Counter[str] = Counter()
    known: dict[tuple[str, str], str] = {}
    for issue in jira_issues(vendors):
        titles["jira", issue["summary"]] += 1
        known["jira", issue["summary"]] = issue["id"]
        texts.update(text for comment in issue["comments"] for text in _SAID.findall(comment))
    for record in _servicenow(vendors, "incident", "short_descriptionSTARTSWITHcrash run"):
        titles["servicenow", record["short_description"]] += 1
        known["servicenow", record["short_description"]] = record["sys_id"]
    for entry in _servicenow(vendors, "sys_journal_field", "element=work_notes"):
        texts.update(_SAID.findall(entry["value"]))  # beside our mark
    for one in senders.created:
        found.totals["tickets asked for"] += 1
        number = titles[one.vendor, one.title]
        if number > 1:
            found.doubled.append(f"{one.vendor}: {number} tickets {one.title!r}")
        _answers(found, one, known.get((one.vendor, one.title), ""))
        said = f"said about {one.title}"
        if texts[said] > 1:
            found.doubled.append(f"{one.vendor}: {said!r} is there {texts[said]} times")
        found.lost += [f"{one.vendor}: {text!r} is not there" for text in one.said if not texts[text]]
        found.perhaps += len(one.perhaps)
        if not one.done:
            found.lost.append(f"{one.vendor}: the program of {one.title!r} did not come to its end")
    found.totals["answers given again"] = senders.replayed


def _answers(found: Tally, one: Created, ticket: str) -> None:
    """Whoever asked for a ticket was told of the one that is there, in the same words each time."""
    ids = {str(answer["id"]) for answer in one.answers}
    if ids and not ticket:
        found.lost.append(f"{one.vendor}: there is no ticket {one.title!r}")
    elif ids - {ticket}:
        found.doubled.append(f"{one.vendor}: {one.title!r} was answered with {sorted(ids)}")
    elif any(answer != one.answers[0] for answer in one.answers):
        found.doubled.append(f"{one.vendor}: {one.title!r} was answered in two ways: {one.answers}")


def _servicenow(vendors: str, name: str, query: str) -> list[dict[str, Any]]:
    asked = urllib.parse.urlencode({"sysparm_query": query, "sysparm_limit": "10000"})
    url = f"{vendors}/servicenow/api/now/table/{name}?{asked}"
    login = "Basic " + base64.b64encode(b"admin:admin").decode()
    request = urllib.request.Request(url, headers={"Authorization": login, "Accept": "application/json"})  # noqa: S310  # our own twin
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
        rows: list[dict[str, Any]] = json.loads(answer.read())["result"]
        return rows


__all__ = ["LIVING", "Tally", "tally", "unfinished"]
