"""Reading: `conversations.*` and `users.*` that change nothing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack.context import decode_cursor, encode_cursor, page_by_key
from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.seed import APP_ID

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.records import Channel, Kind, Message

_KIND_BY_TYPE: dict[str, Kind] = {
    "public_channel": "public",
    "private_channel": "private",
    "im": "im",
    "mpim": "mpim",
}
_TS = re.compile(r"\d+(\.\d+)?")


def info(ctx: Context) -> dict[str, Any]:
    """`conversations.info`."""
    channel = ctx.channel()
    return {"channel": channel.as_json(ctx.caller, num_members=ctx.args.flag("include_num_members"))}


def list_channels(ctx: Context) -> dict[str, Any]:
    """`conversations.list`."""
    return _list(ctx, lambda channel: channel.kind == "public" or ctx.caller in channel.members)


def list_own_channels(ctx: Context) -> dict[str, Any]:
    """`users.conversations`: those of one user, the app by default, that the app may see."""
    user = ctx.args.text("user") or ctx.caller
    ctx.space.user(user)
    return _list(
        ctx,
        lambda channel: (
            user in channel.members and (channel.kind == "public" or ctx.caller in channel.members)
        ),
    )


def _list(ctx: Context, visible: Callable[[Channel], bool]) -> dict[str, Any]:
    types = [item.strip() for item in ctx.args.text("types", "public_channel").split(",") if item.strip()]
    if any(item not in _KIND_BY_TYPE for item in types):
        raise SlackError("invalid_types")
    kinds = {_KIND_BY_TYPE[item] for item in types}
    for item in types:
        ctx.check_kind(_KIND_BY_TYPE[item])
    everything = sorted((c for c in ctx.space.channels.values() if visible(c)), key=lambda c: c.id)
    page, cursor = page_by_key(
        everything,
        key=lambda channel: channel.id,
        cursor=ctx.args.text("cursor"),
        limit=ctx.args.limit(100, 1000),
        prefix="team",
    )
    # Filters work on the page that was cut, so a page can be short or empty while a cursor is present.
    leave_archived = ctx.args.flag("exclude_archived")
    shown = [c for c in page if c.kind in kinds and not (leave_archived and c.archived)]
    return {
        "channels": [channel.as_json(ctx.caller, num_members=True) for channel in shown],
        "response_metadata": {"next_cursor": cursor},
    }


def members(ctx: Context) -> dict[str, Any]:
    """`conversations.members`."""
    channel = ctx.channel()
    page, cursor = page_by_key(
        sorted(channel.members),
        key=str,
        cursor=ctx.args.text("cursor"),
        limit=ctx.args.limit(100, 1000),
        prefix="user",
    )
    return {"members": page, "response_metadata": {"next_cursor": cursor}}


def history(ctx: Context) -> dict[str, Any]:
    """`conversations.history`: newest first, replies left out unless they were broadcast."""
    channel = ctx.own_channel()
    top = [m for m in channel.messages.values() if not m.thread_ts or m.thread_ts == m.ts or m.broadcast]
    chosen = _between(ctx, sorted(top, key=_when, reverse=True))
    limit = ctx.args.limit(100, 999)
    cursor = ctx.args.text("cursor")
    if cursor:
        newest = _decoded_ts(cursor)
        chosen = [m for m in chosen if _when(m) <= newest]
    page, rest = chosen[:limit], chosen[limit:]
    return {
        "messages": [_shown(ctx, channel, message) for message in page],
        "has_more": bool(rest),
        "pin_count": len(channel.pins),
        "channel_actions_ts": None,
        "channel_actions_count": 0,
        **({"response_metadata": {"next_cursor": _ts_cursor(rest[0])}} if rest else {}),
    }


def replies(ctx: Context) -> dict[str, Any]:
    """`conversations.replies`: the parent first, then its replies, oldest first."""
    channel = ctx.own_channel()
    parent = channel.messages.get(ctx.args.required("ts"))
    if parent is None:
        raise SlackError("thread_not_found")
    if parent.thread_ts and parent.thread_ts != parent.ts:
        return {"messages": [_shown(ctx, channel, parent)], "has_more": False}
    chosen = _between(ctx, sorted(channel.replies(parent.ts), key=_when))
    limit = ctx.args.limit(1000, 1000)
    cursor = ctx.args.text("cursor")
    if cursor:
        oldest = _decoded_ts(cursor)
        chosen = [m for m in chosen if _when(m) >= oldest]
    page, rest = chosen[:limit], chosen[limit:]
    # from memory: the parent comes with every page.
    return {
        "messages": [_shown(ctx, channel, message) for message in (parent, *page)],
        "has_more": bool(rest),
        **({"response_metadata": {"next_cursor": _ts_cursor(rest[0])}} if rest else {}),
    }


def _shown(ctx: Context, channel: Channel, message: Message) -> dict[str, Any]:
    shown = message.as_json(with_metadata=ctx.args.flag("include_all_metadata"))
    answers = channel.replies(message.ts)
    if answers:
        shown |= {
            "thread_ts": message.ts,
            "reply_count": len(answers),
            "reply_users_count": len({answer.user for answer in answers}),
            "reply_users": list(dict.fromkeys(answer.user for answer in answers)),
            "latest_reply": max(answers, key=_when).ts,
            "is_locked": False,
            "subscribed": True,
        }
    elif message.thread_ts and message.thread_ts != message.ts:
        shown["parent_user_id"] = channel.messages[message.thread_ts].user
    return shown


def _between(ctx: Context, messages: list[Message]) -> list[Message]:
    oldest, latest = ctx.args.text("oldest"), ctx.args.text("latest")
    if oldest and not _TS.fullmatch(oldest):
        raise SlackError("invalid_ts_oldest")
    if latest and not _TS.fullmatch(latest):
        raise SlackError("invalid_ts_latest")
    low, high = _micros(oldest or "0"), _micros(latest) if latest else None
    if ctx.args.flag("inclusive"):
        return [m for m in messages if _when(m) >= low and (high is None or _when(m) <= high)]
    return [m for m in messages if _when(m) > low and (high is None or _when(m) < high)]


def _micros(ts: str) -> int:
    whole, _, fraction = ts.partition(".")
    return int(whole) * 1_000_000 + int((fraction + "000000")[:6])


def _when(message: Message) -> int:
    return _micros(message.ts)


def _ts_cursor(message: Message) -> str:
    return encode_cursor("next_ts", str(_when(message)))


def _decoded_ts(cursor: str) -> int:
    key = decode_cursor(cursor, "next_ts")
    if not key.isdecimal():
        raise SlackError("invalid_cursor")
    return int(key)


def user_info(ctx: Context) -> dict[str, Any]:
    """`users.info`."""
    user = ctx.space.user(ctx.args.required("user"))
    return {"user": user.as_json(with_email=ctx.may("users:read.email"))}


def user_list(ctx: Context) -> dict[str, Any]:
    """`users.list`: deleted users and bots are in it."""
    page, cursor = page_by_key(
        list(ctx.space.users.values()),
        key=lambda user: user.id,
        cursor=ctx.args.text("cursor"),
        limit=ctx.args.limit(1000, 1000),
        prefix="user",
    )
    with_email = ctx.may("users:read.email")
    return {
        "members": [user.as_json(with_email=with_email) for user in page],
        "cache_ts": int(ctx.space.clock.now()),
        "response_metadata": {"next_cursor": cursor},
    }


def lookup_by_email(ctx: Context) -> dict[str, Any]:
    """`users.lookupByEmail`: active people only; note the plural of its error."""
    email = ctx.args.required("email").lower()
    for user in ctx.space.users.values():
        if user.email and user.email.lower() == email and not user.deleted:
            return {"user": user.as_json(with_email=True)}
    raise SlackError("users_not_found")


def profile(ctx: Context) -> dict[str, Any]:
    """`users.profile.get`."""
    user = ctx.space.user(ctx.args.text("user") or ctx.caller)
    return {"profile": user.profile(with_email=ctx.may("users:read.email"))}


def bot_info(ctx: Context) -> dict[str, Any]:
    """`bots.info`: the app's own bot."""
    if ctx.args.text("bot", ctx.space.bot_id) != ctx.space.bot_id:
        raise SlackError("bot_not_found")
    user = ctx.space.users[ctx.space.bot_user_id]
    bot = {"id": ctx.space.bot_id, "deleted": user.deleted, "name": user.name, "updated": user.updated}
    return {"bot": bot | {"app_id": APP_ID, "user_id": user.id, "icons": {}}}
