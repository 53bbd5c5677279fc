"""What one PagerDuty integration is set up with."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

ANY_PROJECT: Final = "*"
REST: Final = {"us": "https://api.pagerduty.com", "eu": "https://api.eu.pagerduty.com"}
EVENTS: Final = {
    "us": "https://events.pagerduty.com",
    "eu": "https://events.eu.pagerduty.com",  # from memory: the European address of the Events API
}
TOKEN_URL: Final = "https://identity.pagerduty.com/oauth/token"  # noqa: S105  # an address


class CustomFieldMapping(BaseModel):
    """Our name of a value and where PagerDuty keeps it.

    A path is `custom_fields.NAME` (or NAME alone) for a custom field of incidents, or one of `urgency`, `escalation_policy`,
    `incident_type`, `conference_bridge.conference_url`, `conference_bridge.conference_number`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    project_id: str = ANY_PROJECT
    provider_field_path: Annotated[
        str,
        Field(min_length=1, validation_alias=AliasChoices("provider_field_path", "project_field_path")),
    ]


class PagerDutyConfig(BaseModel):
    """Settings of a PagerDuty integration.

    `url` is the REST API (the region's by default), `default_project` the id of a service, `default_creator` the e-mail of the
    PagerDuty user on whose behalf an account key writes. With `urgency` at `service` only the service decides who is woken.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    region: Literal["us", "eu"] = "us"
    url: str = ""
    events_url: str = ""
    default_project: str = ""
    default_creator: str = ""
    default_issue_type: str = ""
    urgency: Literal["from_priority", "service"] = "from_priority"
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    token_url: str = TOKEN_URL
    subdomain: str = ""
    oauth_scopes: tuple[str, ...] = ()

    @field_validator("url", "events_url", "token_url")
    @classmethod
    def _http_address(cls, value: str) -> str:
        text = value.strip().rstrip("/")
        if text:
            parts = urlsplit(text)
            if parts.scheme not in {"http", "https"} or not parts.netloc:
                raise ValueError("give a full address, for example https://api.pagerduty.com")
            if parts.username or parts.password:
                raise ValueError("credentials do not belong into the address")
        return text

    @field_validator("default_creator")
    @classmethod
    def _mail(cls, value: str) -> str:
        text = value.strip()
        if text and "@" not in text:
            raise ValueError("give the e-mail of a PagerDuty user")
        return text

    @field_validator("default_project", "default_creator", "default_issue_type", "subdomain", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the settings file holds
        return "" if value is None else value

    @property
    def rest_url(self) -> str:
        """Where the REST API answers."""
        return self.url or REST[self.region]

    @property
    def events_base(self) -> str:
        """Where the Events API answers: beside a REST API of another address, else the region's own."""
        if self.events_url:
            return self.events_url
        return EVENTS[self.region] if self.rest_url in REST.values() else self.rest_url

    def mappings_for(self, project: str) -> dict[str, str]:
        """Return name → path for one service; an entry that names it wins over one for all services."""
        general = {
            m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == ANY_PROJECT
        }
        own = {m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == project}
        return general | own
