"""People of a Jira site: known by account id only; e-mails may be hidden by their owners."""

from __future__ import annotations

import re
from typing import Final

from callout.connectors.jira import mapping
from callout.connectors.jira.client import JiraClient
from callout.kit.clock import Clock
from callout.ports.errors import RejectedError
from callout.ports.values import Person

CACHE_SECONDS: Final = 300.0
"""User search has a budget of its own for the whole site: the same person is not asked for again so soon."""
_ACCOUNT_ID = re.compile(r"(?:[0-9a-z]{24}|\d+:[0-9A-Za-z-]{8,}|qm:[0-9A-Za-z:-]+)")
_MAX_CACHED = 1000


class People:
    """Looks people up, with a short memory."""

    def __init__(self, client: JiraClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._found: dict[tuple[str, str], tuple[float, Person | None]] = {}

    async def find(self, *, email: str = "", name: str = "") -> Person | None:
        """Return the one active person with that e-mail or exact display name, or None when nobody or several match."""
        wanted = (email.strip().casefold(), name.strip().casefold())
        if wanted == ("", ""):
            return None
        cached = self._found.get(wanted)
        if cached is not None and cached[0] > self._clock.monotonic():
            return cached[1]
        users = await self._client.find_users(email.strip() or name.strip())
        matching = [
            user
            for user in users
            if user.get("active", True)
            and (
                (user.get("emailAddress") or "").casefold() == wanted[0]
                if wanted[0]
                else (user.get("displayName") or "").casefold() == wanted[1]
            )
        ]
        person = mapping.person(matching[0]) if len(matching) == 1 else None
        if len(self._found) >= _MAX_CACHED:
            self._found.clear()
        self._found[wanted] = (self._clock.monotonic() + CACHE_SECONDS, person)
        return person

    async def account_id(self, person: Person, *, field: str) -> str:
        """Return whom Jira knows as `person`: by account id, e-mail or name. Raises RejectedError naming `field`."""
        if person.id and _ACCOUNT_ID.fullmatch(person.id):
            return person.id
        for text in (person.email, person.id, person.name):
            if not text:
                continue
            found = await (self.find(email=text) if "@" in text else self.find(name=text))
            if found is not None:
                return found.id
        shown = person.email or person.name or person.id
        raise RejectedError(
            f"Jira knows nobody, or more than one, as {shown!r}",
            fields={field: f"nobody known as {shown}"},
            remediation="Name the person by Jira account id, or make their e-mail visible to the integration's user.",
        )
