"""REST for the files of an incident: send one as the raw body, list them, download them. None is ever shown by our own pages."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, Field

from callout.incidents import Attachment, AttachmentState, NewFile
from callout.incidents.attachments import check_size
from callout.incidents.model import person_json
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.ports.values import Audience
from callout.server.api.incidents import IncidentId, PersonOut
from callout.server.call import Call, Scope, call_of, upload_of
from callout.server.problems import ANY, refusals

ThisCall = Annotated[Call, Depends(call_of)]
Upload = Annotated[Call, Depends(upload_of)]
AttachmentId = Annotated[str, Path(max_length=64, description="Id of the attachment, as the list shows it.")]
_ERRORS = refusals(*ANY)
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
router = APIRouter(prefix="/v1/incidents", tags=["incidents"], responses=_ERRORS)
SAFE_HEADERS: Mapping[str, str] = {
    # Whatever somebody uploaded: a browser saves it, and would run nothing of it if it were made to show it.
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-store",
}


class AttachmentOut(BaseModel):
    """A file. `state`: `stored` here, `fetching` from its ticket, or `elsewhere`, where `why` says why it stays there."""

    id: str
    name: str
    media_type: str
    size: int | None = Field(description="Bytes; null where the other system did not tell.")
    sha256: str
    audience: Audience
    author: PersonOut | None
    added_at: datetime
    state: AttachmentState
    why: str


class OneAttachment(BaseModel):
    """One file."""

    result: AttachmentOut


class ManyAttachments(BaseModel):
    """Files, oldest first."""

    result: list[AttachmentOut]


def attachment_out(one: Attachment) -> dict[str, Any]:
    """Return a file's facts as the API shows them."""
    return {
        "id": one.id,
        "name": one.name,
        "media_type": one.media_type,
        "size": one.size,
        "sha256": one.sha256,
        "audience": one.audience.value,
        "author": person_json(one.author),
        "added_at": one.added_at.isoformat(),
        "state": one.state.value,
        "why": one.why,
    }


def disposition(name: str) -> str:
    """Return the header that has a browser save a file under its name, in the two spellings that browsers read."""
    plain = "".join(c if (c.isascii() and c.isalnum()) or c in "._- " else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def is_upload(path: str) -> bool:
    """Return whether a path takes files, whose size has a limit of its own."""
    return path.startswith("/v1/incidents/") and path.endswith("/attachments")


@router.post(
    "/{incident}/attachments",
    status_code=201,
    response_model=OneAttachment,
    summary="Attach a file",
    openapi_extra={"requestBody": {"required": True, "content": {"*/*": _BYTES["application/octet-stream"]}}},
)
async def attach(
    incident: IncidentId,
    call: Upload,
    request: Request,
    name: Annotated[str, Query(max_length=500, description="The file's name; needed.")] = "",
    audience: Audience = Audience.RESPONDERS,
) -> Response:
    """Attach a file: the request's body is the file, its Content-Type the file's. It goes to every ticket whose readers may see it."""

    def allowed(scope: Scope) -> None:
        scope.require("incident.note.internal" if audience is Audience.INTERNAL else "incident.note")

    async def first(scope: Scope) -> None:
        allowed(scope)
        await call.services.incidents.get(scope.tx, incident)

    await call.look(first)  # nobody's file is read into memory who may not leave it here
    if not name.strip():
        raise InvalidRequestError(
            "the file has no name",
            remediation="Add it to the address: ?name=error.log",
            fields={"name": "missing"},
        )
    content = await request.body()
    check_size(len(content), call.services.incidents.attachment_limit)
    file = NewFile(name, request.headers.get("content-type", ""), content=content)

    async def unit(scope: Scope) -> Mapping[str, Any]:
        allowed(scope)
        added = await call.services.incidents.attach(scope.tx, incident, file, audience, scope.origin)
        return {"result": attachment_out(added)}

    return await call.write(unit, status=201)


@router.get("/{incident}/attachments", response_model=ManyAttachments, summary="List the files")
async def listing(incident: IncidentId, call: ThisCall) -> Response:
    """List the files that the caller may see, oldest first."""

    async def unit(scope: Scope) -> Mapping[str, Any]:
        scope.require("incident.read")
        found = await call.services.incidents.attachments(scope.tx, incident, audiences=scope.audiences)
        return {"result": [attachment_out(one) for one in found]}

    return await call.read(unit)


@router.get(
    "/{incident}/attachments/{attachment}",
    response_class=Response,
    responses={200: {"description": "The file's bytes.", "content": _BYTES}},
    summary="Download a file",
)
async def download(incident: IncidentId, attachment: AttachmentId, call: ThisCall) -> Response:
    """Download a file. It comes as something to save, never as a page. One whose bytes are not here answers 409 and says where."""

    async def unit(scope: Scope) -> tuple[Attachment, bytes]:
        scope.require("incident.read")
        return await call.services.incidents.attachment(
            scope.tx, incident, attachment, audiences=scope.audiences
        )

    found, content = await call.look(unit)
    if found.state is not AttachmentState.STORED:
        raise ConflictError(
            found.why or f"{found.name} is on its way here",
            remediation="" if found.why else "Try again in a moment.",
        )
    headers = {**SAFE_HEADERS, "Content-Disposition": disposition(found.name)}
    return Response(content, media_type="application/octet-stream", headers=headers)


__all__ = ["is_upload", "router"]
