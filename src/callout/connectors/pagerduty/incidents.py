"""Writing incidents: drafts and patches as PagerDuty's fields, created once per key, changed only when unchanged since read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from callout.connectors.pagerduty import mapping
from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.custom import written
from callout.connectors.pagerduty.errors import ALREADY_ACKNOWLEDGED, ALREADY_RESOLVED, key_is_taken
from callout.connectors.pagerduty.wire import IncidentBean
from callout.ports.errors import ConnectorError, OutcomeUnknownError, RejectedError, StaleRecordError
from callout.ports.ticketing import StatusCategory, TicketDraft, TicketPatch
from callout.ports.values import Person, Priority

CATEGORY_PREFIX: Final = "category:"
NO_PLACE: Final[Mapping[str, str]] = {
    "description": "PagerDuty keeps the description an incident was created with; add a note instead",
    "tags": "PagerDuty incidents have no tags",
    "due_date": "PagerDuty incidents have no due date",
    "parent": "PagerDuty incidents have no parent",
    "contact": "PagerDuty incidents have no contact",
    "completion_date": "PagerDuty sets the time of resolution itself",
}
"""Fields of a ticket that an incident cannot take in a patch → why."""


class IncidentWriter:
    """Creates and changes incidents."""

    def __init__(self, config: PagerDutyConfig, client: IncidentsClient, account: Account) -> None:
        self._config = config
        self._client = client
        self._account = account

    async def create(self, draft: TicketDraft) -> tuple[str, dict[str, Any]]:
        """Create an incident, or adopt the open one that has the key; return its id and what could not be set.

        Raises:
            RejectedError: nothing was created.
            OutcomeUnknownError: it may have been created; look for the draft's key.
        """
        wanted = draft.project or self._config.default_project
        if not wanted:
            raise RejectedError(
                "no service given, and the integration has no default one",
                fields={"project": "required"},
                remediation="Name a service as project, or set default_project of the integration.",
            )
        status = status_named(draft.status) if draft.status else "triggered"
        service = await self._account.service(wanted)
        changes, custom = written(draft.custom_fields, self._config.mappings_for(service["id"]), bridge=None)
        body: dict[str, Any] = {
            "type": "incident",
            "title": _title(draft.title),
            "service": {"id": service["id"], "type": "service_reference"},
        }
        if said := mapping.with_back_link(draft.description, draft.back_link):
            body["body"] = {"type": "incident_body", "details": said}
        if draft.key:
            body["incident_key"] = mapping.incident_key(draft.key)
        kind = draft.issue_type or self._config.default_issue_type
        if kind:
            body["incident_type"] = {"name": kind}
        if draft.priority is not None:
            body |= await self._priority(draft.priority)
        body |= changes
        if draft.assignee is not None:
            body["assignments"] = [await self._assignment(draft.assignee)]
            body.pop("escalation_policy", None)  # the two exclude each other
        sender = await self._account.sender(draft.creator, default=self._config.default_creator)
        incident_id = await self._create_or_adopt(body, sender)
        problems = {"not_kept": left} if (left := _left_out(draft)) else {}
        return incident_id, problems | await self._after_create(incident_id, status, custom, sender)

    async def _create_or_adopt(self, body: Mapping[str, Any], sender: str) -> str:
        try:
            return (await self._client.create_incident(body, sender=sender))["id"]
        except RejectedError as error:
            if not key_is_taken(error) or "incident_key" not in body:
                raise
            # An earlier attempt of ours went through after all: its incident is the one that was asked for.
            service = body["service"]["id"]
            for incident in await self.open_with_key(str(body["incident_key"])):
                if (incident.get("service") or {}).get("id") == service:
                    return incident["id"]
            raise OutcomeUnknownError(
                f"PagerDuty has an open incident with our key, but does not show it yet: {error.message}",
                status=error.status,
                vendor_code=error.vendor_code,
                remediation="It is searched for before anything is created again.",
            ) from error

    async def open_with_key(self, key: str) -> list[IncidentBean]:
        """Return the open incidents with that `incident_key`."""
        page = await self._client.list_incidents(
            {
                "incident_key": key,
                "statuses[]": ("triggered", "acknowledged"),
                "date_range": "all",
                "limit": 100,
            }
        )
        return [one for one in page["incidents"] if one.get("incident_key") == key]

    async def _after_create(
        self, incident_id: str, status: str, custom: list[dict[str, Any]], sender: str
    ) -> dict[str, Any]:
        """Set what a creation cannot take. The incident exists by now: trouble is told beside it, not instead of it."""
        problems: dict[str, Any] = {}
        if custom:
            try:
                await self._client.set_custom_field_values(incident_id, custom, sender=sender)
            except ConnectorError as error:
                problems["custom_fields"] = error.message
        if status != "triggered":
            try:
                await self._put(incident_id, {"status": status}, sender)
            except ConnectorError as error:
                problems["status"] = error.message
        return problems

    async def patch(self, incident: IncidentBean, patch: TicketPatch) -> None:
        """Change the named fields of an incident just read.

        Raises:
            StaleRecordError: it is not what `expected_version` says.
            RejectedError: a value, or a change that PagerDuty does not know; says which.
        """
        expected = patch.expected_version.partition("+")[0]
        if expected and mapping.version_of(incident) != expected:
            raise StaleRecordError(
                f"incident {incident.get('incident_number')} was changed by somebody since it was read",
                remediation="Read it again and decide anew.",
            )
        values = dict(patch.values)
        _refuse_what_has_no_place(incident, values)
        project = (incident.get("service") or {}).get("id", "")
        changes, custom = written(
            values.get("custom_fields") or {},
            self._config.mappings_for(project),
            bridge=incident.get("conference_bridge"),
        )
        changes |= await self._changes(incident, values)
        if changes.get("status") == mapping.RESOLVED and patch.transition_fields.get("resolution"):
            changes["resolution"] = str(patch.transition_fields["resolution"])
        creator = values.get("creator")
        actor = creator if isinstance(creator, Person) else Person(str(creator)) if creator else None
        sender = await self._account.sender(actor, default=self._config.default_creator)
        if changes:
            await self._put(incident["id"], changes, sender)
        if custom:
            await self._client.set_custom_field_values(incident["id"], custom, sender=sender)

    async def _put(self, incident_id: str, changes: dict[str, Any], sender: str) -> None:
        try:
            await self._client.update_incident(incident_id, changes, sender=sender)
        except RejectedError as error:
            there = {ALREADY_RESOLVED: "resolved", ALREADY_ACKNOWLEDGED: "acknowledged"}.get(
                error.vendor_code
            )
            if there is not None and changes.get("status") == there:
                # Somebody was quicker and it is what we want; what came along with it is still to be done.
                rest = {
                    name: value for name, value in changes.items() if name not in {"status", "resolution"}
                }
                if rest:
                    await self._client.update_incident(incident_id, rest, sender=sender)
                return
            if key_is_taken(error) and "status" in changes:
                raise RejectedError(
                    "PagerDuty does not reopen this incident: another open one has its key by now",
                    fields={"status": "cannot be reopened"},
                    remediation="Go on in the open incident of that key, or resolve it first.",
                    status=error.status,
                    vendor_code=error.vendor_code,
                ) from error
            raise

    async def _changes(self, incident: IncidentBean, values: Mapping[str, Any]) -> dict[str, Any]:
        changes: dict[str, Any] = {}
        if "title" in values and (title := _title(values["title"] or "")) != incident.get("title"):
            changes["title"] = title
        if "status" in values and (status := status_named(values["status"] or "")) != incident.get("status"):
            changes["status"] = status
        if "priority" in values:
            changes |= await self._priority_change(incident, values["priority"])
        if "assignee" in values:
            changes |= await self._assignee_change(incident, values["assignee"], changes.get("status"))
        if values.get("project"):
            service = await self._account.service(str(values["project"]))
            if service["id"] != (incident.get("service") or {}).get("id"):
                changes["service"] = {"id": service["id"], "type": "service_reference"}
        kind = values.get("issue_type")
        if kind and kind != (incident.get("incident_type") or {}).get("name"):
            changes["incident_type"] = {"name": kind}
        return changes

    async def _priority_change(self, incident: IncidentBean, wanted: Any) -> dict[str, Any]:  # noqa: ANN401  # of a patch
        if wanted is None:
            if not incident.get("priority"):
                return {}
            return {"priority": None}
        found = await self._priority(Priority(wanted))
        now = {"priority": (incident.get("priority") or {}).get("id"), "urgency": incident.get("urgency")}
        return {
            name: value
            for name, value in found.items()
            if (value["id"] if isinstance(value, dict) else value) != now[name]
        }

    async def _priority(self, wanted: Priority) -> dict[str, Any]:
        """Return priority and urgency for a unified priority; what the account lacks is left out."""
        chosen = mapping.choose_priority(wanted, await self._account.priorities())
        found: dict[str, Any] = {}
        if chosen is not None:
            found["priority"] = {"id": chosen["id"], "type": "priority_reference"}
        if self._config.urgency == "from_priority":
            found["urgency"] = mapping.urgency_for(wanted)
        if not found:
            raise RejectedError(
                "this PagerDuty account has no priorities, and the integration leaves urgency to the service",
                fields={"priority": "the account has none"},
                remediation="Switch priorities on in PagerDuty, or set urgency of the integration to from_priority.",
            )
        return found

    async def _assignee_change(
        self,
        incident: IncidentBean,
        wanted: Any,  # noqa: ANN401  # of a patch
        new_status: str | None,
    ) -> dict[str, Any]:
        now = mapping.assigned(incident)
        if wanted is None:
            if not now:
                return {}
            raise RejectedError(
                "an open PagerDuty incident is always assigned to somebody",
                fields={"assignee": "cannot be emptied"},
                remediation="Name another person, or escalate it to the next level of its policy.",
            )
        if incident.get("status") == mapping.RESOLVED and new_status is None:
            raise RejectedError(
                "a resolved PagerDuty incident is assigned to nobody",
                fields={"assignee": "resolved"},
                remediation="Reopen the incident first.",
            )
        who = wanted if isinstance(wanted, Person) else Person(str(wanted))
        assignment = await self._assignment(who)
        return (
            {} if [one.id for one in now] == [assignment["assignee"]["id"]] else {"assignments": [assignment]}
        )

    async def _assignment(self, person: Person) -> dict[str, Any]:
        found = await self._account.user(person, field="assignee")
        return {"assignee": {"id": found.id, "type": "user_reference"}}


def status_named(wanted: str) -> str:
    """Return PagerDuty's status for its name in any case or for `category:…`. Raises RejectedError."""
    name = wanted.strip().lower()
    if name.startswith(CATEGORY_PREFIX):
        try:
            return mapping.STATUS_OF[StatusCategory(name.removeprefix(CATEGORY_PREFIX).strip())]
        except (ValueError, KeyError):
            raise RejectedError(
                f"{wanted!r} is not a category of statuses",
                fields={"status": "use category:new, category:active or category:done"},
            ) from None
    if name not in mapping.STATUSES:
        choices = ", ".join(mapping.STATUSES)
        raise RejectedError(
            f"PagerDuty incidents have no status {wanted!r}; there are: {choices}",
            fields={"status": f"allowed: {choices}"},
        )
    return name


