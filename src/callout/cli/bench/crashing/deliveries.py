"""`callout bench crash --part deliveries`: webhooks in and out while APIs and workers die, and the count afterwards."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from callout.cli.bench.crashing.crew import Crew, Kill, Post, crew
from callout.cli.bench.crashing.scene import Scene, set_up
from callout.cli.bench.crashing.senders import ANSWER_SECONDS, Senders
from callout.cli.bench.crashing.sink import sink
from callout.cli.bench.crashing.stage import twins
from callout.cli.bench.crashing.story import call
from callout.cli.bench.crashing.tally import Tally, tally, unfinished
from callout.cli.bench.installation import Installation, free_port, installation

POINTS: Final = {
    # Those that only other deaths bring about come first.
    "jobs.sweep": "worker",
    "jobs.timer_due": "worker",
    "webhooks.routed": "worker",
    "webhooks.attempt_begun": "worker",
    "webhooks.answered": "worker",
    "webhooks.attempt_stored": "worker",
    "jobs.claimed": "worker",
    "jobs.attempt_counted": "worker",
    "jobs.handled": "worker",
    "jobs.before_settle": "worker",
    "jobs.settled": "worker",
    "jobs.latch_off": "worker",
    "jobs.sequenced": "worker",
    "webhooks.stored": "api",
    "ticketing.claimed": "api",
    "ticketing.created": "api",
    "jobs.enqueued": "api",
    "jobs.unwoken": "api",
    "jobs.published": "api",
}
"""Every point that this work comes by, and the role of the process that dies there."""
MOMENT: Final = ""
MOMENT_SECONDS: Final = (0.2, 3.0)
"""How long after its start a process is killed that is to die at any moment."""
TURNS: Final = (1, 2, 3, 5, 8)
RARE: Final = frozenset({"jobs.sweep", "jobs.timer_due", "jobs.sequenced", "webhooks.attempt_stored"})
QUIET_SECONDS: Final = 120.0
_LOOK_SECONDS: Final = 0.01
_SETTINGS: Final = {
    "CALLOUT_TAKEOVER_SECONDS": "1",
    # Polling would find what a lost webhook had told: here nothing may be lost in the first place.
    "CALLOUT_POLL_SECONDS": "3600",
    "CALLOUT_POOL_SIZE": "6",
}


@dataclass(slots=True)
class Outcome:
    """A whole run on one database."""

    database: str
    kills: list[Kill]
    tally: Tally
    unexpected: list[str]
    seconds: float
    not_done: list[str] = field(default_factory=list)

    @property
    def hits(self) -> Counter[str]:
        """How often a process died at each point, and (without a name) at any moment."""
        return Counter(kill.point for kill in self.kills if kill.hit)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost, doubled or out of order, and nobody ended in another way than asked for."""
        return not (self.tally.wrong or self.unexpected or self.not_done)

    def lines(self) -> list[str]:
        """Return the table of the run."""
        return table(self)

    def facts(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        found = self.tally
        return {
            "part": "deliveries",
            "database": self.database,
            "hits": {name or "any_moment": number for name, number in self.hits.items()},
            "lost": found.lost,
            "doubled": found.doubled,
            "out_of_order": found.disordered,
            "sent_again_same_id": found.repeated,
            "perhaps_done": found.perhaps,
            "totals": dict(found.totals),
            "unexpected": self.unexpected,
            "not_done": self.not_done,
            "seconds": round(self.seconds, 1),
        }


def plan(rounds: int, seed: int, *, both: int) -> list[Kill]:
    """Return `rounds` kills: each point once, then by turns any point and any moment. `both` is how many there are of each role."""
    chance = random.Random(seed)  # noqa: S311  # a run that can be repeated
    kills: list[Kill] = []
    names = list(POINTS)
    for number in range(rounds):
        if number < len(names) or number % 2:
            point = names[number] if number < len(names) else chance.choice(names)
            kills.append(Kill(point, POINTS[point], 1 if point in RARE else chance.choice(TURNS)))
        else:
            role = chance.choice(("api", "worker"))
            kills.append(Kill(MOMENT, role, after=chance.uniform(*MOMENT_SECONDS)))
    if both > 1:
        turns = Counter[str]()
        for kill in kills:
            turns[kill.role] += 1
            kill.post = f"{kill.role}-{turns[kill.role] % both + 1}"
    return kills


def run(
    database: str, postgres_url: str | None, *, rounds: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Kill `rounds` times on one database: of two APIs and two workers on PostgreSQL, of one each on SQLite.

    Raises NotMeasuredError.
    """
    with installation(database, postgres_url) as one:
        kills = plan(rounds, seed, both=1 if one.embedded else 2)
        return run_on(one, database, kills, seed=seed, say=say)


def run_on(
    one: Installation,
    database: str,
    kills: Sequence[Kill],
    *,
    seed: int,
    say: Callable[[str], None],
    hurried: bool = False,
) -> Outcome:
    """Kill on an installation that is there.

    With `hurried` the claim of a process that died is made old at once, where a program would wait some minutes until it is.

    Raises NotMeasuredError.
    """
    started = time.monotonic()
    one.environment.update(_SETTINGS)
    posts, addresses = _posts(one)
    with twins(one, "jira,servicenow") as vendors, sink(seed) as endpoints:
        scene = set_up(one, vendors, endpoints)
        with crew(one, kills, posts) as people:
            senders, not_done = asyncio.run(
                _work(one, scene, people, addresses, vendors, endpoints, seed=seed, say=say, hurried=hurried)
            )
            got = call("GET", f"{endpoints}/_got", seconds=60).body
            found = tally(one, scene, vendors, senders, got)
            return Outcome(
                database,
                people.done,
                found,
                people.surprises + senders.surprises,
                time.monotonic() - started,
                not_done,
            )


def _posts(one: Installation) -> tuple[tuple[Post, ...], tuple[str, ...]]:
    if one.embedded:
        return (Post("api", "api", one.port), Post("worker", "worker")), (one.address,)
    port = free_port()
    posts = (
        Post("api-1", "api", one.port),
        Post("api-2", "api", port, {"CALLOUT_PORT": str(port)}),
        Post("worker-1", "worker"),
        Post("worker-2", "worker"),
    )
    return posts, (one.address, f"http://127.0.0.1:{port}")


async def _work(  # what it works with
    one: Installation,
    scene: Scene,
    people: Crew,
    addresses: Sequence[str],
    vendors: str,
    endpoints: str,
    *,
    seed: int,
    say: Callable[[str], None],
    hurried: bool,
) -> tuple[Senders, list[str]]:
    from callout.storage import open_database

    database = await open_database(one.database_url, pool_size=2)
    timeout = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
    try:
        async with aiohttp.ClientSession(timeout=timeout) as http:
            senders = Senders(scene, addresses, http, seed=seed, database=database if hurried else None)
            sending = asyncio.create_task(senders.run())
            told = 0
            calm_at = 0.0
            while not sending.done():
                people.mind()
                senders.tick()
                for kill in people.done[told:]:
                    say(f"  {kill.post or kill.role:<9} {_fate(kill)}")
                told = len(people.done)
                if not people.left and not calm_at:
                    calm_at = time.monotonic()
                    call("POST", f"{endpoints}/_calm")
                    senders.stop()
                await asyncio.sleep(_LOOK_SECONDS)
            await sending
            deadline = time.monotonic() + QUIET_SECONDS
            while True:
                people.mind()
                left: list[str] = await unfinished(database, vendors)
                if not left or time.monotonic() > deadline:
                    return senders, left
                await asyncio.sleep(0.1)
    finally:
        await database.close()


def _fate(kill: Kill) -> str:
    if not kill.point:
        return f"was killed {kill.after:.1f} s after its start"
    return f"{'died at' if kill.hit else 'did not come by'} {kill.point}:{kill.turn}"


def table(outcome: Outcome) -> list[str]:
    """Return the table of one run as lines."""
    asked = Counter(kill.point for kill in outcome.kills)
    names = [*POINTS, MOMENT]
    lines = [f"{'point':<24} {'asked':>5} {'hit':>5}"]
    lines += [f"{name or '(any moment)':<24} {asked[name]:>5} {outcome.hits[name]:>5}" for name in names]
    found = outcome.tally
    totals = ", ".join(f"{number:,} {name}" for name, number in found.totals.items())
    lines += [
        "",
        f"{outcome.database}: {sum(outcome.hits.values())} kills in {outcome.seconds:.0f} s; {totals}",
        f"lost {len(found.lost)}, doubled {len(found.doubled)}, out of order {len(found.disordered)}",
        f"sent again under the same webhook-id {found.repeated:,}, notes perhaps written {found.perhaps}",
    ]
    for word, listed in (
        ("LOST", found.lost),
        ("DOUBLED", found.doubled),
        ("OUT OF ORDER", found.disordered),
        ("UNEXPECTED", outcome.unexpected),
        ("NOT DONE", outcome.not_done),
    ):
        lines += [f"  {word}: {line}" for line in listed]
    return lines
