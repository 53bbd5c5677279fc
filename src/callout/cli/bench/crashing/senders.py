"""Who talks to the APIs while they die: vendors with their webhooks, programs on the unified API, people with incidents.

Everything that was answered with 2xx is written down as a promise. What was not answered is sent again, as vendors and programs do:
the same webhook, the same request with the same `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import aiohttp

from callout.cli.bench.crashing.scene import OPS, Scene, Vendor
from callout.cli.bench.crashing.stage import JIRA_SECRET

if TYPE_CHECKING:
    from callout.storage import Database

SIGNED_CLIENTS: Final = 3
PEOPLE: Final = 2
SUBJECTS_EACH: Final = 3
BURST: Final = 5
"""So many webhooks about one ticket come at once: then some wait behind others."""
PAUSE_SECONDS: Final = 0.06
LOOK_SECONDS: Final = 0.03
ANSWER_SECONDS: Final = 10.0
PROGRAMS: Final = 3
"""Programs at work at a time, beside those that wait for the end of a claim of somebody who died."""
PATIENCE_SECONDS: Final = 180.0
"""On a busy machine the only API may die some times before it comes to answer a certain request."""
CLAIM_LOOK_SECONDS: Final = 2.0
CLAIM_SECONDS: Final = 900.0
"""Whoever took the claim of a dead process over may die, too."""
TICK_MOST: Final = 0.5
REPEAT_EVERY: Final = 7
EDITS: Final = 3
_NO_ANSWER: Final = 0
_OK: Final = 200
_CONFLICT, _BUSY, _UNAVAILABLE, _DOUBT = 409, 429, 503, 504


@dataclass(frozen=True, slots=True)
class Hook:
    """A webhook that was answered with 2xx: `number` counts those about one ticket."""

    vendor: str
    delivery: str
    ticket: str
    number: int


@dataclass(slots=True)
class Created:
    """A ticket that a program asked for, and what it was told of it."""

    vendor: str
    title: str
    answers: list[Any] = field(default_factory=list)
    """What each request for it was answered: alike, whoever answered."""
    said: list[str] = field(default_factory=list)
    """Comments or notes that were answered with success."""
    perhaps: list[str] = field(default_factory=list)
    """Notes of which nobody can say whether they were written."""
    done: bool = False


@dataclass(slots=True)
class Declared:
    """An incident: every title that it had, and its notes."""

    titles: list[str]
    notes: list[str] = field(default_factory=list)
    done: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer; status 0 when none came."""

    status: int
    body: Any = None
    wait: float = 0.0
    replayed: bool = False
    broken: bool = False
    """Whether the connection broke: whoever was asked has died."""


class _Place:
    """A program's place among those at work, which it gives up once."""

    def __init__(self, busy: asyncio.Semaphore) -> None:
        self._busy: asyncio.Semaphore | None = busy

    def free(self) -> None:
        if self._busy is not None:
            self._busy.release()
            self._busy = None


