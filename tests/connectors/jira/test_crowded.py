"""People who edit an issue in the very moment of a write of ours: Jira refuses nothing, its changelog tells."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from callout.ports.errors import StaleRecordError
from callout.ports.ticketing import FieldEdit, Ticket, TicketDraft, TicketPatch
from callout.ports.values import Priority
from callout.sync.connector import Connector
from callout.sync.merge import Choice
from tests.connectors.crowd import Crowd

if TYPE_CHECKING:
    from tests.connectors.jira.site import JiraSite

OURS = {"title": "DB is down", "description": "one", "severity": "SEV-2", "status": "open", "assignee": None}


async def in_step(site: JiraSite) -> tuple[Connector, Any, str]:
    """Make an issue that is in step with an incident; return the connector, what it last returned, and the issue's id."""
    connector = Connector("jira", site.provider(default_project="TST", default_issue_type="Incident"))
    first = await connector.create(OURS, key="callout-inc-1-000000000001")
    return connector, first, first.external.id


def crowded(
    site: JiraSite,
    monkeypatch: pytest.MonkeyPatch,
    *what: str,
    act: Callable[[], Any],
    after: bool = False,
) -> Connector:
    method, path = what
    crowd: Any = Crowd(site, method, path, act=act, after=after)
    monkeypatch.setattr(site, "transport", crowd)
    return Connector("jira", site.provider(default_project="TST", default_issue_type="Incident"))


async def test_a_priority_that_our_write_took_the_place_of_is_a_conflict(
    site: JiraSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, issue = await in_step(site)

    def low() -> None:
        site.act("edit_issue", issue=issue, fields={"priority": "Low"}, **{"as": "ann@example.com"})

    connector = crowded(site, monkeypatch, "PUT", f"/issue/{issue}", act=low)
    done = await connector.sync({**OURS, "severity": "SEV-3"}, issue, first.state)
    [conflict] = done.conflicts
    assert (conflict.field, conflict.ours, conflict.theirs, conflict.overwritten) == (
        "severity",
        "SEV-3",
        "LOW",
        True,
    )
    assert done.external.ticket.priority is Priority.MEDIUM

    again = await connector.sync(done.values, issue, done.state)
    assert [one.field for one in again.conflicts] == ["severity"]
    taken = connector.resolve(again, "severity", Choice.THEIRS, ours="SEV-3")
    settled = await connector.sync({**OURS, "severity": taken.ours}, issue, taken.state)
    assert (settled.conflicts, settled.external.ticket.priority) == ((), Priority.LOW)


async def test_a_description_that_our_write_took_the_place_of_is_merged(
    site: JiraSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, issue = await in_step(site)

    def edit() -> None:
        site.act("edit_issue", issue=issue, fields={"description": "one\n\ntheirs"})

    connector = crowded(site, monkeypatch, "PUT", f"/issue/{issue}", act=edit)
    done = await connector.sync({**OURS, "description": "ours\n\none"}, issue, first.state)
    told = done.values["description"] + str([one.theirs for one in done.conflicts])
    assert "theirs" in told


async def test_a_move_between_our_look_and_our_move_is_told(
    site: JiraSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, issue = await in_step(site)

    def done_there() -> None:
        for status in ("In Progress", "Done"):
            site.act("transition", issue=issue, to=status)

    connector = crowded(site, monkeypatch, "GET", "/transitions", act=done_there)
    done = await connector.sync({**OURS, "status": "acknowledged"}, issue, first.state)
    last = await connector.sync(done.values, issue, done.state)
    # Moved back to where we are, or taken along: their move is not gone without a word.
    assert last.values["status"] == "resolved" or done.conflicts or done.overridden


async def test_an_edit_between_our_write_and_the_read_back_is_pulled(
    site: JiraSite, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first, issue = await in_step(site)

    def low() -> None:
        site.act("edit_issue", issue=issue, fields={"priority": "Low"})

    connector = crowded(site, monkeypatch, "PUT", f"/issue/{issue}", act=low, after=True)
    done = await connector.sync({**OURS, "severity": "SEV-3"}, issue, first.state)
    assert done.conflicts == ()
    again = await connector.sync(done.values, issue, done.state)
    assert again.values["severity"] == "SEV-4"


async def test_nothing_is_asked_between_the_look_at_the_version_and_the_write(site: JiraSite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("DB is down", project="OPS"))
    before = len(site.ledger("http"))
    patch = TicketPatch({"priority": Priority.LOW, "title": "b"}, expected_version=made.version)
    written = await provider.patch_ticket(made.id, patch)
    calls = [(one["method"], one["path"].rpartition("/")[2]) for one in site.ledger("http")[before:]]
    write = next(at for at, (method, _) in enumerate(calls) if method == "PUT")
    assert calls[write - 1] == ("GET", made.id)
    assert calls[write + 1 :] == [("GET", made.id)], "the history comes with the read-back"
    assert {(one.field, one.own) for one in written.edits or ()} == {("title", True), ("priority", True)}


async def test_the_history_is_told_in_the_tickets_own_values(site: JiraSite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("DB is down", project="OPS", description="one"))
    site.act("edit_issue", issue=made.key, fields={"summary": "b", "description": "two *three*"})
    site.act("transition", issue=made.key, to="In Progress")
    ticket: Ticket = await provider.get_ticket_with_edits(made.id)
    by_field: dict[str, FieldEdit] = {one.field: one for one in ticket.edits or ()}
    assert (by_field["title"].before, by_field["title"].after) == ({"title": "DB is down"}, {"title": "b"})
    assert not by_field["description"].exact
    assert by_field["status"].after == {
        "status": ticket.status,
        "status_category": ticket.status_category,
    }
    assert all(one.at is not None and one.author is not None for one in by_field.values())


async def test_an_edit_before_the_look_refuses_the_write(site: JiraSite) -> None:
    provider = site.provider()
    made = await provider.create_ticket(TicketDraft("DB is down", project="OPS"))
    site.act("edit_issue", issue=made.key, fields={"summary": "b"})
    with pytest.raises(StaleRecordError):
        await provider.patch_ticket(made.id, TicketPatch({"title": "c"}, expected_version=made.version))
