"""Credentials of an integration → the bot token of each call, and the consent that gives one (OAuth v2, with token rotation)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

from callout.connectors.slack.app import BOT_SCOPES
from callout.connectors.slack.client import SlackApi
from callout.connectors.slack.config import SlackConfig
from callout.connectors.slack.wire import OAuthAccess
from callout.kit.http import Auth, bearer_auth
from callout.kit.secrets import Secret
from callout.ports.errors import AuthFailedError
from callout.ports.installing import Installed
from callout.ports.manifest import Credential, TokenSet, Tools
from callout.ports.rotating import RotatingAuth

CLIENT_CREDENTIAL: Final = "client_credential"
"""Client id and secret of the app, for the consent of further workspaces."""
USER_CREDENTIAL: Final = "user_credential"
"""The token of who installed the app (`xoxp-…`), where `user_scopes` were asked for."""
LIFETIME: Final = 43_200
"""Seconds; what Slack's documents show for rotating tokens, for an answer that does not say."""
_AGAIN: Final = "Install the app again: `callout integration install`."


def auth_for(config: SlackConfig, tools: Tools) -> Auth:
    """Return what authenticates calls with the integration's credential. Raises AuthFailedError when it holds no bot token."""
    credential = tools.credential
    if credential.kind == "o_auth_client" and tools.tokens is not None:
        return RotatingAuth(tools.tokens, _Endpoint(config, tools, credential).renew, clock=tools.clock)
    token = credential.secrets.get("secret")
    if not token:
        raise AuthFailedError(
            "the integration has no bot token",
            remediation="Install the app (`callout integration install`), or give the integration the app's "
            "Bot User OAuth Token (xoxb-…) as a token credential.",
        )
    return bearer_auth(token)


class SlackInstaller:
    """The consent of one app: `config` and `tools` are those of the integration that holds its client id and secret."""

    def __init__(self, config: SlackConfig, tools: Tools, client: Credential) -> None:
        self._config = config
        self._client = client
        self._endpoint = _Endpoint(config, tools, client)

    def authorize_url(self, *, state: str, redirect: str) -> str:
        query = {
            "client_id": self._client.values.get("client_id", ""),
            "scope": ",".join(BOT_SCOPES),
            "user_scope": ",".join(self._config.user_scopes),
            "state": state,
            "redirect_uri": redirect,
        }
        return f"{self._config.authorize_url}?{urlencode({k: v for k, v in query.items() if v})}"

    async def exchange(self, code: str, *, redirect: str) -> Installed:
        answer = await self._endpoint.ask({"code": code, "redirect_uri": redirect})
        team, token = answer.get("team") or {}, answer.get("access_token", "")
        if not token or not team.get("id"):
            raise AuthFailedError(
                "Slack gave no bot token for a workspace",
                remediation="Install into one workspace; an installation for a whole organization is not supported.",
            )
        given = set(answer.get("scope", "").replace(",", " ").split())
        missing = [scope for scope in BOT_SCOPES if scope not in given]
        credentials: dict[str, Mapping[str, str]] = {"credential": self._bot(answer, token)}
        person = answer.get("authed_user") or {}
        if person.get("access_token") and not person.get("refresh_token"):
            credentials[USER_CREDENTIAL] = {"type": "token", "secret": person["access_token"]}
        return Installed(
            team["id"],
            team.get("name", ""),
            credentials,
            tuple(f"the scope {scope} was not granted" for scope in missing),
        )

    def _bot(self, answer: OAuthAccess, token: str) -> dict[str, str]:
        refresh = answer.get("refresh_token", "")
        if not refresh:
            return {"type": "token", "secret": token}
        return {
            "type": "o_auth_client",
            "client_id": self._client.values.get("client_id", ""),
            "client_secret": self._client.secrets.get("client_secret", Secret("")).reveal(),
            "access_token": token,
            "refresh_token": refresh,
        }


class _Endpoint:
    """Slack's token endpoint, for one app."""

    def __init__(self, config: SlackConfig, tools: Tools, client: Credential) -> None:
        self._api = SlackApi(tools.http(config.url), tools.clock)
        self._client = client
        self._clock = tools.clock

    async def renew(self, stale: TokenSet) -> TokenSet:
        """Exchange the refresh token, which is good once. Raises AuthFailedError, UnavailableError."""
        if not stale.refresh:
            raise AuthFailedError("the integration has no refresh token", remediation=_AGAIN)
        answer = await self.ask({"grant_type": "refresh_token", "refresh_token": stale.refresh})
        token = answer.get("access_token", "")
        if not token:
            raise AuthFailedError("Slack answered without a token", remediation=_AGAIN)
        fresh = answer.get("refresh_token", "")
        return TokenSet(
            access=Secret(token),
            refresh=Secret(fresh) if fresh else stale.refresh,
            expires_at=self._clock.now() + timedelta(seconds=answer.get("expires_in", LIFETIME)),
        )

    async def ask(self, form: Mapping[str, str | Secret]) -> OAuthAccess:
        return await self._api.oauth_v2_access(
            {
                "client_id": self._client.values.get("client_id", ""),
                "client_secret": self._client.secrets.get("client_secret", Secret("")),
                **form,
            }
        )
