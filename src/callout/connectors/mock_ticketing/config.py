"""What one integration with the test provider is set up with."""

from __future__ import annotations

from typing import Annotated

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

DEFAULT_PROJECTS = ("TST", "OPS")
ANY_PROJECT = "*"


class CustomFieldMapping(BaseModel):
    """Our name of a custom field and where this provider keeps it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, Field(min_length=1)]
    project_id: str = ANY_PROJECT
    provider_field_path: Annotated[
        str,
        Field(min_length=1, validation_alias=AliasChoices("provider_field_path", "project_field_path")),
    ]


class MockTicketingConfig(BaseModel):
    """Settings of a test integration.

    The last four are for trying out what real vendors do: an index that lags behind writes, texts that come back normalised, a
    workflow of three statuses that many of ours share, and comments that customers read.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: str | None = ""
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    default_project: str | None = ""
    projects: tuple[str, ...] = DEFAULT_PROJECTS
    index_lag_seconds: Annotated[float, Field(ge=0)] = 0.0
    normalise_text: bool = False
    three_statuses: bool = False
    customer_comments: bool = False

    def mappings_for(self, project: str) -> dict[str, str]:
        """Return name → path for one project; an entry that names it wins over one for all projects."""
        general = {
            m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == ANY_PROJECT
        }
        own = {m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == project}
        return general | own
