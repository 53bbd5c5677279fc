"""Credentials of an integration → how each request proves who we are: Basic, an API key, or OAuth tokens.

Of OAuth the grants are tried in this order: refresh token, the user's password where the credential holds one, the client alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, cast
from urllib.parse import urlsplit

from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.errors import from_http, said
from callout.connectors.servicenow.wire import OAuthTokens
from callout.kit.http import Auth, StaticAuth, VendorHttp, basic_auth
from callout.kit.http_errors import HttpError, HttpStatusError
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.manifest import Credential, TokenSet, Tools
from callout.ports.rotating import RotatingAuth

DEFAULT_LIFETIME: Final = 1799
KINDS: Final = ("basic", "token", "o_auth_client")
_AGAIN: Final = (
    "Check client id, client secret and grant in System OAuth → Application Registry of the instance."
)


def auth_for(config: ServiceNowConfig, tools: Tools) -> Auth:
    """Return what authenticates requests with the integration's credential. Raises AuthFailedError."""
    credential = tools.credential
    if credential.kind == "o_auth_client":
        if tools.tokens is None:
            raise AuthFailedError(
                "this ServiceNow integration has no place for its tokens", remediation=_AGAIN
            )
        endpoint = TokenEndpoint(config, tools, credential)
        return RotatingAuth(tools.tokens, endpoint.renew, clock=tools.clock)
    if credential.kind not in KINDS:
        raise AuthFailedError(
            f"ServiceNow cannot use a credential of kind {credential.kind!r}",
            remediation=f"Use one of: {', '.join(KINDS)}.",
        )
    secret = credential.secrets.get("secret")
    if secret is None or not secret:
        raise AuthFailedError("this ServiceNow integration has no password or API key")
    if credential.kind == "token":
        return StaticAuth({"x-sn-apikey": secret})
    return basic_auth(credential.values.get("username", ""), secret)


class TokenEndpoint:
    """`/oauth_token.do` of the instance, for one registered client."""

    def __init__(self, config: ServiceNowConfig, tools: Tools, credential: Credential) -> None:
        url = credential.values.get("token_url") or config.token_url or f"{config.url}/oauth_token.do"
        address = urlsplit(url)
        self._path = address.path
        self._http: VendorHttp = tools.http(f"{address.scheme}://{address.netloc}")
        self._credential = credential
        self._scope = " ".join(config.oauth_scopes)
        self._clock = tools.clock

    async def renew(self, stale: TokenSet) -> TokenSet:
        """Return fresh tokens. Raises AuthFailedError, UnavailableError."""
        refused: AuthFailedError | None = None
        for grant in self._grants(stale):
            try:
                return await self._ask(grant, stale)
            except AuthFailedError as error:
                # A refresh token lives 100 days at most: what the credential holds besides may still do.
                refused = error
        raise refused or AuthFailedError("the ServiceNow credential holds no grant", remediation=_AGAIN)

    def _grants(self, stale: TokenSet) -> list[dict[str, str | Secret]]:
        grants: list[dict[str, str | Secret]] = []
        if stale.refresh is not None and stale.refresh:
            grants.append({"grant_type": "refresh_token", "refresh_token": stale.refresh})
        password = self._credential.secrets.get("password")
        if password is not None and password:
            user = self._credential.values.get("username", "")
            grants.append({"grant_type": "password", "username": user, "password": password})
        else:
            grants.append({"grant_type": "client_credentials"})
        return grants

    async def _ask(self, grant: Mapping[str, str | Secret], stale: TokenSet) -> TokenSet:
        form: dict[str, str | Secret] = {
            **grant,
            "client_id": self._credential.values.get("client_id", ""),
            "client_secret": self._credential.secrets.get("client_secret", Secret("")),
        }
        if self._scope:
            form["scope"] = self._scope
        try:
            answer = cast("OAuthTokens | None", await self._http.request_json("POST", self._path, form=form))
        except HttpStatusError as error:
            if error.status in {400, 401, 403}:
                code, why = said(error.json, error.body_text)
                raise AuthFailedError(
                    f"ServiceNow refused the {grant['grant_type']} grant: {why or code}"[:300],
                    status=error.status,
                    vendor_code=code[:100],
                    remediation=_AGAIN,
                ) from error
            raise self._unclear(error) from error
        except HttpError as error:
            raise self._unclear(error) from error
        access = answer.get("access_token") if isinstance(answer, dict) else None
        if not answer or not access:
            raise AuthFailedError("the token endpoint answered without a token", remediation=_AGAIN)
        refresh = answer.get("refresh_token")
        lifetime = int(answer.get("expires_in") or DEFAULT_LIFETIME)
        return TokenSet(
            access=Secret(access),
            refresh=Secret(refresh) if refresh else None,
            expires_at=self._clock.now() + timedelta(seconds=lifetime),
        )

    def _unclear(self, error: HttpError) -> Exception:
        return from_http(error, doing="asking for a token", repeatable=True, now=self._clock.now())
