"""What `/metrics` tells of the whole installation: true, cheap with ten thousand integrations, and there when the database is not."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from callout.bootstrap.figures import Figures
from callout.kit.ids import new_id
from callout.storage import StorageUnavailableError
from callout.storage.schema import micros
from tests.server.desk import JIRA, SLACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.storage import Tx
    from tests.server.desk import Desk

MANY = 10_000


async def write(tx: Tx, text: str, *params: object) -> None:
    """Run a statement, its parameters as SQLite has them."""
    numbers = iter(range(1, 1 + len(params)))
    await tx.driver_all(text, re.sub(r"\?", lambda _: f"${next(numbers)}", text), params)


async def copies(tx: Tx, of: str, count: int) -> list[str]:
    """Make so many more of an integration; return their ids."""
    row = await _row(tx, of)
    names, rows = list(row), []
    for number in range(count):
        one = {"id": new_id(), "name": f"{row['name']}-{number}", "hook_token_hash": f"{of}-{number}"}
        rows.append(tuple((row | one).values()))
    marks = (",".join("?" * len(names)), ",".join(f"${n}" for n in range(1, 1 + len(names))))
    into = f"INSERT INTO integrations ({', '.join(names)}) VALUES"
    await tx.driver_many(f"{into} ({marks[0]})", f"{into} ({marks[1]})", rows)
    return [str(one[names.index("id")]) for one in rows]


async def _row(tx: Tx, of: str) -> dict[str, Any]:
    columns = "SELECT name FROM pragma_table_info('integrations')"
    from_postgres = (
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'integrations'"
        " AND table_schema = current_schema()"
    )
    names = [one[0] for one in await tx.driver_all(columns, from_postgres)]
    text = f"SELECT {', '.join(names)} FROM integrations WHERE id ="  # noqa: S608  # names of columns
    [values] = await tx.driver_all(f"{text} ?", f"{text} $1", (of,))
    return dict(zip(names, values, strict=True))


async def health(tx: Tx, account: str, ids: Sequence[str], state: str) -> None:
    text = (
        "INSERT INTO integration_health (integration_id, account_id, state, consecutive_failures, requests, failed,"
        " created_at, updated_at) VALUES ({}, {}, {}, 0, 0, 0, 0, 0)"
    )
    rows = [(one, account, state) for one in ids]
    await tx.driver_many(text.format(*"???"), text.format("$1", "$2", "$3"), rows)


async def work(desk: Desk, tx: Tx) -> None:
    queue, now = desk.core.queue, desk.clock.now()
    for _ in range(3):
        await queue.enqueue(tx, "sync.visit", {}, run_at=now - timedelta(seconds=90))
    await queue.enqueue(tx, "sync.visit", {}, run_at=now + timedelta(hours=1))
    dead = await queue.enqueue(tx, "chat.visit", {})
    await write(tx, "UPDATE job SET state = 'dead', dead_at = 1 WHERE id = ?", dead)
    await write(
        tx,
        "INSERT INTO job_schedule (name, kind, rule, next_at, last_at) VALUES ('a', 'a', 'x', ?, ?)",
        micros(now),
        micros(now - timedelta(seconds=7)),
    )


async def outgoing(desk: Desk, tx: Tx) -> None:
    now = micros(desk.clock.now())
    for number, opened in enumerate((now + 60_000_000, None)):
        await write(
            tx,
            "INSERT INTO webhook_endpoint (id, account_id, name, fullname, environment, integration_id, source, url, filters,"
            " raw_format, secret_sealed, state, disabled_why, failures, open_until, created_at, updated_at)"
            " VALUES (?, ?, ?, '', '', '', 'api', '', '[]', '', '', 'enabled', '', 0, ?, 0, 0)",
            f"e{number}",
            desk.account,
            f"e{number}",
            opened,
        )
    for number, state in enumerate(("pending", "pending", "delivered")):
        await write(
            tx,
            "INSERT INTO webhook_delivery (id, account_id, endpoint_id, message_id, event_type, subject, state, next_at, created_at)"
            " VALUES (?, ?, 'e0', 'm', 'x', 's', ?, 0, ?)",
            f"d{number}",
            desk.account,
            state,
            now - 120_000_000,
        )


async def links(desk: Desk, tx: Tx, integration: str) -> None:
    for number, conflicts in enumerate(('{"title":{"ours":"a"}}', "{}", "{}")):
        incident = f"i{number}"
        state = '{"base_ours":{},"conflicts":' + conflicts + "}"
        await write(
            tx,
            "INSERT INTO sync_link (id, account_id, incident_id, integration_id, state, mark, ticket_id, ticket_key, ticket_url,"
            " project, merge_state, ticket_version, failures, writes, created_at, updated_at)"
            " VALUES (?, ?, ?, ?, 'active', ?, ?, '', '', '', ?, '', 0, '[]', 0, 0)",
            f"l{number}",
            desk.account,
            incident,
            integration,
            f"m{number}",
            f"t{number}",
            state,
        )


def value(text: str, name: str, **labels: str) -> float:
    """Return one sample. Raises LookupError."""
    for line in text.splitlines():
        head, _, number = line.rpartition(" ")
        found = dict(re.findall(r'(\w+)="([^"]*)"', head))
        if head.partition("{")[0] == name and found == labels:
            return float(number)
    raise LookupError(f"{name} {labels}")


class Counting:
    """A transaction that counts what it is asked."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.asked = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def driver_all(self, *args: Any) -> Any:
        self.asked += 1
        return await self._tx.driver_all(*args)


