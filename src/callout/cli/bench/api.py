"""`callout bench api`: a ticket read through the unified API beside the same call made to the vendor directly.

The vendor is the Jira twin in a process of its own, the product a real `callout serve` with thousands of integrations configured. Both
calls are made in turn by one client over connections that stay open, so that what they share falls out of the difference.
"""

from __future__ import annotations

import asyncio
import base64
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.baseline import NotMeasuredError
from callout.cli.bench.installation import START_SECONDS, Installation, free_port, installation, stop
from callout.cli.bench.rounds import MOVED_MOST, middle
from callout.cli.bench.table import Row

if TYPE_CHECKING:
    import aiohttp

    from callout.storage import Tx

GOAL_MS: Final = 5.0
AT_ONCE: Final = 250
"""Integrations made in one transaction."""
CALLERS: Final = 50
"""Integrations whose tokens are used in turn."""
WARM_UP: Final = 100
PATIENCE: Final = 5
"""How many times as long as usual the server may take to start."""
USER, SECRET = "admin@example.com", "token"
FIELDS: Final = (
    "summary,description,status,priority,issuetype,project,assignee,reporter,creator,created,updated,resolution,"
    "resolutiondate,labels,components,parent,duedate,attachment"
)
"""What the product asks Jira for when it reads a ticket."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One round: the median of each call in milliseconds, the direct one's first and second half apart."""

    direct: float
    ours: float
    first: float
    second: float

    @property
    def accepted(self) -> bool:
        """Whether the direct call stood still enough."""
        return max(self.first, self.second) / min(self.first, self.second) - 1 <= MOVED_MOST


def run(
    database: str,
    postgres_url: str | None,
    *,
    rounds: int,
    calls: int,
    integrations: int,
    say: Callable[[str], None],
) -> Row:
    """Measure on one database; the row says `not measured` where something is missing."""
    what = f"unified API: a ticket read, {integrations:,} integrations"
    try:
        with installation(database, postgres_url) as one, _twin() as jira:
            say(f"{what}, {database}: making the integrations")
            tokens = asyncio.run(_configure(one, jira, integrations))
            api = one.start("api")
            try:
                started = time.monotonic()
                _wait(one, api)
                say(f"  ready after {time.monotonic() - started:.1f} s")
                turns = asyncio.run(_measure(one.address, jira, tokens, rounds, calls, say))
            finally:
                stop(api)
    except NotMeasuredError as error:
        return Row(what, database, note=f"not measured: {error}")
    accepted = [turn for turn in turns if turn.accepted]
    goal = f"<= {GOAL_MS:g} ms"
    if not accepted or len(turns) > 2 * len(accepted):
        return Row(what, database, unit="ms", goal=goal, met=False, note="a restless machine")
    overhead = middle([turn.ours - turn.direct for turn in accepted])
    return Row(
        what,
        database,
        rate=overhead,
        unit="ms",
        goal=goal,
        met=overhead <= GOAL_MS,
        detail={
            "direct_p50_ms": round(middle([turn.direct for turn in accepted]), 2),
            "ours_p50_ms": round(middle([turn.ours for turn in accepted]), 2),
            "accepted_rounds": len(accepted),
            "rejected_rounds": len(turns) - len(accepted),
        },
    )


def _wait(one: Installation, api: subprocess.Popen[bytes]) -> None:
    """Wait until the API answers; with very many integrations that takes longer than elsewhere. Raises NotMeasuredError."""
    for _ in range(PATIENCE - 1):
        try:
            one.wait_ready(api)
        except NotMeasuredError:
            if api.poll() is not None:
                raise
        else:
            return
    one.wait_ready(api)


@contextmanager
def _twin() -> Iterator[str]:
    """Run the Jira twin in a process of its own; give its address. Raises NotMeasuredError when it does not start."""
    port = free_port()
    process = subprocess.Popen(  # noqa: S603  # our own program
        [sys.executable, "-m", "callout", "sandbox", "--only", "jira", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}/jira"
    try:
        asyncio.run(_answers(f"{address}/rest/api/3/serverInfo"))
        yield address
    finally:
        stop(process)


async def _answers(address: str) -> None:
    import aiohttp

    deadline = time.monotonic() + START_SECONDS
    async with aiohttp.ClientSession() as http:
        while time.monotonic() < deadline:
            try:
                async with http.get(address):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)
    raise NotMeasuredError("the Jira twin did not start")


