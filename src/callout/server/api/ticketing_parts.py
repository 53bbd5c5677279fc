"""REST for what belongs to a ticket of any provider: comments, notes and files."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Response

from callout.server.api.ticketing import PatchBody, TicketId
from callout.server.api.ticketing_call import (
    ERRORS,
    CreatingCall,
    ThisCall,
    identifier,
    nothing,
)
from callout.server.api.ticketing_models import (
    AttachmentList,
    Comments,
    CreateAttachmentBody,
    CreateCommentBody,
    CreateNoteBody,
    Notes,
    OneAttachment,
    OneAttachmentFacts,
    OneComment,
    OneNote,
)
from callout.ticketing import READ, UPLOAD_LIMIT, WRITE

router = APIRouter(prefix="/v1/ticketing", tags=["ticketing"], responses=ERRORS)
CommentId = Annotated[str, identifier("comment")]
NoteId = Annotated[str, identifier("note")]
AttachmentId = Annotated[str, identifier("attachment")]
UPLOADS = "/v1/ticketing/attachments/"


def upload_limit(path: str) -> int | None:
    """Return how many bytes a request to `path` may carry when it is one that carries a file, else None."""
    return UPLOAD_LIMIT if path.startswith(UPLOADS) else None


@router.get("/tickets/{ticket}/comments", response_model=Comments, summary="List comments")
async def list_comments(ticket: TicketId, call: ThisCall) -> Response:
    """List all comments of a ticket, the oldest first."""
    opened = await call.open("list_comments", READ)
    return call.answer(await call.services.parts.comments(opened, ticket))


@router.post("/tickets/{ticket}/comments", response_model=OneComment, summary="Write a comment")
async def create_comment(ticket: TicketId, body: CreateCommentBody, call: CreatingCall) -> Response:
    """Write a comment, once per `Idempotency-Key`."""
    opened = await call.open("create_comment", WRITE)
    made = await call.services.parts.add_comment(
        opened, ticket, body.model_dump(), digest=await call.digest(), key=call.key
    )
    return call.made(made)


@router.delete("/tickets/{ticket}/comments/{comment}", status_code=204, summary="Delete a comment")
async def delete_comment(ticket: TicketId, comment: CommentId, call: ThisCall) -> Response:
    """Delete a comment."""
    opened = await call.open("delete_comment", WRITE)
    await call.services.parts.delete_comment(opened, ticket, comment)
    return nothing()


@router.get("/tickets/{ticket}/notes", response_model=Notes, summary="List notes")
async def list_notes(ticket: TicketId, call: ThisCall) -> Response:
    """List all notes of a ticket, the oldest first."""
    opened = await call.open("list_notes", READ)
    return call.answer(await call.services.parts.notes(opened, ticket))


@router.post("/tickets/{ticket}/notes", response_model=OneNote, summary="Write a note")
async def create_note(ticket: TicketId, body: CreateNoteBody, call: CreatingCall) -> Response:
    """Write a note, once per `Idempotency-Key`."""
    opened = await call.open("create_note", WRITE)
    made = await call.services.parts.add_note(
        opened, ticket, body.model_dump(), digest=await call.digest(), key=call.key
    )
    return call.made(made)


@router.patch("/tickets/{ticket}/notes/{note}", response_model=OneNote, summary="Change a note")
async def patch_note(ticket: TicketId, note: NoteId, body: PatchBody, call: ThisCall) -> Response:
    """Change title or content of a note by a JSON Patch."""
    opened = await call.open("patch_note", WRITE)
    return call.answer(await call.services.parts.patch_note(opened, ticket, note, body))


@router.delete("/tickets/{ticket}/notes/{note}", status_code=204, summary="Delete a note")
async def delete_note(ticket: TicketId, note: NoteId, call: ThisCall) -> Response:
    """Delete a note."""
    opened = await call.open("delete_note", WRITE)
    await call.services.parts.delete_note(opened, ticket, note)
    return nothing()


@router.get("/attachments/{ticket}", response_model=AttachmentList, summary="List files")
async def list_attachments_metadata(ticket: TicketId, call: ThisCall) -> Response:
    """List the facts of all files of a ticket."""
    opened = await call.open("list_attachments_metadata", READ)
    return call.answer(await call.services.parts.attachments(opened, ticket))


@router.post("/attachments/{ticket}", response_model=OneAttachmentFacts, summary="Attach a file")
async def create_attachment(ticket: TicketId, body: CreateAttachmentBody, call: CreatingCall) -> Response:
    """Put a file on a ticket, once per `Idempotency-Key`; its content is base64 text."""
    opened = await call.open("create_attachment", WRITE)
    made = await call.services.parts.attach(
        opened, ticket, body.model_dump(), digest=await call.digest(), key=call.key
    )
    return call.made(made)


@router.get(
    "/attachments/{ticket}/{attachment}/download", response_model=OneAttachment, summary="Download a file"
)
async def download_attachment(ticket: TicketId, attachment: AttachmentId, call: ThisCall) -> Response:
    """Return a file's content as base64 text."""
    opened = await call.open("download_attachment", READ)
    return call.answer(await call.services.parts.download(opened, ticket, attachment))


@router.delete("/attachments/{ticket}/{attachment}", status_code=204, summary="Delete a file")
async def delete_attachment(ticket: TicketId, attachment: AttachmentId, call: ThisCall) -> Response:
    """Delete a file."""
    opened = await call.open("delete_attachment", WRITE)
    await call.services.parts.delete_attachment(opened, ticket, attachment)
    return nothing()
