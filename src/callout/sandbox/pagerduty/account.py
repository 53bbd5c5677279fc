"""The state of one PagerDuty account, and the look-ups everything else is built on."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from callout.sandbox.pagerduty.errors import NotFoundError
from callout.sandbox.pagerduty.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from callout.sandbox.pagerduty.model import (
        Agent,
        CustomField,
        EscalationPolicy,
        Incident,
        IncidentType,
        Integration,
        JsonObject,
        LogEntry,
        PagerEvent,
        Priority,
        Schedule,
        Service,
        Tag,
        Team,
        User,
    )

_T = TypeVar("_T")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# A prime, so that counting up walks through every id once, in no visible order.
_SCATTER, _SPACE = 2_654_435_761, 36**6


@dataclass(slots=True)
class Account:
    """Everything the account knows.

    Args:
        now: the twin's clock, aware UTC.
        publish: called with every event, in order, right after the state changed.
        record: called with ledger kind, actor, target and facts at the very change of state.
    """

    now: Callable[[], datetime]
    publish: Callable[[PagerEvent], None]
    record: Callable[[str, Agent | None, str, JsonObject], None]
    settings: Settings = field(default_factory=Settings)
    abilities: tuple[str, ...] = ()
    users: dict[str, User] = field(default_factory=dict)
    teams: dict[str, Team] = field(default_factory=dict)
    priorities: dict[str, Priority] = field(default_factory=dict)
    schedules: dict[str, Schedule] = field(default_factory=dict)
    policies: dict[str, EscalationPolicy] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    incident_types: dict[str, IncidentType] = field(default_factory=dict)
    custom_fields: dict[str, CustomField] = field(default_factory=dict)
    tags: dict[str, Tag] = field(default_factory=dict)
    incidents: dict[str, Incident] = field(default_factory=dict)
    # Oldest first, of all incidents: what GET /log_entries reads backwards.
    log: list[LogEntry] = field(default_factory=list)
    # Newest last; each as the API shows it, but for `self`.
    audit: list[JsonObject] = field(default_factory=list)
    _open_keys: dict[tuple[str, str], str] = field(default_factory=dict)
    _timers: list[tuple[datetime, int, Callable[[], None]]] = field(default_factory=list)
    _last_id: int = 0
    _last_timer: int = 0

    def moment(self) -> datetime:
        """Now, to the second: what PagerDuty stores."""
        return self.now().replace(microsecond=0)

    def new_id(self, prefix: str = "Q") -> str:
        """A fresh id. The seeds start with `P`, so that nothing made later can meet them."""
        self._last_id += 1
        number, text = self._last_id * _SCATTER % _SPACE, ""
        for _ in range(6):
            number, digit = divmod(number, 36)
            text += _DIGITS[digit]
        return prefix + text

    def find(self, things: dict[str, _T], ident: object) -> _T:
        """One thing of a kind by id.

        Raises:
            NotFoundError: there is none.
        """
        found = things.get(str(ident))
        if found is None:
            raise NotFoundError
        return found

    def incident(self, id_or_number: str) -> Incident:
        """An incident by id or number.

        Raises:
            NotFoundError: there is none.
        """
        if id_or_number.isdecimal():
            number = int(id_or_number)
            for incident in self.incidents.values():
                if incident.number == number:
                    return incident
        return self.find(self.incidents, id_or_number)

    def user_by_email(self, email: str) -> User | None:
        """A user by mail address, in any case."""
        return next((user for user in self.users.values() if user.email.lower() == email.lower()), None)

    def integration_by_key(self, key: str) -> Integration | None:
        """An integration by its routing key."""
        for service in self.services.values():
            for integration in service.integrations:
                if integration.key == key:
                    return integration
        return None

    def open_incident_with(self, service: Service, key: str) -> Incident | None:
        """The open incident of a service that has the key."""
        found = self.incidents.get(self._open_keys.get((service.id, key), ""))
        return found if found is not None and found.open and found.service is service else None

    def open_incidents(self, service: Service) -> list[Incident]:
        """The open incidents of a service."""
        return [one for one in self.incidents.values() if one.service is service and one.open]

    def hold_key(self, incident: Incident) -> None:
        """Note that the open incident has its key on its service."""
        if incident.key is not None:
            self._open_keys[incident.service.id, incident.key] = incident.id

    def at(self, when: datetime, action: Callable[[], None]) -> None:
        """Do something when the clock has reached `when`; the action checks whether it is still due."""
        self._last_timer += 1
        heapq.heappush(self._timers, (when, self._last_timer, action))

    def tick(self) -> None:
        """Do what has become due. Called before every request, act and setting."""
        now = self.now()
        while self._timers and self._timers[0][0] <= now:
            heapq.heappop(self._timers)[2]()
