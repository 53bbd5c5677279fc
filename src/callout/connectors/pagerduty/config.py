"""What one PagerDuty integration is set up with."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from callout.kit.address import web_address

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

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    region: Literal["us", "eu"] = "us"
    """Where the account is: `us`, or `eu` for the European service region."""
    url: str = ""
    """Another address of the REST API. Nothing: the region's own."""
    events_url: str = ""
    """Another address of the Events API. Nothing: the region's own, or the one beside another REST API."""
    default_project: str = ""
    """The service in which new incidents are made, by id or exact name. Without it none can be made."""
    default_creator: str = ""
    """The e-mail of the PagerDuty user in whose name is written. Needed with an API key of the account."""
    default_issue_type: str = ""
    """The incident type of new incidents, by name. Nothing: the base type."""
    urgency: Literal["from_priority", "service"] = "from_priority"
    """Who decides how urgent a new incident is: `from_priority` as its severity says, `service` as the service is set up in PagerDuty."""
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    """The custom fields that travel with a ticket: a name of yours, the project it holds for (`*` for all), and where PagerDuty keeps it
    (`custom_fields.environment`, `urgency`, `escalation_policy` …)."""
    token_url: str = TOKEN_URL
    """Where OAuth tokens come from. Only a gateway of your own needs another one."""
    subdomain: str = ""
    """The name of the account in its address (acme for acme.pagerduty.com). Needed with an app's own token."""
    oauth_scopes: tuple[str, ...] = ()
    """What an app's own token is asked to be good for. Nothing: what Callout needs."""

    @field_validator("url", "events_url", "token_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return web_address(value, example="https://api.pagerduty.com")

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
