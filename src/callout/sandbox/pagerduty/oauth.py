"""OAuth: client credentials for an app token, codes and refresh tokens for a user's."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.pagerduty.model import JsonObject

_Held = TypeVar("_Held")
CLIENT_ID = "pd-client"
CLIENT_SECRET = "pd-client-secret"
SEED_REFRESH_TOKEN = "pd-refresh-token"
ACCOUNT_SCOPE = "as_account-us.example"
_RESOURCES = (
    "abilities",
    "escalation_policies",
    "incidents",
    "oncalls",
    "priorities",
    "schedules",
    "services",
    "tags",
    "teams",
    "users",
    "webhook_subscriptions",
    "custom_fields",
    "incident_types",
    "audit_records",
)
SCOPES = frozenset({"openid", *(f"{name}.{right}" for name in _RESOURCES for right in ("read", "write"))})


class OAuthError(Exception):
    """A refusal by the token endpoint, with the word of RFC 6749."""

    def __init__(self, word: str, description: str) -> None:
        super().__init__(description)
        self.word = word
        self.description = description


@dataclass(frozen=True, slots=True)
class Grant:
    """A live token: what it may do, until when (Unix seconds), and for whom (None for the app itself)."""

    scopes: frozenset[str]
    expires: float
    user_id: str | None


@dataclass(slots=True)
class OAuth:
    """The authorization server.

    Args:
        now: Unix seconds.
        life: life of an access token in seconds.
    """

    now: Callable[[], float]
    life: Callable[[], int]
    grants: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, tuple[str, str]] = field(default_factory=dict)
    codes: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)

    def seed(self, user_id: str) -> None:
        """One refresh token, for a user who has agreed before."""
        self.refresh_tokens[SEED_REFRESH_TOKEN] = (user_id, " ".join(sorted(SCOPES)))

    def grant_of(self, token: str) -> Grant | None:
        """The live grant of an access token."""
        grant = self.grants.get(token)
        return grant if grant is not None and self.now() < grant.expires else None

    def expire_access_tokens(self) -> None:
        """End every access token."""
        self.grants.clear()

    def new_code(self, user_id: str, scope: str, redirect: str, challenge: str) -> str:
        """An authorization code for a user who agreed."""
        code = secrets.token_urlsafe(24)
        self.codes[code] = (user_id, scope, redirect, challenge)
        return code

    def token(self, form: Mapping[str, str]) -> JsonObject:
        """Answer the token endpoint.

        Raises:
            OAuthError: the form is wrong.
        """
        kind = form.get("grant_type", "")
        if form.get("client_id") != CLIENT_ID:
            raise OAuthError("invalid_client", "unknown client")
        authentic = secrets.compare_digest(form.get("client_secret", ""), CLIENT_SECRET)
        if kind == "client_credentials":
            self._need(authentic)
            # Besides the scopes it has to say as which account: without it nothing but `openid` is given.
            wanted = form.get("scope", "").split()
            return self._issue(wanted if ACCOUNT_SCOPE in wanted else [], None, refreshable=False)
        if kind == "refresh_token":
            self._need(authentic)
            user_id, scope = self._spend(self.refresh_tokens, form.get("refresh_token", ""))
            return self._issue(scope.split(), user_id, refreshable=True)
        if kind == "authorization_code":
            user_id, scope, redirect, challenge = self._spend(self.codes, form.get("code", ""))
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            proven = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
            self._need(proven if challenge else authentic)
            if redirect != form.get("redirect_uri"):
                raise OAuthError("invalid_grant", "redirect_uri differs")
            return self._issue(scope.split(), user_id, refreshable=True)
        raise OAuthError("unsupported_grant_type", f"grant type {kind!r} is not supported")

    def _need(self, authentic: bool) -> None:  # noqa: FBT001 - a verdict
        if not authentic:
            raise OAuthError("invalid_client", "client authentication failed")

    def _spend(self, held: dict[str, _Held], token: str) -> _Held:
        """Take what a code or refresh token stands for; each can be used once."""
        found = held.pop(token, None)
        if found is None:
            raise OAuthError("invalid_grant", "the grant is unknown, used or expired")
        return found

    def _issue(self, wanted: list[str], user_id: str | None, *, refreshable: bool) -> JsonObject:
        # An unknown scope is no error: it is silently left out.
        scopes = frozenset(wanted) & SCOPES or frozenset({"openid"})
        token = "pdus+" + secrets.token_urlsafe(24)
        self.grants[token] = Grant(scopes, self.now() + self.life(), user_id)
        answer: JsonObject = {
            "access_token": token,
            "token_type": "bearer",
            "scope": " ".join(sorted(scopes)),
            "expires_in": self.life(),
        }
        if refreshable and user_id is not None:
            answer["refresh_token"] = "pdus+r" + secrets.token_urlsafe(24)
            self.refresh_tokens[answer["refresh_token"]] = (user_id, answer["scope"])
        return answer
