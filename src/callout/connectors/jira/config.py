"""What one Jira integration is set up with."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from callout.kit.address import web_address

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

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    url: str
    """The address of your Jira site, as it stands in the browser."""
    default_project: str = ""
    """The key of the project in which new issues are made, such as OPS. Without it none can be made."""
    default_issue_type: str = ""
    """The type of new issues, by name or id. Without it: Incident where the project has it, else Task."""
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    """The custom fields that travel with a ticket: a name of yours, the project it holds for (`*` for all), and where Jira keeps it
    (`customfield_10042`)."""
    cloud_id: str = ""
    """The id of the site at Atlassian, needed with OAuth and with scoped tokens."""
    api_url: str = ""
    """Another address of the REST API, where there is a gateway before it. Nothing: the site, or Atlassian's own gateway."""
    token_url: str = TOKEN_URL
    """Where OAuth tokens are renewed. Only a gateway of your own needs another one."""

    @field_validator("url", "api_url", "token_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return web_address(value, example="https://example.atlassian.net")

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
