"""How the tickets of an integration stand: each link counts once, on pages, by the API, in `/metrics`; found by index."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callout.incidents.model import DeclareIncident
from callout.kit.ids import new_id
from callout.ports.values import Channel, Origin
from callout.sync import links
from callout.sync.links import Link, LinkStatus, SyncProblem, mark_of
from callout.sync.merge import Base, FieldConflict, LinkState, Pending
from callout.sync.standing import _OF_ACCOUNT, Standing, in_conflict_with, standing_of, standing_of_all
from tests.server.by_forms import Visitor
from tests.server.desk import JIRA, OPERATOR
from tests.server.test_metrics import value

if TYPE_CHECKING:
    from callout.integrations import Integration
    from callout.storage import Tx
    from tests.server.desk import Desk

AGREED = LinkState({"title": Base("a", 'a "conflicts":{}}')}, {}, {})
CONFLICT = LinkState({}, {}, {"severity": FieldConflict("severity", "SEV-1", "Low", Base("SEV-3", "Medium"))})
PENDING = LinkState({}, {"title": Pending("a", "a", "2026-01-01")}, {})


async def furnish(desk: Desk, one: Integration, *found: dict[str, Any]) -> list[Link]:
    """Store an incident with a link for each of `found`."""
    made = []

    async def unit(tx: Tx) -> None:
        mine, now = tx.account(desk.account), desk.clock.now()
        for number, values in enumerate(found):
            draft = DeclareIncident(f"number {number}")
            incident = await desk.core.incidents.declare(mine, draft, Origin(Channel.CLI, OPERATOR))
            link_id = new_id()
            link = Link(
                link_id,
                desk.account,
                incident.id,
                one.id,
                mark_of(incident.key, link_id),
                LinkStatus.ACTIVE,
                now,
                ticket_id=f"{one.id}-{number}",
                merge=AGREED,
            )
            made.append(replace(link, **values))
        await links.insert(mine, *made)

    await desk.core.database.transaction(unit)
    return made


async def test_each_link_counts_once_and_everybody_says_the_same(desk_on_both: Desk) -> None:
    desk = desk_on_both
    jira, other = await desk.add(JIRA, name="jira"), await desk.add(JIRA, name="other")
    problem = SyncProblem("DOWN", "nobody answers", "Wait.", desk.clock.now())
    made = await furnish(
        desk,
        jira,
        {},
        {},
        {"merge": PENDING},
        {"status": LinkStatus.CREATING, "ticket_id": ""},
        {"merge": CONFLICT},
        {"merge": CONFLICT, "problem": problem},
        {"problem": problem},
        {"status": LinkStatus.STOPPED, "merge": CONFLICT},
        {"status": LinkStatus.GONE},
        # Nobody can make a conflict go unseen by the title of an incident.
        {"merge": replace(CONFLICT, bases={"title": Base('"conflicts":{}}', '"conflicts":{}}')})},
    )
    await furnish(desk, other, {})

    async def at_work(tx: Tx) -> None:
        await desk.core.queue.enqueue(tx, "sync.visit", {}, key=made[0].partition(), account_id=desk.account)
        later = desk.clock.now().replace(year=desk.clock.now().year + 1)
        for link in (made[1], made[2]):  # one that is at rest but for this, and one that waits already
            await desk.core.queue.enqueue(
                tx, "sync.visit", {}, key=link.partition(), run_at=later, account_id=desk.account
            )

    expected = Standing(jira.id, 10, in_step=2, waiting=2, in_conflict=3, problems=1, stopped=2)
    assert await standings(desk) == {jira.id: expected, other.id: Standing(other.id, 1, in_step=1)}
    await desk.core.database.transaction(at_work)
    busy = replace(expected, in_step=0, waiting=4)
    assert (await standings(desk))[jira.id] == busy
    assert await desk.core.database.read(standing_of_all) == await standings(desk)

    keys = [
        one.key
        for one in await desk.core.database.read(
            lambda tx: in_conflict_with(tx.account(desk.account), jira.id, limit=10)
        )
    ]
    assert keys == ["INC-10", "INC-6", "INC-5"]
    me = await Visitor.of(desk)
    page = (await me.see(f"/integrations/{jira.id}")).text
    tickets = page[page.index('id="tickets"') :]
    for key in keys:
        assert f'<a href="/incidents/{key}#conflicts">{key}</a>' in tickets
    assert "INC-8" not in tickets  # stopped: nobody is asked to choose
    row = (await me.see("/integrations")).text
    for said in ("0 of 10 in step", "4 at work", "3 in conflict", "1 problem", "2 stopped", "1 of 1 in step"):
        assert said in row, said
    assert ">in conflict<" in (await me.see("/incidents/INC-5")).text
    assert ">in step<" not in (await me.see("/incidents/INC-3")).text

    told = await desk.api("GET", f"/v1/status/{desk.account}/{jira.id}")
    assert told["tickets"] == busy.to_json()
    listed = {one["integration_id"]: one.get("tickets") for one in await desk.api("GET", "/v1/status")}
    assert listed == {jira.id: busy.to_json(), other.id: Standing(other.id, 1, in_step=1).to_json()}
    metrics = (await desk.http.get("/metrics")).text
    assert value(metrics, "callout_links_standing", standing="in_step") == 1
    assert value(metrics, "callout_links_standing", standing="in_conflict") == 3
    conflicts = await desk.core.database.read(
        lambda tx: links.in_conflict(tx.account(desk.account), limit=10)
    )
    assert {one.id for one in conflicts} == {made[n].id for n in (4, 5, 7, 9)}


async def standings(desk: Desk) -> dict[str, Standing]:
    """Return what the account's links come to, by integration."""
    found = await desk.core.database.read(lambda tx: standing_of(tx.account(desk.account)))
    return {one.integration_id: one for one in found}


async def test_links_at_rest_are_counted_in_an_index_and_the_others_found_by_theirs(
    desk_on_both: Desk,
) -> None:
    desk = desk_on_both

    async def explained(tx: Tx) -> str:
        sqlite, postgresql = _OF_ACCOUNT
        # There are no rows yet: whether the indexes can be taken is asked, not whether they pay.
        await tx.driver_all("SELECT 1", "SELECT set_config('enable_seqscan', 'off', true)")
        plan = await tx.driver_all(
            "EXPLAIN QUERY PLAN " + sqlite, "EXPLAIN " + postgresql.replace("$1", f"'{desk.account}'"),
            (desk.account,) if tx.dialect == "sqlite" else (),
        )  # fmt: skip
        return "\n".join(str(row[-1]) for row in plan)

    plan = await desk.core.database.transaction(explained)
    assert "ix_sync_link_integration" in plan, plan
    assert "ix_sync_link_out_of_step" in plan, plan
    assert "SCAN sync_link" not in plan, plan
    assert "Seq Scan on sync_link" not in plan, plan
