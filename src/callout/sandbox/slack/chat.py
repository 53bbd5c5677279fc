"""`chat.*`: posting, changing and deleting messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import orjson

from callout.sandbox.slack.blocks import MARKDOWN_TEXT, check_message_blocks
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.records import Channel, Message
from callout.sandbox.slack.text import as_stored, notified_by

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.sandbox.slack.arguments import Arguments
    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.workspace import Workspace

TEXT_CUT_AT = 40_000
# from memory: chat.update and chat.postEphemeral refuse text above 4,000 characters, chat.postMessage cuts.
TEXT_REFUSED_ABOVE = 4_000
ATTACHMENTS = 100  # from memory: 20 are recommended, 100 is the hard limit
METADATA_BYTES = 8_000  # from memory
# What the sender wrote; lines that Slack itself wrote belong to nobody.
_CHANGEABLE = {None, "thread_broadcast", "file_share", "me_message"}
_TS = re.compile(r"\d{1,12}\.\d{6}")


class RateLimitedError(Exception):
    """The channel takes no post now; `wait` in whole seconds."""

    def __init__(self, wait: int) -> None:
        super().__init__(wait)
        self.wait = wait


def content(
    space: Workspace, args: Arguments, *, refuse_above: int | None = None, keep: Message | None = None
) -> dict[str, Any]:
    """Return checked `text`, `blocks`, `attachments` of a message; `keep` supplies what is not sent.

    Raises SlackError `no_text`, `invalid_blocks*`, `msg_too_long`, `markdown_text_conflict` and others.
    """
    if args.has("markdown_text"):
        return _markdown_content(args)
    text = args.text("text")
    if refuse_above is not None and len(text) > refuse_above:
        raise SlackError("msg_too_long")
    blocks = args.structure("blocks", "invalid_blocks_format")
    attachments = args.structure("attachments", "invalid_attachments")
    stored_blocks = check_message_blocks(blocks) if blocks is not None else (keep.blocks if keep else [])
    if attachments is not None and not isinstance(attachments, list):
        raise SlackError("invalid_attachments")
    if len(attachments or []) > ATTACHMENTS:
        raise SlackError("too_many_attachments")
    for attachment in attachments or []:
        if isinstance(attachment, dict) and attachment.get("blocks") is not None:
            attachment["blocks"] = check_message_blocks(attachment["blocks"])
    stored_attachments = attachments if attachments is not None else (keep.attachments if keep else [])
    if not text.strip() and not stored_blocks and not stored_attachments:
        raise SlackError("no_text")
    names = {user.name: user.id for user in space.users.values() if not user.deleted}
    link_names = args.flag("link_names") or args.text("parse") == "full"
    stored = as_stored(text[:TEXT_CUT_AT], link_names=link_names, user_ids=names)
    return {"text": stored, "blocks": stored_blocks, "attachments": stored_attachments}


def _markdown_content(args: Arguments) -> dict[str, Any]:
    if args.has("text") or args.has("blocks"):
        raise SlackError("markdown_text_conflict")
    markdown = args.text("markdown_text")
    if not markdown:
        raise SlackError("no_text")
    if len(markdown) > MARKDOWN_TEXT:
        raise SlackError("msg_too_long")
    return {
        "text": markdown,
        "blocks": check_message_blocks([{"type": "markdown", "text": markdown}]),
        "attachments": [],
    }


def metadata_of(args: Arguments) -> dict[str, Any] | None:
    """Return checked metadata. Raises SlackError `invalid_metadata_*` or `metadata_too_large`."""
    metadata = args.structure("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict):
        raise SlackError("invalid_metadata_format")
    payload = metadata.get("event_payload")
    if not isinstance(metadata.get("event_type"), str) or not isinstance(payload, dict):
        raise SlackError("invalid_metadata_schema")
    if len(orjson.dumps(metadata)) > METADATA_BYTES:
        raise SlackError("metadata_too_large")
    return {"event_type": metadata["event_type"], "event_payload": payload}


def thread_of(channel: Channel, args: Arguments) -> str | None:
    """Return the parent's `ts`. Raises SlackError for a thread that cannot be replied to."""
    thread_ts = args.text("thread_ts")
    if not thread_ts:
        return None
    if not _TS.fullmatch(thread_ts):
        raise SlackError("invalid_thread_ts")  # from memory
    parent = channel.messages.get(thread_ts)
    if parent is None:
        raise SlackError("thread_not_found")  # from memory: the index names only cannot_reply_to_message
    if parent.subtype is not None and parent.subtype != "thread_broadcast" and not parent.bot_id:
        raise SlackError("cannot_reply_to_message")
    return parent.thread_ts or parent.ts


