"""`conversations.*` that make, change and join channels."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack.errors import SlackError
from callout.sandbox.slack.records import Channel

if TYPE_CHECKING:
    from callout.sandbox.slack.context import Context

NAME_LENGTH = 80
TOPIC_LENGTH = 250  # from memory, for topic and purpose
GROUP_DM_MEMBERS = 8
_NAME = re.compile(r"[a-z0-9_-]+")


def checked_name(raw: str) -> str:
    """Return a channel name. Raises SlackError `invalid_name_*`; Slack does not mend names."""
    if not raw:
        raise SlackError("invalid_name_required")
    if len(raw) > NAME_LENGTH:
        raise SlackError("invalid_name_maxlength")
    if not any(character.isalnum() for character in raw):
        raise SlackError("invalid_name_punctuation")
    if not _NAME.fullmatch(raw):
        raise SlackError("invalid_name_specials")
    return raw


def create(ctx: Context) -> dict[str, Any]:
    """`conversations.create`: the app becomes the creator and the only member."""
    name = checked_name(ctx.args.text("name"))
    if ctx.space.channel_named(name) is not None:
        # Archived channels hold their names, and so do private ones the caller cannot see.
        raise SlackError("name_taken")
    private = ctx.args.flag("is_private")
    ctx.check_kind("private" if private else "public")
    now = int(ctx.space.clock.now())
    channel = Channel(
        ctx.space.new_id("C"),
        name,
        "private" if private else "public",
        ctx.caller,
        now,
        members=[ctx.caller],
        updated=now * 1000,
        team=ctx.space.team.id,
    )
    ctx.space.channels[channel.id] = channel
    ctx.effect("conversations.create", channel.id, name=name, is_private=private)
    ctx.space.report(
        {
            "type": "channel_created",
            "channel": {"id": channel.id, "name": name, "created": now, "creator": ctx.caller},
            "event_ts": ctx.space.new_ts(),
        }
    )
    return {"channel": channel.as_json(ctx.caller)}


def invite(ctx: Context) -> dict[str, Any]:
    """`conversations.invite`: all or nothing, unless `force` lets the valid ones in."""
    channel = ctx.own_channel()
    _only_named(channel)
    if channel.archived:
        raise SlackError("is_archived")
    wanted = [user for user in re.split(r"[,\s]+", ctx.args.text("users")) if user]
    if not wanted:
        raise SlackError("no_user")
    errors: list[dict[str, Any]] = []
    valid: list[str] = []
    for user in dict.fromkeys(wanted):
        problem = _invite_problem(ctx, channel, user)
        if problem is None:
            valid.append(user)
        else:
            errors.append({"user": user, "ok": False, "error": problem})
    if errors and not (ctx.args.flag("force") and valid):
        raise SlackError(errors[0]["error"], errors=errors)
    for user in valid:
        ctx.space.join(channel, user, inviter=ctx.caller)
    ctx.effect("conversations.invite", channel.id, name=channel.name, users=valid)
    answer: dict[str, Any] = {"channel": channel.as_json(ctx.caller)}
    return answer | ({"errors": errors} if errors else {})


def _invite_problem(ctx: Context, channel: Channel, user_id: str) -> str | None:
    if user_id == ctx.caller:
        return "cant_invite_self"
    user = ctx.space.users.get(user_id)
    if user is None:
        return "user_not_found"
    if user.deleted:
        return "cant_invite"  # from memory: the answer for a deactivated member
    if user.guest is not None and user_id not in channel.members:
        if channel.is_general:
            return "user_is_restricted"  # from memory
        elsewhere = any(user_id in c.members for c in ctx.space.channels.values() if c.is_named)
        if user.guest == "single" and elsewhere:
            return "ura_max_channels"
    return "already_in_channel" if user_id in channel.members else None


def kick(ctx: Context) -> dict[str, Any]:
    """`conversations.kick`."""
    channel = ctx.own_channel()
    _only_named(channel)
    user = ctx.space.user(ctx.args.required("user"))
    if user.id == ctx.caller:
        raise SlackError("cant_kick_self")
    if channel.is_general:
        raise SlackError("cant_kick_from_general")
    if user.id not in channel.members:
        raise SlackError("not_in_channel")
    ctx.space.leave(channel, user.id)
    ctx.effect("conversations.kick", channel.id, name=channel.name, user=user.id)
    return {}


def join(ctx: Context) -> dict[str, Any]:
    """`conversations.join`: public channels only; joining twice is fine and says so."""
    channel = ctx.channel()
    if channel.kind != "public":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.archived:
        raise SlackError("is_archived")
    if ctx.caller in channel.members:
        return {
            "channel": channel.as_json(ctx.caller),
            "warning": "already_in_channel",
            "response_metadata": {"warnings": ["already_in_channel"]},
        }
    ctx.space.join(channel, ctx.caller)
    ctx.effect("conversations.join", channel.id, name=channel.name)
    return {"channel": channel.as_json(ctx.caller)}


def leave(ctx: Context) -> dict[str, Any]:
    """`conversations.leave`."""
    channel = ctx.channel()
    _only_named(channel)
    if channel.is_general:
        raise SlackError("cant_leave_general")
    if channel.archived:
        raise SlackError("is_archived")
    if ctx.caller not in channel.members:
        return {"not_in_channel": True}
    if channel.kind == "private" and channel.members == [ctx.caller]:
        raise SlackError("last_member")
    ctx.space.leave(channel, ctx.caller)
    ctx.effect("conversations.leave", channel.id, name=channel.name)
    return {}


def archive(ctx: Context) -> dict[str, Any]:
    """`conversations.archive`."""
    channel = ctx.channel()
    _only_named(channel)
    if channel.is_general:
        raise SlackError("cant_archive_general")
    if channel.archived:
        raise SlackError("already_archived")
    if ctx.caller not in channel.members:
        raise SlackError("not_in_channel")
    ctx.space.archive(channel, ctx.caller)
    ctx.effect("conversations.archive", channel.id, name=channel.name)
    return {}


def unarchive(ctx: Context) -> dict[str, Any]:
    """`conversations.unarchive`."""
    channel = ctx.channel()
    _only_named(channel)
    if not channel.archived:
        raise SlackError("not_archived")
    ctx.space.unarchive(channel, ctx.caller)
    ctx.effect("conversations.unarchive", channel.id, name=channel.name)
    return {}


def rename(ctx: Context) -> dict[str, Any]:
    """`conversations.rename`: only for a channel the app itself made."""
    channel = ctx.channel()
    _only_named(channel)
    name = checked_name(ctx.args.text("name"))
    if ctx.caller not in channel.members:
        raise SlackError("not_in_channel")
    if channel.archived:
        raise SlackError("is_archived")
    if channel.creator != ctx.caller:
        raise SlackError("not_authorized")
    holder = ctx.space.channel_named(name)
    if holder is not None and holder is not channel:
        raise SlackError("name_taken")
    if holder is None:
        ctx.space.rename(channel, ctx.caller, name)
        ctx.effect("conversations.rename", channel.id, name=name)
    return {"channel": channel.as_json(ctx.caller)}


def set_topic(ctx: Context) -> dict[str, Any]:
    """`conversations.setTopic`."""
    return _set_heading(ctx, "topic")


def set_purpose(ctx: Context) -> dict[str, Any]:
    """`conversations.setPurpose`."""
    return _set_heading(ctx, "purpose")


def _set_heading(ctx: Context, what: str) -> dict[str, Any]:
    channel = ctx.own_channel()
    if channel.kind == "im":
        raise SlackError("method_not_supported_for_channel_type")
    if channel.archived:
        raise SlackError("is_archived")
    value = ctx.args.text(what)
    if len(value) > TOPIC_LENGTH:
        raise SlackError("too_long")
    ctx.space.set_heading(channel, ctx.caller, what, value)
    ctx.effect(f"conversations.set{what.capitalize()}", channel.id, name=channel.name, value=value)
    return {"channel": channel.as_json(ctx.caller)}


def open_direct(ctx: Context) -> dict[str, Any]:
    """`conversations.open`: a direct conversation with one to eight users, or one known by ID."""
    if ctx.args.has("channel"):
        return _opening(ctx, ctx.channel(), new=False)
    users = [user for user in re.split(r"[,\s]+", ctx.args.text("users")) if user]
    if not users:
        raise SlackError("users_list_not_supplied")
    if len(users) > GROUP_DM_MEMBERS:
        raise SlackError("too_many_users")
    for user_id in users:
        if ctx.space.user(user_id).deleted:
            raise SlackError("user_disabled")
    ctx.check_kind("im" if len(users) == 1 else "mpim")
    before = len(ctx.space.channels)
    members = list(dict.fromkeys([ctx.caller, *users]))
    channel = ctx.space.direct_channel(members)
    return _opening(ctx, channel, new=len(ctx.space.channels) > before)


def _opening(ctx: Context, channel: Channel, *, new: bool) -> dict[str, Any]:
    closed = ctx.caller in channel.closed_for
    channel.closed_for.discard(ctx.caller)
    if new or closed:
        ctx.effect("conversations.open", channel.id, users=channel.members)
        return {"channel": _opened(ctx, channel)}
    return {"no_op": True, "already_open": True, "channel": _opened(ctx, channel)}


def close(ctx: Context) -> dict[str, Any]:
    """`conversations.close`: a direct conversation leaves the sidebar; its messages stay."""
    channel = ctx.channel()
    if channel.is_named:
        raise SlackError("method_not_supported_for_channel_type")
    if ctx.caller in channel.closed_for:
        return {"no_op": True, "already_closed": True}
    channel.closed_for.add(ctx.caller)
    ctx.effect("conversations.close", channel.id)
    return {}


def _opened(ctx: Context, channel: Channel) -> dict[str, Any]:
    return channel.as_json(ctx.caller) if ctx.args.flag("return_im") else {"id": channel.id}


def _only_named(channel: Channel) -> None:
    if not channel.is_named:
        raise SlackError("method_not_supported_for_channel_type")
