"""Making requests: through the form of a request type where one is named, else as issues of the project."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.errors import FIELD_NAMES
from callout.connectors.jira.issues import IssueWriter, summary
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.people import People
from callout.connectors.jira.service_management import marks
from callout.connectors.jira.service_management.client import ServiceDeskClient
from callout.connectors.jira.service_management.config import ServiceManagementConfig
from callout.connectors.jira.service_management.desks import Desks, Form
from callout.connectors.jira.service_management.wire import RequestTypeBean, ServiceDeskBean
from callout.connectors.jira.transitions import Target, Workflow
from callout.ports.errors import ConnectorError, RejectedError
from callout.ports.ticketing import TicketDraft

DESCRIPTION: Final = "description"


class RequestWriter(IssueWriter):
    """Creates requests; changes them as the issues they are."""

    def __init__(
        self,
        config: ServiceManagementConfig,
        client: JiraClient,
        metadata: SiteMetadata,
        people: People,
        workflow: Workflow,
        *,
        desk: ServiceDeskClient,
        desks: Desks,
    ) -> None:
        super().__init__(config, client, metadata, people, workflow)
        self._default_type = config.default_request_type
        self._desk = desk
        self._desks = desks

    async def create(self, draft: TicketDraft) -> tuple[str, dict[str, Any]]:
        """Create a request; return its issue's id and what could not be set on the way.

        The draft's `issue_type` may name a request type (by name, or `request:` and its id); the integration's default counts when
        the draft names nothing, an issue type makes an issue without a form.

        Raises:
            RejectedError: nothing was created; says which field of the form is missing.
            OutcomeUnknownError: it may have been created; look for the draft's key.
        """
        project = await self.project_for(draft)
        desk = await self._desks.of(project)
        kind = await self._kind(desk, draft)
        if kind is None:
            return await super().create(draft)
        target = None
        if draft.status:
            issue_type = await self._metadata.issue_type(project["key"], str(kind.get("issueTypeId", "")))
            target = await self._workflow.target(
                draft.status, project=project["key"], issue_type=issue_type.get("name", "")
            )
        return await self._request(draft, kind, project_key=project["key"], target=target)

    async def _kind(self, desk: ServiceDeskBean, draft: TicketDraft) -> RequestTypeBean | None:
        if draft.issue_type:
            return await self._desks.request_type(desk, draft.issue_type)
        return await self._desks.required_type(desk, self._default_type) if self._default_type else None

    async def _request(
        self, draft: TicketDraft, kind: RequestTypeBean, *, project_key: str, target: Target | None
    ) -> tuple[str, dict[str, Any]]:
        form = await self._desks.form(kind)
        meta = await self._metadata.create_fields(project_key, str(kind.get("issueTypeId", "")))
        project = await self._metadata.project(project_key)
        fields, left_out = await self.draft_fields(draft, {**meta, **form.fields}, project_key, project["id"])
        asked, later = _parted(draft, fields, form)
        _refuse_missing(asked, form, kind, self._config.mappings_for(project_key, project["id"]))
        body: dict[str, Any] = {
            "serviceDeskId": str(kind["serviceDeskId"]),
            "requestTypeId": str(kind["id"]),
            "requestFieldValues": asked,
        }
        reporter = later.pop("reporter", None)
        if reporter is not None:
            body["raiseOnBehalfOf"] = reporter["accountId"]
        made = await self._desk.create_customer_request(body)
        issue_id = str(made["issueId"])
        self.recent.add(draft.key, issue_id)
        problems: dict[str, Any] = {"not_on_screen": left_out} if left_out else {}
        problems |= await self._complete(issue_id, later)
        problems |= await self.after_create(issue_id, draft, target)
        return issue_id, problems

    async def _complete(self, issue_id: str, later: Mapping[str, Any]) -> dict[str, str]:
        """Set what the form has no place for. The request exists by now: trouble is told beside it.

        The label with our key goes first and alone with the description, which carries it until then.
        """
        first = {name: later[name] for name in (DESCRIPTION,) if name in later}
        body: dict[str, Any] = {"fields": first} if first else {}
        if later.get("labels"):
            body["update"] = {"labels": [{"add": label} for label in later["labels"]]}
        rest = {name: value for name, value in later.items() if name not in {DESCRIPTION, "labels"}}
        problems: dict[str, str] = {}
        for what, edit in (("mark", body), ("fields", {"fields": rest} if rest else {})):
            if not edit:
                continue
            try:
                await self._client.edit_issue(issue_id, edit)
            except ConnectorError as error:
                problems[what] = error.message
        return problems


def _parted(
    draft: TicketDraft, fields: Mapping[str, Any], form: Form
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what goes into the form and what is set afterwards.

    Where the form has no labels, which carry our key, the description does until the label is set: a request whose answer is lost
    is found by it.
    """
    asked = {
        name: value
        for name, value in fields.items()
        if name in form.fields and name not in {DESCRIPTION, "reporter"}
    }
    later = {name: value for name, value in fields.items() if name not in asked}
    asked["summary"] = summary(draft.title)
    later.pop("summary", None)
    if not asked["summary"]:
        raise RejectedError("a request needs a title", fields={"title": "cannot be empty"})
    by_description = bool(draft.key) and "labels" not in asked
    if DESCRIPTION in form.fields:
        text = marks.description_text(draft.description, draft.key if by_description else "")
        if text:
            asked[DESCRIPTION] = text
        # Written again as the document it is: the form takes wiki markup, which loses some of it.
        if by_description or draft.description:
            later[DESCRIPTION] = fields.get(DESCRIPTION)
    elif by_description:
        raise RejectedError(
            "the form of this request type has neither Labels nor Description, one of which has to carry our mark",
            fields={"tags": "not on the form"},
            remediation="Add Description to the request type's form: without it a lost answer could make a second request.",
        )
    return asked, later


def _refuse_missing(
    asked: Mapping[str, Any], form: Form, kind: RequestTypeBean, custom: Mapping[str, str]
) -> None:
    ours = {
        path.removeprefix("fields.").split(".")[0]: f"custom_fields/{name}" for name, path in custom.items()
    }
    unfilled = {name: words for name, words in form.required.items() if asked.get(name) in (None, "", [])}
    if unfilled:
        raise RejectedError(
            f"the form of {kind.get('name', '')!r} needs: {', '.join(unfilled.values())}",
            fields={
                ours.get(name, FIELD_NAMES.get(name, name)): f"{words}: required by the form"
                for name, words in unfilled.items()
            },
            remediation="Map a custom field to each of them, or choose another request type.",
        )
