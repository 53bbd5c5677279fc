"""`oauth.v2.*`, `auth.*` and `apps.*`: installing the app in a team, refreshing its tokens, taking it out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import seed
from callout.sandbox.slack.errors import SlackError, invalid_arguments

if TYPE_CHECKING:
    from callout.sandbox.slack.context import Context
    from callout.sandbox.slack.workspace import Workspace


def auth_test(ctx: Context) -> dict[str, Any]:
    """`auth.test`."""
    if ctx.token.kind == "app":
        return {"app_name": "Callout", "app_id": seed.APP_ID}
    team = ctx.space.team
    answer: dict[str, Any] = {
        "url": team.url,
        "team": team.name,
        "user": ctx.space.users[ctx.caller].name,
        "team_id": team.id,
        "user_id": ctx.caller,
        "bot_id": ctx.bot_id,
        "is_enterprise_install": False,
    }
    if ctx.token.expires_at is not None:
        answer["expires_in"] = max(0, int(ctx.token.expires_at - ctx.space.clock.now()))
    return {key: value for key, value in answer.items() if value is not None}


def auth_revoke(ctx: Context) -> dict[str, Any]:
    """`auth.revoke`: ends the calling token; the app hears `tokens_revoked`."""
    if ctx.args.flag("test"):
        return {"revoked": False}
    ctx.token.dead = "token_revoked"
    key = "bot" if ctx.token.kind == "bot" else "oauth"
    tokens: dict[str, list[str]] = {"oauth": [], "bot": []} | {key: [ctx.caller]}
    if ctx.token.kind != "app":
        ctx.space.report({"type": "tokens_revoked", "tokens": tokens, "event_ts": ctx.space.new_ts()})
    ctx.effect("auth.revoke", ctx.token.kind)
    return {"revoked": True}


def apps_uninstall(ctx: Context) -> dict[str, Any]:
    """`apps.uninstall`: takes the app out of the team of the token."""
    _check_client(ctx)
    ctx.space.uninstall()
    ctx.effect("apps.uninstall", ctx.space.team.id)
    return {}


def access(ctx: Context) -> dict[str, Any]:
    """`oauth.v2.access`: exchanges a code, or a refresh token when the app's tokens rotate."""
    _check_client(ctx)
    kind = ctx.args.text("grant_type") or "authorization_code"
    if kind == "refresh_token":
        return _refreshed(ctx)
    if kind != "authorization_code":
        raise SlackError("invalid_grant_type")
    grant = ctx.space.book.spend_code(ctx.args.text("code"))
    # A redirect_uri that was given on the way out must come again, the same to the letter.
    if grant.redirect_uri and ctx.args.text("redirect_uri") != grant.redirect_uri:
        raise SlackError("bad_redirect_uri")
    space = ctx.teams[grant.team]
    answer: dict[str, Any] = {}
    rotating = ctx.token_rotation
    if grant.scopes:
        space.install()
        answer = ctx.space.book.issue(
            "bot", grant.scopes, team=space.team.id, user=space.bot_user_id, rotating=rotating
        ) | {"bot_user_id": space.bot_user_id}
    person: dict[str, Any] = {"id": grant.user}
    if grant.user_scopes:
        person |= ctx.space.book.issue(
            "user", grant.user_scopes, team=space.team.id, user=grant.user, rotating=rotating
        )
    ctx.effect("oauth.v2.access", space.team.id, scope=",".join(grant.scopes), user=grant.user)
    return answer | _install_of(space) | {"authed_user": person}


def _refreshed(ctx: Context) -> dict[str, Any]:
    old = ctx.space.book.spend_refresh(ctx.args.text("refresh_token"))
    space = ctx.teams[old.team]
    answer = ctx.space.book.issue(
        old.kind, old.scopes, team=old.team, user=old.user, rotating=True, grant=old.grant
    ) | _install_of(space)
    owner = {"bot_user_id": old.user} if old.kind == "bot" else {"user_id": old.user}
    ctx.effect("oauth.v2.access", space.team.id, grant_type="refresh_token", token_type=old.kind)
    return answer | owner


def exchange(ctx: Context) -> dict[str, Any]:
    """`oauth.v2.exchange`: turns a long-lived token into one that rotates."""
    _check_client(ctx)
    if not ctx.token_rotation:
        raise SlackError("token_rotation_not_enabled")
    token = ctx.space.book.tokens.get(ctx.token.value)
    if token is None or token.kind not in {"bot", "user"}:
        raise SlackError("invalid_token")
    if token.expires_at is not None or token.dead is not None:
        raise SlackError("token_already_exchanged")
    token.dead = "token_revoked"
    space = ctx.teams[token.team]
    answer = ctx.space.book.issue(token.kind, token.scopes, team=token.team, user=token.user, rotating=True)
    ctx.effect("oauth.v2.exchange", space.team.id, token_type=token.kind)
    owner = {"bot_user_id": token.user} if token.kind == "bot" else {"user_id": token.user}
    return answer | _install_of(space) | owner


def connections_open(ctx: Context) -> dict[str, Any]:
    """`apps.connections.open`: a WebSocket URL with a ticket for one connection."""
    if not ctx.hub.enabled:
        raise SlackError("socket_mode_not_enabled")  # from memory: no code in the index says it
    ctx.ledger.record("apps.connections.open", target=seed.APP_ID, effect=False)
    return {"url": ctx.hub.new_url(ctx.public_url)}


def _install_of(space: Workspace) -> dict[str, Any]:
    return {
        "app_id": seed.APP_ID,
        "team": {"id": space.team.id, "name": space.team.name},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _check_client(ctx: Context) -> None:
    basic_id, basic_secret = ctx.basic_auth or ("", "")
    client_id = ctx.args.text("client_id") or basic_id
    if not client_id:
        raise invalid_arguments("missing required field: client_id")
    if client_id != seed.CLIENT_ID:
        raise SlackError("invalid_client_id")
    if (ctx.args.text("client_secret") or basic_secret) != seed.CLIENT_SECRET:
        raise SlackError("bad_client_secret")
