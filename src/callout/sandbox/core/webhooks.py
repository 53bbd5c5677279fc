"""Sending a vendor's webhooks: signed, retried as the vendor retries, every attempt kept."""

from __future__ import annotations

import asyncio
import io
import random
import time
import traceback
from collections import deque
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import aiohttp

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Mapping

    from callout.sandbox.core.clock import SandboxClock
    from callout.sandbox.core.faults import FaultPlan, FaultRule

ATTEMPT_LIMIT = 50_000
REORDER_FLUSH_SECONDS = 1.0
REORDER_STEP_SECONDS = 0.25
HTTP_OK_BELOW = 300


@dataclass(slots=True)
class Attempt:
    """One try to deliver one webhook; `status` 0 and a `reason` when no HTTP answer came."""

    url: str
    event: str
    delivery_id: str
    number: int
    started_at: float
    status: int = 0
    elapsed_ms: float = 0.0
    reason: str | None = None
    fault: str | None = None
    will_retry: bool = False
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: str = ""

    @property
    def ok(self) -> bool:
        """Whether the receiver answered with a 2xx."""
        return 200 <= self.status < HTTP_OK_BELOW  # noqa: PLR2004 - the bounds of 2xx


@dataclass(frozen=True, slots=True)
class RetryRule:
    """The vendor's rule: waits before each retry and answer deadline (seconds), what counts as failed."""

    delays: tuple[float, ...] = ()
    timeout: float = 10.0
    retry_when: Callable[[Attempt], bool] = lambda attempt: not attempt.ok


@dataclass(frozen=True, slots=True)
class Webhook:
    """A webhook to send; `sign(body, attempt number, last failure)` gives the headers of each attempt.

    Args:
        lane: webhooks of one lane go out in the order posted, each after the one before was delivered or given
            up; empty for none. The delay and reorder faults take a webhook out of its lane.
        wanted: asked before each attempt; when False the webhook is forgotten without one.
        on_end: told the last attempt, delivered or given up.
        carry: makes an attempt by another way than a POST (a socket the app holds open), given the attempt to
            fill in, the body, why the one before failed, and the answer deadline in seconds.
    """

    url: str
    event: str
    body: bytes
    delivery_id: str
    headers: Mapping[str, str] = field(default_factory=dict)
    sign: Callable[[bytes, int, str | None], Mapping[str, str]] | None = None
    lane: str = ""
    wanted: Callable[[], bool] | None = None
    on_end: Callable[[Attempt], None] | None = None
    carry: Callable[[Attempt, bytes, str | None, float], Awaitable[None]] | None = None


class SenderClosedError(Exception):
    """The sandbox is stopping."""


