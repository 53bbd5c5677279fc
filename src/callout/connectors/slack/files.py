"""Files in Slack: as it tells of them, read, put and shown."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final, cast

from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.file_host import FileHost
from callout.connectors.slack.render import mrkdwn
from callout.connectors.slack.wire import FileRecord, FileShare
from callout.ports.chat_files import FilePlace, SharedFile, ShownFile
from callout.ports.errors import OperationNotSupportedError, RecordNotFoundError, UnavailableError

COMMENT_LIMIT: Final = 2_000
MOST_FILES: Final = 20
"""Of one message. From memory: Slack lets people share ten at once."""
TOMBSTONE: Final = "tombstone"
_NOT_TOLD: Final = "check_file_info"  # from memory: of a file in a shared channel only the id is told
_WHY: Final[Mapping[str, str]] = {
    "hidden_by_limit": "Slack hides it: the workspace is beyond what its plan keeps",
    "access_denied": "Slack does not let the app see it",  # from memory, as is the next
    "file_not_found": "Slack does not let the app see it",
}
"""Mode or access of a file → why its bytes cannot be had."""


class SlackFiles:
    """The part of a Slack workspace that reads and shows files."""

    def __init__(self, api: SlackApi, host: FileHost | None = None) -> None:
        self._api = api
        self._host = host

    async def get_file(self, file_id: str) -> SharedFile:
        record = await self._api.files_info(file_id)
        found = shared_file(cast("Mapping[str, Any]", record))
        if found is None or found.gone:
            raise RecordNotFoundError("the file was deleted in Slack", vendor_code="file_deleted")
        return found

    async def download_file(self, file: SharedFile, *, limit: int) -> AsyncGenerator[bytes, None]:
        _ = limit  # Slack tells a file's size; the caller stops where it has more
        pieces = self._files().download(file.url, media_type=file.media_type, size=file.size)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    async def put_file(self, file: ShownFile, place: FilePlace) -> str:
        _ = place
        told = await self._api.files_get_upload_url_external(file.name, len(file.content))
        address, file_id = told.get("upload_url", ""), told.get("file_id", "")
        if not address or not file_id:
            raise UnavailableError("Slack gave no address to upload to (files.getUploadURLExternal)")
        await self._files().upload(address, file.content)
        return file_id

    async def share_file(self, file: ShownFile, place: FilePlace, *, upload: str, key: str) -> str:
        """Complete an upload into the channel. Slack takes no key of ours: the upload's own id finds it again."""
        _ = key
        shown = await self._api.files_complete_upload_external(
            upload,
            file.name,
            place.channel,
            thread_ts=place.thread,
            comment=mrkdwn(file.comment, COMMENT_LIMIT) if file.comment else "",
        )
        return _message_in(shown, place.channel) or ""

    async def find_shared_file(self, place: FilePlace, *, upload: str, key: str) -> str | None:
        _ = key
        try:
            record = await self._api.files_info(upload)
        except RecordNotFoundError:
            return None
        return _message_in(record, place.channel)

    def _files(self) -> FileHost:
        if self._host is None:
            raise OperationNotSupportedError("this integration handles no files")
        return self._host


def shared_files(value: object) -> tuple[SharedFile, ...]:
    """Read the `files` of a message; what is no file is passed over."""
    records = value if isinstance(value, list) else []
    found = (shared_file(one) for one in records[:MOST_FILES] if isinstance(one, dict))
    return tuple(one for one in found if one is not None)


def shared_file(record: Mapping[str, Any]) -> SharedFile | None:
    """Read a file object; None for one without an id. Pure."""

    def text(name: str) -> str:
        value = record.get(name)
        return value if isinstance(value, str) else ""

    if not text("id"):
        return None
    size, mode, access = record.get("size"), text("mode"), text("file_access")
    why = _WHY.get(mode) or _WHY.get(access) or ""
    url = text("url_private_download") or text("url_private")
    if record.get("is_external") is True or mode == "external":
        where = text("external_type") or "another service"
        why = f"it is kept in {where}, and Slack has only a link to it: {text('url_private') or 'which it does not tell'}"
        url = ""
    told = bool(text("name") or text("title"))
    if not why and not url and told and access != _NOT_TOLD and mode != TOMBSTONE:
        why = f"Slack offers no download of it ({text('pretty_type') or mode or 'no type'})"
    return SharedFile(
        id=text("id"),
        name=text("name") or text("title"),
        media_type=text("mimetype"),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        url=url,
        why=why,
        gone=mode == TOMBSTONE,
    )


def _message_in(record: FileRecord, channel: str) -> str | None:
    """Return the message of `channel` that shows a file, empty where only the channel is told; None where it is not shown there."""
    for shares in _places(record):
        if channel in shares:
            return next((one.get("ts", "") for one in shares[channel]), "")
    places = (*record.get("channels", []), *record.get("groups", []))
    return "" if channel in places else None


def _places(record: FileRecord) -> Iterator[dict[str, list[FileShare]]]:
    shares = record.get("shares") or {}
    yield shares.get("public", {})
    yield shares.get("private", {})


__all__ = ["SlackFiles", "shared_file", "shared_files"]
