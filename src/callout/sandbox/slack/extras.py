"""The smaller method families: `auth`, `api`, `team`, `oauth`, `pins`, `bookmarks`, `reactions`."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import seed
from callout.sandbox.slack.errors import SlackError, invalid_arguments
from callout.sandbox.slack.workspace import Token

if TYPE_CHECKING:
    from callout.sandbox.slack.context import Context

ROTATED_TOKEN_SECONDS = 43_200
REACTIONS_PER_MESSAGE = 23  # from memory: different emoji one message may carry per person
_EMOJI = re.compile(r"[a-z0-9_'+-]+(::skin-tone-[2-6])?")


def api_test(ctx: Context) -> dict[str, Any]:
    """`api.test`: echoes; fails when told to."""
    if ctx.args.has("error"):
        error = ctx.args.text("error")
        raise SlackError(error, args={"error": error})
    return {"args": ctx.args.all()}


def auth_test(ctx: Context) -> dict[str, Any]:
    """`auth.test`."""
    if ctx.token.kind == "app":
        return {"app_name": "Callout", "app_id": seed.APP_ID}
    return {
        "url": f"https://{seed.TEAM_DOMAIN}.slack.com/",
        "team": seed.TEAM_NAME,
        "user": seed.BOT_NAME,
        "team_id": seed.TEAM_ID,
        "user_id": seed.BOT_USER_ID,
        "bot_id": seed.BOT_ID,
        "is_enterprise_install": False,
    }


def auth_revoke(ctx: Context) -> dict[str, Any]:
    """`auth.revoke`."""
    if ctx.args.flag("test"):
        return {"revoked": False}
    ctx.token.revoked = True
    ctx.effect("auth.revoke", ctx.token.kind)
    return {"revoked": True}


def team_info(ctx: Context) -> dict[str, Any]:
    """`team.info`."""
    if ctx.args.text("team", seed.TEAM_ID) != seed.TEAM_ID:
        raise SlackError("team_not_found")
    return {
        "team": {
            "id": seed.TEAM_ID,
            "name": seed.TEAM_NAME,
            "url": f"https://{seed.TEAM_DOMAIN}.slack.com/",
            "domain": seed.TEAM_DOMAIN,
            "email_domain": "example.com",
            "icon": {"image_default": True},
        }
    }


def oauth_access(ctx: Context) -> dict[str, Any]:
    """`oauth.v2.access`: exchanges a code, or a refresh token when rotation is on."""
    basic_id, basic_secret = ctx.basic_auth or ("", "")
    client_id = ctx.args.text("client_id") or basic_id
    if client_id != seed.CLIENT_ID:
        raise SlackError("invalid_client_id")
    if (ctx.args.text("client_secret") or basic_secret) != seed.CLIENT_SECRET:
        raise SlackError("bad_client_secret")
    if ctx.args.text("grant_type") == "refresh_token":
        scopes = ctx.space.refresh_tokens.pop(ctx.args.text("refresh_token"), None)
        if scopes is None:
            raise SlackError("invalid_refresh_token")
        return _granted(ctx, scopes, user=None)
    grant = ctx.space.oauth_codes.pop(ctx.args.text("code"), None)
    if grant is None:
        raise SlackError("invalid_code")
    if grant["redirect_uri"] != ctx.args.text("redirect_uri", grant["redirect_uri"]):
        raise SlackError("bad_redirect_uri")
    return _granted(ctx, tuple(item for item in grant["scope"].split(",") if item), user=grant["user"])


def _granted(ctx: Context, scopes: tuple[str, ...], *, user: str | None) -> dict[str, Any]:
    prefix = "xoxe.xoxb-1-" if ctx.token_rotation else "xoxb-"
    token = Token(f"{prefix}{secrets.token_hex(12)}", "bot", scopes or seed.ALL_SCOPES)
    answer: dict[str, Any] = {
        "access_token": token.value,
        "token_type": "bot",
        "scope": ",".join(token.scopes),
        "bot_user_id": seed.BOT_USER_ID,
        "app_id": seed.APP_ID,
        "team": {"id": seed.TEAM_ID, "name": seed.TEAM_NAME},
        "enterprise": None,
        "is_enterprise_install": False,
    }
    if user is not None:
        answer["authed_user"] = {"id": user}
    if ctx.token_rotation:
        refresh = f"xoxe-1-{secrets.token_hex(16)}"
        ctx.space.refresh_tokens[refresh] = token.scopes
        token.expires_at = ctx.space.clock.now() + ROTATED_TOKEN_SECONDS
        answer |= {"refresh_token": refresh, "expires_in": ROTATED_TOKEN_SECONDS}
    ctx.space.tokens[token.value] = token
    ctx.effect("oauth.v2.access", seed.TEAM_ID, scope=answer["scope"])
    return answer


def connections_open(ctx: Context) -> dict[str, Any]:
    """`apps.connections.open`: Socket Mode is switched off for this app."""
    del ctx
    raise SlackError("socket_mode_not_enabled")  # from memory: no code in the index says it


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
        "last_updated_by_team_id": seed.TEAM_ID,
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
