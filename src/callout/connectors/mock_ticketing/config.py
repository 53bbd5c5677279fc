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

    model_config = ConfigDict(extra="ignore", frozen=True, use_attribute_docstrings=True)

    name: str | None = ""
    """What this test system calls itself."""
    custom_field_mappings: tuple[CustomFieldMapping, ...] = ()
    """The custom fields that travel with a ticket: a name of yours, the project it holds for (`*` for all), and what it is called in the
    test system."""
    default_project: str | None = ""
    """The key of the project in which new tickets are made."""
    projects: tuple[str, ...] = DEFAULT_PROJECTS
    """The keys of its projects."""
    index_lag_seconds: Annotated[float, Field(ge=0)] = 0.0
    """For so many seconds its search does not show a new ticket, as with real vendors."""
    normalise_text: bool = False
    """Texts come back a little changed, as from many vendors."""
    three_statuses: bool = False
    """Its workflow has To Do, In Progress and Done, so that several statuses of ours share one."""
    customer_comments: bool = False
    """Customers read its comments."""

    def mappings_for(self, project: str) -> dict[str, str]:
        """Return name → path for one project; an entry that names it wins over one for all projects."""
        general = {
            m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == ANY_PROJECT
        }
        own = {m.name: m.provider_field_path for m in self.custom_field_mappings if m.project_id == project}
        return general | own
