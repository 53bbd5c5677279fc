"""`callout bench crash`: at every named point a real process dies by SIGKILL while people work; then everything is counted."""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import click

from callout.cli.bench.crashing import deliveries
from callout.cli.bench.crashing.count import Counted, count, unfinished
from callout.cli.bench.crashing.crew import Crew, Kill, crew
from callout.cli.bench.crashing.stage import connect, twins
from callout.cli.bench.crashing.story import Story
from callout.cli.bench.installation import Installation, installation

POINTS = {
    # An outcome that nobody knows is waited out (30 s for Jira's search index): those come first.
    "sync.create_begun": "worker",
    "sync.created": "worker",
    "jobs.sweep": "worker",
    "sync.comment_begun": "worker",
    "sync.commented": "worker",
    "sync.pending_recorded": "worker",
    "sync.pushed": "worker",
    "jobs.timer_due": "worker",
    "chat.channel_recorded": "worker",
    "chat.channel_created": "worker",
    "chat.message_recorded": "worker",
    "chat.message_posted": "worker",
    "jobs.claimed": "worker",
    "jobs.attempt_counted": "worker",
    "jobs.handled": "worker",
    "jobs.before_settle": "worker",
    "jobs.settled": "worker",
    "jobs.latch_off": "worker",
    "jobs.sequenced": "worker",
    "jobs.enqueued": "api",
    "jobs.unwoken": "api",
    "jobs.published": "api",
    "webhooks.stored": "api",
}
"""Every point that this work comes by, and the process that dies there."""
ELSEWHERE = {
    "chat.file_fetched": "tests/chatops/test_crash.py",
    "chat.file_put": "tests/chatops/test_crash.py",
    "chat.file_shown": "tests/chatops/test_crash.py",
    "import.part": "tests/bootstrap/test_portability.py",
    "import.written": "tests/bootstrap/test_portability.py",
    "oauth.exchanged": "tests/integrations/test_oauth_killed.py",
    "sync.accept_read": "tests/stories/test_accept_killed.py",
    "sync.file_begun": "tests/stories/test_files_killed.py",
    "sync.file_fetched": "tests/stories/test_files_killed.py",
    "sync.file_sent": "tests/stories/test_files_killed.py",
}
"""Points that neither part comes by, and where processes are killed there."""
OFTEN = frozenset(
    {"jobs.claimed", "jobs.attempt_counted", "jobs.handled", "jobs.before_settle", "jobs.settled"}
)
PAUSE_SECONDS = 0.05
STEP_SECONDS = 0.3
OPEN_MOST = 5
"""More incidents at a time would only wait for the vendors' budgets, and new ones for old ones."""
IDLE_SECONDS = 2.0
"""So long without a death, and another incident is declared all the same: some may be waiting out an unknown outcome."""
QUIET_SECONDS = 120.0
_SETTINGS = {
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
    counted: Counted
    surprises: list[str]
    seconds: float
    incidents: int
    not_quiet: list[str] = field(default_factory=list)

    @property
    def hits(self) -> Counter[str]:
        """How often a process died at each point."""
        return Counter(kill.point for kill in self.kills if kill.hit)

    @property
    def sound(self) -> bool:
        """Whether nothing was lost or doubled, and nobody ended in another way than asked for."""
        return not (self.counted.lost or self.counted.doubled or self.surprises or self.not_quiet)

    def lines(self) -> list[str]:
        """Return the table of the run."""
        return table(self)

    def facts(self) -> dict[str, Any]:
        """Return the run as JSON values."""
        return {
            "part": "incidents",
            "database": self.database,
            "hits": dict(self.hits),
            "lost": self.counted.lost,
            "doubled": self.counted.doubled,
            "perhaps_sent": self.counted.perhaps,
            "totals": dict(self.counted.totals),
            "unexpected": self.surprises,
            "not_done": self.not_quiet,
            "seconds": round(self.seconds, 1),
        }


class Report(Protocol):
    """What a part found on one database."""

    @property
    def sound(self) -> bool:
        """Whether every promise was kept."""
        ...

    def lines(self) -> list[str]:
        """Return it as a table."""
        ...

    def facts(self) -> dict[str, Any]:
        """Return it as JSON values."""
        ...


class Runner(Protocol):
    """Runs a part on one database."""

    def __call__(
        self, database: str, postgres_url: str | None, *, rounds: int, seed: int, say: Callable[[str], None]
    ) -> Report:
        """Kill `rounds` times. Raises NotMeasuredError."""
        ...


def plan(rounds: int, seed: int) -> list[Kill]:
    """Return `rounds` kills, spread evenly over the points."""
    chance = random.Random(seed)  # noqa: S311  # a run that can be repeated
    names = list(POINTS)
    kills = []
    for number in range(rounds):
        point = names[number % len(names)]
        turn = chance.randint(1, 8) if point in OFTEN else chance.choice((1, 1, 2))
        kills.append(Kill(point, POINTS[point], 1 if number // len(names) == 0 else turn))
    return sorted(kills, key=lambda kill: names.index(kill.point)) if rounds <= 3 * len(names) else kills


def run(
    database: str, postgres_url: str | None, *, rounds: int, seed: int, say: Callable[[str], None]
) -> Outcome:
    """Kill `rounds` times on one database. Raises NotMeasuredError."""
    with installation(database, postgres_url) as one:
        return run_on(one, database, plan(rounds, seed), say=say)


def run_on(one: Installation, database: str, kills: Sequence[Kill], *, say: Callable[[str], None]) -> Outcome:
    """Kill on an installation that is there. Raises NotMeasuredError."""
    started = time.monotonic()
    one.environment.update(_SETTINGS)
    with twins(one) as address:
        token = connect(one, address)
        with crew(one, kills) as people:
            story = Story(one, address, token, people)
            _work(story, people, say)
            not_quiet = _calm_down(one, address, people)
            counted = count(one, address, token, story.promises)
            return Outcome(
                database,
                people.done,
                counted,
                people.surprises,
                time.monotonic() - started,
                len(story.promises),
                not_quiet,
            )


def _work(story: Story, people: Crew, say: Callable[[str], None]) -> None:
    told = 0
    while people.left:
        if story.open < OPEN_MOST or people.idle > IDLE_SECONDS:
            story.next_incident()
        end = time.monotonic() + STEP_SECONDS
        while time.monotonic() < end and people.left:
            story.go_on()
            time.sleep(PAUSE_SECONDS)
        if len(people.done) > told:
            for kill in people.done[told:]:
                say(
                    f"  {kill.role:<6} {'died' if kill.hit else 'did not come by':<15} {kill.point}:{kill.turn}"
                )
            told = len(people.done)
    deadline = time.monotonic() + QUIET_SECONDS
    while story.go_on() and time.monotonic() < deadline:
        time.sleep(PAUSE_SECONDS)


def _calm_down(one: Installation, address: str, people: Crew) -> list[str]:
    """Wait until nothing is left to do; return what is left after the longest wait."""
    deadline = time.monotonic() + QUIET_SECONDS
    while True:
        people.mind()
        left = unfinished(one, address)
        if not left or time.monotonic() > deadline:
            return left
        time.sleep(0.2)


def points_in(text: str) -> set[str]:
    """Return the crash points that a page names in its tables."""
    return set(re.findall(r"^\| `([a-z_]+\.[a-z_]+)` \|", text, re.MULTILINE))


def table(outcome: Outcome) -> list[str]:
    """Return the table of one run as lines."""
    asked = Counter(kill.point for kill in outcome.kills)
    lines = [f"{'point':<24} {'asked':>5} {'hit':>5}"]
    lines += [f"{point:<24} {asked[point]:>5} {outcome.hits[point]:>5}" for point in POINTS]
    elsewhere = {point: "--part deliveries" for point in deliveries.POINTS if point not in POINTS} | ELSEWHERE
    lines += [f"{point:<24} {'-':>5} {'-':>5}  see {where}" for point, where in elsewhere.items()]
    counted = outcome.counted
    totals = ", ".join(f"{number} {name}" for name, number in sorted(counted.totals.items()))
    lines += [
        "",
        f"{outcome.database}: {sum(outcome.hits.values())} kills in {outcome.seconds:.0f} s over {outcome.incidents} incidents ({totals})",
        f"lost {len(counted.lost)}, doubled {len(counted.doubled)}, shown as perhaps sent {counted.perhaps}",
    ]
    for word, found in (("LOST", counted.lost), ("DOUBLED", counted.doubled)):
        lines += [f"  {word}: {line}" for line in found]
    lines += [f"  UNEXPECTED: {line}" for line in outcome.surprises]
    lines += [f"  NOT DONE: {line}" for line in outcome.not_quiet]
    return lines


def show(report: Report, *, as_json: bool) -> None:
    """Print a run, for people or as one line of JSON."""
    for line in (json.dumps(report.facts()),) if as_json else report.lines():
        click.echo(line)


PARTS: Final[dict[str, tuple[Runner, int]]] = {"incidents": (run, 200), "deliveries": (deliveries.run, 50)}
"""What can be killed, and how often it usually is."""