class WebhookSender:
    """Background sender of one twin; `speed` divides the vendor's retry waits, fault delays stay real."""

    def __init__(self, clock: SandboxClock, faults: FaultPlan, rule: RetryRule) -> None:
        self._clock = clock
        self._faults = faults
        self.rule = rule
        self.speed = 1.0
        self.attempts: deque[Attempt] = deque(maxlen=ATTEMPT_LIMIT)
        self.on_error: Callable[[str], None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._held: list[Webhook] = []
        self._flush: asyncio.TimerHandle | None = None
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    def open(self) -> None:
        """Send again after a close: the sandbox was started once more."""
        self._closed = False

    def post(self, webhook: Webhook) -> None:
        """Send in the background with retries, subject to the webhook faults of the plan; into the void once we are closed."""
        if self._closed:
            return
        rules = self._faults.for_webhook(webhook.event, urlsplit(webhook.url).path)
        by_kind = {rule.kind: rule for rule in rules}
        if "webhook_drop" in by_kind:
            self._note_drop(webhook)
            return
        if "webhook_reorder" in by_kind:
            self._hold(webhook, int(by_kind["webhook_reorder"].options["window"]))
            return
        times = int(by_kind["webhook_repeat"].options["times"]) if "webhook_repeat" in by_kind else 1
        for _ in range(times):
            self._start(webhook, by_kind)

    async def deliver(
        self, webhook: Webhook, *, number: int = 0, reason: str | None = None, timeout: float | None = None
    ) -> Attempt:
        """Make one attempt now and return it; `timeout` in seconds, the vendor's deadline by default.

        Drop, delay and tamper faults apply; a person who waits for an answer is never reordered.
        """
        rules = self._faults.for_webhook(webhook.event, urlsplit(webhook.url).path)
        by_kind = {rule.kind: rule for rule in rules}
        if "webhook_drop" in by_kind:
            return self._note_drop(webhook)
        if "webhook_delay" in by_kind:
            await asyncio.sleep(by_kind["webhook_delay"].seconds())
        return await self._attempt(
            webhook,
            body=webhook.body + b" " if "webhook_tamper" in by_kind else webhook.body,
            number=number,
            reason=reason,
            timeout=timeout or self.rule.timeout,
            fault=",".join(by_kind) or None,
        )

    async def drain(self) -> None:
        """Wait until everything posted so far was delivered or given up, held webhooks included."""
        while self._tasks or self._held:
            self._release()
            # A reset cancels deliveries; whoever waits for the rest is not cancelled with them.
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Cancel what is under way and close the HTTP session; nothing is sent until somebody opens us again."""
        self._closed = True
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        self._held.clear()
        while self._tasks:  # one that is being cancelled may have begun another
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(self._tasks)
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def cancel(self) -> None:
        """Forget attempts, held webhooks and pending retries (a reset of the twin)."""
        for task in self._tasks:
            task.cancel()
        self._held.clear()
        self.attempts.clear()

    def as_json(self) -> dict[str, Any]:
        """Return every attempt, oldest first, and what is still on its way."""
        return {
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "in_flight": len(self._tasks),
            "held": len(self._held),
        }

    def _start(self, webhook: Webhook, by_kind: Mapping[str, FaultRule]) -> None:
        delay = by_kind["webhook_delay"].seconds() if "webhook_delay" in by_kind else 0.0
        tamper = "webhook_tamper" in by_kind
        label = ",".join(by_kind) or None
        lane = "" if delay else webhook.lane
        ahead = self._lanes.get(lane)
        task = self._spawn(self._run(webhook, delay=delay, tamper=tamper, fault=label, ahead=ahead))
        if lane:
            self._lanes[lane] = task
            task.add_done_callback(partial(self._leave_lane, lane))

    def _leave_lane(self, lane: str, task: asyncio.Task[None]) -> None:
        if self._lanes.get(lane) is task:
            del self._lanes[lane]

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and self.on_error is not None:
            self.on_error("".join(traceback.format_exception(error)))

    def _hold(self, webhook: Webhook, window: int) -> None:
        self._held.append(webhook)
        if len(self._held) >= window:
            self._release()
        elif self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(REORDER_FLUSH_SECONDS, self._release)

    def _release(self) -> None:
        if self._flush is not None:
            self._flush.cancel()
            self._flush = None
        held, self._held = self._held, []
        if not held:
            return
        shuffled = held[::-1]
        random.Random(self._faults.seed).shuffle(shuffled)  # noqa: S311 - repeatable disorder
        if shuffled == held:
            shuffled.reverse()
        self._spawn(self._run_in_order(shuffled))

    async def _run_in_order(self, webhooks: list[Webhook]) -> None:
        for webhook in webhooks:
            task = self._spawn(self._run(webhook, delay=0.0, tamper=False, fault="webhook_reorder"))
            # Enough for the first try to land; the retries of one must not hold up the others.
            await asyncio.wait({task}, timeout=REORDER_STEP_SECONDS)

    async def _run(
        self,
        webhook: Webhook,
        *,
        delay: float,
        tamper: bool,
        fault: str | None,
        ahead: asyncio.Task[None] | None = None,
    ) -> None:
        if ahead is not None:
            await asyncio.wait({ahead})
        if delay:
            await asyncio.sleep(delay)
        body = webhook.body + b" " if tamper else webhook.body
        reason: str | None = None
        for number, wait in enumerate((0.0, *self.rule.delays)):
            await asyncio.sleep(wait / self.speed)
            if webhook.wanted is not None and not webhook.wanted():
                return
            attempt = await self._attempt(
                webhook, body=body, number=number, reason=reason, timeout=self.rule.timeout, fault=fault
            )
            # One that is cancelled while its own time ran out may have taken that for a time-out: it must not go on.
            left = number < len(self.rule.delays) and not self._closed
            attempt.will_retry = left and self.rule.retry_when(attempt)
            if not attempt.will_retry:
                if webhook.on_end is not None:
                    webhook.on_end(attempt)
                return
            reason = attempt.reason

    async def _attempt(
        self,
        webhook: Webhook,
        *,
        body: bytes,
        number: int,
        reason: str | None,
        timeout: float,
        fault: str | None = None,
    ) -> Attempt:
        attempt = Attempt(
            url=webhook.url,
            event=webhook.event,
            delivery_id=webhook.delivery_id,
            number=number,
            started_at=self._clock.now(),
            fault=fault,
        )
        self.attempts.append(attempt)
        started = time.perf_counter()
        if webhook.carry is not None:
            await webhook.carry(attempt, body, reason, timeout)
        else:
            await self._post(webhook, attempt, body, reason=reason, timeout=timeout)
        attempt.elapsed_ms = round((time.perf_counter() - started) * 1000, 3)
        return attempt

    async def _post(
        self, webhook: Webhook, attempt: Attempt, body: bytes, *, reason: str | None, timeout: float
    ) -> None:
        headers = dict(webhook.headers)
        if webhook.sign is not None:
            # Signed afresh for each attempt, over the body before any tampering.
            headers.update(webhook.sign(webhook.body, attempt.number, reason))
        try:
            async with self._http().post(
                webhook.url,
                # As a stream: of bytes at once, aiohttp warns where they are more than a megabyte.
                data=io.BytesIO(body),
                headers=headers,
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=True,
                max_redirects=2,
            ) as response:
                attempt.response_body = await response.text(errors="replace")
                attempt.status = response.status
                attempt.response_headers = {key.lower(): value for key, value in response.headers.items()}
                attempt.reason = None if attempt.ok else "http_error"
        except SenderClosedError:
            attempt.reason = "sandbox_stopped"
        except TimeoutError:
            attempt.reason = "http_timeout"
        except aiohttp.TooManyRedirects:
            attempt.reason = "too_many_redirects"
        except aiohttp.ClientSSLError:
            attempt.reason = "ssl_error"
        except aiohttp.ClientError:
            attempt.reason = "connection_failed"

    def _http(self) -> aiohttp.ClientSession:
        # A late sender would open a session that nobody closes.
        if self._closed:
            raise SenderClosedError
        if self._session is None:
            self._session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _note_drop(self, webhook: Webhook) -> Attempt:
        attempt = Attempt(
            url=webhook.url,
            event=webhook.event,
            delivery_id=webhook.delivery_id,
            number=0,
            started_at=self._clock.now(),
            reason="dropped",
            fault="webhook_drop",
        )
        self.attempts.append(attempt)
        return attempt
