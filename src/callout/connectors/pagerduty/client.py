"""PagerDuty's endpoints about incidents, one method each, named as PagerDuty names them. No mapping, no policy.

Every method raises ConnectorError and its kinds (see `errors.py`). `sender` is the e-mail for the `From` header.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from callout.connectors.pagerduty.rest import LARGEST_PAGE, Params, Rest, inner, segment
from callout.connectors.pagerduty.wire import (
    FieldValue,
    IncidentBean,
    IncidentList,
    LogEntryList,
    NoteBean,
)
from callout.ports.errors import RejectedError

LIST_INCLUDES: Final = ("assignees", "conference_bridge", "first_trigger_log_entries")
GET_INCLUDES: Final = (*LIST_INCLUDES, "custom_fields")
BODY: Final = "body"
"""from memory: not among the documented values. Where it is ignored or refused, the first log entry may tell the description."""


class IncidentsClient:
    """The thin client of incidents and what hangs on them."""

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._asks_for_body = True

    async def _get_with_body(self, path: str, includes: Sequence[str], params: Params, *, doing: str) -> Any:  # noqa: ANN401  # cast by the caller
        if self._asks_for_body:
            whole = {"include[]": (*includes, BODY), **params}
            try:
                return await self._rest.get(path, whole, doing=doing)
            except RejectedError as error:
                if "include" not in error.message.lower():
                    raise
                self._asks_for_body = False
        return await self._rest.get(path, {"include[]": includes, **params}, doing=doing)

    async def list_incidents(self, params: Params) -> IncidentList:
        answer = await self._get_with_body("/incidents", LIST_INCLUDES, params, doing="listing incidents")
        inner(answer, "incidents", doing="listing incidents")
        return cast("IncidentList", answer)

    async def create_incident(self, incident: Mapping[str, Any], *, sender: str) -> IncidentBean:
        doing = "creating the incident"
        answer = await self._rest.send(
            "POST", "/incidents", {"incident": incident}, doing=doing, repeatable=False, sender=sender
        )
        return cast("IncidentBean", inner(answer, "incident", doing=doing))

    async def get_incident(self, incident: str) -> IncidentBean:
        doing = f"reading {incident}"
        answer = await self._get_with_body(f"/incidents/{segment(incident)}", GET_INCLUDES, {}, doing=doing)
        return cast("IncidentBean", inner(answer, "incident", doing=doing))

    async def update_incident(
        self, incident: str, changes: Mapping[str, Any], *, sender: str
    ) -> IncidentBean:
        """Set fields to values: the same again changes nothing more."""
        doing = f"changing {incident}"
        body = {"incident": {"type": "incident", **changes}}
        answer = await self._rest.send(
            "PUT", f"/incidents/{segment(incident)}", body, doing=doing, repeatable=True, sender=sender
        )
        return cast("IncidentBean", inner(answer, "incident", doing=doing))

    async def merge_incidents(self, target: str, sources: Sequence[str], *, sender: str) -> IncidentBean:
        doing = f"merging into {target}"
        body = {"source_incidents": [{"id": one, "type": "incident_reference"} for one in sources]}
        answer = await self._rest.send(
            "PUT", f"/incidents/{segment(target)}/merge", body, doing=doing, repeatable=True, sender=sender
        )
        return cast("IncidentBean", inner(answer, "incident", doing=doing))

    async def create_incident_snooze(self, incident: str, seconds: int, *, sender: str) -> IncidentBean:
        doing = f"snoozing {incident}"
        path = f"/incidents/{segment(incident)}/snooze"
        answer = await self._rest.send(
            "POST", path, {"duration": seconds}, doing=doing, repeatable=False, sender=sender
        )
        return cast("IncidentBean", inner(answer, "incident", doing=doing))

    async def create_incident_status_update(self, incident: str, message: str, *, sender: str) -> None:
        path = f"/incidents/{segment(incident)}/status_updates"
        doing = f"telling the stakeholders of {incident}"
        await self._rest.send(
            "POST", path, {"message": message}, doing=doing, repeatable=False, sender=sender
        )

    async def create_responder_request(
        self,
        incident: str,
        *,
        requester: str,
        message: str,
        targets: Sequence[Mapping[str, str]],
        sender: str,
    ) -> None:
        body = {
            "requester_id": requester,
            "message": message,
            "responder_request_targets": [{"responder_request_target": dict(one)} for one in targets],
        }
        path = f"/incidents/{segment(incident)}/responder_requests"
        doing = f"asking for responders to {incident}"
        await self._rest.send("POST", path, body, doing=doing, repeatable=False, sender=sender)

    async def set_custom_field_values(
        self, incident: str, values: Sequence[Mapping[str, Any]], *, sender: str
    ) -> list[FieldValue]:
        doing = f"setting custom fields of {incident}"
        path = f"/incidents/{segment(incident)}/custom_fields/values"
        body = {"custom_fields": [dict(one) for one in values]}
        answer = await self._rest.send("PUT", path, body, doing=doing, repeatable=True, sender=sender)
        return cast("list[FieldValue]", inner(answer, "custom_fields", doing=doing))

    async def get_custom_field_values(self, incident: str) -> list[FieldValue]:
        doing = f"reading custom fields of {incident}"
        path = f"/incidents/{segment(incident)}/custom_fields/values"
        answer = await self._rest.get(path, doing=doing)
        return cast("list[FieldValue]", inner(answer, "custom_fields", doing=doing))

    # Notes

    async def list_incident_notes(self, incident: str) -> list[NoteBean]:
        """Return all notes: this list has no pages."""
        doing = f"reading the notes of {incident}"
        path = f"/incidents/{segment(incident)}/notes"
        answer = await self._rest.get(path, doing=doing)
        return cast("list[NoteBean]", inner(answer, "notes", doing=doing))

    async def create_incident_note(self, incident: str, content: str, *, sender: str) -> NoteBean:
        doing = f"adding a note to {incident}"
        path = f"/incidents/{segment(incident)}/notes"
        body = {"note": {"content": content}}
        answer = await self._rest.send("POST", path, body, doing=doing, repeatable=False, sender=sender)
        return cast("NoteBean", inner(answer, "note", doing=doing))

    async def delete_incident_note(self, incident: str, note: str, *, sender: str) -> None:
        path = f"/incidents/{segment(incident)}/notes/{segment(note)}"
        await self._rest.send(
            "DELETE", path, None, doing=f"deleting a note of {incident}", repeatable=True, sender=sender
        )

    # Log entries

    async def list_log_entries(self, *, since: str, until: str, offset: int) -> LogEntryList:
        """Return a page of the account's log, newest first, with the incidents whole."""
        params: Params = {
            "since": since,
            "until": until,
            "offset": offset,
            "limit": LARGEST_PAGE,
            "is_overview": False,
            "include[]": ("incidents",),
        }
        doing = "reading what changed"
        answer = await self._rest.get("/log_entries", params, doing=doing)
        inner(answer, "log_entries", doing=doing)
        return cast("LogEntryList", answer)

    async def list_incident_log_entries(self, incident: str, *, offset: int = 0) -> LogEntryList:
        """Return a page of an incident's log, newest first."""
        params: Params = {"offset": offset, "limit": LARGEST_PAGE, "is_overview": False}
        doing = f"reading the log of {incident}"
        answer = await self._rest.get(f"/incidents/{segment(incident)}/log_entries", params, doing=doing)
        inner(answer, "log_entries", doing=doing)
        return cast("LogEntryList", answer)
