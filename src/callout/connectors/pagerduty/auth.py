"""Credentials of an integration → how each request proves who we are: an API key, or an OAuth token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, cast
from urllib.parse import urlsplit

from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.errors import from_http
from callout.connectors.pagerduty.wire import OAuthTokenBean
from callout.kit.http import Auth, StaticAuth, VendorHttp, bearer_auth
from callout.kit.http_errors import HttpError, HttpStatusError
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.manifest import Credential, TokenSet, Tools
from callout.ports.rotating import RotatingAuth

LIFETIME: Final = 864_000
"""Seconds; what the vendor's documents show, for an answer that does not say."""
SCOPES: Final = (
    "incidents.read",
    "incidents.write",
    "services.read",
    "users.read",
    "priorities.read",
    "abilities.read",
    "escalation_policies.read",
    "oncalls.read",
    "incident_types.read",
    "custom_fields.read",
    "webhook_subscriptions.read",
    "webhook_subscriptions.write",
)
BEARER_PREFIXES: Final = ("pdus+", "pdeu+")  # from memory: how OAuth access tokens begin
_AGAIN: Final = "Connect the PagerDuty app again: its grant was revoked or has expired."


def auth_for(config: PagerDutyConfig, tools: Tools) -> Auth:
    """Return what authenticates requests with the integration's credential. Raises AuthFailedError."""
    credential = tools.credential
    if credential.kind == "o_auth_client":
        if tools.tokens is None:
            raise AuthFailedError("this PagerDuty integration has no store for OAuth tokens")
        endpoint = TokenEndpoint(config, tools, credential)
        return RotatingAuth(tools.tokens, endpoint.renew, clock=tools.clock)
    secret = credential.secrets.get("secret")
    if secret is None or not secret:
        raise AuthFailedError("this PagerDuty integration has no API key")
    if credential.kind not in {"token", "secret"}:
        raise AuthFailedError(f"PagerDuty cannot use a credential of kind {credential.kind!r}")
    if secret.reveal().startswith(BEARER_PREFIXES):
        return bearer_auth(secret)
    return StaticAuth({"Authorization": Secret(f"Token token={secret.reveal()}")})


class TokenEndpoint:
    """PagerDuty's token endpoint, for one OAuth app."""

    def __init__(self, config: PagerDutyConfig, tools: Tools, credential: Credential) -> None:
        address = urlsplit(credential.values.get("token_url") or config.token_url)
        self._path = address.path
        self._http: VendorHttp = tools.http(f"{address.scheme}://{address.netloc}")
        self._config = config
        self._credential = credential
        self._clock = tools.clock

    async def renew(self, stale: TokenSet) -> TokenSet:
        """Exchange the refresh token of a person's consent, or ask for a token of the app itself.

        Raises AuthFailedError, UnavailableError.
        """
        form: dict[str, str | Secret] = {
            "client_id": self._credential.values.get("client_id", ""),
            "client_secret": self._credential.secrets.get("client_secret", Secret("")),
        }
        asked: frozenset[str] = frozenset()
        if stale.refresh:
            form |= {"grant_type": "refresh_token", "refresh_token": stale.refresh}
        else:
            if not self._config.subdomain:
                raise AuthFailedError(
                    "an app token needs the account's subdomain",
                    remediation="Set subdomain of this integration (acme for acme.pagerduty.com).",
                )
            asked = frozenset(self._config.oauth_scopes or SCOPES)
            account = f"as_account-{self._config.region}.{self._config.subdomain}"
            form |= {"grant_type": "client_credentials", "scope": " ".join([account, *sorted(asked)])}
        answer = await self._ask(form)
        access = answer.get("access_token") if answer else None
        if not access:
            raise AuthFailedError("the token endpoint answered without a token", remediation=_AGAIN)
        # A scope that PagerDuty does not know (or a wrong subdomain) is no error there: it is silently left out.
        missing = asked - set((answer.get("scope") or "").split()) if "scope" in answer else frozenset()
        if missing:
            raise AuthFailedError(
                f"PagerDuty granted the app no {', '.join(sorted(missing))}",
                remediation="Give the app these scopes in PagerDuty and check subdomain and region of this integration.",
            )
        refresh = answer.get("refresh_token")
        return TokenSet(
            access=Secret(access),
            refresh=Secret(refresh) if refresh else stale.refresh,
            expires_at=self._clock.now() + timedelta(seconds=answer.get("expires_in", LIFETIME)),
        )

    async def _ask(self, form: Mapping[str, str | Secret]) -> OAuthTokenBean:
        try:
            return cast("OAuthTokenBean", await self._http.request_json("POST", self._path, form=form))
        except HttpStatusError as error:
            if error.status in {400, 401, 403}:
                raise AuthFailedError(
                    "PagerDuty refused to renew the grant", status=error.status, remediation=_AGAIN
                ) from error
            raise self._unclear(error) from error
        except HttpError as error:
            raise self._unclear(error) from error

    def _unclear(self, error: HttpError) -> Exception:
        return from_http(error, doing="renewing the grant", repeatable=True, now=self._clock.now())
