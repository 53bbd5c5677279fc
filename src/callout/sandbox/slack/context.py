"""What every Web API method is given, and paging by opaque cursor."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from callout.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from callout.sandbox.core.ledger import Ledger
    from callout.sandbox.slack.arguments import Arguments
    from callout.sandbox.slack.limits import RateLimits
    from callout.sandbox.slack.records import Channel, Kind
    from callout.sandbox.slack.socket_mode import SocketHub
    from callout.sandbox.slack.tokens import Token
    from callout.sandbox.slack.workspace import Workspace


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Context:
    """One call: the workspace of the token, who calls, and where effects are written down."""

    space: Workspace
    teams: Mapping[str, Workspace]
    ledger: Ledger
    limits: RateLimits
    token: Token
    args: Arguments
    public_url: str
    hub: SocketHub
    token_rotation: bool = False
    basic_auth: tuple[str, str] | None = None
    by_kind: Mapping[Kind, tuple[str, ...]] | None = None

    @property
    def caller(self) -> str:
        """The user ID the call is made as: the app's bot user, or the person whose token it is."""
        return self.token.user

    @property
    def bot_id(self) -> str | None:
        """The bot that messages of this call carry; None with a person's token."""
        return self.space.bot_id if self.token.kind == "bot" else None

    def may(self, scope: str) -> bool:
        """Whether the token has a scope."""
        return scope in self.token.scopes

    def channel(self, name: str = "channel") -> Channel:
        """Return the channel an argument names by ID. Raises SlackError `channel_not_found`, `missing_scope`."""
        channel = self.space.channel_for(self.caller, self.args.required(name))
        self.check_kind(channel.kind)
        return channel

    def check_kind(self, kind: Kind) -> None:
        """Let a call at conversations of a kind. Raises SlackError `missing_scope` naming that kind's scope."""
        wanted = (self.by_kind or {}).get(kind)
        if wanted and not set(wanted) & set(self.token.scopes):
            provided = ",".join(self.token.scopes)
            raise SlackError("missing_scope", needed=wanted[0], provided=provided)

    def own_channel(self, name: str = "channel") -> Channel:
        """Return a channel the app is in. Raises also SlackError `not_in_channel`."""
        channel = self.channel(name)
        if self.caller not in channel.members:
            raise SlackError("not_in_channel")
        return channel

    def effect(self, kind: str, target: str, **summary: Any) -> None:
        """Write a change of state into the ledger."""
        self.ledger.record(kind, actor=self.caller, target=target, summary=summary)


def page_by_key(
    items: Sequence[T], *, key: Callable[[T], str], cursor: str, limit: int, prefix: str
) -> tuple[list[T], str]:
    """Return one page and the next cursor (empty at the end).

    The cursor holds the key of the page's first item, as Slack's do, so that items added or removed
    between two calls neither shift nor repeat the rest. Raises SlackError `invalid_cursor`.
    """
    start = 0
    if cursor:
        wanted = decode_cursor(cursor, prefix)
        start = next((index for index, item in enumerate(items) if key(item) == wanted), -1)
        if start < 0:
            raise SlackError("invalid_cursor")
    page = list(items[start : start + limit])
    rest = start + limit
    return page, encode_cursor(prefix, key(items[rest])) if rest < len(items) else ""


def page_by_number(args: Arguments, name: str, items: list[Any]) -> dict[str, Any]:
    """Return one page of the older kind (`count`, `page`), with its `paging` object."""
    count, page = (int(args.text(key) or default) for key, default in (("count", "100"), ("page", "1")))
    pages = -(-len(items) // max(count, 1))
    paging = {"count": count, "total": len(items), "page": page, "pages": pages}
    return {name: items[(page - 1) * count : page * count], "paging": paging}


def encode_cursor(prefix: str, key: str) -> str:
    """Return an opaque cursor."""
    return base64.b64encode(f"{prefix}:{key}".encode()).decode()


def decode_cursor(cursor: str, prefix: str) -> str:
    """Return the key in a cursor. Raises SlackError `invalid_cursor`."""
    try:
        text = base64.b64decode(cursor, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise SlackError("invalid_cursor") from None
    found, _, key = text.partition(":")
    if found != prefix:
        raise SlackError("invalid_cursor")
    return key
