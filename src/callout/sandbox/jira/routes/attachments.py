"""Attachments: upload, metadata, download by redirect, deletion."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from callout.sandbox.jira import comments
from callout.sandbox.jira.call import Call, answer, nothing
from callout.sandbox.jira.errors import InvalidInputError, SiteError
from callout.sandbox.jira.routes.issues import issue_of
from callout.sandbox.jira.routing import WRITE, Endpoint

if TYPE_CHECKING:
    from starlette.requests import Request

    from callout.sandbox.jira.call import Desk
    from callout.sandbox.jira.model import Attachment

MOST_FILES = 60


async def upload(call: Call) -> Response:
    """`POST /issue/{issue}/attachments`: parts named `file`, and the header that stops forged forms."""
    if call.request.headers.get("x-atlassian-token", "").lower() not in {"no-check", "nocheck"}:
        # from memory: status and words.
        return PlainTextResponse("XSRF check failed", status_code=403)
    issue, actor = issue_of(call), call.actor
    if "multipart/form-data" not in call.request.headers.get("content-type", ""):
        raise SiteError(415, ("Unsupported Media Type",))
    async with call.request.form(max_files=MOST_FILES) as form:
        files = [part for part in form.getlist("file") if isinstance(part, UploadFile)]
        if not files:
            raise InvalidInputError("No file was attached: the part must be named 'file'.")
        limit = call.site.settings.upload_limit
        contents = [(part.filename or "file", await part.read(), part.content_type) for part in files]
    for name, content, _ in contents:
        if len(content) > limit:
            raise SiteError(413, (f"The file '{name}' exceeds the maximum size of {limit} bytes.",))
    added = [
        comments.add_attachment(issue, name, content, call.view, actor, mime_type=mime_type)
        for name, content, mime_type in contents
    ]
    return answer([call.view.attachment(attachment) for attachment in added])


def limits(call: Call) -> Response:
    """`GET /attachment/meta`."""
    return answer({"enabled": True, "uploadLimit": call.site.settings.upload_limit})


def get(call: Call) -> Response:
    """`GET /attachment/{id}`."""
    _, attachment = comments.find_attachment(call.view, call.path("id"))
    bean = call.view.attachment(attachment)
    bean["id"] = int(attachment.id)
    return answer(bean)


def content(call: Call) -> Response:
    """`GET /attachment/content/{id}`: 303 to a signed address, or the bytes with `redirect=false`."""
    _, attachment = comments.find_attachment(call.view, call.path("id"))
    if not call.flag("redirect", default=True):
        return _bytes(attachment, call.request)
    ticket = secrets.token_urlsafe(24)
    call.desk.media[ticket] = attachment.id
    home = call.view.base.partition("/ex/jira/")[0]
    return RedirectResponse(f"{home}/_media/{attachment.id}?token={ticket}", status_code=303)


def _bytes(attachment: Attachment, request: Request) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{attachment.filename}"',
        "Accept-Ranges": "bytes",
    }
    unit, _, span = request.headers.get("range", "").partition("=")
    first, _, last = span.partition("-")
    size = len(attachment.content)
    if unit != "bytes" or not first.isdecimal() or int(first) >= size:
        return Response(attachment.content, media_type=attachment.mime_type, headers=headers)
    end = min(int(last) if last.isdecimal() else size - 1, size - 1)
    headers["Content-Range"] = f"bytes {first}-{end}/{size}"
    part = attachment.content[int(first) : end + 1]
    return Response(part, status_code=206, media_type=attachment.mime_type, headers=headers)


def media(desk: Desk, request: Request) -> Response:
    """The media host: the ticket in the address is all it asks for.

    The real one is another host, to which a client must not carry its credentials. Here both share an address, so
    that an Authorization header is not refused; the twin's ledger notes it.
    """
    wanted = desk.media.get(request.query_params.get("token", ""))
    if wanted is None or wanted != request.path_params["id"]:
        return PlainTextResponse("Forbidden", status_code=403)
    for issue in desk.site.issues.values():
        for attachment in issue.attachments:
            if attachment.id == wanted:
                return _bytes(attachment, request)
    return PlainTextResponse("Not found", status_code=404)


def delete(call: Call) -> Response:
    """`DELETE /attachment/{id}`."""
    issue, attachment = comments.find_attachment(call.view, call.path("id"))
    comments.delete_attachment(issue, attachment, call.view, call.actor)
    return nothing()


ENDPOINTS = (
    Endpoint("POST", "/issue/{issue}/attachments", upload, WRITE),
    Endpoint("GET", "/attachment/meta", limits),
    Endpoint("GET", "/attachment/content/{id}", content),
    Endpoint("GET", "/attachment/{id}", get),
    Endpoint("DELETE", "/attachment/{id}", delete, WRITE),
)
