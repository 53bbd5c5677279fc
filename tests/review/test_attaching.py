"""A ticket that a person linked and that could not be read at once: whose values hold is not forgotten meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from callout.ports.ticketing import TicketDraft
from callout.sync.attach import TicketLinks
from callout.sync.link_actions import LinkAction, LinkActions
from callout.sync.links import LinkStatus
from tests.review.test_loop_breaker import ANN, Ring

if TYPE_CHECKING:
    from callout.storage import Database


@pytest.fixture
async def ring(database: Database) -> Ring:
    """An incident; its link to `two` is taken off, so that another ticket can be linked there."""
    ring = Ring(database)
    await ring.declare()
    tickets = TicketLinks(ring.context)
    await ring.tx(lambda tx: tickets.detach(tx, ring.incident_id, ANN, integration="two"))
    return ring


@pytest.mark.parametrize(
    ("prefer", "title", "conflicts"),
    [("incident", "title 0", 0), ("ticket", "theirs", 0), ("ask", "title 0", 1)],
)
@pytest.mark.parametrize("action", [LinkAction.RETRY, LinkAction.RESUME])
async def test_whose_values_hold_outlives_a_ticket_that_was_not_there_at_first(
    ring: Ring, action: LinkAction, prefer: str, title: str, conflicts: int
) -> None:
    # The provider counts its tickets: the next one will be TST-2.
    tickets = TicketLinks(ring.context)
    link = await ring.tx(
        lambda tx: tickets.attach(
            tx, ring.incident_id, integration="two", ticket="TST-2", prefer=prefer, origin=ANN
        )
    )
    ring.links["two"] = link.id
    await ring.settle()
    waiting = await ring.link("two")
    assert waiting.status is LinkStatus.ATTACHING
    assert waiting.problem is not None

    made = await ring.providers["two"].create_ticket(TicketDraft("theirs", project="TST"))
    assert made.key == "TST-2"
    actions = LinkActions(ring.context)
    if action is LinkAction.RESUME:
        await ring.tx(lambda tx: actions.act(tx, link.id, LinkAction.STOP, ANN))
    await ring.tx(lambda tx: actions.act(tx, link.id, action, ANN))
    await ring.settle()
    attached = await ring.link("two")
    assert (attached.status, attached.problem) == (LinkStatus.ACTIVE, None)
    assert len(attached.merge.conflicts) == conflicts
    assert (await ring.incident()).title == title
    assert await ring.title("two") == ("title 0" if prefer == "incident" else "theirs")
