"""Writing issues: drafts and patches as Jira's fields, created once, changed only when unchanged since read."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any, Final

from callout.connectors.jira import mapping, schema
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.config import JiraConfig
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.people import People
from callout.connectors.jira.recent import Recent
from callout.connectors.jira.text import adf_from_markdown
from callout.connectors.jira.transitions import Target, Workflow
from callout.connectors.jira.values import write_value
from callout.connectors.jira.wire import FieldMeta, IssueBean, ProjectBean
from callout.ports.errors import ConnectorError, OutcomeUnknownError, RejectedError, StaleRecordError
from callout.ports.ticketing import StatusCategory, TicketDraft, TicketPatch
from callout.ports.values import Person, Priority

SUMMARY_LIMIT: Final = 255
JIRA_FIELDS: Final[Mapping[str, str]] = {
    "title": "summary",
    "description": "description",
    "priority": "priority",
    "assignee": "assignee",
    "creator": "reporter",
    "contact": "reporter",
    "parent": "parent",
    "due_date": "duedate",
}
_NUMERIC = re.compile(r"\d+")
_WHITE = re.compile(r"\s+")


class IssueWriter:
    """Creates and changes issues."""

    def __init__(
        self,
        config: JiraConfig,
        client: JiraClient,
        metadata: SiteMetadata,
        people: People,
        workflow: Workflow,
    ) -> None:
        self._config = config
        self._client = client
        self._metadata = metadata
        self._people = people
        self._workflow = workflow
        self.recent = Recent()

    async def create(self, draft: TicketDraft) -> tuple[str, dict[str, Any]]:
        """Create an issue; return its id and what could not be set on the way.

        Raises:
            RejectedError: nothing was created.
            OutcomeUnknownError: it may have been created; look for the draft's key.
        """
        project = await self.project_for(draft)
        issue_type = await self._metadata.issue_type(
            project["key"], draft.issue_type or self._config.default_issue_type
        )
        meta = await self._metadata.create_fields(project["key"], issue_type["id"])
        target = None
        if draft.status:
            target = await self._workflow.target(
                draft.status, project=project["key"], issue_type=issue_type.get("name", "")
            )
        fields, left_out = await self.draft_fields(draft, meta, project["key"], project["id"])
        fields |= {"project": {"id": project["id"]}, "issuetype": {"id": issue_type["id"]}}
        created = await self._client.create_issue({"fields": fields})
        self.recent.add(draft.key, created["id"])
        problems: dict[str, Any] = {"not_on_screen": left_out} if left_out else {}
        problems |= await self.after_create(created["id"], draft, target)
        return created["id"], problems

    async def project_for(self, draft: TicketDraft) -> ProjectBean:
        """Return the project that the draft goes to. Raises RejectedError when there is none."""
        key = draft.project or self._config.default_project
        if not key:
            raise RejectedError(
                "no project given, and the integration has no default project",
                fields={"project": "required"},
                remediation="Name a project, or set default_project of the integration.",
            )
        return await self._metadata.project(key)

    async def after_create(self, issue_id: str, draft: TicketDraft, target: Target | None) -> dict[str, str]:
        """Link back and move. The issue exists by now: trouble here is told beside it, not instead of it."""
        problems: dict[str, str] = {}
        if draft.back_link:
            try:
                await self._client.create_or_update_remote_link(issue_id, remote_link(draft))
            except ConnectorError as error:
                problems["back_link"] = error.message
        if target is not None:
            try:
                issue = await self._client.get_issue(issue_id, fields=["status"])
                await self._workflow.reach(issue_id, target, current=issue["fields"].get("status"), given={})
            except ConnectorError as error:
                problems["status"] = error.message
        return problems

    async def draft_fields(
        self, draft: TicketDraft, meta: Mapping[str, FieldMeta], project_key: str, project_id: str
    ) -> tuple[dict[str, Any], list[str]]:
        """Return the draft as Jira's fields by id, and what its create screen has no place for. Raises RejectedError."""
        if draft.completion_date is not None:
            raise _sets_itself()
        named = {
            "title": draft.title,
            "description": draft.description or None,
            "priority": draft.priority,
            "assignee": draft.assignee,
            "creator": draft.creator,
            "contact": draft.contact,
            "parent": draft.parent or None,
            "due_date": draft.due_date,
        }
        fields: dict[str, Any] = {}
        left_out: list[str] = []
        for name, value in named.items():
            if value is None:
                continue
            if name != "title" and JIRA_FIELDS[name] not in meta:
                # Jira refuses the whole issue for one field that is not on its create screen.
                left_out.append(name)
                continue
            fields[JIRA_FIELDS[name]] = await self._value(name, value, meta)
        labels = [*draft.tags, *([mapping.mark_label(draft.key)] if draft.key else [])]
        if labels and "labels" in meta:
            fields["labels"] = labels
        elif draft.key:
            raise RejectedError(
                f"the create screen of {project_key} has no Labels field, which carries our mark",
                fields={"tags": "not on the create screen"},
                remediation="Add the field Labels to the project's create screen:"
                " without it a lost answer could make a second issue.",
            )
        elif labels:
            left_out.append("tags")
        fields |= self._custom(draft.custom_fields, meta, project_key, project_id)
        return fields, left_out

    async def patch(self, issue_id: str, patch: TicketPatch) -> str:
        """Change the named fields; return the issue's id.

        Raises:
            StaleRecordError: it is not what `expected_version` says.
            RejectedError: a value, a move or a missing field; says which.
        """
        # What has to be asked for is asked for first: nothing but the write comes after the look at the version.
        values = dict(patch.values)
        meta: Mapping[str, FieldMeta] = {}
        if {"priority", "custom_fields"} & set(values):
            meta = (await self._client.get_edit_meta(issue_id)).get("fields", {})
        for name in ("assignee", "creator", "contact"):
            if values.get(name) not in (None, ""):
                values[name] = await self._account(name, values[name])
        issue = await self._client.get_issue(
            issue_id, fields=["updated", "status", "labels", "project", "issuetype"]
        )
        now = issue["fields"]
        if patch.expected_version and mapping.version_of(now.get("updated")) != patch.expected_version:
            raise StaleRecordError(
                f"{issue['key']} was changed by somebody since it was read",
                remediation="Read it again and decide anew.",
            )
        wanted = values.pop("status", None)
        if "status" in patch.values and not wanted:
            raise RejectedError("a Jira issue always has a status", fields={"status": "cannot be empty"})
        project, issue_type = now["project"]["key"], now["issuetype"].get("name", "")
        target = None
        if wanted:
            target = await self._workflow.target(wanted, project=project, issue_type=issue_type)
        body = await self._patch_body(issue, values, meta)
        # A finished issue may be locked for editing: reopened first, finished last.
        reopening = target is not None and mapping.category(now.get("status")) is StatusCategory.DONE
        if target is not None and reopening:
            await self._move(issue, target, patch)
        if body:
            await self._client.edit_issue(issue["id"], body)
        if target is not None and not reopening:
            await self._move(issue, target, patch)
        return issue["id"]

    async def _move(self, issue: IssueBean, target: Target, patch: TicketPatch) -> None:
        await self._workflow.reach(
            issue["id"], target, current=issue["fields"].get("status"), given=patch.transition_fields
        )

    async def _patch_body(
        self, issue: IssueBean, values: Mapping[str, Any], meta: Mapping[str, FieldMeta]
    ) -> dict[str, Any]:
        now = issue["fields"]
        project_key, project_id = now["project"]["key"], str(now["project"]["id"])
        if values.get("project", project_key) not in {project_key, project_id}:
            raise RejectedError(
                "Jira moves issues to other projects only by hand",
                fields={"project": f"is {project_key}"},
                remediation="Move it in Jira; the link follows.",
            )
        if "completion_date" in values:
            raise _sets_itself()
        fields: dict[str, Any] = {}
        for name, value in values.items():
            if name in JIRA_FIELDS:
                fields[JIRA_FIELDS[name]] = (
                    None if value in (None, "") else await self._value(name, value, meta)
                )
        if "issue_type" in values:
            bean = await self._metadata.issue_type(project_key, values["issue_type"] or "")
            fields["issuetype"] = {"id": bean["id"]}
        fields |= self._custom(values.get("custom_fields") or {}, meta, project_key, project_id)
        body: dict[str, Any] = {"fields": fields} if fields else {}
        if "tags" in values:
            changes = label_changes(now.get("labels") or [], values["tags"] or ())
            if changes:
                body["update"] = {"labels": changes}
        return body

    async def _value(self, name: str, value: Any, meta: Mapping[str, FieldMeta]) -> Any:  # noqa: ANN401  # by field
        if name == "title":
            return summary(str(value))
        if name == "description":
            return adf_from_markdown(str(value))
        if name == "priority":
            return self._priority(Priority(value), meta)
        if name in {"assignee", "creator", "contact"}:
            return {"accountId": (await self._account(name, value)).id}
        if name == "parent":
            return {"id" if _NUMERIC.fullmatch(str(value)) else "key": str(value)}
        return schema.date_text(value) if isinstance(value, date) else str(value)[:10]

    async def _account(self, name: str, value: Any) -> Person:  # noqa: ANN401  # of a patch
        person = value if isinstance(value, Person) else Person(id=str(value))
        return replace(person, id=await self._people.account_id(person, field=name))

    def _priority(self, wanted: Priority, meta: Mapping[str, FieldMeta]) -> dict[str, str]:
        allowed: Any = (meta.get("priority") or {}).get("allowedValues") or []
        chosen = mapping.choose_priority(wanted, allowed)
        if chosen is None:
            raise RejectedError(
                "the priority cannot be set here: the field is not on the project's screen",
                fields={"priority": "not on the screen"},
                remediation="Add the field Priority to the project's edit screen.",
            )
        return {"id": str(chosen["id"])}

    def _custom(
        self, values: Mapping[str, Any], meta: Mapping[str, FieldMeta], project_key: str, project_id: str
    ) -> dict[str, Any]:
        paths = self._config.mappings_for(project_key, project_id)
        fields: dict[str, Any] = {}
        for name, value in values.items():
            path = paths.get(name)
            if path is None:
                raise RejectedError(
                    f"no custom field is mapped as {name!r} for {project_key}",
                    fields={f"custom_fields/{name}": "not mapped"},
                    remediation="Add it to custom_field_mappings of the integration.",
                )
            root, *below = path.removeprefix("fields.").split(".")
            if root not in meta:
                raise RejectedError(
                    f"{name}: Jira's field {root} is not on the screen of this issue type in {project_key}",
                    fields={f"custom_fields/{name}": "not on the screen"},
                    remediation=f"Add {root} to the project's screens.",
                )
            if below and value is not None:
                for part in reversed(below):
                    value = {part: value}  # noqa: PLW2901  # wrapped from the inside out
            fields[root] = write_value(value, meta[root], name=name)
        return fields


