"""OAuth 2.0 (3LO) of the site: codes, access tokens that expire, refresh tokens that rotate."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from callout.sandbox.jira.model import Json, JsonObject

CLOUD_ID = "11223344-a1b2-3b33-c444-def123456789"
CLIENT_ID, CLIENT_SECRET = "jira-client", "jira-client-secret-0123456789abcdef"
SCOPES = (
    "read:jira-work write:jira-work read:jira-user manage:jira-webhook "
    "read:servicedesk-request write:servicedesk-request offline_access"
)
SEED_REFRESH_TOKEN = "jira-refresh-token-0"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a user allowed an app."""

    client_id: str
    account_id: str
    scope: str

    def allows(self, scope: str) -> bool:
        """Whether the scope was granted."""
        return scope in self.scope.split()


class OAuthRefusedError(Exception):
    """A token request that fails, with the status and code of RFC 6749 as the vendor uses them."""

    def __init__(self, status: int, code: str, description: str) -> None:
        super().__init__(description)
        self.status = status
        self.body = {"error": code, "error_description": description}


@dataclass(slots=True)
class OAuth:
    """The tokens that are out. `now` gives Unix seconds, `life` the seconds an access token lives."""

    now: Callable[[], float]
    life: Callable[[], int]
    clients: dict[str, str] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    _codes: dict[str, Grant] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _access: dict[str, tuple[Grant, float]] = field(default_factory=dict)

    def seed(self, account_id: str) -> None:
        """Plant one refresh token, so that a client can start without a browser."""
        self._refresh[SEED_REFRESH_TOKEN] = Grant(CLIENT_ID, account_id, SCOPES)

    def code_for(self, client_id: str, account_id: str, scope: str) -> str:
        """An authorization code; the twin's user always consents."""
        code = secrets.token_urlsafe(16)
        self._codes[code] = Grant(client_id, account_id, scope or SCOPES)
        return code

    def grant_of(self, access_token: str) -> Grant | None:
        """The grant behind a live access token."""
        grant, expires = self._access.get(access_token, (None, 0.0))
        return grant if expires > self.now() else None

    def expire_access_tokens(self) -> None:
        """Let every access token run out now."""
        self._access.clear()

    def exchange(self, body: Json) -> JsonObject:
        """Answer a token request.

        Raises:
            OAuthRefusedError: unknown client, code or refresh token.
        """
        if not isinstance(body, dict):
            raise OAuthRefusedError(400, "invalid_request", "the body must be an object")
        client_id = str(body.get("client_id", ""))
        secret = self.clients.get(client_id)
        if secret is None or not secrets.compare_digest(secret, str(body.get("client_secret", ""))):
            raise OAuthRefusedError(401, "access_denied", "Unauthorized")
        match body.get("grant_type"):
            case "authorization_code":
                grant = self._codes.pop(str(body.get("code")), None)
                refusal = OAuthRefusedError(403, "invalid_grant", "Invalid authorization code")
            case "refresh_token":
                # Rotation: a refresh token works once.
                grant = self._refresh.pop(str(body.get("refresh_token")), None)
                # from memory: the status and words for a spent refresh token.
                refusal = OAuthRefusedError(403, "unauthorized_client", "refresh_token is invalid")
            case other:
                raise OAuthRefusedError(400, "unsupported_grant_type", f"unsupported grant type {other}")
        if grant is None or grant.client_id != client_id:
            raise refusal
        return self._issue(grant)

    def _issue(self, grant: Grant) -> JsonObject:
        access, life = secrets.token_urlsafe(32), self.life()
        self._access[access] = (grant, self.now() + life)
        answer: JsonObject = {
            "access_token": access,
            "expires_in": life,
            "token_type": "Bearer",
            "scope": grant.scope,
        }
        if grant.allows("offline_access"):
            answer["refresh_token"] = secrets.token_urlsafe(32)
            self._refresh[answer["refresh_token"]] = grant
        return answer
