"""Every route of the engine API, with a body that is right: what the token of an integration opens."""

from __future__ import annotations

from typing import Any

PATCH = [{"op": "replace", "path": "/summary", "value": "changed by a stranger"}]
ENGINE: dict[tuple[str, str], Any] = {
    ("GET", "/v1/ticketing/tickets"): None,
    ("POST", "/v1/ticketing/tickets"): {"name": "made by a stranger"},
    ("GET", "/v1/ticketing/tickets/{ticket}"): None,
    ("PATCH", "/v1/ticketing/tickets/{ticket}"): PATCH,
    ("GET", "/v1/ticketing/tickets/{ticket}/comments"): None,
    ("POST", "/v1/ticketing/tickets/{ticket}/comments"): {"content": "said by a stranger"},
    ("DELETE", "/v1/ticketing/tickets/{ticket}/comments/{comment}"): None,
    ("GET", "/v1/ticketing/tickets/{ticket}/notes"): None,
    ("POST", "/v1/ticketing/tickets/{ticket}/notes"): {"title": "by", "content": "a stranger"},
    ("PATCH", "/v1/ticketing/tickets/{ticket}/notes/{note}"): [
        {"op": "replace", "path": "/title", "value": "x"}
    ],
    ("DELETE", "/v1/ticketing/tickets/{ticket}/notes/{note}"): None,
    ("GET", "/v1/ticketing/attachments/{ticket}"): None,
    ("POST", "/v1/ticketing/attachments/{ticket}"): {"file_name": "a.txt", "content": "YQ=="},
    ("GET", "/v1/ticketing/attachments/{ticket}/{attachment}/download"): None,
    ("DELETE", "/v1/ticketing/attachments/{ticket}/{attachment}"): None,
    ("GET", "/v1/ticketing/projects"): None,
    ("GET", "/v1/ticketing/remote-fields"): None,
    ("GET", "/v1/ticketing/escalation-policies"): None,
    ("GET", "/v1/ticketing/escalation-policies/{policy}/on-call"): None,
    ("GET", "/v1/ticketing/capabilities"): None,
    ("GET", "/v1/ticketing/create-form"): None,
    ("GET", "/v1/ticketing/tickets/{ticket}/transitions"): None,
    ("GET", "/v1/ticketing/people"): None,
    ("GET", "/v1/ticketing/teams"): None,
    ("POST", "/v1/ticketing/pass-through"): {"method": "GET", "path": "/rest/api/3/myself"},
    ("POST", "/v1/integration-webhooks"): {"project": "TST"},
    ("GET", "/v1/integration-webhooks"): None,
    ("DELETE", "/v1/integration-webhooks"): None,
    ("POST", "/v1/notifications/create"): {"summary": "sent by a stranger"},
    ("GET", "/v1/notifications/get/{notification}"): None,
    ("POST", "/v1/notifications/clear/{notification}"): None,
    ("GET", "/v1/incident-response/escalation-policies"): None,
    ("GET", "/v1/incident-response/escalation-policies/{policy}/users-on-call"): None,
}

# Opened by either kind of token.
EITHER: dict[tuple[str, str], Any] = {
    ("POST", "/v1/operations"): {"operation": "ticketing_query_tickets", "input": {}},
    ("GET", "/v1/operations/{operation}"): None,
    ("POST", "/v1/operations/{operation}"): None,
    ("GET", "/v1/capabilities/connectors"): None,
    ("GET", "/v1/capabilities/providers"): None,
    ("GET", "/v1/capabilities/providers/{provider}"): None,
}


def address(path: str, **ids: str) -> str:
    """Return the address of a route; ids that are not given name nothing."""
    return path.format(
        **{
            "ticket": "1",
            "comment": "1",
            "note": "1",
            "attachment": "1",
            "policy": "1",
            "provider": "ticketing_nothing",
            "notification": "1",
            "operation": "1",
            **ids,
        }
    )
