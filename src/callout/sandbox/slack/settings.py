"""The app's settings as a person changes them at api.slack.com, and the twin's own switches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from callout.sandbox.core.twin import ConfigError
from callout.sandbox.slack import seed
from callout.sandbox.slack.installing import ANSWERS
from callout.sandbox.slack.outgoing import DEFAULT_SUBSCRIPTIONS, EVENT_RETRIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.sandbox.slack.twin import SlackTwin

SIGN_INS = ("redirect", "page")
_URLS = ("command_url", "interactivity_url", "options_url", "events_url")


def current(twin: SlackTwin) -> dict[str, Any]:
    """Return the settings in force."""
    page, hub = twin.install_page, twin.hub
    return {
        **{key: getattr(twin.outgoing, key) for key in _URLS},
        "signing_secret": twin.outgoing.signing_secret,
        "subscriptions": list(twin.outgoing.subscriptions),
        "scopes": list(twin.book.tokens[seed.BOT_TOKEN].scopes),
        "answer_seconds": twin.outgoing.answer_seconds,
        "rate_limits": twin.limits.enabled,
        "file_lag": twin.space.file_lag,
        "user_groups": twin.space.user_groups,
        "file_sign_in": twin.file_sign_in,
        "token_rotation": twin.token_rotation,
        "socket_mode": hub.enabled,
        "socket_seconds": hub.link_seconds,
        "socket_warning_seconds": hub.warning_seconds,
        "install_answer": page.answer,
        "install_user": page.user,
        "install_team": page.team,
        "redirect_urls": list(page.redirect_urls),
    }


def change(twin: SlackTwin, settings: Mapping[str, Any]) -> None:
    """Apply settings; a null puts a list or a URL back. Raises ConfigError."""
    unknown = set(settings) - set(current(twin))
    if unknown:
        raise ConfigError(f"unknown settings: {', '.join(sorted(unknown))}")
    _change_page(twin, settings)
    outgoing, hub = twin.outgoing, twin.hub
    for key in _URLS:
        if key in settings:
            setattr(outgoing, key, settings[key] or None)
    outgoing.signing_secret = str(settings.get("signing_secret", outgoing.signing_secret))
    if "subscriptions" in settings:
        outgoing.subscriptions = tuple(settings["subscriptions"] or DEFAULT_SUBSCRIPTIONS)
    if "scopes" in settings:
        twin.book.tokens[seed.BOT_TOKEN].scopes = tuple(settings["scopes"] or seed.ALL_SCOPES)
    if "answer_seconds" in settings:
        outgoing.answer_seconds = float(settings["answer_seconds"])
        twin.webhooks.rule = replace(EVENT_RETRIES, timeout=outgoing.answer_seconds)
    twin.limits.enabled = bool(settings.get("rate_limits", twin.limits.enabled))
    for space in twin.teams.values():
        space.file_lag = float(settings.get("file_lag", space.file_lag))
        space.user_groups = bool(settings.get("user_groups", space.user_groups))
    if settings.get("file_sign_in", twin.file_sign_in) not in SIGN_INS:
        raise ConfigError(f"file_sign_in is one of {', '.join(SIGN_INS)}")
    twin.file_sign_in = str(settings.get("file_sign_in", twin.file_sign_in))
    twin.token_rotation = bool(settings.get("token_rotation", twin.token_rotation))
    hub.link_seconds = float(settings.get("socket_seconds", hub.link_seconds))
    hub.warning_seconds = float(settings.get("socket_warning_seconds", hub.warning_seconds))
    if "socket_mode" in settings:
        hub.enable(on=bool(settings["socket_mode"]))


def _change_page(twin: SlackTwin, settings: Mapping[str, Any]) -> None:
    page = twin.install_page
    if settings.get("install_answer", page.answer) not in ANSWERS:
        raise ConfigError(f"install_answer is one of {', '.join(ANSWERS)}")
    if settings.get("install_team", page.team) not in twin.teams:
        raise ConfigError(f"install_team is one of {', '.join(twin.teams)}")
    page.answer = str(settings.get("install_answer", page.answer))
    page.user = str(settings.get("install_user", page.user))
    page.team = str(settings.get("install_team", page.team))
    if "redirect_urls" in settings:
        page.redirect_urls = tuple(settings["redirect_urls"] or ())