async def test_ten_thousand_integrations_cost_no_more_statements_than_two(desk_on_both: Desk) -> None:
    desk = desk_on_both
    jira, slack = await desk.add(JIRA, name="jira"), await desk.add(SLACK, name="slack")
    figures = Figures(desk.core.database, desk.core.clock)
    asked: list[int] = []

    async def counted(tx: Tx) -> None:
        counting = Counting(tx)
        await figures._count(counting)
        asked.append(counting.asked)

    await desk.core.database.read(counted)

    async def furnish(tx: Tx) -> None:
        ids = await copies(tx, jira.id, MANY - 2)
        await health(tx, desk.account, [jira.id, *ids[:6000]], "ok")
        await health(tx, desk.account, ids[6000:6040], "failed")
        await write(tx, "UPDATE integrations SET enabled = NOT enabled WHERE id = ?", ids[-1])
        for one in ids[:5]:
            await write(
                tx,
                "INSERT INTO integration_problem (integration_id, kind, account_id, code, message, remediation, since, updated_at)"
                " VALUES (?, 'silence', ?, 'X', '', '', 0, 0)",
                one,
                desk.account,
            )
        for one, until in ((ids[7], None), (ids[8], 1)):  # the second is over
            await write(
                tx,
                "INSERT INTO pauses (account_id, scope, scope_id, reason, until, by, created_at)"
                " VALUES (?, 'integration', ?, 'r', ?, 'x', 0)",
                desk.account,
                one,
                until,
            )
        await work(desk, tx)
        await outgoing(desk, tx)

    await desk.core.database.transaction(furnish)
    await desk.core.database.read(counted)
    assert asked == [10, 10]

    text = (await desk.http.get("/metrics")).text
    assert value(text, "callout_database_up") == 1
    by_state = {
        state: value(text, "callout_integrations", provider="ticketing_jira", state=state)
        for state in ("ok", "failed", "unknown", "disabled")
    }
    assert by_state == {"ok": 6001, "failed": 40, "unknown": MANY - 1 - 6001 - 40 - 1, "disabled": 1}
    assert value(text, "callout_integrations", provider="chat_slack", state="unknown") == 1
    assert value(text, "callout_integrations_paused", provider="ticketing_jira") == 1
    assert value(text, "callout_integration_problems", provider="ticketing_jira", kind="silence") == 5
    assert value(text, "callout_jobs_waiting", kind="sync.visit") == 3
    assert value(text, "callout_jobs_later", kind="sync.visit") == 1
    assert value(text, "callout_dead_letters", kind="chat.visit") == 1
    assert value(text, "callout_jobs_oldest_due_seconds") >= 90
    assert 0 < desk.clock.now().timestamp() - value(text, "callout_worker_last_seen_timestamp_seconds") < 60
    assert value(text, "callout_deliveries_waiting") == 2
    assert value(text, "callout_deliveries_oldest_seconds") >= 120
    assert value(text, "callout_endpoints", state="enabled") == 2
    assert value(text, "callout_endpoints_circuit_open") == 1
    # Nothing that can be named by a customer is a label: there are as many series as kinds and providers.
    # The calls to vendors are the process's, and so those of the tests that ran in it before.
    ours = [line for line in text.splitlines() if re.match("callout_(?!vendor_call)", line)]
    assert len(ours) < 200
    assert not any(name in text for name in (jira.id, slack.id, "jira-17", desk.account))


async def test_conflicts_are_counted_as_the_pages_show_them(desk: Desk) -> None:
    jira = await desk.add(JIRA, name="jira")

    async def furnish(tx: Tx) -> None:
        await write(tx, "PRAGMA defer_foreign_keys = ON")
        await links(desk, tx, jira.id)
        counted = await figures._count(tx)
        assert [(one.state, one.links, one.in_conflict) for one in counted.links] == [("active", 3, 1)]
        await write(tx, "DELETE FROM sync_link")

    figures = Figures(desk.core.database, desk.core.clock)
    await desk.core.database.transaction(furnish)


async def test_they_hold_for_some_seconds_and_counters_outlive_the_database(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    read = desk.core.database.read

    async def counted(work: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(work)

    monkeypatch.setattr(desk.core.database, "read", counted)
    for _ in range(3):
        assert value((await desk.http.get("/metrics")).text, "callout_database_up") == 1
    assert reads == 1

    async def away(_work: Any) -> Any:
        raise StorageUnavailableError("it is not there")

    figures = desk.framework.state.services.figures
    figures._until = 0.0
    monkeypatch.setattr(desk.core.database, "read", away)
    text = (await desk.http.get("/metrics")).text
    assert value(text, "callout_database_up") == 0
    assert "callout_integrations{" not in text
    assert "# TYPE callout_vendor_calls_total counter" in text
