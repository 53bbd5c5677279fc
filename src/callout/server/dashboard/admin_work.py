"""The work: what failed for good and why, what waits for what, what is held up, and stopping all writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from callout.ports.errors import InvalidRequestError, NotFoundError
from callout.server.dashboard.admin_pages import page, require_everywhere, seen_account, submit, whole

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response
    from starlette.routing import Route

    from callout.jobs import DeadJob
    from callout.server.call import Scope
    from callout.server.dashboard.visit import Doors, Visit

AT_ONCE: Final = 50
MOST: Final = 1_000
"""Dead letters of a kind that are replayed or discarded by one click."""
DUE: Final = 10
DIGITS: Final = 15
_HOME: Final = "/admin/jobs"


class _Work:
    def __init__(self, doors: Doors) -> None:
        self._services = doors.services
        self._jobs = doors.services.administration.jobs
        self._backlog = doors.services.administration.backlog
        self._pauses = doors.services.administration.pauses

    async def listing(self, visit: Visit) -> Response:
        after, number = _digits(visit.query("after")), visit.query("job")

        async def unit(scope: Scope) -> dict[str, Any]:
            scope.require("job.read")
            tx, mine = scope.tx.system, seen_account(scope)
            dead = await self._jobs.dead(tx, after=after, limit=AT_ONCE + 1, account_id=mine)
            due = [
                one
                for waiting in await self._backlog.due(tx, limit=DUE, account_id=mine)
                if (one := await self._jobs.describe(tx, waiting)) is not None
            ]
            asked = await self._jobs.describe(tx, _digits(number)) if number else None
            if asked is not None and mine is not None and asked.account_id != mine:
                asked = None
            accounts = (await self._services.accounts.list(tx, among=scope.caller.account_ids)).items
            return {
                "dead": dead[:AT_ONCE],
                "following": dead[AT_ONCE - 1].id if len(dead) > AT_ONCE else 0,
                "kinds": await self._backlog.kinds(tx, account_id=mine),
                "blocked": await self._backlog.blocked(tx, account_id=mine),
                "due": due,
                "asked": asked,
                "pauses": await self._pauses.list(scope.tx if mine else tx),
                "accounts": {one.id: one.name for one in accounts},
                "integrations": await self._services.integration_names(scope.tx),
            }

        found = await visit.look(unit)
        visitor = visit.visitor
        return page(
            visit,
            "work.html",
            number=number,
            stops=visitor is not None and whole(visitor, "pause.write"),
            **found,
        )

    async def replay(self, visit: Visit) -> Response:
        return await self._act(visit, "replay")

    async def discard(self, visit: Visit) -> Response:
        return await self._act(visit, "discard")

    async def _act(self, visit: Visit, verb: str) -> Response:
        """Replay or discard one dead letter, or all of a kind."""
        form = visit.form

        async def unit(scope: Scope) -> None:
            tx, mine = scope.tx.system, seen_account(scope)
            found = await self._chosen(scope, _digits(form.text("job")), form.text("kind"))
            if not found:
                raise NotFoundError(
                    "there is no such dead letter any more", remediation="Look at what is there now."
                )
            ids = [one.id for one in found]
            done = await (self._jobs.replay(tx, ids) if verb == "replay" else self._jobs.discard(tx, ids))
            await self._services.manage.audit.record(
                tx,
                action="jobs.replayed" if verb == "replay" else "jobs.discarded",
                actor=scope.caller.actor,
                origin=scope.origin,
                subject_type="job",
                subject_id=str(ids[0]) if len(ids) == 1 else form.text("kind"),
                data={"jobs": done, "kinds": sorted({one.kind for one in found}), "first": ids[:20]},
                account_id=mine,
            )

        done = "They run again, with fresh attempts." if verb == "replay" else "Discarded for good."
        return await submit(visit, "job.replay", unit, again=lambda: self.listing(visit), to=_HOME, done=done)

    async def _chosen(self, scope: Scope, number: int, kind: str) -> Sequence[DeadJob]:
        """Return the dead letters that are meant, as far as the visitor sees them."""
        tx, mine = scope.tx.system, seen_account(scope)
        if number:
            found = await self._jobs.dead(tx, after=number - 1, limit=1, account_id=mine)
            return [one for one in found if one.id == number]
        if not kind:
            raise InvalidRequestError("nothing was chosen", remediation="Load the page again.")
        chosen: list[DeadJob] = []
        after = 0
        while len(chosen) < MOST:
            found = await self._jobs.dead(tx, after=after, limit=MOST, account_id=mine)
            chosen += [one for one in found if one.kind == kind]
            if len(found) < MOST:
                break
            after = found[-1].id
        return chosen[:MOST]

    async def pause(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            tx = scope.tx.system if visit.form.flag("everywhere") else scope.tx
            if visit.form.flag("everywhere"):
                require_everywhere(scope, "pause.write")
            if not visit.form.text("reason"):
                raise InvalidRequestError(
                    "say why", fields={"/reason": "say why: whoever meets the pause reads it"}
                )
            await self._pauses.pause(
                tx,
                "everything",
                reason=visit.form.text("reason"),
                actor=scope.caller.actor,
                origin=scope.origin,
            )

        return await submit(
            visit,
            "pause.write",
            unit,
            again=lambda: self.listing(visit),
            to=f"{_HOME}#pauses",
            done="Writes are paused. What would be written waits.",
            fields={"/reason": "reason"},
        )

    async def resume(self, visit: Visit) -> Response:
        async def unit(scope: Scope) -> None:
            tx = scope.tx.system if visit.form.flag("everywhere") else scope.tx
            if visit.form.flag("everywhere"):
                require_everywhere(scope, "pause.write")
            await self._pauses.resume(tx, "everything", actor=scope.caller.actor, origin=scope.origin)

        return await submit(
            visit,
            "pause.write",
            unit,
            again=lambda: self.listing(visit),
            to=f"{_HOME}#pauses",
            done="Writes go on.",
        )


def _digits(text: str) -> int:
    """Return the number of a job; 0, which none has, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= DIGITS else 0


def routes(doors: Doors) -> list[Route]:
    """Return the routes of these pages."""
    pages = _Work(doors)
    return [
        doors.page(_HOME, pages.listing),
        doors.action(f"{_HOME}/replay", pages.replay),
        doors.action(f"{_HOME}/discard", pages.discard),
        doors.action(f"{_HOME}/pause", pages.pause),
        doors.action(f"{_HOME}/resume", pages.resume),
    ]
