"""`callout bench chat`: how soon people in chat are answered, twenty at once, by each transport, while the vendors are slow.

Real `callout serve` processes, the Slack and the Jira twin beside them, and every call to a vendor answered late the whole time: whoever
waited for one would show at once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from callout.cli.bench.baseline import NotMeasuredError, ProcessorPace
from callout.cli.bench.chatting.answers import Answers, percentile, with_lags
from callout.cli.bench.chatting.here import twins_here
from callout.cli.bench.installation import Installation, installation, stop
from callout.cli.bench.rounds import Rounds, interleave, middle
from callout.cli.bench.syncing import place
from callout.cli.bench.table import Row

if TYPE_CHECKING:
    from callout.cli.bench.chatting.here import TwinsHere
    from callout.storage import Tx

GOAL_MS: Final = 100.0
PEOPLE: Final = 20
LATE_SECONDS: Final = 0.3
"""How late the vendors answer."""
BASELINE_SECONDS: Final = 1.0
WARM_UP_ACTS: Final = 20
"""So many before PostgreSQL counts its rows, and after: it plans a statement anew for the first five times on each connection, and once it
has counted. What people meet is what comes behind that."""
TRANSPORTS: Final = ("http", "socket")
TITLES: Final = {"http": "over HTTP", "socket": "by Socket Mode"}
APP_TOKEN: Final = "xapp-acc"  # noqa: S105  # of the twin
CONNECT_SECONDS: Final = 30.0
ONE_DAY: Final = 86_400
Play = Callable[[int, str], Answers]


@dataclass(frozen=True, slots=True)
class Place:
    """A running installation that people talk to: its Slack integration and the twin."""

    one: Installation
    slack: place.Twin
    integration_id: str


def run(
    database: str,
    postgres_url: str | None,
    *,
    transports: Sequence[str],
    rounds: int,
    acts: int,
    together: bool,
    say: Callable[[str], None],
) -> list[Row]:
    """Measure on one database; rows say `not measured` where something is missing.

    `together`: server and worker are one process, as `callout serve` starts by default, else two.
    """
    rows: list[Row] = []
    for transport in transports:
        what = f"chat {TITLES[transport]}: {PEOPLE} at once, answered, p99"
        try:
            with installation(database, postgres_url) as one, twins_here("jira", "slack") as twins:
                say(f"{what}, {database}:")
                rows += _measure(
                    one,
                    twins,
                    transport,
                    what,
                    database,
                    rounds=rounds,
                    acts=acts,
                    together=together,
                    say=say,
                )
        except NotMeasuredError as error:
            rows.append(Row(what, database, note=f"not measured: {error}"))
    return rows


def _measure(
    one: Installation,
    twins: TwinsHere,
    transport: str,
    what: str,
    database: str,
    *,
    rounds: int,
    acts: int,
    together: bool,
    say: Callable[[str], None],
) -> list[Row]:
    here = asyncio.run(_configure(one, twins, transport))
    for name in ("jira", "slack"):
        twins[name].latency(LATE_SECONDS)
    heard: list[Answers] = []
    with ExitStack() as ending:
        for role in ("all",) if together else ("api", "worker"):
            process = one.start(role)
            ending.callback(stop, process)
            if role != "worker":
                one.wait_ready(process)
        play = _player(here, transport, twins)
        heard.append(play(WARM_UP_ACTS, "cold"))
        asyncio.run(_analyse(one))
        heard.append(play(WARM_UP_ACTS, "warm"))

        def subject() -> tuple[Answers, float]:
            began = time.perf_counter()
            heard.append(play(acts, f"round {len(heard)}"))
            rate = len(heard[-1].all_waits) / (time.perf_counter() - began)
            waits = heard[-1].all_waits
            say(f"  p50 {middle(waits):.1f} ms, p99 {percentile(waits, 0.99):.1f} ms of {len(waits)}")
            return heard[-1], rate

        measured = interleave(ProcessorPace(seconds=BASELINE_SECONDS), subject, wanted=rounds, say=say)
    problems = asyncio.run(_check(one, heard))
    return _rows(what, database, measured, problems)


def _player(here: Place, transport: str, twins: TwinsHere) -> Play:
    """Return what plays a round of that transport, once everybody is ready."""
    from callout.cli.bench.chatting.requests import SignedPeople
    from callout.cli.bench.chatting.socket import TwinPeople

    users = [f"U0BENCH{number:02}" for number in range(PEOPLE)]
    people: SignedPeople | TwinPeople
    if transport == "http":
        tokens = asyncio.run(_form_tokens(here, users))
        door = f"{here.one.address}/v1/chat/{here.integration_id}"
        people = SignedPeople(door, place.SLACK_SECRET.encode(), here.slack.url, tokens)
    else:
        _until_connected(here.slack)
        made = [
            here.slack.act("add_user", name=name.lower(), email=f"{name.lower()}@example.com")
            for name in users
        ]
        people = TwinPeople(twins, [one["user"]["id"] for one in made])
        twins.run(people.open_homes())
    everybody: Callable[[int, str], Awaitable[Answers]] = people.round
    return lambda acts, name: twins.run(with_lags(everybody(acts, name)))


async def _configure(one: Installation, twins: TwinsHere, transport: str) -> Place:
    """Add both integrations; nobody is held back by the limits that keep a single person from flooding a channel."""
    from callout.bootstrap.core import open_core
    from callout.cli.bench.installation import add_integration

    slack, jira = twins["slack"], twins["jira"]
    socket = transport == "socket"
    config: dict[str, Any] = {**place.provider_config(slack), "user_rate": 0, "workspace_rate": 0}
    if socket:
        slack.configure(socket_mode=True)
        config["app_credential"] = {"type": "token", "secret": APP_TOKEN}
    else:  # who sends the requests is made up: the twin's directory lists none of them
        config["guest_role"] = "responder"
    async with open_core(one.settings()) as core:
        hook = {"provider_key": place.SLACK_SECRET, "items": []}
        integration_id = await add_integration(core, config, name="slack", webhook_config=hook)
        await add_integration(core, place.provider_config(jira), name="jira")
    return Place(one, slack, integration_id)


async def _form_tokens(here: Place, users: Sequence[str]) -> dict[str, str]:
    """Return what the form to declare by carries with it for each user, as the product seals it when it opens one."""
    from callout.bootstrap.core import open_core
    from callout.bootstrap.wiring import wire

    async with open_core(here.one.settings()) as core:
        wired = wire(core)

        async def make(tx: Tx) -> dict[str, str]:
            integration = await core.integrations.by_hook_path(tx, here.integration_id)
            if integration is None:
                raise NotMeasuredError("the Slack integration is gone")
            workspace = await wired.chat.workspace(tx.account(integration.account_id), integration.id)
            if workspace is None:
                raise NotMeasuredError("the Slack integration is disabled")
            return {user: wired.chat.tokens.make(workspace, user, "form.declare", {}) for user in users}

        try:
            return await core.database.read(make)
        finally:
            await wired.connections.close()


async def _analyse(one: Installation) -> None:
    """Have PostgreSQL count its rows, as it does by itself every minute: its plans of before are for empty tables."""
    from callout.storage import open_database

    database = await open_database(one.database_url, pool_size=2)
    try:
        await database.read(lambda tx: tx.driver_all("SELECT 1", "ANALYZE"))
    finally:
        await database.close()


def _until_connected(slack: place.Twin) -> None:
    deadline = time.monotonic() + CONNECT_SECONDS
    while not any(one["open"] for one in slack.call("GET", "/_twin/state")["sockets"]):
        if time.monotonic() > deadline:
            raise NotMeasuredError("no connection was opened to the Slack twin")
        time.sleep(0.1)


async def _check(one: Installation, heard: Sequence[Answers]) -> list[str]:
    """Count in the database: what was accepted was done once, and nothing else was."""
    from callout.bootstrap.core import open_core

    async def stored(tx: Tx) -> tuple[list[str], list[str], list[str]]:
        titles, notes = "SELECT title FROM incident", "SELECT text FROM incident_note"
        keys = "SELECT number FROM incident WHERE status <> 'open'"
        return (
            [row[0] for row in await tx.driver_all(titles, titles)],
            [row[0] for row in await tx.driver_all(notes, notes)],
            [f"INC-{row[0]}" for row in await tx.driver_all(keys, keys)],
        )

    async with open_core(one.settings()) as core:
        titles, notes, acknowledged = await core.database.read(stored)
    problems = []
    pairs = (
        ("incidents", [t for h in heard for t in h.declared], titles),
        ("notes", [t for h in heard for t in h.noted], notes),
        ("acknowledgements", [t for h in heard for t in h.acknowledged], acknowledged),
    )
    for name, promised, found in pairs:
        if sorted(promised) != sorted(found):
            problems.append(f"{len(promised)} {name} accepted, {len(found)} stored")
    refused = [line for one_round in heard for line in one_round.refused]
    if refused:
        problems.append(f"{len(refused)} not answered as they should be, such as {refused[0]}")
    return problems


def _rows(what: str, database: str, measured: Rounds[Answers], problems: list[str]) -> list[Row]:
    goal = f"<= {GOAL_MS:g} ms"
    # The goal is no ratio: where the pace moved in most rounds, all of them count, the slow ones too.
    counted = measured.rounds if measured.failed else measured.accepted
    accepted = [one.subject for one in counted]
    notes = [
        *problems,
        *(["the processor's pace moved in most rounds: all count"] if measured.failed else []),
    ]
    p99 = middle([percentile(one.all_waits, 0.99) for one in accepted])
    total = Row(
        what,
        database,
        rate=p99,
        unit="ms",
        goal=goal,
        met=p99 <= GOAL_MS and not problems,
        detail={
            "p50_ms": round(middle([middle(one.all_waits) for one in accepted]), 1),
            "most_ms": round(max(max(one.all_waits) for one in accepted), 1),
            "answers": sum(len(one.all_waits) for one in accepted),
            "repeated": sum(one.repeated for one in accepted),
            "late_forms": sum(one.late_forms for one in accepted),
            "own_lag_ms": round(percentile([lag for one in accepted for lag in one.lags], 0.99), 1),
            "per_second": round(middle([one.rate for one in counted])),
            "pace": round(middle([(one.before + one.after) / 2e6 for one in counted]), 1),
            "incidents": sum(len(one.declared) for one in accepted),
            "accepted_rounds": len(measured.accepted),
            "rejected_rounds": len(measured.rejected),
        },
        note="; ".join(notes),
    )
    kinds = sorted({kind for one in accepted for kind in one.waits})
    return [total, *(_kind_row(what, database, kind, accepted) for kind in kinds)]


def _kind_row(what: str, database: str, kind: str, accepted: Sequence[Answers]) -> Row:
    waits = [one.waits[kind] for one in accepted if one.waits[kind]]
    return Row(
        f"{what}: {kind}",
        database,
        rate=middle([percentile(one, 0.99) for one in waits]),
        unit="ms",
        detail={"p50_ms": round(middle([middle(one) for one in waits]), 1), "answers": sum(map(len, waits))},
    )
