"""The Attachment API: `/api/now/attachment`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.datastructures import UploadFile
from starlette.responses import Response

from callout.sandbox.servicenow.call import NO_CONTENT, Call, answer
from callout.sandbox.servicenow.errors import InvalidRequestError
from callout.sandbox.servicenow.rendering import Rendering
from callout.sandbox.servicenow.routes.table import page_headers, select
from callout.sandbox.servicenow.routing import Endpoint

if TYPE_CHECKING:
    from callout.sandbox.servicenow.model import JsonObject, Row

TABLE = "sys_attachment"
_OCTETS = "application/octet-stream"


def _metadata(call: Call, row: Row) -> JsonObject:
    # The metadata are plain texts, whatever display values the caller asks for.
    shown = Rendering(call.instance, call.rights, call.desk.base(), "false", links=False).record(row)
    return {**shown, "download_link": f"{call.desk.base()}/api/now/attachment/{row.sys_id}/file"}


def _made(call: Call, row: Row) -> Response:
    location = f"{call.desk.base()}/api/now/attachment/{row.sys_id}"
    return answer({"result": _metadata(call, row)}, 201, {"Location": location})


def list_attachments(call: Call) -> Response:
    """`GET /attachment`."""
    rows, total = select(call, TABLE)
    result = [_metadata(call, row) for row in rows]
    return answer({"result": result}, headers=page_headers(call, total))


def get_attachment(call: Call) -> Response:
    """`GET /attachment/{sys_id}`."""
    row = call.records.find(TABLE, call.path("sys_id"), call.account)
    return answer({"result": _metadata(call, row)})


def get_file(call: Call) -> Response:
    """`GET /attachment/{sys_id}/file`."""
    row = call.records.find(TABLE, call.path("sys_id"), call.account)
    return Response(
        call.instance.blobs[row.sys_id],
        media_type=row["content_type"],
        # from memory: the header.
        headers={"X-Attachment-Metadata": json.dumps(_metadata(call, row))},
    )


def post_file(call: Call) -> Response:
    """`POST /attachment/file?table_name=&table_sys_id=&file_name=` with the bytes as body."""
    row = call.records.attach(
        call.query("table_name"),
        call.query("table_sys_id"),
        call.query("file_name"),
        call.raw,
        content_type=call.request.headers.get("content-type", _OCTETS),
        account=call.account,
    )
    return _made(call, row)


async def post_multipart(call: Call) -> Response:
    """`POST /attachment/upload`: parts table_name, table_sys_id, then the file, which has to come last."""
    form = await call.request.form()
    parts = form.multi_items()
    if not parts or not isinstance(parts[-1][1], UploadFile):
        raise InvalidRequestError("Failed to upload the attachment", "The file must be the last part")
    upload = parts[-1][1]
    fields = {name: value for name, value in parts if isinstance(value, str)}
    row = call.records.attach(
        fields.get("table_name", ""),
        fields.get("table_sys_id", ""),
        upload.filename or "",
        await upload.read(),
        content_type=upload.content_type or _OCTETS,
        account=call.account,
    )
    await form.close()
    return _made(call, row)


def delete_attachment(call: Call) -> Response:
    """`DELETE /attachment/{sys_id}`."""
    row = call.records.find(TABLE, call.path("sys_id"), call.account)
    call.records.detach(row, account=call.account)
    return Response(status_code=NO_CONTENT)


ENDPOINTS = (
    Endpoint("/attachment", {"GET": list_attachments}),
    Endpoint("/attachment/file", {"POST": post_file}),
    Endpoint("/attachment/upload", {"POST": post_multipart}),
    Endpoint("/attachment/{sys_id}", {"GET": get_attachment, "DELETE": delete_attachment}),
    Endpoint("/attachment/{sys_id}/file", {"GET": get_file}),
)
