"""What an account offers to mappings: fields, statuses, priorities, types of incidents."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.wire import CustomFieldBean
from callout.ports.errors import PermissionDeniedError, RecordNotFoundError, RejectedError
from callout.ports.ticketing import FieldCatalogue, FieldOption, RemoteField

BASE_TYPE: Final = "incident_default"
URGENCIES: Final = (FieldOption("high", "high"), FieldOption("low", "low"))
STANDARD: Final = (
    RemoteField("title", "Title", "title", required=True, carries="title", limit=mapping.TITLE_LIMIT),
    RemoteField("service", "Service", "service", required=True, carries="project"),
    RemoteField("body", "Description (at creation only)", "body.details", carries="description", plain=True),
    RemoteField("assignments", "Assigned to", "assignments", kind="user", carries="assignee"),
    RemoteField("urgency", "Urgency", "urgency", kind="enum", options=URGENCIES),
    RemoteField("escalation_policy", "Escalation policy", "escalation_policy"),
    RemoteField("conference_url", "Conference URL", "conference_bridge.conference_url"),
    RemoteField("conference_number", "Conference number", "conference_bridge.conference_number"),
)
_KINDS: Final = {
    "boolean": "boolean",
    "integer": "number",
    "float": "number",
    "string": "string",
    "url": "string",
    "datetime": "datetime",
}


class Catalogue:
    """Describes one account."""

    def __init__(self, config: PagerDutyConfig, client: DirectoryClient, account: Account) -> None:
        self._config = config
        self._client = client
        self._account = account

    async def remote_fields(self) -> Sequence[RemoteField]:
        """Return the fields of an incident, those of the base type and of the default type among them."""
        fields = {field.id: field for field in await self._standard()}
        for kind in dict.fromkeys((BASE_TYPE, self._config.default_issue_type)):
            for bean in await self._custom(kind):
                fields[bean["id"]] = _field(bean)
        return list(fields.values())

    async def of(self, project: str, issue_type: str) -> FieldCatalogue:
        """Return what an incident of a service and type needs. Raises RejectedError for an unknown one."""
        wanted = project or self._config.default_project
        if not wanted:
            raise RejectedError(
                "no service given, and there is no default one", fields={"project": "required"}
            )
        service = await self._account.service(wanted)
        kinds = await self._types()
        kind = issue_type or self._config.default_issue_type or BASE_TYPE
        if kinds and kind not in {option.name for option in kinds}:
            choices = ", ".join(option.name for option in kinds)
            raise RejectedError(
                f"PagerDuty has no incident type {kind!r}; there are: {choices}",
                fields={"issue_type": f"allowed: {choices}"},
            )
        custom = [_field(bean) for bean in await self._custom(kind)]
        return FieldCatalogue(
            project=service["id"],
            issue_type=kind,
            fields=(*await self._standard(), *custom),
            statuses=tuple(mapping.STATUSES.items()),
            priorities=await self._priorities(),
            issue_types=kinds or (FieldOption(BASE_TYPE, BASE_TYPE),),
        )

    async def _standard(self) -> Sequence[RemoteField]:
        priorities = await self._priorities()
        field = RemoteField(
            "priority", "Priority", "priority", kind="enum", options=priorities, carries="priority"
        )
        return (*STANDARD, field) if priorities else STANDARD

    async def _priorities(self) -> tuple[FieldOption, ...]:
        """Return the account's priorities; its urgencies where it has none."""
        beans = await self._account.priorities()
        return (
            tuple(
                FieldOption(bean["id"], mapping.name_of(bean), mapping.priority_of(bean, beans) or "")
                for bean in beans
            )
            or URGENCIES
        )

    async def _types(self) -> tuple[FieldOption, ...]:
        try:
            beans = await self._client.list_incident_types()
        except (PermissionDeniedError, RecordNotFoundError):
            return ()  # a plan or a scope without types: everything is a base incident then
        return tuple(FieldOption(bean["id"], bean["name"]) for bean in beans if bean.get("enabled", True))

    async def _custom(self, kind: str) -> Sequence[CustomFieldBean]:
        if not kind:
            return ()
        try:
            return await self._client.list_incident_type_custom_fields(kind)
        except (PermissionDeniedError, RecordNotFoundError):
            return ()


def _field(bean: CustomFieldBean) -> RemoteField:
    several = bean.get("field_type", "").startswith("multi_value")
    options = tuple(
        FieldOption(str(one.get("id", "")), str((one.get("data") or {}).get("value", "")))
        for one in bean.get("field_options") or []
    )
    kind = "array" if several else "enum" if options else _KINDS.get(bean.get("data_type", ""), "other")
    return RemoteField(
        id=bean["id"],
        name=bean.get("display_name") or bean["name"],
        path=f"{mapping.CUSTOM_PREFIX}{bean['name']}",
        kind=kind,
        scope="integration_custom",
        options=options,
    )
