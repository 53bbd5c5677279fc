"""The contract of optional operations: tested where the provider has them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from callout.ports import provider as port
from callout.ports.errors import (
    InvalidRequestError,
    RecordNotFoundError,
    RejectedError,
)
from callout.ports.provider import OPERATIONS, Findable, PollPosition, operations_of
from callout.ports.ticketing import (
    ChangeKind,
    CommentDraft,
    NoteDraft,
    StatusCategory,
    TicketPatch,
)
from callout.ports.values import Audience
from tests.conformance.harness import Harness
from tests.conformance.tools import attach, identity, make


class OptionalContract:
    """Comments, notes, attachments, projects, fields, people and polling."""

    # Comments and notes

    async def test_comments_come_back_oldest_first(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        for text in ("one", "two **bold**", "three"):
            await provider.create_comment(made.id, CommentDraft(text))
            harness.pass_time(timedelta(seconds=1))
        comments = await provider.list_comments(made.id)
        assert [comment.content for comment in comments] == ["one", "two **bold**", "three"]
        assert all(
            comment.ticket_id == made.id and comment.author and comment.created_at for comment in comments
        )
        assert {comment.audience for comment in comments} == {Audience.RESPONDERS}

    async def test_many_comments_are_all_listed(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        for number in range(103):
            await provider.create_comment(made.id, CommentDraft(f"comment {number}"))
        contents = [comment.content for comment in await provider.list_comments(made.id)]
        assert contents == [f"comment {number}" for number in range(103)]

    async def test_a_comment_is_found_by_our_key(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        assert isinstance(provider, port.SupportsFindComment)
        made = await make(harness)
        await provider.create_comment(made.id, CommentDraft("other", key="note-1"))
        ours = await provider.create_comment(made.id, CommentDraft("ours", key="note-2"))
        assert ours.mark == "note-2"
        assert await provider.find_comment(made.id, "note-2") == ours
        assert await provider.find_comment(made.id, "note") is None

    async def test_an_internal_text_never_becomes_a_comment(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        with pytest.raises(RejectedError) as caught:
            await provider.create_comment(made.id, CommentDraft("secret", Audience.INTERNAL))
        assert "audience" in caught.value.fields
        assert not await provider.list_comments(made.id)

    async def test_a_text_for_customers_reaches_them_or_fewer(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        comment = await provider.create_comment(made.id, CommentDraft("hello", Audience.CUSTOMER))
        assert comment.audience is (Audience.CUSTOMER if harness.customers_read else Audience.RESPONDERS)
        assert [entry.audience for entry in await provider.list_comments(made.id)] == [comment.audience]

    async def test_a_text_for_responders_never_reaches_customers(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        told = await provider.create_comment(made.id, CommentDraft("among us", Audience.RESPONDERS))
        assert told.audience is Audience.RESPONDERS
        assert [entry.audience for entry in await provider.list_comments(made.id)] == [Audience.RESPONDERS]

    async def test_a_deleted_comment_is_gone(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsDeleteComment):
            return
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        comment = await provider.create_comment(made.id, CommentDraft("oops"))
        await provider.delete_comment(made.id, comment.id)
        assert not await provider.list_comments(made.id)
        with pytest.raises(RecordNotFoundError):
            await provider.delete_comment(made.id, comment.id)

    async def test_notes_live_their_life(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsNotes):
            return
        made = await make(harness)
        note = await provider.create_note(made.id, NoteDraft("Cause", "disk full"))
        assert [(n.title, n.content) for n in await provider.list_notes(made.id)] == [("Cause", "disk full")]
        if isinstance(provider, port.SupportsPatchNote):
            changed = await provider.patch_note(made.id, note.id, title=None, content="disk was full")
            assert (changed.title, changed.content) == ("Cause", "disk was full")
        if isinstance(provider, port.SupportsDeleteNote):
            await provider.delete_note(made.id, note.id)
            assert not await provider.list_notes(made.id)
            with pytest.raises(RecordNotFoundError):
                await provider.delete_note(made.id, note.id)

    # Attachments

    async def test_attachments_live_their_life(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsAttachments):
            return
        made = await make(harness)
        data = bytes(range(256)) * 300

        async def pieces() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 10_000):
                yield data[start : start + 10_000]

        info = await provider.create_attachment(
            made.id, file_name="grafik ü.png", content=pieces(), media_type="image/png"
        )
        assert (info.file_name, info.media_type, info.size) == ("grafik ü.png", "image/png", len(data))
        assert info.ticket_id == made.id
        assert list(await provider.list_attachments(made.id)) == [info]
        assert [a.id for a in (await provider.get_ticket(made.id)).attachments] == [info.id]
        read = b"".join([chunk async for chunk in provider.download_attachment(made.id, info.id)])
        assert read == data
        other = await make(harness, "other")
        with pytest.raises(RecordNotFoundError):
            await provider.delete_attachment(other.id, info.id)
        await provider.delete_attachment(made.id, info.id)
        assert not await provider.list_attachments(made.id)
        with pytest.raises(RecordNotFoundError):
            await provider.delete_attachment(made.id, info.id)
        with pytest.raises(RecordNotFoundError):
            async for _ in provider.download_attachment(made.id, info.id):
                pass

    async def test_a_file_is_found_again_by_what_it_is(self, harness: Harness) -> None:
        """No vendor keeps a key of ours with a file: its name, size and content tell, and those that are known are left out."""
        provider = harness.provider
        if not isinstance(provider, port.SupportsAttachments):
            return
        assert isinstance(provider, port.SupportsFindAttachment)
        assert isinstance(provider.effects["create_attachment"], Findable)
        made = await make(harness)
        sought = identity("error 1 (copy).log", b"sought")
        assert await provider.find_attachment(made.id, sought, known=()) is None
        others = [
            ("error 1 (copy).log", b"oughts"),
            ("other.log", b"sought"),
            ("error 1 (copy).log", b"sought, longer"),
        ]
        for name, content in others:
            await attach(provider, made.id, name, content)
        assert await provider.find_attachment(made.id, sought, known=()) is None
        first = await attach(provider, made.id, sought.name, b"sought")
        assert await provider.find_attachment(made.id, sought, known=()) == first
        assert await provider.find_attachment(made.id, sought, known={first.id}) is None
        second = await attach(provider, made.id, sought.name, b"sought")
        found = await provider.find_attachment(made.id, sought, known={first.id})
        assert found is not None
        assert found.id == second.id

    async def test_a_file_of_a_person_is_told_by_list_and_ticket_alike(self, harness: Harness) -> None:
        """Sync looks for files where a ticket that was read tells of one that it does not know."""
        provider = harness.provider
        if not isinstance(provider, port.SupportsAttachments):
            return
        made = await make(harness)
        infos = [
            await attach(provider, made.id, f"file {number}.txt", b"x" * (number + 1)) for number in range(3)
        ]
        listed = {one.id: one for one in await provider.list_attachments(made.id)}
        assert listed == {one.id: one for one in infos}
        assert {one.id for one in (await provider.get_ticket(made.id)).attachments} == {
            one.id for one in infos
        }
        assert [listed[one.id].size for one in infos] == [1, 2, 3]

    async def test_who_reads_a_file_is_said(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsAttachments):
            return
        assert isinstance(provider, port.SupportsAttachmentReaders)
        made = await make(harness)
        readers = await provider.attachment_readers(made.id)
        assert readers is (Audience.CUSTOMER if harness.files_read_by_customers else Audience.RESPONDERS)

    # Projects, fields, people, connection

    async def test_projects_are_paged(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsProjects):
            return
        found: list[str] = []
        cursor = ""
        while True:
            page = await provider.list_projects(limit=1, cursor=cursor)
            found += [project.id for project in page.items]
            assert all(project.name for project in page.items)
            cursor = page.cursor
            if not cursor:
                break
        assert len(found) == len(set(found))
        assert {harness.project, harness.other_project} <= set(found)
        with pytest.raises(InvalidRequestError):
            await provider.list_projects(limit=1, cursor="nonsense")

    async def test_the_catalogue_names_the_statuses(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsCatalogue):
            return
        catalogue = await provider.field_catalogue(harness.project, "")
        assert set(harness.statuses) <= {name for name, _ in catalogue.statuses}
        assert {category for _, category in catalogue.statuses} >= {StatusCategory.NEW, StatusCategory.DONE}
        assert any(field.required for field in catalogue.fields)
        assert catalogue.priorities
        assert catalogue.issue_types

    async def test_remote_fields_have_paths(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsRemoteFields):
            return
        fields = await provider.list_remote_fields()
        assert all(field.id and field.name and field.path for field in fields)
        assert len({field.id for field in fields}) == len(fields)

    async def test_people_are_found_by_mail_only_when_certain(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsPeople):
            return
        found = await provider.find_person(email=harness.person.email)
        assert found is not None
        assert found.id == harness.person.id
        assert await provider.find_person() is None

    async def test_the_connection_check_says_who_we_are(self, harness: Harness) -> None:
        report = await harness.provider.check_connection()
        assert report.ok
        assert report.account is not None
        assert abs(report.clock_skew) < timedelta(seconds=5)

    async def test_operations_are_what_the_class_implements(self, harness: Harness) -> None:
        offered = operations_of(harness.provider)
        assert offered == operations_of(type(harness.provider))
        required = {"query_tickets", "get_ticket", "create_ticket", "patch_ticket"}
        assert required <= offered
        for operation, method in OPERATIONS.items():
            assert hasattr(harness.provider, method) == (operation in offered)

    # Polling

    async def test_polling_tells_of_new_and_changed_tickets_and_comments(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsChanges):
            return
        assert isinstance(provider, port.SupportsComments)
        old = await make(harness, "old")
        harness.pass_time(timedelta(minutes=30))
        start = harness.clock.now() - timedelta(seconds=1)
        changed = await make(harness, "changed")
        harness.pass_time(timedelta(seconds=1))
        await provider.patch_ticket(changed.id, TicketPatch({"title": "changed twice"}))
        harness.pass_time(timedelta(seconds=1))
        comment = await provider.create_comment(changed.id, CommentDraft("said", key="note-9"))
        found = [
            change
            async for change in provider.changes_since(PollPosition(start), overlap=timedelta(minutes=5))
        ]
        mine = [change for change in found if change.ticket_id in {old.id, changed.id}]
        assert {change.ticket_id for change in mine} == {changed.id}
        told = [change for change in mine if change.ticket is not None]
        assert told[-1].ticket is not None
        assert told[-1].ticket.title == "changed twice"
        assert any(change.kind in {ChangeKind.CREATED, ChangeKind.UPDATED} for change in mine)
        said = [change.comment for change in mine if change.kind is ChangeKind.COMMENTED and change.comment]
        assert [(entry.id, entry.content, entry.mark) for entry in said] == [(comment.id, "said", "note-9")]

    async def test_polling_from_the_beginning_tells_everything_once(self, harness: Harness) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsChanges):
            return
        made = {(await make(harness, f"ticket {number}")).id for number in range(5)}
        found = [
            change.ticket_id
            async for change in provider.changes_since(PollPosition(), overlap=timedelta(minutes=5))
            if change.kind is ChangeKind.CREATED
        ]
        assert made <= set(found)
        assert len(found) == len(set(found))