def target_channel(ctx: Context) -> Channel:
    """Return where to post: a channel ID, `#name`, or a user ID for a direct message."""
    reference = ctx.args.required("channel")
    if reference in ctx.space.users:
        if ctx.space.users[reference].deleted:
            raise SlackError("user_disabled")  # from memory
        return ctx.space.direct_channel([ctx.caller, reference])
    if reference not in ctx.space.channels:
        named = ctx.space.channel_named(reference.removeprefix("#"))
        if named is not None:
            reference = named.id
    return ctx.space.channel_for(ctx.caller, reference)


def check_may_post(ctx: Context, channel: Channel) -> None:
    """Let a post through. Raises SlackError `is_archived` or `not_in_channel`."""
    if channel.archived:
        raise SlackError("is_archived")
    if ctx.caller not in channel.members and not ctx.may("chat:write.public"):
        raise SlackError("not_in_channel")


def post_message(ctx: Context) -> dict[str, Any]:
    """`chat.postMessage`."""
    channel = target_channel(ctx)
    wait = ctx.limits.wait_for_post(channel.id)
    if wait:
        raise RateLimitedError(wait)
    check_may_post(ctx, channel)
    parts = content(ctx.space, ctx.args)
    metadata = metadata_of(ctx.args)
    if metadata is not None and ctx.bot_id is None:
        raise SlackError("metadata_must_be_sent_from_app")
    thread_ts = thread_of(channel, ctx.args)
    message = Message(
        ctx.space.new_ts(), ctx.caller, **parts, bot_id=ctx.bot_id, thread_ts=thread_ts, metadata=metadata
    )
    message.username = ctx.args.text("username") or None
    if thread_ts is not None:
        channel.messages[thread_ts].thread_ts = thread_ts
        if ctx.args.flag("reply_broadcast"):
            message.broadcast, message.subtype = True, "thread_broadcast"
    ctx.space.add_message(channel, message)
    ctx.effect(
        "chat.postMessage",
        f"{channel.id}/{message.ts}",
        channel=channel.name,
        text=message.text,
        thread_ts=thread_ts,
        metadata=metadata,
    )
    shown = message.as_json(with_metadata=True)
    return {"channel": channel.id, "ts": message.ts, "message": shown}


def post_ephemeral(ctx: Context) -> dict[str, Any]:
    """`chat.postEphemeral`."""
    channel = target_channel(ctx)
    user = ctx.args.required("user")
    check_may_post(ctx, channel)
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    parts = content(ctx.space, ctx.args, refuse_above=TEXT_REFUSED_ABOVE)
    message = add_ephemeral(ctx.space, channel, user, parts, thread_ts=ctx.args.text("thread_ts") or None)
    ctx.effect("chat.postEphemeral", f"{channel.id}/{message.ts}", user=user, text=message.text)
    return {"message_ts": message.ts}


