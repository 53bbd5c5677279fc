"""`files.*`: uploads in three steps, and what a file is to those who may see it."""

from __future__ import annotations

import mimetypes
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack.context import page_by_number
from callout.sandbox.slack.errors import SlackError, invalid_arguments
from callout.sandbox.slack.records import Message

if TYPE_CHECKING:
    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.records import Channel
    from callout.sandbox.slack.workspace import Workspace

FILE_BYTES = 1 << 30
UPLOAD_SECONDS = 600.0  # from memory: how long an upload URL is good for


@dataclass(slots=True)
class File:
    """A file; `upload_key` is set until its upload is completed, `content` until then may be missing."""

    id: str
    name: str
    user: str
    team: str
    created: int
    size: int
    base_url: str
    title: str = ""
    content: bytes | None = None
    upload_key: str | None = None
    mode: str = "hosted"
    """Or `external` (kept in `external_type`), or `hidden_by_limit`."""
    external_type: str = ""
    access: str = "visible"
    """`check_file_info`: messages tell of it only its id, as of files in channels that are shared with another organization."""
    told_at: float = 0.0
    """When `files.info` tells where it is shared: see the setting `file_lag`."""
    shares: dict[str, list[str]] = field(default_factory=dict)
    private_places: set[str] = field(default_factory=set)

    @property
    def mimetype(self) -> str:
        """The media type, by the name."""
        return mimetypes.guess_type(self.name)[0] or "application/octet-stream"

    def as_json(self) -> dict[str, Any]:
        """Return the file object."""
        kind = self.name.rpartition(".")[2].lower() if "." in self.name else "binary"
        url = f"{self.base_url}/files-pri/{self.team}-{self.id}"
        public = {c: ts for c, ts in self.shares.items() if c not in self.private_places}
        private = {c: ts for c, ts in self.shares.items() if c in self.private_places}
        shares = {"public": _shares(public), "private": _shares(private)}
        return {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title or self.name,
            "mimetype": self.mimetype,
            "filetype": kind,
            "pretty_type": kind.upper(),
            "user": self.user,
            "user_team": self.team,
            "editable": False,
            "size": self.size,
            "mode": self.mode,
            "is_external": self.mode == "external",
            "external_type": self.external_type,
            "is_public": bool(public),
            "public_url_shared": False,
            "display_as_bot": False,
            "url_private": f"{url}/{self.name}",
            "url_private_download": f"{url}/download/{self.name}",
            "permalink": f"{self.base_url}/files/{self.user}/{self.id}/{self.name}",
            "channels": list(public),
            "groups": list(private),
            "ims": [],
            "has_rich_preview": False,
            "file_access": "visible",
            "shares": {key: value for key, value in shares.items() if value},
        } | self._elsewhere()

    def _elsewhere(self) -> dict[str, Any]:
        """Return what is otherwise of a file whose bytes Slack does not have, or does not give."""
        if self.mode == "external":
            return {
                "url_private": f"https://{self.external_type}.example/{self.id}",
                "url_private_download": None,
            }
        if self.mode == "hidden_by_limit":
            # from memory: nothing but these is told of it
            return {"url_private": None, "url_private_download": None, "permalink": None}
        return {}

    def in_message(self) -> dict[str, Any]:
        """Return the file object as messages carry it."""
        if self.access == "check_file_info":  # from memory: these members, and no others
            return {
                "id": self.id,
                "created": 0,
                "timestamp": 0,
                "mode": "file_access",
                "user": self.user,
                "file_access": self.access,
            }
        return self.as_json()

    def as_told(self, now: float) -> dict[str, Any]:
        """Return the file object as `files.info` tells it: where it is shared comes a little later."""
        told = self.as_json()
        return told if now >= self.told_at else told | {"channels": [], "groups": [], "shares": {}}


def _shares(places: dict[str, list[str]]) -> dict[str, Any]:
    return {channel: [{"ts": ts} for ts in stamps] for channel, stamps in places.items()}


def share(
    space: Workspace, channel: Channel, files: list[File], message: Message, *, notify: bool = True
) -> None:
    """Put files into a channel with the message that carries them, and tell the app."""
    for file in files:
        file.shares.setdefault(channel.id, []).append(message.ts)
        if channel.kind != "public":
            file.private_places.add(channel.id)
    message.files = [file.in_message() for file in files]
    message.subtype = message.subtype or "file_share"
    space.add_message(channel, message)
    for file in files if notify else ():
        shared = {
            "type": "file_shared",
            "file_id": file.id,
            "user_id": file.user,
            "file": {"id": file.id},
            "channel_id": channel.id,
            "event_ts": space.new_ts(),
        }
        space.report(shared, channel=channel)


def new_file(space: Workspace, name: str, user: str, *, size: int, base_url: str) -> File:
    """Return a file that nobody sees yet."""
    file = File(space.new_id("F"), name, user, space.team.id, int(space.clock.now()), size, base_url)
    space.files[file.id] = file
    return file


