"""Escalation: who is called next for an incident, by whom it was asked, and what became of each call.

A step is one commit: the pages, a line of the timeline, an audit row, the event `incident.escalated` (or `incident.paged` for what a
person asked for) and the timer of the step that follows. Those who can reach people react to the event and report each page back
with :meth:`Escalations.told` and :meth:`Escalations.untold`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from callout.incidents.documents import nearest
from callout.incidents.escalation import pages, runs
from callout.incidents.escalation.pages import Callee, Page, PageState
from callout.incidents.escalation.policy import Policies, Policy, Target, Trigger
from callout.incidents.escalation.runs import Run, RunState
from callout.incidents.model import Incident, storable
from callout.jobs import Lane
from callout.kit.ids import new_id
from callout.ports.errors import ConflictError, InvalidRequestError
from callout.ports.values import Actor, Channel, Origin, Person, Status
from callout.storage.schema import micros

if TYPE_CHECKING:
    from callout.incidents.catalogue import Catalogue
    from callout.incidents.edit import IncidentEdit
    from callout.incidents.escalation.targets import Targets
    from callout.incidents.response_settings import Response, ResponseSettings
    from callout.incidents.service import Incidents
    from callout.jobs import Queue
    from callout.kit.clock import Clock
    from callout.storage import AccountTx

TIMER: Final = "incident.escalation"
"""The job of a step's timer: `incident_id`, `generation`, `position`, and `at` in microseconds."""
LATE: Final = timedelta(minutes=1)
"""Later than this, and it is said that Callout was not running."""
OVER: Final = frozenset({Status.RESOLVED, Status.CLOSED})
BY_ITSELF: Final = Origin(Channel.SYSTEM, Actor.system())


@dataclass(frozen=True, slots=True)
class Escalated:
    """What a step did: the policy's name, the step (counted from 1), and the pages that were made."""

    policy: str
    step: int
    steps: int
    pages: tuple[Page, ...]
    next_at: datetime | None