class Senders:
    """All clients of one run."""

    def __init__(
        self,
        scene: Scene,
        addresses: Sequence[str],
        http: aiohttp.ClientSession,
        *,
        seed: int,
        database: Database | None = None,
    ) -> None:
        """`database` is given to who will not wait until the claim of a dead process is abandoned: they make it old instead."""
        self._scene = scene
        self._addresses = tuple(addresses)
        self._http = http
        self._random = random.Random(seed)  # noqa: S311  # a run that can be repeated
        self._database = database
        self._stopping = asyncio.Event()
        self._ticked_at, self._passed = time.monotonic(), 0.0
        self._lives: set[asyncio.Task[None]] = set()
        self.hooks: list[Hook] = []
        self.created: list[Created] = []
        self.declared: list[Declared] = []
        self.replayed = 0
        self.surprises: list[str] = []

    async def run(self) -> None:
        """Talk until :meth:`stop`, then finish what was begun."""
        async with asyncio.TaskGroup() as group:
            for number in range(SIGNED_CLIENTS):
                group.create_task(self._hooks(f"signed-{number}", self._signed))
            group.create_task(self._hooks("by-token", self._by_token))
            group.create_task(self._programs())
            for number in range(PEOPLE):
                group.create_task(self._people(number))
        while self._lives:
            await asyncio.wait(self._lives)

    def tick(self) -> None:
        """Let time pass for whoever waits: only while somebody calls this, so that a machine that stands still costs no patience."""
        now = time.monotonic()
        self._passed += min(now - self._ticked_at, TICK_MOST)
        self._ticked_at = now

    def stop(self) -> None:
        """Let everybody finish what they are at."""
        self._stopping.set()

    # ------------------------------------------------------------------------------------------ webhooks

    async def _hooks(self, name: str, post: Callable[[str, str, int], Awaitable[Hook | None]]) -> None:
        counts = dict.fromkeys(range(SUBJECTS_EACH), 0)
        turn = 0
        while not self._stopping.is_set():
            subject = turn // BURST % SUBJECTS_EACH
            turn += 1
            counts[subject] += 1
            hook = await post(name, f"{name}-{subject}", counts[subject])
            if hook is not None:
                self.hooks.append(hook)
                if turn % REPEAT_EVERY == 0:  # vendors repeat what they were answered, too
                    await post(name, f"{name}-{subject}", counts[subject])
            if turn % BURST == 0:
                await asyncio.sleep(BURST * PAUSE_SECONDS)

    async def _signed(self, _name: str, subject: str, number: int) -> Hook | None:
        delivery = f"{subject}-{number}"
        body = {
            "webhookEvent": "jira:issue_updated",
            # Of its own, the same in each attempt: it is one webhook.
            "timestamp": int(time.time() * 1000),
            "issue": {"id": _ticket_number(subject), "key": f"TST-{_ticket_number(subject)}"},
            "marker": delivery,
        }
        raw = json.dumps(body).encode()
        signature = "sha256=" + hmac.new(JIRA_SECRET.encode(), raw, hashlib.sha256).hexdigest()
        headers = {"X-Hub-Signature": signature, "X-Atlassian-Webhook-Identifier": delivery}
        vendor = self._scene.jira
        reply = await self._until(lambda: self._post(f"/v1/hooks/{vendor.id}", raw, headers), delivery)
        return None if reply is None else Hook("jira", delivery, _ticket_number(subject), number)

    async def _by_token(self, _name: str, subject: str, number: int) -> Hook | None:
        delivery = f"{subject}-{number}"
        sys_id = hashlib.sha256(subject.encode()).hexdigest()[:32]
        body = {
            "event": "incident.updated",
            "event_id": delivery,
            "table": "incident",
            "sys_id": sys_id,
            "number": f"INC-{subject}",
            "operation": "update",
            "marker": delivery,
        }
        raw = json.dumps(body).encode()
        vendor = self._scene.servicenow
        path = f"/v1/hooks?token={vendor.hook_token}"
        reply = await self._until(lambda: self._post(path, raw, {}), delivery)
        return None if reply is None else Hook("servicenow", delivery, f"INC-{subject}", number)

    # ------------------------------------------------------------------------------------------ programs

    async def _programs(self) -> None:
        number = 0
        busy = asyncio.Semaphore(PROGRAMS)
        while not self._stopping.is_set():
            await busy.acquire()
            vendor = (self._scene.jira, self._scene.servicenow)[number % 2]
            one = Created(vendor.name, f"crash run ticket {number}")
            self.created.append(one)
            life = asyncio.create_task(self._program(vendor, one, f"key-{number}", busy))
            self._lives.add(life)
            life.add_done_callback(self._lives.discard)
            number += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def _program(self, vendor: Vendor, one: Created, key: str, busy: asyncio.Semaphore) -> None:
        place = _Place(busy)
        try:
            one.done = await self._life(vendor, one, key, place)
        finally:
            place.free()

    async def _life(self, vendor: Vendor, one: Created, key: str, place: _Place) -> bool:
        """Create a ticket, ask for it again with the same key, change it, comment it; False when it was refused."""

        def ask(method: str, path: str, body: object, own: str = "") -> Callable[[], Awaitable[Reply]]:
            headers = {"Authorization": f"Bearer {vendor.token}", **({"Idempotency-Key": own} if own else {})}
            raw = json.dumps(body).encode()
            return lambda: self._post(f"/v1/ticketing/tickets{path}", raw, headers, method=method)

        for _ in range(2):
            made = await self._claimed(ask("POST", "", {"name": one.title}, key), key, place)
            if made is None:
                return False
            one.answers.append(made.body["result"])
            self.replayed += made.replayed
        ticket = str(one.answers[0]["id"])
        patch = [{"op": "replace", "path": "/priority", "value": "HIGH"}]
        if await self._until(ask("PATCH", f"/{ticket}", patch), one.title) is None:
            return False
        # A comment can be searched for; ServiceNow's notes cannot, so that nobody knows after a death.
        text = f"said about {one.title}"
        noted = vendor.name == "servicenow"
        words = {"title": "note", "content": text} if noted else {"content": text}
        own = f"{key}-said"
        say = ask("POST", f"/{ticket}/{'notes' if noted else 'comments'}", words, own)
        for _ in range(2):
            said = await self._claimed(say, own, place, unknowable=noted)
            if said is None:
                return False
            if said.status == _DOUBT:
                one.perhaps.append(text)
                break
            one.said.append(text)
        return True

    async def _claimed(
        self,
        ask: Callable[[], Awaitable[Reply]],
        key: str,
        place: _Place,
        *,
        unknowable: bool = False,
    ) -> Reply | None:
        """Ask until there is an answer, also when the key is held by a process that died; None after a refusal.

        Of what is `unknowable`, 504 is an answer: nobody can find out whether it was done.
        """
        deadline = self._passed + CLAIM_SECONDS
        lost = False
        while True:
            reply = await ask()
            if reply.status // 100 == 2 or (reply.status == _DOUBT and unknowable):  # noqa: PLR2004
                return reply
            if reply.status == _NO_ANSWER:
                lost = reply.broken
            if reply.status != _NO_ANSWER:
                place.free()  # others go on meanwhile
            pause = max(LOOK_SECONDS, min(reply.wait, CLAIM_LOOK_SECONDS))
            if reply.status == _CONFLICT and lost and self._database is not None:
                await _make_old(self._database, key)
                lost = False
            elif reply.status == _CONFLICT:
                pause = CLAIM_LOOK_SECONDS
            elif reply.status not in {_NO_ANSWER, _BUSY, _UNAVAILABLE, _DOUBT}:
                self.surprises.append(f"{key}: answered {reply.status} {reply.body}")
                return None
            if self._passed > deadline:
                self.surprises.append(
                    f"{key}: no answer after {CLAIM_SECONDS:.0f} s, last {reply.status} {reply.body}"
                )
                return None
            await asyncio.sleep(pause)

    # ------------------------------------------------------------------------------------------ people

    async def _people(self, number: int) -> None:
        while not self._stopping.is_set():
            one = Declared([f"crash run incident {number}"])
            self.declared.append(one)
            await self._incident(one, number)
            number += PEOPLE
            await asyncio.sleep(PAUSE_SECONDS)

    async def _incident(self, one: Declared, number: int) -> None:
        def ask(method: str, path: str, body: object, key: str = "") -> Callable[[], Awaitable[Reply]]:
            headers = {
                "Authorization": f"Bearer {self._scene.token}",
                **({"Idempotency-Key": key} if key else {}),
            }
            raw = json.dumps(body).encode()
            return lambda: self._post(f"/v1/incidents{path}?account={OPS}", raw, headers, method=method)

        made = await self._until(
            ask("POST", "", {"title": one.titles[0]}, f"incident-{number}"), one.titles[0]
        )
        if made is None:
            return
        key = made.body["result"]["key"]
        for edit in range(EDITS):
            title = f"{one.titles[0]}, edit {edit}"
            if await self._until(ask("PATCH", f"/{key}", {"title": title}), title) is None:
                return
            one.titles.append(title)
        text = f"note about {one.titles[0]}"
        note = {"text": text, "audience": "responders"}
        if await self._until(ask("POST", f"/{key}/notes", note, f"note-{number}"), text) is None:
            return
        one.notes.append(text)
        one.done = True

    # ------------------------------------------------------------------------------------------ asking

    async def _until(self, ask: Callable[[], Awaitable[Reply]], what: str) -> Reply | None:
        """Ask until it is accepted; None, with a word about it, when it never is."""
        deadline = self._passed + PATIENCE_SECONDS
        while True:
            reply = await ask()
            if reply.status // 100 == 2:  # noqa: PLR2004
                return reply
            again = reply.status in {_NO_ANSWER, _CONFLICT, _BUSY, _UNAVAILABLE, _DOUBT}
            if not again or self._passed > deadline:
                self.surprises.append(f"{what}: answered {reply.status} {reply.body}")
                return None
            await asyncio.sleep(LOOK_SECONDS)

    async def _post(self, path: str, raw: bytes, headers: dict[str, str], *, method: str = "POST") -> Reply:
        address = self._random.choice(self._addresses)
        try:
            async with self._http.request(
                method, address + path, data=raw, headers={"Content-Type": "application/json", **headers}
            ) as answer:
                said = await answer.read()
                return Reply(
                    answer.status,
                    json.loads(said) if said else None,
                    float(answer.headers.get("Retry-After", "0")),
                    "Idempotent-Replayed" in answer.headers,
                )
        except TimeoutError:
            return Reply(_NO_ANSWER)
        except (aiohttp.ClientError, OSError, ValueError):
            return Reply(_NO_ANSWER, broken=True)


def _ticket_number(subject: str) -> str:
    return str(9_000_000 + int(hashlib.sha256(subject.encode()).hexdigest()[:5], 16))


async def _make_old(database: Database, key: str) -> None:
    """Let the claims of `key` be as old as one that nobody can be at work on any more."""
    from callout.ticketing.once import ABANDONED

    older = ABANDONED // ABANDONED.resolution
    text = "UPDATE idempotency_keys SET created_at = created_at - {0} WHERE status IS NULL AND key LIKE {1}"
    await database.transaction(
        lambda tx: tx.driver_all(
            text.format("?1", "?2"), text.format("$1::bigint", "$2::text"), (older, f"%:{key}")
        )
    )
