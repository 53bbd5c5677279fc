"""What one Jira integration is set up with."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

ANY_PROJECT = "*"
GATEWAY = "https://api.atlassian.com"
TOKEN_URL = "https://auth.atlassian.com/oauth/token"  # noqa: S105  # an address


class CustomFieldMapping(BaseModel):
    """Our name of a custom field and where Jira keeps it (`customfield_10042`, or a path below it)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    project_id: str = ANY_PROJECT
    provider_field_path: Annotated[
        str,
        Field(min_length=1, validation_alias=AliasChoices("provider_field_path", "project_field_path")),
    ]


class JiraConfig(BaseModel):
    """Settings of a Jira integration.

    `url` is the site (`https://example.atlassian.net`), also what links for people are made of. `cloud_id` is
    needed with OAuth and scoped tokens: requests then go to `api_url` or, when that is empty, to Atlassian's gateway.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    url: str
    default_project: str = ""
    default_issue_type: str = ""
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    cloud_id: str = ""
    api_url: str = ""
    token_url: str = TOKEN_URL

    @field_validator("url", "api_url", "token_url")
    @classmethod
    def _http_address(cls, value: str) -> str:
        text = value.strip().rstrip("/")
        if text:
            parts = urlsplit(text)
            if parts.scheme not in {"http", "https"} or not parts.netloc:
                raise ValueError("give a full address, for example https://example.atlassian.net")
            if parts.username or parts.password:
                raise ValueError("credentials do not belong into the address")
        return text

    @field_validator("url")
    @classmethod
    def _present(cls, value: str) -> str:
        if not value:
            raise ValueError("the address of the Jira site is missing")
        return value

    @field_validator("default_project", "default_issue_type", "cloud_id", mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the settings file holds
        return "" if value is None else value

    def field_roots(self) -> frozenset[str]:
        """Return the issue fields that the mapped custom fields are read from."""
        paths = (m.provider_field_path.removeprefix("fields.") for m in self.custom_field_mappings)
        return frozenset(path.split(".")[0] for path in paths)

    def base_url(self, credential_kind: str) -> str:
        """Return where requests go for a credential of that kind."""
        if self.api_url:
            return self.api_url
        if credential_kind in {"o_auth_client", "token", "service_account"} and self.cloud_id:
            return f"{GATEWAY}/ex/jira/{self.cloud_id}"
        return self.url

    def mappings_for(self, project_key: str, project_id: str = "") -> dict[str, str]:
        """Return name → path for one project; an entry that names it wins over one for all projects."""
        general = {
            m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == ANY_PROJECT
        }
        own = {
            m.name: m.provider_field_path
            for m in self.custom_field_mappings
            if m.project_id != ANY_PROJECT and m.project_id in {project_key, project_id}
        }
        return general | own
