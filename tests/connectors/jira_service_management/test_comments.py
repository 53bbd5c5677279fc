"""Who reads what: internal, public and customers' own comments, in both directions."""

from __future__ import annotations

import pytest

from callout.connectors.jira.service_management import marks
from callout.ports.errors import OutcomeUnknownError, PermissionDeniedError, RejectedError
from callout.ports.ticketing import CommentDraft, TicketDraft
from callout.ports.values import Audience
from tests.connectors.jira.site import JiraSite
from tests.connectors.jira_service_management.desk import provider_of


async def test_internal_and_public_comments_take_different_ways(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    internal = await provider.create_comment(made.id, CommentDraft("for **us**", key="note-1"))
    public = await provider.create_comment(
        made.id, CommentDraft("for you", Audience.CUSTOMER, author_name="Ann", key="note-2")
    )
    assert (internal.content, internal.audience, internal.mark) == (
        "for **us**",
        Audience.RESPONDERS,
        "note-1",
    )
    assert (public.content, public.audience, public.mark) == (
        "**Ann:**\n\nfor you",
        Audience.CUSTOMER,
        "note-2",
    )
    assert list(await provider.list_comments(made.id)) == [internal, public]
    assert [entry["summary"]["internal"] for entry in site.ledger("comment.create")] == [True, False]


async def test_no_internal_text_is_public_even_for_a_moment(site: JiraSite) -> None:
    """The platform's way to make a comment internal is not documented: a site may take it for an ordinary one."""
    site.set(internal_by_property=False)
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    comment = await provider.create_comment(made.id, CommentDraft("among us", key="note-1"))
    assert comment.audience is Audience.RESPONDERS
    assert [entry["summary"]["internal"] for entry in site.ledger("comment.create")] == [True]


async def test_an_internal_comment_that_jira_shows_is_taken_back(site: JiraSite) -> None:
    """An issue that is no request takes the platform's way, where nothing else is left."""
    site.set(internal_by_property=False, untyped_requests=False)
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    with pytest.raises(RejectedError) as caught:
        await provider.create_comment(made.id, CommentDraft("among us"))
    assert "audience" in caught.value.fields
    assert not await provider.list_comments(made.id)


async def test_a_text_for_nobody_but_us_is_refused_on_either_way(site: JiraSite) -> None:
    provider = provider_of(site, default_request_type="10")
    made = await provider.create_ticket(TicketDraft("DB is down"))
    with pytest.raises(RejectedError):
        await provider.create_comment(made.id, CommentDraft("secret", Audience.INTERNAL))
    assert not site.ledger("comment.create")


async def test_what_customers_and_agents_say_is_read_as_such(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    customer = site.act("create_customer", email="cleo@customer.example", name="Cleo Customer")
    site.act("comment", issue=made.key, body="When is it *fixed*?", **{"as": "cleo@customer.example"})
    site.act("comment", issue=made.key, body="soon", internal=False)
    site.act("comment", issue=made.key, body="no idea", internal=True)
    said = await provider.list_comments(made.id)
    assert [(entry.content, entry.audience) for entry in said] == [
        ("When is it **fixed**?", Audience.CUSTOMER),
        ("soon", Audience.CUSTOMER),
        ("no idea", Audience.RESPONDERS),
    ]
    assert said[0].author is not None
    assert (said[0].author.id, said[0].author.name) == (customer["accountId"], "Cleo Customer")


async def test_nobody_else_can_write_our_mark(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    site.act("create_customer", email="cleo@customer.example", name="Cleo Customer")
    text = marks.comment_text("mine", "note-1")
    site.act("comment", issue=made.key, body=text, **{"as": "cleo@customer.example"})
    (comment,) = await provider.list_comments(made.id)
    assert comment.mark == ""
    assert comment.content.startswith("mine\n\n")
    assert await provider.find_comment(made.id, "note-1") is None


async def test_who_is_no_agent_writes_no_internal_comment(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    site.act("licence", user="admin@example.com", agent=False)
    with pytest.raises(PermissionDeniedError):
        await provider.create_comment(made.id, CommentDraft("among us"))
    assert not site.ledger("comment.create")


async def test_a_comment_that_cannot_be_read_back_is_in_doubt_not_lost(site: JiraSite) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    path = r"/rest/api/3/issue/\w+/comment/\w+$"
    site.faults.add({"kind": "status", "status": 503}, method="GET", path=path)
    with pytest.raises(OutcomeUnknownError):
        await provider.create_comment(made.id, CommentDraft("among us", key="note-1"))
    site.faults.clear()
    found = await provider.find_comment(made.id, "note-1")
    assert found is not None
    assert len(site.ledger("comment.create")) == 1


@pytest.mark.parametrize("key", ["note-1", "a b/c", "ümlaut`}}", "x" * 120, "100%"])
@pytest.mark.parametrize(
    "content", ["plain", "# Title\n\n- one\n- two", "```\ncode\n```", "a -b- *c* {d} [e]"]
)
async def test_any_key_goes_with_any_text(site: JiraSite, key: str, content: str) -> None:
    provider = provider_of(site)
    made = await provider.create_ticket(TicketDraft("DB is down"))
    bare = await provider.create_comment(made.id, CommentDraft(content))
    keyed = await provider.create_comment(made.id, CommentDraft(content, key=key))
    assert (keyed.content, keyed.mark) == (bare.content, key)
    assert await provider.find_comment(made.id, key) == keyed