class Escalations:
    """Calls people. Every method works in the caller's transaction; none commits, and none reaches out."""

    def __init__(
        self,
        *,
        incidents: Incidents,
        catalogue: Catalogue,
        settings: ResponseSettings,
        targets: Targets,
        queue: Queue,
        clock: Clock,
    ) -> None:
        self._incidents = incidents
        self._catalogue = catalogue
        self._settings = settings
        self._targets = targets
        self._queue = queue
        self._clock = clock

    # ------------------------------------------------------------------------------- what people ask for

    async def escalate(
        self,
        tx: AccountTx,
        incident_id_or_key: str,
        *,
        origin: Origin,
        policy: str = "",
        reason: str = "",
    ) -> Escalated:
        """Take the next step at once; return what it did.

        `policy` names another policy than the one that is under way, or that is for the incident's service, team or severity.
        While nobody has acknowledged, the steps after it follow by themselves.
        Raises NotFoundError, ConflictError for an incident that is over, InvalidRequestError where there is no policy.
        """
        reason = storable(reason)
        edit = await self._incidents.edit(tx, incident_id_or_key)
        incident = edit.incident
        if incident.status in OVER:
            raise ConflictError(
                f"{incident.key} is {incident.status.value}: nobody is called for it",
                remediation=f"Reopen it first: callout incident act {incident.key} reopen",
            )
        response = await self._settings.load(tx)
        run = (await runs.load(tx, [incident.id])).get(incident.id)
        chosen = await self._chosen(tx, incident, response.policies, policy, run)
        # Nobody can acknowledge twice: what a person asks for later is one step, unless steps follow each other already.
        goes_on = incident.status is Status.OPEN or (run is not None and run.state is RunState.RUNNING)
        if run is not None:
            await self._disarm(tx, run)
        if run is None or run.policy.name != chosen.name or run.position >= run.policy.length:
            run = self._new(incident, chosen, run, cause="manual", reason=reason)
        run = replace(run, reason=reason)
        now = self._clock.now()
        escalated = await self._fire(tx, edit, run, origin=origin, due=now, goes_on=goes_on)
        await edit.save()
        return escalated

    async def page(
        self,
        tx: AccountTx,
        incident_id_or_key: str,
        *,
        target: str | Person | Sequence[Person],
        origin: Origin,
        reason: str = "",
    ) -> list[Page]:
        """Call `target` now; return the pages that were made.

        `target` is a person, or several, whom an incident or a chat platform knows; or words: `person:ann`, `team:payments`,
        `role:commander`, `channel:incidents`, `oncall:INTEGRATION/POLICY`, or a bare name that only one of them has.
        Raises NotFoundError, and InvalidRequestError for a target that nobody knows, with the nearest that somebody does.
        """
        reason = storable(reason)
        edit = await self._incidents.edit(tx, incident_id_or_key)
        if isinstance(target, str):
            found = await self._targets.check(tx, Target.parse(storable(target)))
            callees = await self._targets.callees(tx, edit.incident, found)
        else:
            people = [target] if isinstance(target, Person) else target
            callees = [await self._targets.of_person(tx, one) for one in people]
        reachable = [one for one in callees if not one.why_not]
        if not reachable:
            why = "; ".join(one.why_not for one in callees)
            raise InvalidRequestError(
                f"nobody can be called: {why}", fields={"target": why}, remediation="Name somebody else."
            )
        now = self._clock.now()
        made = await self._call(tx, edit, callees, due=now)
        told = {"reason": reason, "pages": [one.to_json() for one in made]}
        edit.entry("paged", told, origin=origin, at=now)
        edit.event("incident.paged", told, origin=origin)
        await edit.save()
        return made

    async def set_policies(
        self, tx: AccountTx, document: Mapping[str, Any], origin: Origin, *, version: int | None = None
    ) -> Policies:
        """Replace the account's policies. Raises InvalidRequestError for a target that nobody knows, too."""
        made = await self._settings.write_policies(tx, document, origin, version=version)
        for name, policy in made.policies.items():
            for number, step in enumerate(policy.steps):
                for place, target in enumerate(step.targets):
                    await self._targets.check(tx, target, f"/policies/{name}/steps/{number}/targets/{place}")
        return made

    # -------------------------------------------------------------------------------------- what is there

    async def run_of(self, tx: AccountTx, incident_id_or_key: str) -> Run | None:
        """Return how the escalation of an incident stands; None where there never was one."""
        incident = await self._incidents.get(tx, incident_id_or_key)
        return (await runs.load(tx, [incident.id])).get(incident.id)

    async def pages(self, tx: AccountTx, incident_id_or_key: str) -> list[Page]:
        """Return who was called for an incident, when, by which means, or why not; oldest first."""
        incident = await self._incidents.get(tx, incident_id_or_key)
        return await pages.of_incident(tx, incident.id)

    async def page_of(self, tx: AccountTx, page_id: str) -> Page:
        """Return one page. Raises NotFoundError."""
        return await pages.load(tx, page_id)

    # --------------------------------------------------------------------------- what became of a page

    async def attempted(self, tx: AccountTx, page_id: str, means: str) -> None:
        """Note that a call is made now which cannot be found again: should its outcome be lost, it is not repeated."""
        page = await pages.load(tx, page_id, lock=True)
        await pages.save(tx, replace(page, attempted_at=self._clock.now(), means=means))

    async def not_attempted(self, tx: AccountTx, page_id: str) -> None:
        """Note that the call was surely not made, and may be tried again."""
        page = await pages.load(tx, page_id, lock=True)
        await pages.save(tx, replace(page, attempted_at=None))

    async def told(self, tx: AccountTx, page_id: str, *, means: str) -> None:
        """Note that a page reached its target, by `means`."""
        await self._ended(tx, page_id, PageState.TOLD, means=means)

    async def perhaps_told(self, tx: AccountTx, page_id: str, *, means: str, why: str) -> None:
        """Note that nobody knows whether a page arrived; it is not repeated."""
        await self._ended(tx, page_id, PageState.PERHAPS, means=means, why=why)

    async def untold(self, tx: AccountTx, page_id: str, *, why: str, means: str = "") -> None:
        """Note that a page did not reach its target. When none of a step's did, the next step is taken at once."""
        page = await self._ended(tx, page_id, PageState.FAILED, means=means, why=why)
        if page is None or not page.generation:
            return
        together = await pages.of_call(tx, page.call_id, page.incident_id)
        if any(one.state is not PageState.FAILED for one in together):
            return
        run = (await runs.load(tx, [page.incident_id])).get(page.incident_id)
        now = self._clock.now()
        if (
            run is None
            or run.state is not RunState.RUNNING
            or (run.generation, run.position) != (page.generation, page.position + 1)
        ):
            return
        await self._disarm(tx, run)
        await self._arm(tx, replace(run, next_at=now, updated_at=now))

    async def _ended(
        self, tx: AccountTx, page_id: str, state: PageState, *, means: str, why: str = ""
    ) -> Page | None:
        """Store the outcome of a page with its line on the timeline; None when it had one already."""
        incident_id = (await pages.load(tx, page_id)).incident_id
        edit = await self._incidents.edit(tx, incident_id)
        page = await pages.load(tx, page_id, lock=True)
        if page.state is not PageState.PENDING:
            return None
        after = pages.ended(page, state, self._clock.now(), means=means, why=why)
        await pages.save(tx, after)
        data = {"who": page.callee.who, "means": after.means, "page_id": page.id}
        edit.entry(f"page_{state.value}", {**data, **({"why": why} if why else {})}, origin=BY_ITSELF)
        await edit.save()
        return after

    # --------------------------------------------------------------------------------- what it does by itself

    async def policy_of(self, tx: AccountTx, incident: Incident, policies: Policies) -> Policy | None:
        """Return the policy for an incident: its service's, its team's, its service's team's, its severity's, in this order."""
        if not policies.policies:
            return None
        names: list[str] = []
        service = await self._catalogue.find_service(tx, incident.service) if incident.service else None
        if service is not None:
            names.append(service.policy)
        for name in (incident.team, "" if service is None else service.team):
            team = await self._catalogue.find_team(tx, name) if name else None
            if team is not None:
                names.append(team.policy)
        names.append(policies.default.get(incident.severity, ""))
        return next((policies.policies[one] for one in names if one in policies.policies), None)

    async def begin(
        self,
        tx: AccountTx,
        incident: Incident,
        response: Response,
        run: Run | None,
        *,
        trigger: Trigger,
        cause: str,
        reason: str,
        again: bool = False,
    ) -> Run | None:
        """Begin an escalation where a policy wants it; its first step has a timer, be it for now. Returns what then is under way.

        One by the same policy that is under way goes on; one that is over is begun `again` only where that is said.
        """
        policy = await self.policy_of(tx, incident, response.policies)
        if policy is None or trigger not in policy.triggers:
            return run
        if run is not None:
            runs_on = run.state is RunState.RUNNING
            if runs_on and (run.policy.name == policy.name or trigger is Trigger.SLA_BREACHED):
                return run
            if not runs_on and not again and run.policy.name == policy.name:
                return run
            await self._disarm(tx, run)
        made = self._new(incident, policy, run, cause=cause, reason=reason)
        made = replace(made, next_at=made.begun_at + policy.wait(0))
        await self._arm(tx, made)
        return made

    async def stop(self, tx: AccountTx, run: Run) -> Run:
        """End an escalation: somebody answered. Returns it as it then stands."""
        if run.state is not RunState.RUNNING:
            return run
        await self._disarm(tx, run)
        stopped = replace(run, state=RunState.STOPPED, next_at=None, updated_at=self._clock.now())
        await runs.put(tx, stopped)
        return stopped

    async def step_due(self, tx: AccountTx, incident_id: str, generation: int, position: int) -> bool:
        """Take a step whose time has come; False, and nothing done, when it is no longer the next one or not yet due."""
        edit = await self._incidents.edit(tx, incident_id)
        run = (await runs.load(tx, [incident_id])).get(incident_id)
        now = self._clock.now()
        if (
            run is None
            or run.state is not RunState.RUNNING
            or (run.generation, run.position) != (generation, position)
            or run.next_at is None
            or run.next_at > now
        ):
            return False
        if edit.incident.status in OVER:
            await self.stop(tx, run)
            return False
        await self._fire(tx, edit, run, origin=BY_ITSELF, due=run.next_at)
        await edit.save()
        return True

    # ------------------------------------------------------------------------------------------- the step

    async def _chosen(
        self, tx: AccountTx, incident: Incident, policies: Policies, named: str, run: Run | None
    ) -> Policy:
        if named:
            found = next(
                (
                    one
                    for name, one in policies.policies.items()
                    if name.casefold() == named.strip().casefold()
                ),
                None,
            )
            if found is None:
                raise InvalidRequestError(
                    f"there is no escalation policy {named[:60]!r}",
                    fields={"policy": "not known"},
                    remediation=nearest(named, policies.policies),
                )
            return found
        if run is not None and run.state is not RunState.FINISHED and run.position < run.policy.length:
            return run.policy
        found = await self.policy_of(tx, incident, policies)
        if found is None and run is not None:
            found = policies.policies.get(run.policy.name)
        if found is None:
            raise InvalidRequestError(
                f"no escalation policy is for {incident.key}",
                fields={"policy": "none"},
                remediation="Name somebody to page instead, or write policies: callout escalation set FILE",
            )
        return found

    def _new(self, incident: Incident, policy: Policy, before: Run | None, *, cause: str, reason: str) -> Run:
        now = self._clock.now()
        generation = 1 if before is None else before.generation + 1
        return Run(incident.id, generation, policy, RunState.RUNNING, 0, cause, now, now, reason)

    async def _fire(
        self,
        tx: AccountTx,
        edit: IncidentEdit,
        run: Run,
        *,
        origin: Origin,
        due: datetime,
        goes_on: bool = True,
    ) -> Escalated:
        """Call the targets of the run's next step, and set the timer of the one after it."""
        now, policy = self._clock.now(), run.policy
        step = policy.step(run.position)
        callees: list[Callee] = []
        for target in step.targets:
            callees += await self._targets.callees(tx, edit.incident, target)
        made = await self._call(tx, edit, callees, due=due, run=run)
        number = run.position % len(policy.steps) + 1
        data: dict[str, Any] = {
            "policy": policy.name,
            "step": number,
            "steps": len(policy.steps),
            "round": run.position // len(policy.steps) + 1,
            "cause": run.cause,
            "reason": run.reason,
            "targets": [str(one) for one in step.targets],
            "pages": [one.to_json() for one in made],
            "due_at": due.isoformat(),
            "told_at": now.isoformat(),
            "late_seconds": int((now - due).total_seconds()) if now - due > LATE else 0,
        }
        edit.entry("escalated", data, origin=origin, at=now)
        edit.event("incident.escalated", data, origin=origin)
        following = replace(run, position=run.position + 1, updated_at=now, next_at=None)
        if following.position >= policy.length:
            following = replace(following, state=RunState.FINISHED)
        elif goes_on:
            # Where not one of them can be called, waiting for their answer helps nobody.
            nobody = all(one.state is PageState.FAILED for one in made)
            following = replace(
                following,
                state=RunState.RUNNING,
                next_at=now if nobody else now + policy.wait(following.position),
            )
        else:
            following = replace(following, state=RunState.STOPPED)
        await self._arm(tx, following)
        return Escalated(policy.name, number, len(policy.steps), tuple(made), following.next_at)

    async def _call(
        self,
        tx: AccountTx,
        edit: IncidentEdit,
        callees: Sequence[Callee],
        *,
        due: datetime,
        run: Run | None = None,
    ) -> list[Page]:
        """Make the pages of a call, each callee once; those that cannot be made have their reason and a line on the timeline."""
        now, call_id = self._clock.now(), new_id()
        made: list[Page] = []
        seen: set[tuple[str, ...]] = set()
        for callee in callees:
            same = (callee.kind, callee.at, callee.member_id or callee.person_id or callee.name)
            if same in seen:
                continue
            seen.add(same)
            page = Page(
                id=new_id(),
                incident_id=edit.incident.id,
                call_id=call_id,
                callee=callee,
                due_at=due,
                asked_at=now,
                generation=0 if run is None else run.generation,
                position=0 if run is None else run.position,
            )
            if callee.why_not:
                page = pages.ended(page, PageState.FAILED, now, why=callee.why_not)
                data = {"who": callee.who, "why": callee.why_not, "page_id": page.id, "means": ""}
                edit.entry("page_failed", data, origin=BY_ITSELF, at=now)
            made.append(page)
        await pages.insert(tx, made)
        return made

    async def _arm(self, tx: AccountTx, run: Run) -> None:
        """Store an escalation with the timer of its next step."""
        await runs.put(tx, run)
        if run.next_at is None:
            return
        payload = {
            "incident_id": run.incident_id,
            "generation": run.generation,
            "position": run.position,
            "at": micros(run.next_at),
        }
        await self._queue.enqueue(tx, TIMER, payload, run_at=run.next_at, dedupe=run.timer, lane=Lane.URGENT)

    async def _disarm(self, tx: AccountTx, run: Run) -> None:
        if run.next_at is not None:
            await self._queue.cancel(tx, TIMER, run.timer)


__all__ = ["BY_ITSELF", "TIMER", "Escalated", "Escalations"]
