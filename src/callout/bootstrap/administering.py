"""What the pages of administration are told: the settings as they were loaded, without a secret among them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr

from callout.jobs import JobAdmin
from callout.jobs.backlog import Backlog
from callout.server.administration import Administration, SettingFact

if TYPE_CHECKING:
    from callout.bootstrap.core import Core
    from callout.bootstrap.settings import Settings

HIDDEN = "set, not shown"


def administration(core: Core) -> Administration:
    """Return what the pages of administration need."""
    return Administration(
        jobs=JobAdmin(core.engine, clock=core.clock),
        backlog=Backlog(core.clock),
        sealer=core.sealer,
        pauses=core.pauses,
        settings=facts_of(core.settings),
        database=without_password(core.settings.database),
        keys=(*(one for one in core.keys.versions if one != core.keys.primary), core.keys.primary),
    )


def facts_of(settings: Settings) -> tuple[SettingFact, ...]:
    """Return every setting with its value in words, and where it is from."""
    found = []
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        secret = isinstance(value, SecretStr)
        text = (
            (HIDDEN if value.get_secret_value() else "")
            if isinstance(value, SecretStr)
            else _text(name, value)
        )
        source = settings.sources.get(name, "default")
        found.append(SettingFact(name, text, source, field.description or "", hidden=secret))
    return tuple(found)


def _text(name: str, value: Any) -> str:  # noqa: ANN401  # of any setting
    if name == "database_url":
        return without_password(str(value))
    if isinstance(value, tuple):
        return ", ".join(str(one) for one in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def without_password(url: str) -> str:
    """Return the address of a database without what opens it."""
    if "@" not in url and "?" not in url:
        return url
    try:
        parts = urlsplit(url)
        user = f"{parts.username}@" if parts.username else ""
        port = f":{parts.port}" if parts.port else ""
        # Parameters may hold a password, too.
        return urlunsplit((parts.scheme, f"{user}{parts.hostname or ''}{port}", parts.path, "", ""))
    except ValueError:
        return f"{url.partition(':')[0]}://…"


__all__ = ["HIDDEN", "administration", "facts_of", "without_password"]
