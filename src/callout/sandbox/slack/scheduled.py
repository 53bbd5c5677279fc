"""`chat.scheduleMessage` and its like: messages that the clock posts."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import chat
from callout.sandbox.slack.context import page_by_key
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.records import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.workspace import Workspace

MOST_SECONDS_AHEAD = 120 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Scheduled:
    """A message that waits for its time (`post_at`, Unix seconds)."""

    id: str
    channel: str
    post_at: int
    created: int
    user: str
    bot_id: str | None
    thread_ts: str | None
    metadata: dict[str, Any] | None
    parts: dict[str, Any]


def schedule(ctx: Context) -> dict[str, Any]:
    """`chat.scheduleMessage`."""
    channel = chat.target_channel(ctx)
    chat.check_may_post(ctx, channel)
    post_at = ctx.args.required("post_at")
    if not post_at.isdecimal():
        raise SlackError("invalid_time")
    now = ctx.space.clock.now()
    if int(post_at) <= now:
        raise SlackError("time_in_past")
    if int(post_at) - now > MOST_SECONDS_AHEAD:
        raise SlackError("time_too_far")
    waiting = Scheduled(
        ctx.space.new_id("Q"),
        channel.id,
        int(post_at),
        int(now),
        ctx.caller,
        ctx.bot_id,
        chat.thread_of(channel, ctx.args),
        chat.metadata_of(ctx.args),
        chat.content(ctx.space, ctx.args),
    )
    ctx.space.scheduled[waiting.id] = waiting
    asyncio.get_running_loop().call_later(waiting.post_at - now, post_due, [ctx.space])
    ctx.effect("chat.scheduleMessage", waiting.id, channel=channel.name, text=waiting.parts["text"])
    return {
        "channel": channel.id,
        "scheduled_message_id": waiting.id,
        "post_at": waiting.post_at,
        "message": {
            "type": "delayed_message",
            "text": waiting.parts["text"],
            "user": ctx.caller,
            "bot_id": ctx.bot_id,
        },
    }


def unschedule(ctx: Context) -> dict[str, Any]:
    """`chat.deleteScheduledMessage`."""
    channel = ctx.channel()
    waiting = ctx.space.scheduled.get(ctx.args.required("scheduled_message_id"))
    if waiting is None or waiting.channel != channel.id:
        raise SlackError("invalid_scheduled_message_id")
    del ctx.space.scheduled[waiting.id]
    ctx.effect("chat.deleteScheduledMessage", waiting.id, channel=channel.name)
    return {}


def listing(ctx: Context) -> dict[str, Any]:
    """`chat.scheduledMessages.list`."""
    channel = ctx.args.text("channel")
    if channel and channel not in ctx.space.channels:
        raise SlackError("invalid_channel")
    mine = [s for s in ctx.space.scheduled.values() if s.user == ctx.caller and channel in {"", s.channel}]
    page, cursor = page_by_key(
        sorted(mine, key=lambda waiting: waiting.post_at),
        key=lambda waiting: waiting.id,
        cursor=ctx.args.text("cursor"),
        limit=ctx.args.limit(100, 100),
        prefix="scheduled",
    )
    shown = [
        {
            "id": waiting.id,
            "channel_id": waiting.channel,
            "post_at": waiting.post_at,
            "date_created": waiting.created,
            "text": waiting.parts["text"],
        }
        for waiting in page
    ]
    return {"scheduled_messages": shown, "response_metadata": {"next_cursor": cursor}}


def post_due(spaces: Iterable[Workspace]) -> None:
    """Post what is due by the twin's clock; one to a channel that is archived by then is dropped."""
    for space in spaces:
        now = space.clock.now()
        for waiting in [s for s in space.scheduled.values() if s.post_at <= now]:
            del space.scheduled[waiting.id]
            channel = space.channels.get(waiting.channel)
            if channel is None or channel.archived:
                continue
            message = Message(
                space.new_ts(),
                waiting.user,
                **waiting.parts,
                bot_id=waiting.bot_id,
                thread_ts=waiting.thread_ts,
                metadata=waiting.metadata,
            )
            space.add_message(channel, message)
