"""Figures about the incidents of a span of time: how many, how soon they were taken up and ended, and whether service levels held.

Every figure is computed by the database from the incidents themselves, so that it can be led back to them.
Working time of service levels is judged by the clocks; the times here are plain time from declaration on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, ColumnElement, Select, case, func, literal_column, type_coerce

from callout.incidents.response_tables import incident_clock
from callout.incidents.sla.store import standing
from callout.incidents.tables import incident
from callout.ports.errors import InvalidRequestError
from callout.ports.values import Severity, Status
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.incidents.model import Incident
    from callout.storage import AccountTx

WEEK: Final = timedelta(days=7)
MOST_WEEKS: Final = 106
MOST_SERVICES: Final = 50
_MONDAY: Final = datetime(1970, 1, 5, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which incidents: those declared from `since` until before `until`, of a service and team where they are named."""

    since: datetime
    until: datetime
    service: str = ""
    team: str = ""

    def __post_init__(self) -> None:
        if self.until <= self.since:
            raise InvalidRequestError(
                "the time ends before it begins", fields={"until": "must be after the first day"}
            )
        if self.until - self.since > MOST_WEEKS * WEEK:
            raise InvalidRequestError(
                "that is too long a time", fields={"since": f"at most {MOST_WEEKS} weeks before the end"}
            )


@dataclass(frozen=True, slots=True)
class Duration:
    """How long something took: of `count` incidents, in seconds; None where there is none."""

    count: int
    mean: float | None
    median: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {"count": self.count, "mean_seconds": self.mean, "median_seconds": self.median}


@dataclass(frozen=True, slots=True)
class Level:
    """How often a clock of the service levels was kept, missed, and still runs."""

    clock: str
    met: int
    breached: int
    running: int

    @property
    def kept(self) -> float | None:
        """The share that was kept of those decided, from 0 to 1."""
        decided = self.met + self.breached
        return self.met / decided if decided else None


@dataclass(frozen=True, slots=True)
class Report:
    """The figures. `weeks` are Mondays with the number of incidents by severity, without gaps."""

    scope: Scope
    total: int
    under_way: int
    by_severity: tuple[tuple[str, int], ...]
    by_status: tuple[tuple[str, int], ...]
    by_service: tuple[tuple[str, int], ...]
    weeks: tuple[tuple[datetime, tuple[tuple[str, int], ...]], ...]
    acknowledged: Duration
    resolved: Duration
    by_severity_times: tuple[tuple[str, Duration, Duration], ...]
    levels: tuple[Level, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "since": self.scope.since.isoformat(),
            "until": self.scope.until.isoformat(),
            "service": self.scope.service,
            "team": self.scope.team,
            "total": self.total,
            "under_way": self.under_way,
            "by_severity": dict(self.by_severity),
            "by_status": dict(self.by_status),
            "by_service": dict(self.by_service),
            "weeks": [
                {"week": week.date().isoformat(), "by_severity": dict(counts)} for week, counts in self.weeks
            ],
            "time_to_acknowledge": self.acknowledged.to_json(),
            "time_to_resolve": self.resolved.to_json(),
            "times_by_severity": {
                severity: {"acknowledge": first.to_json(), "resolve": last.to_json()}
                for severity, first, last in self.by_severity_times
            },
            "service_levels": [
                {
                    "clock": one.clock,
                    "met": one.met,
                    "breached": one.breached,
                    "running": one.running,
                    "kept": one.kept,
                }
                for one in self.levels
            ],
        }


def week_of(moment: datetime) -> datetime:
    """Return the Monday, 00:00 UTC, of the week that `moment` is in."""
    return _MONDAY + (moment - _MONDAY) // WEEK * WEEK


async def report(tx: AccountTx, scope: Scope, *, now: datetime) -> Report:
    """Return the figures of an account's incidents."""
    groups = await _groups(tx, scope)
    ranks = sorted({group.rank for group in groups})
    statuses = Counter({one.value: 0 for one in Status})
    for group in groups:
        statuses[group.status] += group.number
    total = sum(group.number for group in groups)
    ended = statuses[Status.RESOLVED.value] + statuses[Status.CLOSED.value]
    return Report(
        scope=scope,
        total=total,
        under_way=total - ended,
        by_severity=tuple(
            (str(Severity(rank)), sum(group.number for group in groups if group.rank == rank))
            for rank in ranks
        ),
        by_status=tuple(statuses.items()),
        by_service=await _services(tx, scope),
        weeks=await _weeks(tx, scope),
        acknowledged=_mean(groups, 0, median=await _median(tx, scope, "acknowledged_at", groups, 0)),
        resolved=_mean(groups, 1, median=await _median(tx, scope, "resolved_at", groups, 1)),
        by_severity_times=tuple(
            (str(Severity(rank)), _mean(of_rank, 0), _mean(of_rank, 1))
            for rank in ranks
            for of_rank in ([group for group in groups if group.rank == rank],)
        ),
        levels=await _levels(tx, scope, now),
    )


@dataclass(frozen=True, slots=True)
class _Group:
    """Incidents of one severity and status; `took` are number and microseconds in all, to acknowledge and to resolve."""

    rank: int
    status: str
    number: int
    took: tuple[tuple[int, int], tuple[int, int]]


