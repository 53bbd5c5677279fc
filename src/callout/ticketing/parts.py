"""What belongs to a ticket: comments, notes and files."""

from __future__ import annotations

import base64
import binascii
import hashlib
import mimetypes
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import InvalidRequestError, RecordNotFoundError
from callout.ports.ticketing import CommentDraft, FileIdentity, NoteDraft
from callout.ports.values import Audience, Person
from callout.ticketing import drafts, json_patch, shapes
from callout.ticketing.engine import known_id
from callout.ticketing.errors import TooLargeError
from callout.ticketing.once import Creation, Made, Once

if TYPE_CHECKING:
    from callout.ticketing.engine import Engine, Opened

LARGEST_FILE: Final = 25 * 1024 * 1024
"""Bytes of a file in one request or answer; providers may allow less."""
UPLOAD_LIMIT: Final = LARGEST_FILE * 4 // 3 + 64 * 1024
"""Bytes of a request that carries such a file as base64 text."""
CHUNK: Final = 256 * 1024
Json = dict[str, Any]


class Parts:
    """The operations on comments, notes and files."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._once = Once(engine)

    # Comments

    async def comments(self, opened: Opened, ticket: str) -> list[Json]:
        """Return all comments, the oldest first; where comments and notes are one list there, without the notes."""
        async with self._engine.calling(opened) as provider:
            found = await provider.list_comments(known_id(ticket, "ticket"))
            if _notes_among(provider):
                found = [one for one in found if one.audience is Audience.CUSTOMER]
        return [shapes.comment(one) for one in found]

    async def add_comment(
        self, opened: Opened, ticket: str, body: Mapping[str, Any], *, digest: str, key: str | None
    ) -> Made:
        """Add a comment, once per Idempotency-Key."""
        ticket = known_id(ticket, "ticket")
        content = _required(body, "content")
        creator = drafts.value_of("creator", body.get("creator"), "/creator")

        async def create(reference: str) -> Json:
            async with self._engine.calling(opened, writing=True) as provider:
                draft = CommentDraft(
                    content,
                    audience=_audience(body.get("audience"), provider),
                    author=creator if isinstance(creator, Person) else None,
                    key=reference,
                )
                return shapes.comment(await provider.create_comment(ticket, draft))

        async def find(reference: str) -> Json | None:
            async with self._engine.calling(opened) as provider:
                if hasattr(provider, "find_comment"):
                    found = await provider.find_comment(ticket, reference)
                    return None if found is None else shapes.comment(found)
            return None

        one = Creation("create_comment", digest, key, create, find, "comment.created")
        return await self._once.make(opened, one)

    async def delete_comment(self, opened: Opened, ticket: str, comment: str) -> None:
        """Delete a comment. Raises RecordNotFoundError."""
        async with self._engine.calling(opened, writing=True) as provider:
            await provider.delete_comment(known_id(ticket, "ticket"), known_id(comment, "comment"))
        await self._engine.written(opened, "comment.deleted", comment, ticket=ticket)

    # Notes

    async def notes(self, opened: Opened, ticket: str) -> list[Json]:
        """Return all notes, the oldest first."""
        async with self._engine.calling(opened) as provider:
            return [shapes.note(one) for one in await provider.list_notes(known_id(ticket, "ticket"))]

    async def add_note(
        self, opened: Opened, ticket: str, body: Mapping[str, Any], *, digest: str, key: str | None
    ) -> Made:
        """Add a note, once per Idempotency-Key."""
        ticket = known_id(ticket, "ticket")
        title, content = _required(body, "title"), _required(body, "content")

        async def create(reference: str) -> Json:
            async with self._engine.calling(opened, writing=True) as provider:
                return shapes.note(await provider.create_note(ticket, NoteDraft(title, content, reference)))

        one = Creation("create_note", digest, key, create, None, "note.created")
        return await self._once.make(opened, one)

    async def patch_note(self, opened: Opened, ticket: str, note: str, body: object) -> Json:
        """Change title or content of a note by a JSON Patch. Raises InvalidPatchError, ConflictError."""
        operations = json_patch.read(body, writable=drafts.NOTE_WRITABLE, readable=drafts.NOTE_READABLE)
        ticket, note = known_id(ticket, "ticket"), known_id(note, "note")
        async with self._engine.calling(opened, writing=True) as provider:
            found = [one for one in await provider.list_notes(ticket) if one.id == note]
            if not found:
                raise RecordNotFoundError(f"the ticket has no note {note!r}")
            title, content = drafts.note_patch(operations, shapes.note(found[0]))
            if title is None and content is None:
                return shapes.note(found[0])
            after = await provider.patch_note(ticket, note, title=title, content=content)
        await self._engine.written(opened, "note.updated", note, ticket=ticket)
        return shapes.note(after)

    async def delete_note(self, opened: Opened, ticket: str, note: str) -> None:
        """Delete a note. Raises RecordNotFoundError."""
        async with self._engine.calling(opened, writing=True) as provider:
            await provider.delete_note(known_id(ticket, "ticket"), known_id(note, "note"))
        await self._engine.written(opened, "note.deleted", note, ticket=ticket)

    # Files

    async def attachments(self, opened: Opened, ticket: str) -> list[Json]:
        """Return the facts of all files."""
        async with self._engine.calling(opened) as provider:
            found = await provider.list_attachments(known_id(ticket, "ticket"))
        return [shapes.attachment(one) for one in found]

    async def attach(
        self, opened: Opened, ticket: str, body: Mapping[str, Any], *, digest: str, key: str | None
    ) -> Made:
        """Put a file on a ticket, once per Idempotency-Key. Raises TooLargeError."""
        ticket = known_id(ticket, "ticket")
        name = _required(body, "file_name")
        data = _decoded(body.get("content"))
        media_type = body.get("file_type") or mimetypes.guess_type(name)[0] or "application/octet-stream"
        before: list[str] = []

        async def create(_reference: str) -> Json:
            async with self._engine.calling(opened, writing=True) as provider:
                if hasattr(provider, "find_attachment"):
                    # A file carries no key of ours: after a lost answer, what was there before is not it.
                    before[:] = [known.id for known in await provider.list_attachments(ticket)]
                made = await provider.create_attachment(
                    ticket, file_name=name, content=_pieces(data), media_type=str(media_type)
                )
            return shapes.attachment(made)

        async def find(_reference: str) -> Json | None:
            async with self._engine.calling(opened) as provider:
                if hasattr(provider, "find_attachment"):
                    identity = FileIdentity(name, len(data), hashlib.sha256(data).hexdigest())
                    found = await provider.find_attachment(ticket, identity, known=before)
                    return None if found is None else shapes.attachment(found)
            return None

        one = Creation("create_attachment", digest, key, create, find, "attachment.created")
        return await self._once.make(opened, one)

    async def download(self, opened: Opened, ticket: str, attachment: str) -> Json:
        """Return a file with its content as base64 text. Raises RecordNotFoundError, TooLargeError."""
        ticket, attachment = known_id(ticket, "ticket"), known_id(attachment, "attachment")
        data = bytearray()
        async with self._engine.calling(opened) as provider:
            facts = [one for one in await provider.list_attachments(ticket) if one.id == attachment]
            if not facts:
                raise RecordNotFoundError(f"the ticket has no attachment {attachment!r}")
            async for piece in provider.download_attachment(ticket, attachment):
                data += piece
                if len(data) > LARGEST_FILE:
                    raise _too_large()
        return {
            "file_name": facts[0].file_name,
            "file_type": facts[0].media_type,
            "content": base64.b64encode(data).decode(),
        }

    async def delete_attachment(self, opened: Opened, ticket: str, attachment: str) -> None:
        """Delete a file. Raises RecordNotFoundError."""
        async with self._engine.calling(opened, writing=True) as provider:
            await provider.delete_attachment(known_id(ticket, "ticket"), known_id(attachment, "attachment"))
        await self._engine.written(opened, "attachment.deleted", attachment, ticket=ticket)


def _notes_among(provider: Any) -> bool:  # noqa: ANN401  # a TicketingProvider
    return bool(getattr(provider, "comments_hold_notes", False))


def _audience(given: object, provider: Any) -> Audience:  # noqa: ANN401  # a TicketingProvider
    """Return for whom a comment is: as asked, else what a comment is there when notes are kept beside it, else our own circle."""
    if given is None:
        return Audience.CUSTOMER if _notes_among(provider) else Audience.RESPONDERS
    try:
        return Audience(str(given))
    except ValueError:
        raise InvalidRequestError(
            f"{str(given)[:40]!r} is no audience",
            fields={"/audience": "unknown"},
            remediation=f"Use one of {', '.join(Audience)}.",
        ) from None


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value.strip():
        raise InvalidRequestError(
            f"{name} is missing",
            fields={f"/{name}": "required"},
            remediation="Send a text that is not empty.",
        )
    return str(drafts.value_of("description", value, f"/{name}"))


def _decoded(content: object) -> bytes:
    if not isinstance(content, str):
        raise InvalidRequestError(
            "content is missing", fields={"/content": "required"}, remediation="Send the file as base64 text."
        )
    try:
        data = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequestError(
            "content is not base64",
            fields={"/content": "not base64"},
            remediation="Send the file as base64 text.",
        ) from None
    if len(data) > LARGEST_FILE:
        raise _too_large()
    return data


def _too_large() -> TooLargeError:
    limit = LARGEST_FILE // (1024 * 1024)
    return TooLargeError(
        f"the file is larger than {limit} MiB", remediation="Take the file over at the provider itself."
    )


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), CHUNK):
        yield data[start : start + CHUNK]
