"""Rules of a chat integration: who hears of which news at which hour, and where important news goes when a place fails."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Annotated, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from callout.ports.values import Severity


class NotificationType(StrEnum):
    """Why people are told."""

    CREATED = "created"
    UPDATED = "updated"
    ACKNOWLEDGED = "acknowledged"
    ESCALATED = "escalated"
    MITIGATED = "mitigated"
    RESOLVED = "resolved"
    CLOSED = "closed"
    SLA_BREACH = "sla_breach"


Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DIRECT: Final = "dm:"
"""What a place begins with that is a person: `dm:@commander`, `dm:ann@example.com`."""
TEAM: Final = "@team"
SERVICE: Final = "@service"
"""The channel that the catalogue gives for the incident's team, and for its service."""
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*(?:([01]\d|2[0-3]):([0-5]\d)|24:00)")


def _listed(value: object) -> object:
    """Return one word as a list of it."""
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_listed)]


class When(BaseModel):
    """What must hold for a rule: every part that is given. `hours` is `08:00-18:00`; `22:00-06:00` goes on into the next day."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    severity: Words = ()
    service: Words = ()
    team: Words = ()
    days: Annotated[tuple[Day, ...], BeforeValidator(_listed)] = ()
    hours: str = ""
    time_zone: str = "UTC"

    @field_validator("severity")
    @classmethod
    def _severities(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Severity.parse(text)) for text in value)

    @field_validator("hours")
    @classmethod
    def _span(cls, value: str) -> str:
        if value and _HOURS.fullmatch(value.strip()) is None:
            raise ValueError(f"hours are written like 08:00-18:00, not {value[:30]!r}")
        return value.strip()

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError(
                f"there is no time zone {value[:60]!r}; write one such as Europe/Berlin"
            ) from error
        return value

    def holds(self, *, severity: str, service: str, team: str, at: datetime) -> bool:
        """Return whether an incident of these falls under it at the (aware) time `at`."""
        if self.severity and severity not in self.severity:
            return False
        for wanted, word in ((self.service, service), (self.team, team)):
            if wanted and word.casefold() not in {one.casefold() for one in wanted}:
                return False
        return self._is_time(at.astimezone(ZoneInfo(self.time_zone)))

    def _is_time(self, here: datetime) -> bool:
        if not self.hours:
            return self._is_day(here.date())
        first, last = _span(self.hours)
        now = here.time()
        if first < last:
            return first <= now < last and self._is_day(here.date())
        if now >= first:
            return self._is_day(here.date())
        # The small hours belong to the evening before.
        return now < last and self._is_day(here.date() - timedelta(days=1))

    def _is_day(self, day: date) -> bool:
        return not self.days or DAYS[day.weekday()] in self.days


def _span(hours: str) -> tuple[time, time]:
    found = _HOURS.fullmatch(hours)
    if found is None:  # checked when the settings were read
        raise ValueError(hours)
    first = time(int(found[1]), int(found[2]))
    last = time.max if found[3] is None else time(int(found[3]), int(found[4]))
    return first, last


class Route(BaseModel):
    """One rule: when it holds, for which kinds of news, and who is told.

    `to` are channels by name or id, `dm:@role`, `dm:` with an e-mail address or the platform's user id, `@team` and `@service`; empty
    is nobody. Without `types` it is for all news.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    to: Words
    when: When = When()
    types: Annotated[tuple[NotificationType, ...], BeforeValidator(_listed)] = ()

    @field_validator("to")
    @classmethod
    def _places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        places = tuple(place.strip().removeprefix("#") for place in value)
        for place in places:
            if not place or place.removeprefix(DIRECT).strip("@ ") == "":
                raise ValueError(
                    "a place in `to` is empty: write a channel, dm:@commander, @team or @service"
                )
            if place.startswith("@") and place not in {TEAM, SERVICE}:
                raise ValueError(
                    f"{place[:60]!r} is not a place: write {DIRECT}{place[:60]} for a direct message"
                )
        return places

    def takes(self, kind: NotificationType) -> bool:
        """Return whether it is for news of that kind."""
        return not self.types or kind in self.types


class Fallback(BaseModel):
    """Where important news goes when no place that should have it could be told within `after_minutes`.

    `integration` is another chat integration's name or id (empty: this one), `channel` a channel of it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: str = Field(min_length=1, max_length=200)
    integration: str = Field(default="", max_length=200)
    after_minutes: int = Field(default=5, ge=1, le=24 * 60)
    severities: Words = ("SEV-1", "SEV-2")

    @field_validator("channel")
    @classmethod
    def _channel(cls, value: str) -> str:
        plain = value.strip().removeprefix("#")
        if not plain:
            raise ValueError("the channel of the fallback is empty")
        return plain

    @field_validator("severities")
    @classmethod
    def _severities(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(Severity.parse(text)) for text in value)

    def is_for(self, kind: NotificationType, severity: str) -> bool:
        """Return whether news of that kind about an incident of that severity is important enough."""
        if kind is NotificationType.CREATED:
            return severity in self.severities
        return kind in {NotificationType.ESCALATED, NotificationType.SLA_BREACH}


def at_of(text: str, default: datetime) -> datetime:
    """Return the moment that `text` says, as an aware time; `default` where it says none."""
    if not text:
        return default
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


__all__ = ["DIRECT", "SERVICE", "TEAM", "Fallback", "NotificationType", "Route", "When", "at_of"]
