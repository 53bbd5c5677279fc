"""The smaller method families: `api`, `team`, `pins`, `bookmarks`, `reactions`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack.errors import SlackError, invalid_arguments

if TYPE_CHECKING:
    from callout.sandbox.slack.context import Context

REACTIONS_PER_MESSAGE = 23  # from memory: different emoji one message may carry per person
_EMOJI = re.compile(r"[a-z0-9_'+-]+(::skin-tone-[2-6])?")


def api_test(ctx: Context) -> dict[str, Any]:
    """`api.test`: echoes; fails when told to."""
    if ctx.args.has("error"):
        error = ctx.args.text("error")
        raise SlackError(error, args={"error": error})
    return {"args": ctx.args.all()}


def team_info(ctx: Context) -> dict[str, Any]:
    """`team.info`: only of the token's own team."""
    team = ctx.space.team
    if ctx.args.text("team", team.id) != team.id:
        raise SlackError("team_not_found")
    return {
        "team": {
            "id": team.id,
            "name": team.name,
            "url": team.url,
            "domain": team.domain,
            "email_domain": "example.com",
            "icon": {"image_default": True},
        }
    }


def pin_add(ctx: Context) -> dict[str, Any]:
    """`pins.add`."""
    channel = ctx.own_channel()
    ts = ctx.args.text("timestamp")
    if not ts:
        raise SlackError("no_item_specified")
    message = ctx.space.message(channel, ts)
    if ts in channel.pins:
        raise SlackError("already_pinned")
    channel.pins[ts] = {"created": int(ctx.space.clock.now()), "created_by": ctx.caller}
    message.pinned_by = ctx.caller
    ctx.effect("pins.add", f"{channel.id}/{ts}")
    return {}


def pin_remove(ctx: Context) -> dict[str, Any]:
    """`pins.remove`."""
    channel = ctx.channel()
    ts = ctx.args.text("timestamp")
    if not ts:
        raise SlackError("no_item_specified")
    if channel.pins.pop(ts, None) is None:
        raise SlackError("no_pin")
    ctx.space.message(channel, ts).pinned_by = None
    ctx.effect("pins.remove", f"{channel.id}/{ts}")
    return {}


def pin_list(ctx: Context) -> dict[str, Any]:
    """`pins.list`."""
    channel = ctx.channel()
    return {
        "items": [
            {"type": "message", "channel": channel.id, "message": channel.messages[ts].as_json(), **pin}
            for ts, pin in channel.pins.items()
        ]
    }


def bookmark_add(ctx: Context) -> dict[str, Any]:
    """`bookmarks.add`: links only."""
    channel = ctx.channel("channel_id")
    title, kind = ctx.args.required("title"), ctx.args.required("type")
    if kind != "link":
        raise SlackError("invalid_bookmark_type")
    link = ctx.args.text("link")
    if not re.match(r"https?://\S+", link):
        raise SlackError("invalid_link")
    now = int(ctx.space.clock.now())
    bookmark_id = ctx.space.new_id("Bk")
    bookmark: dict[str, Any] = {
        "id": bookmark_id,
        "channel_id": channel.id,
        "title": title,
        "link": link,
        "emoji": ctx.args.text("emoji"),
        "icon_url": None,
        "type": "link",
        "entity_id": None,
        "date_created": now,
        "date_updated": 0,
        "rank": "i",
        "last_updated_by_user_id": ctx.caller,
        "last_updated_by_team_id": ctx.space.team.id,
        "shortcut_id": None,
        "app_id": None,
    }
    channel.bookmarks[bookmark_id] = bookmark
    ctx.effect("bookmarks.add", f"{channel.id}/{bookmark_id}", title=title, link=link)
    return {"bookmark": bookmark}


def bookmark_edit(ctx: Context) -> dict[str, Any]:
    """`bookmarks.edit`."""
    channel = ctx.channel("channel_id")
    bookmark = channel.bookmarks.get(ctx.args.required("bookmark_id"))
    if bookmark is None:
        raise SlackError("not_found")
    for key in ("title", "link", "emoji"):
        if ctx.args.has(key):
            bookmark[key] = ctx.args.text(key)
    bookmark["date_updated"] = int(ctx.space.clock.now())
    ctx.effect("bookmarks.edit", f"{channel.id}/{bookmark['id']}", title=bookmark["title"])
    return {"bookmark": bookmark}


def bookmark_remove(ctx: Context) -> dict[str, Any]:
    """`bookmarks.remove`."""
    channel = ctx.channel("channel_id")
    bookmark_id = ctx.args.required("bookmark_id")
    if channel.bookmarks.pop(bookmark_id, None) is None:
        raise SlackError("not_found")
    ctx.effect("bookmarks.remove", f"{channel.id}/{bookmark_id}")
    return {}


def bookmark_list(ctx: Context) -> dict[str, Any]:
    """`bookmarks.list`."""
    return {"bookmarks": list(ctx.channel("channel_id").bookmarks.values())}


def reaction_add(ctx: Context) -> dict[str, Any]:
    """`reactions.add`."""
    name = ctx.args.text("name").strip(":")
    if not name:
        raise invalid_arguments("missing required field: name")
    if not _EMOJI.fullmatch(name):
        raise SlackError("invalid_name")
    channel = ctx.channel()
    if channel.archived:
        raise SlackError("is_archived")
    message = ctx.space.message(channel, ctx.args.required("timestamp"))
    if ctx.caller in message.reactions.get(name, []):
        raise SlackError("already_reacted")
    if name not in message.reactions and len(message.reactions) >= REACTIONS_PER_MESSAGE:
        raise SlackError("too_many_emoji")
    message.reactions.setdefault(name, []).append(ctx.caller)
    ctx.effect("reactions.add", f"{channel.id}/{message.ts}", name=name)
    return {}


def reaction_remove(ctx: Context) -> dict[str, Any]:
    """`reactions.remove`."""
    channel = ctx.channel()
    message = ctx.space.message(channel, ctx.args.required("timestamp"))
    name = ctx.args.required("name").strip(":")
    if ctx.caller not in message.reactions.get(name, []):
        raise SlackError("no_reaction")
    message.reactions[name].remove(ctx.caller)
    if not message.reactions[name]:
        del message.reactions[name]
    ctx.effect("reactions.remove", f"{channel.id}/{message.ts}", name=name)
    return {}


def reaction_get(ctx: Context) -> dict[str, Any]:
    """`reactions.get`: of a message."""
    channel = ctx.channel()
    message = ctx.space.message(channel, ctx.args.required("timestamp"))
    return {"type": "message", "channel": channel.id, "message": message.as_json()}
