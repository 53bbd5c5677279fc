"""The rules of an account: built in, or as its people wrote them; which of them holds for an incident. Pure.

The document is a table with `calendars` (name → time_zone, hours, holidays) and `rules` (for a severity, a service or a team, each
of which may be left out: acknowledge, update, resolve, hours, warn_at, pause).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, time, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callout.incidents.documents import duration, duration_text, listed, nearest, table, text, whole, wrong
from callout.incidents.model import Incident
from callout.incidents.sla.clock import ClockKind, Limit, Rule
from callout.incidents.sla.hours import ALWAYS, DAYS, MIDNIGHT, Calendar, Span, ordered
from callout.ports.values import Severity, Status

DEFAULTS: Final[Mapping[str, Any]] = {
    "rules": [
        {"severity": "SEV-1", "acknowledge": "15m", "update": "1h", "resolve": "4h"},
        {"severity": "SEV-2", "acknowledge": "30m", "update": "2h", "resolve": "8h"},
        {"severity": "SEV-3", "acknowledge": "4h", "update": "1d", "resolve": "3d"},
        {"severity": "SEV-4", "acknowledge": "1d", "resolve": "10d"},
    ]
}
"""What holds where nobody wrote anything: round the clock."""
WARN: Final = 80
SHORTEST: Final = timedelta(seconds=1)
_ACTIVE: Final = (Status.OPEN, Status.ACKNOWLEDGED, Status.MITIGATED)
_RULE: Final = (
    *("severity", "service", "team", "acknowledge", "update", "resolve"),
    *("hours", "warn_at", "pause"),
)


@dataclass(frozen=True, slots=True)
class Match:
    """Which incidents a rule is for: every named part must hold."""

    severity: Severity | None = None
    service: str = ""
    team: str = ""

    def weight(self, incident: Incident, team: str) -> int:
        """Return how closely it fits: a service counts more than a team, a team more than a severity; -1: not at all."""
        named = (
            (self.service, incident.service.casefold(), 4),
            (self.team, team.casefold(), 2),
        )
        total = 0
        for wanted, given, points in named:
            if wanted:
                if wanted.casefold() != given:
                    return -1
                total += points
        if self.severity is not None:
            if self.severity != incident.severity:
                return -1
            total += 1
        return total


@dataclass(frozen=True, slots=True)
class SlaRules:
    """All rules of an account. `document` is what was read, for people who look at it."""

    rules: tuple[tuple[Match, Rule], ...]
    document: Mapping[str, Any] = field(default_factory=dict)

    def of(self, incident: Incident, *, team: str = "") -> Rule | None:
        """Return the rule that fits an incident most closely, the first of equals; `team` owns its service. None: nothing is asked."""
        best: Rule | None = None
        most = -1
        for match, rule in self.rules:
            weight = match.weight(incident, incident.team or team)
            if weight > most:
                best, most = rule, weight
        return best


def read(document: Mapping[str, Any]) -> SlaRules:
    """Return the rules of a document. Raises InvalidRequestError that says what is wrong where."""
    top = table(document, "", ("calendars", "rules"))
    calendars = {"always": ALWAYS}
    for name, value in table(top.get("calendars", {}), "/calendars").items():
        calendars[name] = _calendar(text(name, "/calendars"), value, f"/calendars/{name}")
    rules = []
    for number, value in enumerate(listed(top.get("rules", []), "/rules")):
        rules.append(_rule(value, f"/rules/{number}", calendars))
    seen: dict[Match, int] = {}
    for number, (match, _) in enumerate(rules):
        if match in seen:
            wrong(
                f"/rules/{number}",
                f"is for the same incidents as /rules/{seen[match]}",
                remedy="Leave one of them out.",
            )
        seen[match] = number
    return SlaRules(tuple(rules), dict(document))


def _rule(value: Any, place: str, calendars: Mapping[str, Calendar]) -> tuple[Match, Rule]:  # noqa: ANN401
    given = table(value, place, _RULE)
    severity = None
    if "severity" in given:
        try:
            severity = Severity.parse(str(given["severity"]))
        except ValueError:
            wrong(
                f"{place}/severity", f"{given['severity']!r} is no severity", remedy="Write SEV-1 to SEV-4."
            )
    names = {part: text(given[part], f"{place}/{part}") for part in ("service", "team") if part in given}
    hours = text(given.get("hours", "always"), f"{place}/hours")
    if hours not in calendars:
        wrong(f"{place}/hours", f"there is no calendar {hours!r}", remedy=nearest(hours, calendars))
    pause = _pause(given.get("pause", {}), f"{place}/pause")
    limits = {
        kind: Limit(
            duration(given[kind.value], f"{place}/{kind.value}", least=SHORTEST), pause.get(kind, frozenset())
        )
        for kind in ClockKind
        if kind.value in given
    }
    match = Match(severity, **names)
    words = [str(severity)] if severity else []
    words += [f"{part} {name}" for part, name in names.items()]
    warn = whole(given.get("warn_at", WARN), f"{place}/warn_at", least=0, most=99)
    return match, Rule(", ".join(words) or "every incident", limits, calendars[hours], warn)


def _pause(value: Any, place: str) -> dict[ClockKind, frozenset[Status]]:  # noqa: ANN401
    known = [one.value for one in _ACTIVE]
    found = {}
    for name, statuses in table(value, place, [ClockKind.UPDATE.value, ClockKind.RESOLVE.value]).items():
        chosen = set()
        for number, status in enumerate(listed(statuses, f"{place}/{name}")):
            if status not in known:
                wrong(
                    f"{place}/{name}/{number}",
                    f"{status!r} is no status of an active incident",
                    remedy=nearest(str(status), known),
                )
            chosen.add(Status(status))
        found[ClockKind(name)] = frozenset(chosen)
    return found


def _calendar(name: str, value: Any, place: str) -> Calendar:  # noqa: ANN401
    if name == "always":
        wrong(place, "'always' is built in: it is round the clock", remedy="Choose another name.")
    given = table(value, place, ("time_zone", "hours", "holidays"))
    zone_name = text(given.get("time_zone", "UTC"), f"{place}/time_zone")
    try:
        zone = ZoneInfo(zone_name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong(
            f"{place}/time_zone",
            f"{zone_name!r} is no time zone",
            remedy="Write one such as Europe/Berlin or UTC.",
        )
    hours: dict[str, tuple[Span, ...]] = {}
    for days, spans in table(given.get("hours", {}), f"{place}/hours").items():
        read_spans = _spans(spans, f"{place}/hours/{days}")
        for day in _days(days, f"{place}/hours/{days}"):
            if day in hours:
                wrong(f"{place}/hours/{days}", f"{day} is named twice")
            hours[day] = read_spans
    if not any(hours.values()):
        wrong(
            f"{place}/hours",
            "names no working time",
            remedy='Write, for example, "mon-fri" = ["09:00-17:00"].',
        )
    holidays = frozenset(
        _date(one, f"{place}/holidays/{n}")
        for n, one in enumerate(listed(given.get("holidays", []), f"{place}/holidays", most=1000))
    )
    return Calendar(name, zone, hours, holidays)


def _days(words: str, place: str) -> tuple[str, ...]:
    first, dash, last = words.strip().lower().partition("-")
    for word in (first, last) if dash else (first,):
        if word not in DAYS:
            wrong(place, f"{word!r} is no day of the week", remedy=f"Write {', '.join(DAYS)} or mon-fri.")
    start = DAYS.index(first)
    end = DAYS.index(last) if dash else start
    if end < start:
        wrong(place, "the week begins on mon", remedy="Write sat-sun and mon as two entries.")
    return DAYS[start : end + 1]


def _spans(value: Any, place: str) -> tuple[Span, ...]:  # noqa: ANN401
    found: list[Span] = []
    for number, one in enumerate(listed([value] if isinstance(value, str) else value, place)):
        start, dash, end = str(one).partition("-")
        if not dash:
            wrong(f"{place}/{number}", f"{one!r} is no span of time", remedy="Write it like 09:00-17:00.")
        found.append((_time(start, f"{place}/{number}"), _time(end, f"{place}/{number}")))
    if not ordered(found):
        wrong(
            place,
            "spans must not overlap, and each must end after it begins",
            remedy="Write them in order, the end of a day as 24:00.",
        )
    return tuple(found)


def _time(words: str, place: str) -> time:
    plain = words.strip()
    if plain == "24:00":
        return MIDNIGHT
    try:
        return time.fromisoformat(plain.zfill(5))
    except ValueError:
        wrong(place, f"{plain!r} is no time of day", remedy="Write it like 09:00.")


def _date(value: Any, place: str) -> date:  # noqa: ANN401
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        wrong(place, f"{value!r} is no date", remedy="Write it like 2026-12-25.")


def shown(rules: SlaRules) -> list[dict[str, Any]]:
    """Return the rules as people see them, one flat table for each."""
    return [
        {
            "for": rule.name,
            **{kind.value: duration_text(limit.amount) for kind, limit in rule.limits.items()},
            "hours": rule.calendar.name,
            "warn_at": rule.warn,
        }
        for _, rule in rules.rules
    ]


BUILT_IN: Final = read(DEFAULTS)
"""The rules of an account that wrote none."""

__all__ = ["BUILT_IN", "DEFAULTS", "SlaRules", "read", "shown"]
