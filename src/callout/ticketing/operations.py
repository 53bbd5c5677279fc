"""The operations of the contract: where each is, and by which method of a connector it is done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from callout.ports.provider import OPERATIONS

if TYPE_CHECKING:
    from callout.ports.manifest import Manifest

_TICKET: Final = "/v1/ticketing/tickets/{ticket}"
_FILES: Final = "/v1/ticketing/attachments/{ticket}"
_RESPONSE: Final = "/v1/incident-response/escalation-policies"


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """One operation; `method` is the connector's, `required` are the fields of its body without which it is refused."""

    name: str
    verb: str
    path: str
    method: str
    required: tuple[str, ...] = ()

    @property
    def fullname(self) -> str:
        """For people."""
        return self.name.replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class ApiConnector:
    """A category of providers, with its operations."""

    id: str
    fullname: str
    description: str
    operations: tuple[ApiOperation, ...]


def _ticketing(name: str, verb: str, path: str, *required: str) -> ApiOperation:
    return ApiOperation(name, verb, path, OPERATIONS[name], required)


CONNECTORS: Final[Mapping[str, ApiConnector]] = {
    "ticketing": ApiConnector(
        "ticketing",
        "Ticketing",
        "Tickets of any ticketing system, in one model.",
        (
            _ticketing("list_remote_fields", "GET", "/v1/ticketing/remote-fields"),
            _ticketing("list_projects", "GET", "/v1/ticketing/projects"),
            _ticketing("query_tickets", "GET", "/v1/ticketing/tickets"),
            _ticketing("get_ticket", "GET", _TICKET),
            _ticketing("create_ticket", "POST", "/v1/ticketing/tickets", "name"),
            _ticketing("patch_ticket", "PATCH", _TICKET),
            _ticketing("create_attachment", "POST", _FILES, "file_name", "content"),
            _ticketing("list_attachments_metadata", "GET", _FILES),
            _ticketing("download_attachment", "GET", _FILES + "/{attachment}/download"),
            _ticketing("delete_attachment", "DELETE", _FILES + "/{attachment}"),
            _ticketing("list_comments", "GET", _TICKET + "/comments"),
            _ticketing("create_comment", "POST", _TICKET + "/comments", "content"),
            _ticketing("delete_comment", "DELETE", _TICKET + "/comments/{comment}"),
            _ticketing("create_note", "POST", _TICKET + "/notes", "title", "content"),
            _ticketing("list_notes", "GET", _TICKET + "/notes"),
            _ticketing("patch_note", "PATCH", _TICKET + "/notes/{note}"),
            _ticketing("delete_note", "DELETE", _TICKET + "/notes/{note}"),
            _ticketing("query_escalation_policies", "GET", "/v1/ticketing/escalation-policies"),
            _ticketing("list_on_call", "GET", "/v1/ticketing/escalation-policies/{policy}/on-call"),
        ),
    ),
    "incidentresponse": ApiConnector(
        "incidentresponse",
        "Incident response",
        "Escalation policies and who is on call.",
        (
            ApiOperation("query_escalation_policies", "GET", _RESPONSE, "query_escalation_policies"),
            ApiOperation(
                "query_escalation_policy_users_on_call",
                "GET",
                _RESPONSE + "/{policy}/users-on-call",
                "list_on_call",
            ),
        ),
    ),
    "notifications": ApiConnector(
        "notifications",
        "Notifications",
        "Messages to people in the channel of a chat platform.",
        (
            ApiOperation("create_message", "POST", "/v1/notifications/create", "send_notice", ("summary",)),
            ApiOperation("get_message", "GET", "/v1/notifications/get/{notification}", "read_notice"),
            ApiOperation("clear_message", "POST", "/v1/notifications/clear/{notification}", "clear_notice"),
        ),
    ),
}
"""By category."""


def can(manifest: Manifest, method: str) -> bool:
    """Return whether a provider's connector implements a method."""
    return manifest.provider_class is not None and callable(getattr(manifest.provider_class, method, None))