def summary(title: str) -> str:
    """Return a title as Jira takes it: one line, at most 255 characters."""
    line = _WHITE.sub(" ", title).strip()
    return line if len(line) <= SUMMARY_LIMIT else line[: SUMMARY_LIMIT - 1].rstrip() + "…"


def label_changes(present: Sequence[str], wanted: Sequence[str]) -> list[dict[str, str]]:
    """Return what takes the labels from `present` to `wanted`; our marks stay, and so does what others add meanwhile."""
    own = [label for label in present if not label.startswith(mapping.MARK_PREFIX)]
    added = [{"add": label} for label in wanted if label not in own]
    return added + [{"remove": label} for label in own if label not in wanted]


def remote_link(draft: TicketDraft) -> dict[str, Any]:
    """Return the link from the issue back to us; its global id makes a repeat an update."""
    return {
        "globalId": f"callout={draft.key or draft.back_link}",
        "application": {"type": "callout", "name": "Callout"},
        "relationship": "incident",
        "object": {"url": draft.back_link, "title": draft.title[:SUMMARY_LIMIT]},
    }


def _sets_itself() -> RejectedError:
    return RejectedError(
        "Jira sets the resolution date itself, when the issue is resolved",
        fields={"completion_date": "read only"},
    )


def lost_after_create(issue: str, error: ConnectorError) -> OutcomeUnknownError:
    """Return the error for an issue that exists but could not be read back."""
    return OutcomeUnknownError(
        f"the issue was created (id {issue}) but could not be read back: {error.message}",
        detail=error.detail,
        status=error.status,
        retry_after=error.retry_after,
        remediation="It is searched for before anything is created again.",
    )