def add_ephemeral(
    space: Workspace, channel: Channel, user: str, parts: Mapping[str, Any], *, thread_ts: str | None = None
) -> Message:
    """Show a message to one user only."""
    message = Message(
        space.new_ts(),
        space.bot_user_id,
        **parts,
        bot_id=space.bot_id,
        visible_to=user,
        thread_ts=thread_ts,
        team=space.team.id,
    )
    message.notified = notified_by(message.text, message.blocks)
    channel.ephemerals[message.ts] = message
    return message


def update(ctx: Context) -> dict[str, Any]:
    """`chat.update`: blocks, attachments and metadata stay unless sent anew. # from memory: which stay."""
    channel = ctx.channel()
    ts = ctx.args.required("ts")
    message = ctx.space.message(channel, ts)
    if not _owns(ctx, message):
        raise SlackError("cant_update_message")
    if channel.archived:
        raise SlackError("is_inactive")
    parts = content(ctx.space, ctx.args, refuse_above=TEXT_REFUSED_ABOVE, keep=message)
    metadata = ctx.args.structure("metadata", "invalid_metadata_format")
    replace_message(ctx.space, channel, message, parts)
    if metadata is not None:
        message.metadata = metadata_of(ctx.args)
    ctx.effect(
        "chat.update",
        f"{channel.id}/{ts}",
        channel=channel.name,
        text=message.text,
        metadata=message.metadata,
    )
    shown = message.as_json(with_metadata=True)
    shown.pop("ts")
    return {"channel": channel.id, "ts": ts, "text": message.text, "message": shown}


def _owns(ctx: Context, message: Message) -> bool:
    return message.user == ctx.caller and message.subtype in _CHANGEABLE


def replace_message(space: Workspace, channel: Channel, message: Message, parts: Mapping[str, Any]) -> None:
    """Put new content into a stored message and report `message_changed`."""
    before = message.as_json()
    message.text = parts["text"]
    message.blocks = parts["blocks"]
    message.attachments = parts["attachments"]
    # from memory: an edit notifies nobody, so `notified` keeps what the first version did.
    message.edited_at, message.edited_by = space.new_ts(), message.user
    space.report(
        {
            "type": "message",
            "subtype": "message_changed",
            "channel": channel.id,
            "hidden": True,
            "message": message.as_json(with_metadata=True),
            "previous_message": before,
            "ts": message.edited_at,
            "event_ts": message.edited_at,
            "channel_type": channel.channel_type,
        },
        channel=channel,
    )


def delete(ctx: Context) -> dict[str, Any]:
    """`chat.delete`."""
    channel = ctx.channel()
    ts = ctx.args.required("ts")
    message = ctx.space.message(channel, ts)
    if not _owns(ctx, message):
        raise SlackError("cant_delete_message")
    remove_message(ctx.space, channel, message)
    ctx.effect("chat.delete", f"{channel.id}/{ts}", channel=channel.name)
    return {"channel": channel.id, "ts": ts}


def remove_message(space: Workspace, channel: Channel, message: Message) -> None:
    """Delete a message; the parent of a thread stays as a tombstone."""
    if channel.replies(message.ts):
        message.subtype, message.text = "tombstone", "This message was deleted."
        message.blocks, message.attachments, message.files, message.bot_id = [], [], [], None
        message.user = "USLACKBOT"
    else:
        del channel.messages[message.ts]
    channel.pins.pop(message.ts, None)
    event_ts = space.new_ts()
    space.report(
        {
            "type": "message",
            "subtype": "message_deleted",
            "channel": channel.id,
            "hidden": True,
            "deleted_ts": message.ts,
            "ts": event_ts,
            "event_ts": event_ts,
            "channel_type": channel.channel_type,
        },
        channel=channel,
    )


def get_permalink(ctx: Context) -> dict[str, Any]:
    """`chat.getPermalink`."""
    channel = ctx.channel()
    ts = ctx.args.required("message_ts")
    message = ctx.space.message(channel, ts)
    link = f"{ctx.space.team.url}archives/{channel.id}/p{ts.replace('.', '')}"
    if message.thread_ts and message.thread_ts != ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}
