"""What one ServiceNow integration is set up with."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, field_validator

from callout.kit.address import web_address
from callout.ports.ticketing import StatusCategory

ANY_PROJECT: Final = "*"
_COLUMN = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_TABLE = re.compile(r"[a-z][a-z0-9_]*")


class CustomFieldMapping(BaseModel):
    """Our name of a field and the column that holds it (`u_impact`, or a dot-walk such as `cmdb_ci.name`, read only)."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    project_id: str = ANY_PROJECT
    provider_field_path: Annotated[
        str,
        Field(min_length=1, validation_alias=AliasChoices("provider_field_path", "project_field_path")),
    ]

    @field_validator("provider_field_path")
    @classmethod
    def _column(cls, value: str) -> str:
        if not _COLUMN.fullmatch(value):
            raise ValueError("give a column name such as u_impact: lower-case letters, digits and _")
        return value


class ServiceNowConfig(BaseModel):
    """Settings of a ServiceNow integration.

    `url` is the instance (`https://example.service-now.com`), `default_project` the table of new tickets. `tables` are those that are
    polled, besides the default one. `state_categories` says what a state of the customer's own means, by its label.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    url: str
    """The address of the instance, such as https://example.service-now.com."""
    default_project: str = ""
    """The table in which new records are made, such as incident. Nothing: that of the product."""
    default_issue_type: str = ""
    """The same by the table's label, such as Change Request, where no table is named."""
    tables: tuple[str, ...] = ()
    """Further tables whose records are read again and again; the one of new records always is."""
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    """The custom fields that travel with a ticket: a name of yours, the project it holds for (`*` for all), and the column that holds it
    (`u_environment`; `cmdb_ci.name` is only read)."""
    tags_field: str = ""
    """A text column for tags, with commas between them: records have no tags of their own."""
    state_categories: dict[str, StatusCategory] = {}
    """What states of your own mean, by their label: `new`, `active` or `done`."""
    close_code: str = ""
    """The resolution code of records that are resolved or closed, where nobody chose one."""
    close_notes: str = ""
    """The resolution notes of such records, where nobody wrote any."""
    hold_reason: str = ""
    """Why a record is on hold. Nothing: the first reason that does not wait for the caller."""
    assignment_group: str = ""
    """The group of a change, by name, which it needs from Assess on."""
    default_creator: str = ""
    """The e-mail of whoever opens records. Nothing: the user with whom Callout signs in."""
    oauth_scopes: tuple[str, ...] = ()
    """The scopes that an OAuth token is asked for. Nothing: those of the client."""
    token_url: str = ""
    """Where OAuth tokens come from. Nothing: the instance itself."""

    @field_validator("url", "token_url")
    @classmethod
    def _web_address(cls, value: str) -> str:
        return web_address(value, example="https://example.service-now.com")

    @field_validator("url")
    @classmethod
    def _present(cls, value: str) -> str:
        if not value:
            raise ValueError("the address of the ServiceNow instance is missing")
        return value

    @field_validator(
        "default_project",
        "default_issue_type",
        "close_code",
        "close_notes",
        "hold_reason",
        "assignment_group",
        "default_creator",
        "tags_field",
        mode="before",
    )
    @classmethod
    def _text(cls, value: Any) -> Any:  # noqa: ANN401  # whatever the settings file holds
        return "" if value is None else value

    @field_validator("tables", "default_project")
    @classmethod
    def _tables(cls, value: Any) -> Any:  # noqa: ANN401  # one name or several
        for name in (value,) if isinstance(value, str) else value:
            if name and not _TABLE.fullmatch(name):
                raise ValueError(f"{name!r} is not the name of a table, such as incident")
        return value

    @field_validator("tags_field")
    @classmethod
    def _tags_column(cls, value: str) -> str:
        if value and not _TABLE.fullmatch(value):
            raise ValueError("give a column name such as u_tags: lower-case letters, digits and _")
        return value

    def mappings_for(self, table: str) -> dict[str, str]:
        """Return name → column for one table; an entry that names it wins over one for all."""
        general = {
            m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == ANY_PROJECT
        }
        own = {m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == table}
        return general | own

    def category_of(self, label: str) -> StatusCategory | None:
        """Return what the settings say about a state, by its label in any case."""
        folded = label.casefold()
        return next((kind for name, kind in self.state_categories.items() if name.casefold() == folded), None)


class SecurityIncidentConfig(ServiceNowConfig):
    """Settings of a Security Incident Response integration: the same, over another table."""


INCIDENT_TABLE: Final = "incident"
SECURITY_TABLE: Final = "sn_si_incident"


def default_table(config: ServiceNowConfig) -> str:
    """Return the table of tickets that name none."""
    if config.default_project:
        return config.default_project
    return SECURITY_TABLE if isinstance(config, SecurityIncidentConfig) else INCIDENT_TABLE
