"""Service desks, what customers can ask for there, and the forms they fill. Remembered for a few minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from callout.connectors.jira.mapping import SERVICE_DESK
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.service_management.client import ServiceDeskClient
from callout.connectors.jira.service_management.wire import FormField, RequestTypeBean, ServiceDeskBean
from callout.connectors.jira.wire import FieldMeta, ProjectBean
from callout.ports.errors import RejectedError

TYPE_PREFIX: Final = "request:"
"""Names a request type by id where issue types, which are numbered too, can be named as well."""


@dataclass(frozen=True, slots=True)
class Form:
    """A request type's form: its fields as Jira describes fields, and the names of those a customer has to fill."""

    fields: Mapping[str, FieldMeta]
    required: Mapping[str, str]


class Desks:
    """What the site's service desks offer."""

    def __init__(self, client: ServiceDeskClient, metadata: SiteMetadata) -> None:
        self._client = client
        self._metadata = metadata

    async def all(self) -> Sequence[ServiceDeskBean]:
        """Return every service desk that the account sees."""
        return await self._metadata.remembered(("desks",), self._client.get_service_desks)

    async def of(self, project: ProjectBean) -> ServiceDeskBean:
        """Return a project's service desk. Raises RejectedError when it has none that we see."""
        desks = await self.all()
        for desk in desks:
            if project["id"] == str(desk.get("projectId")):
                return desk
        raise RejectedError(
            no_service_project(project, desks),
            fields={"project": "not a service project"},
            remediation="Choose a service project, or add the site as a Jira integration (ticketing_jira).",
        )

    async def request_types(self, desk: ServiceDeskBean) -> Sequence[RequestTypeBean]:
        """Return what can be asked for at a desk."""

        async def read() -> list[RequestTypeBean]:
            return await self._client.get_request_types(desk["id"])

        return await self._metadata.remembered(("request types", desk["id"]), read)

    async def request_type(
        self, desk: ServiceDeskBean, wanted: str, *, by_id: bool = False
    ) -> RequestTypeBean | None:
        """Return the request type of that name, or `request:` and its id; with `by_id`, also of the bare id."""
        folded = wanted.strip().casefold()
        types = await self.request_types(desk)
        ids = {folded.removeprefix(TYPE_PREFIX)} if by_id or folded.startswith(TYPE_PREFIX) else set[str]()
        named = (bean for bean in types if bean.get("name", "").casefold() == folded)
        numbered = (bean for bean in types if str(bean["id"]) in ids)
        return next(named, None) or next(numbered, None)

    async def required_type(self, desk: ServiceDeskBean, wanted: str) -> RequestTypeBean:
        """Return the request type that the settings name. Raises RejectedError listing those there are."""
        found = await self.request_type(desk, wanted, by_id=True)
        if found is None:
            choices = ", ".join(bean.get("name", "") for bean in await self.request_types(desk))
            raise RejectedError(
                f"{desk.get('projectKey')} has no request type {wanted!r}; there are: {choices or 'none'}",
                fields={"issue_type": f"allowed: {choices}"},
                remediation="Name one of them as default_request_type of the integration.",
            )
        return found

    async def form(self, kind: RequestTypeBean) -> Form:
        """Return a request type's form."""
        desk_id, type_id = str(kind["serviceDeskId"]), str(kind["id"])

        async def read() -> Form:
            bean = await self._client.get_request_type_fields(desk_id, type_id)
            shown = [field for field in bean.get("requestTypeFields", []) if field.get("visible", True)]
            return Form(
                {field["fieldId"]: _meta(field) for field in shown},
                {f["fieldId"]: f.get("name", f["fieldId"]) for f in shown if _must_be_filled(f)},
            )

        return await self._metadata.remembered(("form", desk_id, type_id), read)


def no_service_project(project: ProjectBean, desks: Sequence[ServiceDeskBean]) -> str:
    """Return in words why nothing of Service Management works in a project."""
    others = ", ".join(str(desk.get("projectKey", "")) for desk in desks)
    there = f"service projects here: {others}" if others else "the account sees no service project at all"
    kind = project.get("projectTypeKey", "")
    if kind == SERVICE_DESK:
        return f"{project['key']} is a service project whose desk the account does not see; {there}"
    return f"{project['key']} is a {kind or 'plain'} project, not a service project; {there}"


def _must_be_filled(field: FormField) -> bool:
    given: Sequence[Any] = field.get("defaultValues") or field.get("presetValues") or ()
    return field.get("required") is True and not given


def _meta(field: FormField) -> FieldMeta:
    allowed = [
        {"id": option["value"], "name": option.get("label")} for option in field.get("validValues") or []
    ]
    meta: FieldMeta = {
        "name": field.get("name", field["fieldId"]),
        "required": _must_be_filled(field),
        "schema": field.get("jiraSchema") or {},
    }
    return {**meta, "allowedValues": allowed} if allowed else meta
