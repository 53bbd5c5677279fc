"""OAuth 2.0 of the instance: `/oauth_token.do` with password, client_credentials and refresh_token grants."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import JsonObject

CLIENT_ID, CLIENT_SECRET = "client", "secret"
CLIENT_CREDENTIALS_PROPERTY = "glide.oauth.inbound.client.credential.grant_type.enabled"
REFRESH_LIFE = 100 * 86_400  # from memory: refresh tokens live 100 days.


class OAuthRefusedError(Exception):
    """A token request that fails; here `error` is a string, not the object of the REST APIs."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(description)
        # from memory: always 401, and the codes.
        self.status = 401
        self.body = {"error": code, "error_description": description}


@dataclass(slots=True)
class OAuth:
    """The tokens that are out; `now` gives Unix seconds, `service_user` acts for client_credentials."""

    instance: Instance
    now: Callable[[], float]
    service_user: str
    clients: dict[str, str] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    _access: dict[str, tuple[str, float]] = field(default_factory=dict)
    _refresh: dict[str, tuple[str, float]] = field(default_factory=dict)

    def user_of(self, token: str) -> str | None:
        """The user name behind a live access token."""
        user, expires = self._access.get(token, ("", 0.0))
        return user if expires > self.now() else None

    def expire_access_tokens(self) -> None:
        """Let every access token run out now."""
        self._access.clear()

    def exchange(self, form: Mapping[str, str]) -> JsonObject:
        """Answer a token request. Raises OAuthRefusedError."""
        secret = self.clients.get(form.get("client_id", ""))
        if secret is None or not secrets.compare_digest(secret, form.get("client_secret", "")):
            raise OAuthRefusedError("invalid_client", "The client credentials are invalid")
        match form.get("grant_type"):
            case "password":
                return self._by_password(form)
            case "client_credentials":
                if self.instance.property(CLIENT_CREDENTIALS_PROPERTY) != "true":
                    raise OAuthRefusedError(
                        "access_denied", "The grant type client_credentials is not enabled"
                    )
                return self._issue(self.service_user, refresh=None)
            case "refresh_token":
                return self._by_refresh(form.get("refresh_token", ""))
            case other:
                raise OAuthRefusedError("access_denied", f"unsupported grant type {other}")

    def _by_password(self, form: Mapping[str, str]) -> JsonObject:
        account = self.instance.accounts.get(form.get("username", ""))
        right = account is not None and secrets.compare_digest(
            account.password.encode(), form.get("password", "").encode()
        )
        if account is None or not right or not self.instance.settings.password_grant:
            raise OAuthRefusedError("access_denied", "access_denied")
        return self._issue(account.user_name, refresh=secrets.token_urlsafe(48))

    def _by_refresh(self, token: str) -> JsonObject:
        user, expires = self._refresh.get(token, ("", 0.0))
        if expires <= self.now():
            raise OAuthRefusedError("access_denied", "The refresh token is invalid or has expired")
        if not self.instance.settings.rotate_refresh_tokens:
            return self._issue(user, refresh=token)
        del self._refresh[token]
        return self._issue(user, refresh=secrets.token_urlsafe(48))

    def _issue(self, user: str, *, refresh: str | None) -> JsonObject:
        access, life = secrets.token_urlsafe(48), self.instance.settings.access_token_seconds
        self._access[access] = (user, self.now() + life)
        answer: JsonObject = {
            "access_token": access,
            "scope": "useraccount",
            "token_type": "Bearer",
            "expires_in": life,
        }
        if refresh is not None:
            self._refresh.setdefault(refresh, (user, self.now() + REFRESH_LIFE))
            answer["refresh_token"] = refresh
        return answer
