"""What only PagerDuty does: escalate, snooze, ask for responders, tell stakeholders, merge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from callout.connectors.pagerduty.account import Account
from callout.connectors.pagerduty.client import IncidentsClient
from callout.connectors.pagerduty.config import PagerDutyConfig
from callout.connectors.pagerduty.directory_client import DirectoryClient
from callout.connectors.pagerduty.wire import IncidentBean
from callout.ports.errors import RejectedError
from callout.ports.values import Person

LONGEST_SNOOZE: Final = timedelta(days=7)


class Actions:
    """Acts on the incidents of one account."""

    def __init__(
        self, config: PagerDutyConfig, client: IncidentsClient, directory: DirectoryClient, account: Account
    ) -> None:
        self._config = config
        self._client = client
        self._directory = directory
        self._account = account

    async def _sender(self) -> str:
        return await self._account.sender(None, default=self._config.default_creator)

    async def escalate(self, incident: IncidentBean, *, level: int, policy_id: str) -> None:
        """Call a level of the incident's policy (0: the next one), or hand it to another policy."""
        changes: dict[str, Any] = {}
        if policy_id:
            changes["escalation_policy"] = {"id": policy_id, "type": "escalation_policy_reference"}
        if level or not policy_id:
            changes["escalation_level"] = level or await self._next_level(incident)
        await self._client.update_incident(incident["id"], changes, sender=await self._sender())

    async def _next_level(self, incident: IncidentBean) -> int:
        """Return the level after the one whose people have the incident; the first where none of them has."""
        policy_id = (incident.get("escalation_policy") or {}).get("id", "")
        have = {(one.get("assignee") or {}).get("id") for one in incident.get("assignments") or []}
        page = await self._directory.list_on_calls(policies=[policy_id], offset=0)
        levels = sorted({bean["escalation_level"] for bean in page["oncalls"]})
        present = max(
            (bean["escalation_level"] for bean in page["oncalls"] if bean["user"].get("id") in have),
            default=0,
        )
        following = [level for level in levels if level > present]
        if not following:
            raise RejectedError(
                "the incident is on the last level of its escalation policy",
                fields={"level": "there is none after it"},
                remediation="Name a level to begin again, or hand it to another policy.",
            )
        return following[0]

    async def snooze(self, incident_id: str, duration: timedelta) -> None:
        """Keep an incident acknowledged for 1 second to 7 days, then call again."""
        seconds = int(duration.total_seconds())
        if not 1 <= seconds <= LONGEST_SNOOZE.total_seconds():
            raise RejectedError(
                "PagerDuty snoozes for 1 second to 7 days", fields={"duration": "1 second to 7 days"}
            )
        await self._client.create_incident_snooze(incident_id, seconds, sender=await self._sender())

    async def request_responders(
        self, incident_id: str, *, people: Sequence[Person], policies: Sequence[str], message: str
    ) -> None:
        """Ask people, or whoever is on call for policies, to join."""
        targets = [
            {"id": (await self._account.user(one, field="people")).id, "type": "user_reference"}
            for one in people
        ]
        targets += [{"id": one, "type": "escalation_policy_reference"} for one in policies]
        if not targets:
            raise RejectedError("nobody to ask", fields={"people": "name a person or a policy"})
        sender = await self._sender()
        requester = await self._account.find_person(email=sender) if sender else None
        await self._client.create_responder_request(
            incident_id,
            requester="" if requester is None else requester.id,
            message=message,
            targets=targets,
            sender=sender,
        )

    async def publish_status(self, incident_id: str, message: str) -> None:
        """Tell the stakeholders."""
        if not message.strip():
            raise RejectedError("a status update needs a text", fields={"message": "cannot be empty"})
        await self._client.create_incident_status_update(incident_id, message, sender=await self._sender())

    async def merge(self, target: str, sources: Sequence[str]) -> None:
        """Make `sources` part of `target`."""
        await self._client.merge_incidents(target, sources, sender=await self._sender())