def _title(text: str) -> str:
    title = mapping.title(text)
    if not title:
        raise RejectedError("a PagerDuty incident needs a title", fields={"title": "cannot be empty"})
    return title


def _left_out(draft: TicketDraft) -> list[str]:
    """Return the fields of a draft that PagerDuty has no place for."""
    given = {
        "tags": draft.tags,
        "due_date": draft.due_date,
        "parent": draft.parent,
        "contact": draft.contact,
        "completion_date": draft.completion_date,
    }
    return [name for name, value in given.items() if value]


def _refuse_what_has_no_place(incident: IncidentBean, values: Mapping[str, Any]) -> None:
    """Raise RejectedError for a value that cannot be kept; what is there already (or empty here and there) may be given."""
    for name, why in NO_PLACE.items():
        value = values.get(name)
        there = mapping.details(incident) if name == "description" else ""
        if name in values and (value or "") != there and (value or there):
            raise RejectedError(why, fields={name: why})


def lost_after_create(incident_id: str, error: ConnectorError) -> OutcomeUnknownError:
    """Return the error for an incident that exists but could not be read back."""
    return OutcomeUnknownError(
        f"the incident was created (id {incident_id}) but could not be read back: {error.message}",
        detail=error.detail,
        status=error.status,
        retry_after=error.retry_after,
        remediation="It is searched for before anything is created again.",
    )
