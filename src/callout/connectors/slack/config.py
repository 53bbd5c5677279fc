"""Settings of one Slack integration."""

from __future__ import annotations

from urllib.parse import urlsplit

from pydantic import field_validator

from callout.ports.chat_settings import ChatSettings

API_URL = "https://slack.com/api"
RESPONSE_HOSTS = ("hooks.slack.com", "hooks.slack-gov.com")  # from memory: the GovSlack host


class SlackConfig(ChatSettings):
    """What every chat integration has, and the address of the Web API.

    `url` is changed for GovSlack and for the twin only.
    """

    url: str = API_URL

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"https", "http"} or not parts.hostname:
            raise ValueError(f"url must be the Web API's address, such as {API_URL}")
        return value.rstrip("/")

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
