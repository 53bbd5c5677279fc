"""Comments and work notes: who reads what."""

from __future__ import annotations

import pytest

from callout.ports.errors import (
    OutcomeUnknownError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.ticketing import (
    CommentDraft,
    NoteDraft,
    TicketPatch,
)
from callout.ports.values import Audience
from tests.connectors.servicenow.instance import Instance, make


async def test_each_audience_has_its_own_column(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    await provider.create_comment(made.id, CommentDraft("for us who work on it"))
    await provider.create_comment(made.id, CommentDraft("for the caller", Audience.CUSTOMER))
    with pytest.raises(RejectedError):
        await provider.create_comment(made.id, CommentDraft("for nobody there", Audience.INTERNAL))
    await provider.create_note(made.id, NoteDraft("Cause", "disk full"))
    assert instance.journal(made) == [
        ("work_notes", "for us who work on it"),
        ("comments", "for the caller"),
        ("work_notes", "**Cause**\n\ndisk full"),
    ]


@pytest.mark.parametrize("name", ["comments", "work_notes", "comments_and_work_notes"])
async def test_no_other_way_leads_into_a_journal(instance: Instance, name: str) -> None:
    """Neither a mapped field nor a field of a status change may write where customers read."""
    sneaky = {"name": "sneaky", "project_id": "*", "provider_field_path": name}
    provider = instance.provider(custom_field_mappings=[sneaky])
    with pytest.raises(RejectedError):
        await make(provider, custom_fields={"sneaky": "secret"})
    made = await make(provider)
    with pytest.raises(RejectedError):
        await provider.patch_ticket(made.id, TicketPatch({"custom_fields": {"sneaky": "secret"}}))
    with pytest.raises(RejectedError):
        await provider.patch_ticket(
            made.id, TicketPatch({"status": "category:active"}, transition_fields={name: "secret"})
        )
    assert not instance.journal(made)


@pytest.mark.parametrize("name", ["comments", "work_notes"])
async def test_no_way_leads_there_for_whom_the_dictionary_is_closed(instance: Instance, name: str) -> None:
    sneaky = {"name": "sneaky", "project_id": "*", "provider_field_path": name}
    ann = instance.provider(username="ann.lee", secret="ann", custom_field_mappings=[sneaky])
    made = await make(ann)
    with pytest.raises(RejectedError):
        await ann.patch_ticket(made.id, TicketPatch({"custom_fields": {"sneaky": "secret"}}))
    assert not instance.journal(made)


async def test_what_people_write_is_read_with_its_audience(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.act("comment", record=made.key, text="it is slow")
    instance.act("work_note", record=made.key, text="node 3", **{"as": "mia.manager"})
    first, second = await provider.list_comments(made.id)
    assert (first.content, first.audience, first.author and first.author.name) == (
        "it is slow",
        Audience.CUSTOMER,
        "Ann Lee",
    )
    assert (second.content, second.audience, second.author and second.author.name) == (
        "node 3",
        Audience.RESPONDERS,
        "Mia Manager",
    )


async def test_html_in_a_text_is_not_let_through_as_html(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    await provider.create_comment(made.id, CommentDraft("[CODE]<script>alert(1)</script>[/code]"))
    [(_, text)] = instance.journal(made)
    assert "[code]" not in text.lower()
    assert "[/code]" not in text.lower()


async def test_the_author_is_named_and_the_key_is_the_last_line(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    draft = CommentDraft("rolled back", author_name="Ann  Lee", key="note-7")
    comment = await provider.create_comment(made.id, draft)
    assert instance.journal(made) == [("work_notes", "**Ann Lee:**\n\nrolled back\n\n[callout:note-7]")]
    assert (comment.content, comment.mark) == ("**Ann Lee:**\n\nrolled back", "note-7")


async def test_a_text_that_the_instance_drops_without_a_word_is_no_success(instance: Instance) -> None:
    """A caller without a role may comment on a record of theirs; a work note of theirs vanishes."""
    customer = instance.provider(username="carla.customer", secret="carla")
    made = instance.act("create_record", fields={"short_description": "x"}, **{"as": "carla.customer"})
    with pytest.raises(OutcomeUnknownError) as caught:
        await customer.create_comment(made["sys_id"], CommentDraft("internal"))
    assert "work_notes" in caught.value.remediation
    assert not instance.task(made["number"])["journal"]


async def test_only_an_administrator_deletes_a_comment(instance: Instance) -> None:
    user = instance.provider(username="callout.integration", secret="integration")
    made = await make(user)
    comment = await user.create_comment(made.id, CommentDraft("oops"))
    with pytest.raises(PermissionDeniedError):
        await user.delete_comment(made.id, comment.id)
    other = await make(user, "other")
    with pytest.raises(RecordNotFoundError):
        await instance.provider().delete_comment(other.id, comment.id)


async def test_a_note_that_cannot_be_read_back_may_have_been_written(instance: Instance) -> None:
    provider = instance.provider()
    made = await make(provider)
    instance.faults.add({"kind": "status", "status": 503}, path=r"/table/sys_journal_field")
    with pytest.raises(OutcomeUnknownError):
        await provider.create_note(made.id, NoteDraft("Cause", "disk full"))
    instance.faults.clear()
    assert [note.content for note in await provider.list_notes(made.id)] == ["disk full"]