def get_upload_url(ctx: Context) -> dict[str, Any]:
    """`files.getUploadURLExternal`."""
    name, length = ctx.args.required("filename"), ctx.args.required("length")
    if not length.isdecimal() or int(length) == 0:
        raise invalid_arguments("must be greater than 0 [json-pointer:/length]")
    if int(length) > FILE_BYTES:
        raise SlackError("file_upload_size_restricted")
    file = new_file(ctx.space, name, ctx.caller, size=int(length), base_url=ctx.public_url)
    file.upload_key = secrets.token_urlsafe(24)
    ctx.effect("files.getUploadURLExternal", file.id, name=name)
    return {"upload_url": f"{ctx.public_url}/upload/v1/{file.upload_key}", "file_id": file.id}


def take_upload(space: Workspace, key: str, body: bytes) -> tuple[int, str]:
    """Take the bytes of an upload; returns the HTTP status and text of the answer."""
    file = next((f for f in space.files.values() if f.upload_key == key), None)
    if file is None or space.clock.now() - file.created > UPLOAD_SECONDS:
        return 404, "no such upload"
    if len(body) != file.size:
        return 400, "length mismatch"  # from memory: Slack refuses, with words of its own
    file.content = body
    return 200, f"OK - {len(body)}"


def complete_upload(ctx: Context) -> dict[str, Any]:
    """`files.completeUploadExternal`: makes the uploads files, and shares them when told where."""
    wanted = ctx.args.structure("files", "invalid_arguments")
    if not isinstance(wanted, list) or not wanted:
        raise invalid_arguments("missing required field: files")
    ids = [item.get("id") for item in wanted if isinstance(item, dict)]
    files = [ctx.space.files.get(str(file_id)) for file_id in ids]
    ready = [f for f in files if f is not None and f.upload_key and f.content is not None]
    if len(ready) != len(wanted) or any(f.user != ctx.caller for f in ready):
        raise SlackError("file_not_found")
    places = [c for c in (ctx.args.text("channel_id") or ctx.args.text("channels")).split(",") if c]
    channels = [_shareable(ctx, place) for place in places]
    for file, item in zip(ready, wanted, strict=True):
        file.upload_key = None
        file.told_at = ctx.space.clock.now() + ctx.space.file_lag
        file.title = str(item.get("title") or file.name)
        created = {"type": "file_created", "file_id": file.id, "user_id": file.user, "file": {"id": file.id}}
        ctx.space.report(created | {"event_ts": ctx.space.new_ts()})
        ctx.effect("files.completeUploadExternal", file.id, name=file.name, channels=places)
    for channel in channels:
        text, thread_ts = ctx.args.text("initial_comment"), ctx.args.text("thread_ts") or None
        if thread_ts is not None and thread_ts in channel.messages:
            channel.messages[thread_ts].thread_ts = thread_ts
        message = Message(ctx.space.new_ts(), ctx.caller, text, bot_id=ctx.bot_id, thread_ts=thread_ts)
        share(ctx.space, channel, ready, message)
    return {"files": [file.as_json() for file in ready]}


def _shareable(ctx: Context, place: str) -> Channel:
    channel = ctx.space.channel_for(ctx.caller, place)
    if ctx.caller not in channel.members:
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    return channel


def may_see(space: Workspace, viewer: str, file: File) -> bool:
    """Whether `viewer` uploaded a file or is where it was shared."""
    places = [space.channels[place] for place in file.shares if place in space.channels]
    return file.user == viewer or any(c.kind == "public" or viewer in c.members for c in places)


def visible_file(ctx: Context) -> File:
    """Return the file an argument names. Raises SlackError `file_not_found`."""
    file = ctx.space.files.get(ctx.args.required("file"))
    if file is None or file.upload_key is not None or not may_see(ctx.space, ctx.caller, file):
        raise SlackError("file_not_found")
    return file


def info(ctx: Context) -> dict[str, Any]:
    """`files.info`."""
    file = visible_file(ctx).as_told(ctx.space.clock.now())
    return {"file": file, "comments": [], "response_metadata": {"next_cursor": ""}}


def listing(ctx: Context) -> dict[str, Any]:
    """`files.list`: newest first, by page number, of a channel or a user when told."""
    channel, user = ctx.args.text("channel"), ctx.args.text("user")
    found = [
        file.as_json()
        for file in reversed(ctx.space.files.values())
        if file.upload_key is None
        and may_see(ctx.space, ctx.caller, file)
        and (not channel or channel in file.shares)
        and (not user or user == file.user)
    ]
    return page_by_number(ctx.args, "files", found)


def delete(ctx: Context) -> dict[str, Any]:
    """`files.delete`: one's own; messages keep a tombstone of it."""
    file = visible_file(ctx)
    if file.user != ctx.caller:
        raise SlackError("cant_delete_file")
    remove_file(ctx.space, file)
    ctx.effect("files.delete", file.id, name=file.name)
    return {}


def remove_file(space: Workspace, file: File) -> None:
    """Delete a file wherever it was shared."""
    del space.files[file.id]
    for place in file.shares:
        for message in space.channels[place].messages.values():
            message.files = [
                {"id": file.id, "mode": "tombstone"} if item["id"] == file.id else item
                for item in message.files
            ]
    space.report({"type": "file_deleted", "file_id": file.id, "event_ts": space.new_ts()})
