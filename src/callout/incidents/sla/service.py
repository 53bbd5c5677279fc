"""Service levels of incidents: their clocks are set, moved and stopped in the commit of the change itself.

:meth:`ServiceLevels.saved` is called by the incident service with everything it writes (see decision 0014); a timer per incident
looks when the next clock has something to tell, and tells it in a commit of its own that checks first whether it still holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from callout.incidents.beside import Beside, Further
from callout.incidents.documents import duration_text
from callout.incidents.escalation import runs
from callout.incidents.escalation.policy import Trigger
from callout.incidents.escalation.runs import RunState
from callout.incidents.escalation.service import BY_ITSELF, LATE, OVER
from callout.incidents.model import Incident, TimelineEntry
from callout.incidents.sla import store
from callout.incidents.sla.clock import Clock, ClockKind, Clocks, Rule, Step, Telling, advance, next_of, tick
from callout.jobs import NewJob
from callout.kit.ids import new_id
from callout.ports.values import Status
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.incidents.catalogue import Catalogue
    from callout.incidents.escalation.runs import Run
    from callout.incidents.escalation.service import Escalations
    from callout.incidents.response_settings import Response, ResponseSettings
    from callout.incidents.service import Incidents
    from callout.incidents.sla.rules import SlaRules
    from callout.jobs import Queue
    from callout.kit.clock import Clock as WallClock
    from callout.ports.values import Origin
    from callout.storage import AccountTx

TIMER: Final = "incident.clock"
"""The job of an incident's timer: `incident_id`, and `at` in microseconds."""
BREACHED: Final = "incident.sla_breached"
WARNING: Final = "incident.sla_warning"
_MOVING: Final = frozenset({"status", "severity", "service", "team"})
"""Fields whose change may move a clock."""


@dataclass(frozen=True, slots=True)
class _Happened:
    """What one save did to an incident, as far as it matters here."""

    incident: Incident
    fresh: bool
    before: Status | None
    said: bool
    moved: bool
    reruled: bool
    """Whether another rule or policy may hold now."""
    at: datetime

    @property
    def step(self) -> Step:
        return Step(self.at, self.before, self.incident.status, said=self.said)


class ServiceLevels:
    """Keeps the clocks of incidents, and begins and ends escalations by what happens to them."""

    def __init__(
        self,
        *,
        incidents: Incidents,
        catalogue: Catalogue,
        settings: ResponseSettings,
        escalations: Escalations,
        queue: Queue,
        clock: WallClock,
    ) -> None:
        self._incidents = incidents
        self._catalogue = catalogue
        self._settings = settings
        self._escalations = escalations
        self._queue = queue
        self._clock = clock

    async def clocks(self, tx: AccountTx, id_or_key: str) -> Clocks:
        """Return the clocks of an incident. Raises NotFoundError."""
        incident = await self._incidents.get(tx, id_or_key)
        return (await store.load(tx, [incident.id]))[incident.id]

    async def set_rules(
        self, tx: AccountTx, document: Mapping[str, Any], origin: Origin, *, version: int | None = None
    ) -> SlaRules:
        """Replace the account's rules; incidents keep the times they were given until something about them changes.

        Raises InvalidRequestError, ConflictError.
        """
        return await self._settings.write_rules(tx, document, origin, version=version)

    # ------------------------------------------------------------------------------- what was just saved

    async def saved(self, tx: AccountTx, found: Sequence[Beside]) -> Further:
        """Look at what is being written: set, move and stop clocks and escalations in the same commit; return the timers."""
        happened = [one for one in (_happened(beside, self._clock.now()) for beside in found) if one]
        if not happened:
            return Further()
        known = [one.incident.id for one in happened if not one.fresh]
        look = [store.asking(tx, known)] if known else []
        *of_known, settings = await tx.system.driver_together(*look, self._settings.asking(tx))
        clocks = store.read(known, of_known[0]) if known else {}
        response = await self._settings.told(tx, settings)
        # Who never wrote policies has no escalations.
        escalating = await runs.load(tx, known) if response.policies_version else {}
        changed: dict[str, tuple[Clocks, Clocks]] = {}
        fresh: dict[str, Mapping[ClockKind, Clock]] = {}
        timers: list[NewJob] = []
        told: list[Beside] = []
        for one in happened:
            incident = one.incident
            before = clocks.get(incident.id, {})
            if one.fresh and incident.status in OVER:
                continue  # it comes from another system, where it is over already
            rule = await self._rule(tx, incident, response)
            if not (one.fresh or before or one.step.begins or one.reruled):
                rule = None  # it never had clocks: nobody is held to what begins in its middle
            after, tellings = advance(before, one.step, rule)
            if one.fresh:
                fresh[incident.id] = after
            else:
                changed[incident.id] = (before, after)
            timers += await self._timer(tx, incident.id, next_of(before), next_of(after))
            told += [_beside(incident, telling, self._clock.now()) for telling in tellings]
            run = escalating.get(incident.id)
            await self._escalate(tx, one, response, run, clocks=after, tellings=tellings)
        await store.insert(tx, fresh)
        await store.save(tx, changed)
        return Further(timers, told)

    async def _rule(self, tx: AccountTx, incident: Incident, response: Response) -> Rule | None:
        team = ""
        if incident.service and not incident.team and any(match.team for match, _ in response.rules.rules):
            service = await self._catalogue.find_service(tx, incident.service)
            team = "" if service is None else service.team
        return response.rules.of(incident, team=team)

    async def _escalate(
        self,
        tx: AccountTx,
        one: _Happened,
        response: Response,
        run: Run | None,
        *,
        clocks: Clocks,
        tellings: Sequence[Telling],
    ) -> None:
        incident = one.incident
        if run is not None and run.state is RunState.RUNNING and _answered(run, one, clocks):
            run = await self._escalations.stop(tx, run)
        if incident.status is Status.OPEN and one.moved:
            reopened = one.step.begins and not one.fresh
            run = await self._escalations.begin(
                tx,
                incident,
                response,
                run,
                trigger=Trigger.DECLARED,
                cause="declared",
                reason="it was reopened" if reopened else "nobody has acknowledged it",
                again=one.step.begins,
            )
        await self._breached(tx, incident, response, run, clocks=clocks, tellings=tellings)

    async def _breached(
        self,
        tx: AccountTx,
        incident: Incident,
        response: Response,
        run: Run | None,
        *,
        clocks: Clocks,
        tellings: Sequence[Telling],
    ) -> None:
        """Begin an escalation for what was missed, unless it happened meanwhile, or one is under way."""
        for telling in tellings:
            kind = telling.clock.kind
            if not telling.breached or clocks[kind].breached_at is None or clocks[kind].ended_at is not None:
                continue
            await self._escalations.begin(
                tx,
                incident,
                response,
                run,
                trigger=Trigger.SLA_BREACHED,
                cause=f"sla:{kind.value}",
                again=True,
                reason=f"{_ASKED[kind]} within {duration_text(telling.clock.limit)} was missed",
            )
            return

    # ------------------------------------------------------------------------------------- its timer

    async def due(self, tx: AccountTx, incident_id: str) -> list[Telling]:
        """Tell what the time has come for; return it. What was told before, or does not hold any more, is not told."""
        edit = await self._incidents.edit(tx, incident_id)
        incident, now = edit.incident, self._clock.now()
        before = (await store.load(tx, [incident.id]))[incident.id]
        after, tellings = tick(before, now)
        await store.save(tx, {incident.id: (before, after)})
        for telling in tellings:
            line = _entry(incident, telling, now)
            edit.entry(line.kind, line.data, origin=BY_ITSELF, at=now)
            edit.event(BREACHED if telling.breached else WARNING, line.data, origin=BY_ITSELF)
        await edit.save()
        await self._queue.enqueue_many(tx, await self._timer(tx, incident.id, None, next_of(after)))
        if tellings and incident.status not in OVER:
            response = await self._settings.load(tx)
            run = (await runs.load(tx, [incident.id])).get(incident.id)
            await self._breached(tx, incident, response, run, clocks=after, tellings=tellings)
        return tellings

    async def _timer(
        self, tx: AccountTx, incident_id: str, before: datetime | None, after: datetime | None
    ) -> list[NewJob]:
        """Cancel the timer that was set, and return the one to set, where the two differ."""
        if before == after:
            return []
        if before is not None:
            await self._queue.cancel_later(tx, TIMER, _name(incident_id, before))
        if after is None:
            return []
        payload = {"incident_id": incident_id, "at": micros(after)}
        return [NewJob(TIMER, payload, run_at=after, dedupe=_name(incident_id, after))]


