"""What a site offers to mappings: projects, fields, statuses, choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from callout.connectors.jira import mapping, schema
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.issues import JIRA_FIELDS, SUMMARY_LIMIT
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.wire import FieldDetails, FieldMeta
from callout.kit.cursor import decode_cursor, encode_cursor
from callout.ports.errors import InvalidRequestError, RejectedError
from callout.ports.ticketing import FieldCatalogue, FieldOption, Page, Project, RemoteField

LARGEST_PROJECT_PAGE: Final = 100
_SCOPE: Final = "jira projects"
TEXT_LIMIT: Final = 32_767  # from memory: the longest text of a field
_CARRIES: Final[Mapping[str, str]] = {
    **{field: name for name, field in JIRA_FIELDS.items() if name != "contact"},
    "issuetype": "issue_type",
    "project": "project",
    "labels": "tags",
}
_LIMITS: Final[Mapping[str, int]] = {"summary": SUMMARY_LIMIT, "description": TEXT_LIMIT}


class Catalogue:
    """Describes one site."""

    project_type = ""
    """The only type of projects that are listed; all when empty."""

    def __init__(self, config: JiraConfig, client: JiraClient, metadata: SiteMetadata) -> None:
        self._config = config
        self._client = client
        self._metadata = metadata

    async def projects(self, *, limit: int, cursor: str) -> Page[Project]:
        """Return one page of projects by key. Raises InvalidRequestError for a foreign cursor."""
        if limit < 1:
            raise InvalidRequestError("limit must be at least 1", fields={"limit": "at least 1"})
        start = 0
        if cursor:
            try:
                start = int(decode_cursor(cursor, scope=_SCOPE)["start"])
            except (ValueError, KeyError, TypeError) as error:
                raise InvalidRequestError(
                    "this is not a cursor of this list", fields={"cursor": "not valid"}
                ) from error
            if start < 0:
                raise InvalidRequestError("this is not a cursor of ours", fields={"cursor": "not valid"})
        size = min(limit, LARGEST_PROJECT_PAGE)
        page = await self._client.search_projects(
            start_at=start, max_results=size, type_key=self.project_type
        )
        beans = page.get("values", [])
        end = start + len(beans)
        last = not beans or page.get("isLast", end >= page.get("total", 0))
        return Page(
            [mapping.project(bean) for bean in beans],
            "" if last else encode_cursor({"start": end}, scope=_SCOPE),
        )

    async def remote_fields(self) -> Sequence[RemoteField]:
        """Return every field by name."""
        details = await self._metadata.fields()
        metas: Mapping[str, FieldMeta] = {}
        if self._config.default_project:
            key = self._config.default_project
            issue_type = await self._metadata.issue_type(key, self._config.default_issue_type)
            metas = await self._metadata.create_fields(key, issue_type["id"])
        return [_described(field, metas.get(field["id"])) for field in details.values()]

    async def of(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return create and status metadata. Raises RejectedError for an unknown project or type."""
        wanted = project or self._config.default_project
        if not wanted:
            raise RejectedError(
                "no project given, and there is no default one",
                fields={"project": "required"},
                remediation="Name one as default_project of the integration.",
            )
        bean = await self._metadata.project(wanted)
        key = bean["key"]
        kind = await self._metadata.issue_type(key, issue_type or self._config.default_issue_type)
        metas = await self._metadata.create_fields(key, kind["id"])
        fields = [_carrying(meta, field_id, key) for field_id, meta in metas.items()]
        statuses = await self._metadata.statuses(key, kind["id"])
        return FieldCatalogue(
            project=key,
            issue_type=kind.get("name", ""),
            fields=tuple(fields),
            statuses=tuple((status.get("name", ""), mapping.category(status)) for status in statuses),
            priorities=next((field.options for field in fields if field.id == "priority"), ()),
            issue_types=tuple(
                FieldOption(entry["id"], entry.get("name", ""))
                for entry in await self._metadata.issue_types(key)
            ),
        )


def _carrying(meta: FieldMeta, field_id: str, key: str) -> RemoteField:
    """Return a field of the create screen, with what of the unified ticket it holds."""
    field = schema.remote_field(meta, field_id, project_key=key)
    options = field.options
    if field_id == "priority":
        options = tuple(
            replace(option, means=mapping.priority_of({"name": option.name}) or "") for option in options
        )
    carries, limit = _CARRIES.get(field_id, ""), _LIMITS.get(field_id, 0)
    return replace(field, options=options, carries=carries, limit=limit)


def _described(field: FieldDetails, meta: FieldMeta | None) -> RemoteField:
    project = (field.get("scope") or {}).get("project") or {}
    scope = "standard"
    if field.get("custom"):
        scope = "project_custom" if project else "integration_custom"
    plain = RemoteField(
        id=field["id"],
        name=field.get("name", field["id"]),
        path=field["id"],
        kind=schema.field_kind(field.get("schema")),
        scope=scope,
        project_id=str(project.get("id", "")),
        carries=_CARRIES.get(field["id"], ""),
        limit=_LIMITS.get(field["id"], 0),
    )
    return plain if meta is None else replace(plain, options=schema.remote_field(meta, field["id"]).options)