async def _configure(one: Installation, jira: str, integrations: int) -> list[str]:
    """Make the integrations; return the tokens of some of them, from all over the range."""
    from callout.access import DEFAULT_ACCOUNT
    from callout.bootstrap.core import open_core
    from callout.ports.values import Actor

    actor = Actor.system("bench")
    config = {
        "type": "ticketing_jira",
        "url": jira,
        "default_project": "TST",
        "credential": {"type": "basic", "username": USER, "secret": SECRET},
    }
    tokens: dict[int, str] = {}
    every = max(1, integrations // CALLERS)

    async with open_core(one.settings()) as core:

        async def some(tx: Tx, start: int) -> None:
            account = tx.account((await core.accounts.get(tx, DEFAULT_ACCOUNT)).id)
            for number in range(start, min(start + AT_ONCE, integrations)):
                saved = await core.integrations.create(
                    account, provider_config=config, actor=actor, name=f"jira-{number}"
                )
                half = None if saved.token is None else saved.token.primary.access.secret
                if half is not None and number % every == 0:
                    tokens[number] = half.reveal()

        for start in range(0, integrations, AT_ONCE):

            async def unit(tx: Tx, start: int = start) -> None:
                await some(tx, start)

            await core.database.transaction(unit)
    return list(tokens.values())


async def _measure(
    address: str, jira: str, tokens: list[str], rounds: int, calls: int, say: Callable[[str], None]
) -> list[Turn]:
    import aiohttp

    basic = {"authorization": "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()}
    async with aiohttp.ClientSession() as vendor, aiohttp.ClientSession() as product:
        issue = {"fields": {"project": {"key": "TST"}, "issuetype": {"name": "Task"}, "summary": "Measured"}}
        made = await _json(vendor, "POST", f"{jira}/rest/api/3/issue", basic, issue)
        direct = f"{jira}/rest/api/3/issue/{made['id']}?fields={FIELDS}"
        ours = f"{address}/v1/ticketing/tickets/{made['id']}"
        bearers = [{"authorization": f"Bearer {token}"} for token in tokens]
        for number in range(max(WARM_UP, len(bearers))):
            await _json(vendor, "GET", direct, basic)
            found = await _json(product, "GET", ours, bearers[number % len(bearers)])
            if found["result"]["summary"] != "Measured":
                raise NotMeasuredError("the unified API answers with something else")
        turns: list[Turn] = []
        while sum(turn.accepted for turn in turns) < rounds and len(turns) < 3 * rounds:
            theirs: list[float] = []
            mine: list[float] = []
            for number in range(calls):
                theirs.append(await _timed(vendor, direct, basic))
                mine.append(await _timed(product, ours, bearers[number % len(bearers)]))
            half = calls // 2
            turn = Turn(middle(theirs), middle(mine), middle(theirs[:half]), middle(theirs[half:]))
            turns.append(turn)
            word = "" if turn.accepted else "  REJECTED: the direct call moved"
            say(f"  round {len(turns)}: direct {turn.direct:.2f} ms, ours {turn.ours:.2f} ms{word}")
        return turns


async def _timed(http: aiohttp.ClientSession, address: str, headers: dict[str, str]) -> float:
    started = time.perf_counter()
    async with http.get(address, headers=headers) as answer:
        body = await answer.read()
    if answer.status != 200:  # noqa: PLR2004  # OK
        raise NotMeasuredError(f"{address} answered {answer.status}: {body[:500].decode('utf-8', 'replace')}")
    return (time.perf_counter() - started) * 1000


async def _json(
    http: aiohttp.ClientSession, method: str, address: str, headers: dict[str, str], body: object = None
) -> Any:  # any JSON
    async with http.request(method, address, headers=headers, json=body) as answer:
        if answer.status >= 300:  # noqa: PLR2004  # no success
            raise NotMeasuredError(f"{address} answered {answer.status}: {(await answer.text())[:300]}")
        return await answer.json()
