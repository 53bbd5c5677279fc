"""Credentials of an integration → how each request proves who we are. Refresh tokens rotate: each works once."""

from __future__ import annotations

from datetime import timedelta
from typing import Final, cast
from urllib.parse import urlsplit

from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.errors import from_http
from callout.connectors.jira.wire import OAuthTokens
from callout.kit.http import Auth, VendorHttp, basic_auth, bearer_auth
from callout.kit.http_errors import HttpError, HttpStatusError
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.manifest import Credential, TokenSet, Tools
from callout.ports.rotating import RotatingAuth

DEFAULT_LIFETIME: Final = 3600  # from memory: the lifetime when the answer does not say
KINDS: Final = ("basic", "service_account", "token", "o_auth_client")
_SCOPES: Final = "Connect the Jira app again: its grant was revoked or has expired."


def auth_for(config: JiraConfig, tools: Tools) -> Auth:
    """Return what authenticates requests with the integration's credential. Raises AuthFailedError."""
    credential = tools.credential
    if credential.kind == "o_auth_client":
        if tools.tokens is None:
            raise AuthFailedError("this Jira integration has not been connected yet", remediation=_SCOPES)
        endpoint = TokenEndpoint(config, tools, credential)
        return RotatingAuth(tools.tokens, endpoint.refresh, clock=tools.clock)
    secret = credential.secrets.get("secret")
    if secret is None or not secret:
        raise AuthFailedError("this Jira integration has no API token")
    if credential.kind == "token":
        return bearer_auth(secret)
    if credential.kind == "service_account" and config.cloud_id:
        # from memory: scoped tokens of service accounts are bearer tokens at the gateway.
        return bearer_auth(secret)
    if credential.kind not in KINDS:
        raise AuthFailedError(f"Jira cannot use a credential of kind {credential.kind!r}")
    return basic_auth(credential.values.get("username", ""), secret)


class TokenEndpoint:
    """Atlassian's token endpoint, for one OAuth app."""

    def __init__(self, config: JiraConfig, tools: Tools, credential: Credential) -> None:
        address = urlsplit(credential.values.get("token_url") or config.token_url)
        self._path = address.path
        self._http: VendorHttp = tools.http(f"{address.scheme}://{address.netloc}")
        self._credential = credential
        self._clock = tools.clock

    async def refresh(self, stale: TokenSet) -> TokenSet:
        """Exchange the refresh token; the old one is dead afterwards. Raises AuthFailedError, UnavailableError."""
        if stale.refresh is None:
            raise AuthFailedError("the Jira grant has no refresh token", remediation=_SCOPES)
        body: dict[str, str | Secret] = {
            "grant_type": "refresh_token",
            "client_id": self._credential.values.get("client_id", ""),
            "client_secret": self._credential.secrets.get("client_secret", Secret("")),
            "refresh_token": stale.refresh,
        }
        try:
            answer = cast("OAuthTokens", await self._http.request_json("POST", self._path, json=body))
        except HttpStatusError as error:
            if error.status in {400, 401, 403}:
                raise AuthFailedError(
                    "Jira refused to renew the grant", status=error.status, remediation=_SCOPES
                ) from error
            raise self._unclear(error) from error
        except HttpError as error:
            raise self._unclear(error) from error
        access = answer.get("access_token") if answer else None
        if not access:
            raise AuthFailedError("the token endpoint answered without a token", remediation=_SCOPES)
        refresh = answer.get("refresh_token")
        return TokenSet(
            access=Secret(access),
            refresh=Secret(refresh) if refresh else stale.refresh,
            expires_at=self._clock.now() + timedelta(seconds=answer.get("expires_in", DEFAULT_LIFETIME)),
        )

    def _unclear(self, error: HttpError) -> Exception:
        return from_http(error, doing="renewing the grant", repeatable=True, now=self._clock.now())