def _within(tx: AccountTx, statement: Select[Any], scope: Scope) -> Select[Any]:
    column = incident.c
    found = tx.scope(statement.where(column.created_at >= scope.since, column.created_at < scope.until))
    if scope.service:
        found = found.where(column.service == scope.service)
    if scope.team:
        found = found.where(column.team == scope.team)
    return found


def _took(name: str) -> tuple[ColumnElement[bool], ColumnElement[int]]:
    """Return whether an incident came so far, and the microseconds that it took to there."""
    column = incident.c
    took = type_coerce(column[name], BigInteger) - type_coerce(column.created_at, BigInteger)
    return column[name].is_not(None) & (column[name] >= column.created_at), took


async def _groups(tx: AccountTx, scope: Scope) -> list[_Group]:
    column = incident.c
    counted: list[ColumnElement[Any]] = [func.count().label("number")]
    for name in ("acknowledged_at", "resolved_at"):
        came, took = _took(name)
        counted.append(func.sum(case((came, 1), else_=0)).label(f"{name}_number"))
        counted.append(func.sum(case((came, took), else_=0)).label(f"{name}_took"))
    statement = tx.select(column.severity, column.status, *counted).select_from(incident)
    rows = await tx.all(_within(tx, statement, scope).group_by(column.severity, column.status))
    return [
        _Group(
            row["severity"],
            row["status"],
            int(row["number"]),
            (
                (int(row["acknowledged_at_number"]), int(row["acknowledged_at_took"])),
                (int(row["resolved_at_number"]), int(row["resolved_at_took"])),
            ),
        )
        for row in rows
    ]


def _mean(groups: Sequence[_Group], which: int, *, median: float | None = None) -> Duration:
    number = sum(group.took[which][0] for group in groups)
    took = sum(group.took[which][1] for group in groups)
    return Duration(number, took / number / 1e6 if number else None, median)


async def _median(
    tx: AccountTx, scope: Scope, name: str, groups: Sequence[_Group], which: int
) -> float | None:
    number = sum(group.took[which][0] for group in groups)
    if not number:
        return None
    came, took = _took(name)
    ordered = _within(tx, tx.select(took.label("took")).select_from(incident), scope).where(came)
    middle = await tx.all(ordered.order_by(took).offset((number - 1) // 2).limit(2 - number % 2))
    return sum(int(one["took"]) for one in middle) / len(middle) / 1e6 if middle else None


async def _services(tx: AccountTx, scope: Scope) -> tuple[tuple[str, int], ...]:
    service, number = incident.c.service, func.count().label("number")
    statement = _within(tx, tx.select(service, number).select_from(incident), scope)
    rows = await tx.all(statement.group_by(service).order_by(number.desc(), service).limit(MOST_SERVICES))
    return tuple((row["service"], int(row["number"])) for row in rows)


async def _weeks(tx: AccountTx, scope: Scope) -> tuple[tuple[datetime, tuple[tuple[str, int], ...]], ...]:
    created = type_coerce(incident.c.created_at, BigInteger)
    length = WEEK // timedelta(microseconds=1)
    week = ((created - micros(_MONDAY)) // literal_column(str(length), BigInteger)).label("week")
    number = func.count().label("number")
    statement = tx.select(week, incident.c.severity, number).select_from(incident)
    rows = await tx.all(_within(tx, statement, scope).group_by(week, incident.c.severity))
    found: dict[datetime, dict[str, int]] = {}
    for row in rows:
        counts = found.setdefault(_MONDAY + row["week"] * WEEK, {})
        counts[str(Severity(row["severity"]))] = row["number"]
    weeks = []
    monday = week_of(scope.since)
    while monday < scope.until:
        weeks.append((monday, tuple(sorted(found.get(monday, {}).items()))))
        monday += WEEK
    return tuple(weeks)


async def _levels(tx: AccountTx, scope: Scope, now: datetime) -> tuple[Level, ...]:
    state = standing(now).label("state")
    number = func.count().label("number")
    joined = incident_clock.join(incident, incident.c.id == incident_clock.c.incident_id)
    statement = _within(tx, tx.select(incident_clock.c.kind, state, number).select_from(joined), scope)
    counts: dict[str, dict[str, int]] = {}
    for row in await tx.all(statement.group_by(incident_clock.c.kind, state)):
        counts.setdefault(row["kind"], {})[row["state"]] = row["number"]
    return tuple(
        Level(kind, found.get("met", 0), found.get("breached", 0), found.get("running", 0))
        for kind, found in sorted(counts.items())
    )


CSV_COLUMNS: Final = (
    "key",
    "title",
    "severity",
    "status",
    "service",
    "team",
    "created_at",
    "acknowledged_at",
    "mitigated_at",
    "resolved_at",
    "closed_at",
    "seconds_to_acknowledge",
    "seconds_to_resolve",
)


def csv_row(one: Incident) -> Sequence[object]:
    """Return an incident as a line of the export, in the order of :data:`CSV_COLUMNS`."""

    def iso(moment: datetime | None) -> str:
        return "" if moment is None else moment.isoformat()

    def took(moment: datetime | None) -> object:
        return "" if moment is None else round((moment - one.created_at).total_seconds())

    return (
        one.key,
        one.title,
        str(one.severity),
        one.status.value,
        one.service,
        one.team,
        iso(one.created_at),
        iso(one.acknowledged_at),
        iso(one.mitigated_at),
        iso(one.resolved_at),
        iso(one.closed_at),
        took(one.acknowledged_at),
        took(one.resolved_at),
    )