_ASKED: Final[Mapping[ClockKind, str]] = {
    ClockKind.ACKNOWLEDGE: "an acknowledgement",
    ClockKind.UPDATE: "an update",
    ClockKind.RESOLVE: "a resolution",
}


def _name(incident_id: str, at: datetime) -> str:
    return f"{incident_id}/{micros(at)}"


def _happened(beside: Beside, now: datetime) -> _Happened | None:
    fresh = said = False
    changes: Mapping[str, Any] = {}
    for kind, _, data in beside.events:
        if kind == "incident.declared":
            fresh = True
        elif kind == "incident.changed":
            changes = data.get("changes", {})
        elif kind == "incident.noted":
            said = True
    moved = fresh or bool(_MOVING & changes.keys())
    if not (moved or said):
        return None
    status = changes.get("status")
    incident = beside.incident
    before = None if fresh else Status(status["before"]) if status else incident.status
    return _Happened(
        incident,
        fresh,
        before,
        said=(said or bool(status)) and not fresh,
        moved=moved,
        reruled=bool(_MOVING & changes.keys() - {"status"}),
        at=now,
    )


def _answered(run: Run, one: _Happened, clocks: Clocks) -> bool:
    """Return whether somebody did what the escalation was to bring about."""
    if one.incident.status in OVER:
        return True
    _, _, clock = run.cause.partition("sla:")
    if clock in set(ClockKind) and clock != ClockKind.ACKNOWLEDGE:
        return clocks.get(ClockKind(clock)) is None or clocks[ClockKind(clock)].breached_at is None
    return one.before is Status.OPEN and one.incident.status is not Status.OPEN


def _entry(incident: Incident, telling: Telling, now: datetime) -> TimelineEntry:
    clock = telling.clock
    about = clock.due_at if telling.breached else clock.warn_at
    late = timedelta() if about is None else now - about
    data = {
        "clock": clock.kind.value,
        "rule": clock.rule,
        "hours": clock.hours,
        "limit": duration_text(clock.limit),
        "started_at": clock.started_at.isoformat(),
        "due_at": None if clock.due_at is None else clock.due_at.isoformat(),
        "told_at": now.isoformat(),
        "late_seconds": int(late.total_seconds()) if late > LATE else 0,
    }
    kind = "sla_breached" if telling.breached else "sla_warning"
    return TimelineEntry(new_id(), incident.id, now, kind, BY_ITSELF, data)


def _beside(incident: Incident, telling: Telling, now: datetime) -> Beside:
    line = _entry(incident, telling, now)
    kind = BREACHED if telling.breached else WARNING
    return Beside(incident, entries=[line], events=[(kind, BY_ITSELF, line.data)])


__all__ = ["BREACHED", "TIMER", "WARNING", "ServiceLevels"]
