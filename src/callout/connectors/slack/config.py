"""Settings of one Slack integration."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import field_validator

from callout.kit.address import web_address
from callout.ports.chat_settings import ChatSettings

API_URL = "https://slack.com/api"
AUTHORIZE_URL = "https://slack.com/oauth/v2/authorize"
FILE_HOSTS = {
    "slack.com": "https://files.slack.com",
    "slack-gov.com": "https://files.slack-gov.com",  # from memory: the GovSlack host
}
"""Host of the Web API → where the bytes of files are."""
RESPONSE_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")  # from memory: the GovSlack host


class SlackConfig(ChatSettings):
    """What every chat integration has, and the address of the Web API.

    `url` and `authorize_url` are changed for GovSlack and for the twin only. `user_scopes` are asked of the person who installs the
    app, so that it may do in their name what a rule of the workspace forbids an app.
    """

    url: str = API_URL
    """The address of Slack's Web API. GovSlack has another."""
    authorize_url: str = AUTHORIZE_URL
    """Where the consent to install the app is given. GovSlack has another."""
    user_scopes: tuple[str, ...] = ()
    """Scopes asked of the person who installs the app, so that it may do in their name what a rule of the workspace forbids an app."""

    @field_validator("url", "authorize_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        if not value.strip():
            raise ValueError(f"the address is missing: Slack's own is {API_URL}")
        return web_address(value, example=API_URL)

    @property
    def files_url(self) -> str:
        """The one origin that bytes of files come from and go to, and that the bot token is shown to; a stand-in has its own."""
        parts = urlsplit(self.url)
        return FILE_HOSTS.get(parts.hostname or "") or f"{parts.scheme}://{parts.netloc}"

    def allows_response_url(self, address: str) -> bool:
        """Whether `address` is one that Slack (or the configured stand-in) would give us to answer at.

        The address comes with the request: anywhere else it would let a sender choose where we connect to.
        """
        try:
            parts, own = urlsplit(address), urlsplit(self.url)
            port, own_port = parts.port, own.port
        except ValueError:
            return False
        if parts.username is not None or parts.password is not None:
            return False
        if self.url != API_URL and (parts.scheme, parts.hostname, port) == (
            own.scheme,
            own.hostname,
            own_port,
        ):
            return True
        return parts.scheme == "https" and parts.hostname in RESPONSE_HOSTS and port in {None, 443}
