"""Tokens, codes and refresh tokens of the app: each belongs to one team and works nowhere else."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from callout.sandbox.slack import seed
from callout.sandbox.slack.errors import SlackError

if TYPE_CHECKING:
    from callout.sandbox.core.clock import SandboxClock

ROTATED_TOKEN_SECONDS = 43_200
CODE_SECONDS = 600
# from memory: a refresh leaves the token before it alive until it expires; a third one ends the oldest.
ACTIVE_PER_GRANT = 2


@dataclass(slots=True)
class Token:
    """A token the Web API knows.

    `expires_at` in Unix seconds when it rotates; `dead` is the error code it gives once it is revoked; `grant`
    names what was granted once and lives on through refreshes.
    """

    value: str
    kind: str
    scopes: tuple[str, ...]
    team: str = seed.TEAM_ID
    user: str = seed.BOT_USER_ID
    expires_at: float | None = None
    dead: str | None = None
    grant: str = ""


@dataclass(slots=True)
class Grant:
    """What a person agreed to on the install page, behind a code that works once."""

    team: str
    user: str
    scopes: tuple[str, ...]
    user_scopes: tuple[str, ...]
    redirect_uri: str
    created: float


@dataclass(slots=True)
class TokenBook:
    """Every token of the app, over all teams."""

    clock: SandboxClock
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, Token] = field(default_factory=dict)
    codes: dict[str, Grant] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Hold the two tokens of the seed."""
        self.tokens[seed.BOT_TOKEN] = Token(seed.BOT_TOKEN, "bot", seed.ALL_SCOPES)
        self.tokens[seed.APP_TOKEN] = Token(seed.APP_TOKEN, "app", ("connections:write",), user="")

    def alive(self, value: str) -> Token:
        """Return a token. Raises SlackError `invalid_auth`, `token_revoked`, `token_expired` and the like."""
        token = self.tokens.get(value)
        if token is None:
            raise SlackError("invalid_auth")
        if token.dead is not None:
            raise SlackError(token.dead)
        if token.expires_at is not None and self.clock.now() > token.expires_at:
            raise SlackError("token_expired")
        return token

    def new_code(self, grant: Grant) -> str:
        """Return a code for a grant: good for one exchange within ten minutes."""
        code = f"{secrets.randbelow(10**12)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self.codes[code] = grant
        return code

    def spend_code(self, code: str) -> Grant:
        """Return the grant behind a code, once. Raises SlackError `invalid_code`."""
        grant = self.codes.pop(code, None)
        if grant is None or self.clock.now() - grant.created > CODE_SECONDS:
            raise SlackError("invalid_code")
        return grant

    def issue(
        self, kind: str, scopes: tuple[str, ...], *, team: str, user: str, rotating: bool, grant: str = ""
    ) -> dict[str, Any]:
        """Make a token of `kind` `bot` or `user`; returns the part of an answer that tells of it."""
        letters = {"bot": "xoxb", "user": "xoxp"}[kind]
        prefix = f"xoxe.{letters}-1-" if rotating else f"{letters}-"
        token = Token(
            f"{prefix}{secrets.token_hex(12)}", kind, scopes, team, user, grant=grant or secrets.token_hex(4)
        )
        self.tokens[token.value] = token
        answer: dict[str, Any] = {
            "access_token": token.value,
            "token_type": kind,
            "scope": ",".join(scopes),
        }
        if rotating:
            refresh = f"xoxe-1-{secrets.token_hex(16)}"
            self.refresh_tokens[refresh] = token
            token.expires_at = self.clock.now() + ROTATED_TOKEN_SECONDS
            answer |= {"refresh_token": refresh, "expires_in": ROTATED_TOKEN_SECONDS}
        return answer

    def spend_refresh(self, value: str) -> Token:
        """Return what a refresh token stands for, once. Raises SlackError `invalid_refresh_token`."""
        token = self.refresh_tokens.pop(value, None)
        if token is None or token.dead is not None:
            raise SlackError("invalid_refresh_token")
        family = [t for t in self.tokens.values() if t.grant == token.grant and t.dead is None]
        for oldest in family[: max(0, len(family) - ACTIVE_PER_GRANT + 1)]:
            oldest.dead = "token_revoked"
        return token

    def of_team(self, team: str) -> list[Token]:
        """Return the living tokens of a team, bot and user."""
        return [t for t in self.tokens.values() if t.team == team and t.kind != "app" and t.dead is None]

    def bot_scopes(self, team: str) -> set[str]:
        """Return what the app may do in a team, by all its living tokens there."""
        return {scope for token in self.of_team(team) if token.kind == "bot" for scope in token.scopes}

    def end_team(self, team: str) -> list[Token]:
        """End every token of a team, as an uninstall does; returns them."""
        ended = self.of_team(team)
        for token in ended:
            # Slack's own words: account_inactive for a bot's token, token_revoked for a person's.
            token.dead = "account_inactive" if token.kind == "bot" else "token_revoked"
        return ended
