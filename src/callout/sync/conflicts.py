"""Conflicts that wait for a person: which are open, and what a person's choice does. The one way for API, command line and chat.

Nothing here calls a vendor: a choice is stored in one transaction with the incident's change, its timeline and its audit row; the
visit that carries it over comes behind it, so that a conflict can be resolved while the other system is down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from callout.incidents import Incident
from callout.incidents.model import person_json
from callout.ports.errors import ConflictError, InvalidRequestError, NotFoundError
from callout.ports.ticketing import StatusCategory
from callout.ports.values import Origin, Person, Severity, Status
from callout.sync import links, reactions
from callout.sync.apply import CONFLICT_EVENT
from callout.sync.context import SyncContext, Target
from callout.sync.links import Link, LinkStatus
from callout.sync.mapping import SYNCED_FIELDS, FieldMappings, incident_values, ours_of
from callout.sync.merge import (
    NEVER,
    NO_MEANING,
    Base,
    Choice,
    FieldConflict,
    LinkState,
    Pending,
    Resolved,
    resolve,
)
from callout.sync.provenance import AppliedRule

if TYPE_CHECKING:
    from callout.storage import AccountTx

ACCOUNT_LIMIT = 200
"""So many links with conflicts are listed at once; who has more looks at one incident."""


@dataclass(frozen=True, slots=True)
class OpenConflict:
    """A conflict as a person sees it: `ours` is the incident's value today, `theirs` the ticket's when it was last read.

    `theirs_here` is what ours becomes when theirs is taken; None where theirs means nothing here.
    """

    incident: Incident
    link: Link
    integration: str
    field: str
    ours: Any
    theirs: Any
    theirs_here: Any
    base: Base

    @property
    def seen(self) -> str:
        """A short mark of both values: who sends it back decides on just what they saw."""
        return hashlib.sha256(orjson.dumps([self.ours, self.theirs])).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {
            "incident": self.incident.key,
            "link_id": self.link.id,
            "integration": self.integration,
            "integration_id": self.link.integration_id,
            "ticket_key": self.link.ticket_key,
            "field": self.field,
            "ours": self.ours,
            "theirs": self.theirs,
            "theirs_here": self.theirs_here,
            "agreed": None if self.base.ours == NEVER else self.base.ours,
            "seen": self.seen,
        }


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person chose.

    `value` belongs to `Choice.VALUE`; `seen` is the mark of the conflict they looked at (empty: as it stands now).
    """

    choice: Choice
    value: Any = None
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Settlement:
    """A conflict that was resolved: as it stood, how, and the incident's value from now on."""

    conflict: OpenConflict
    choice: Choice
    value: Any
    agreed: bool
    """Whether the ticket holds that value already, as far as we know: nothing is left to be written."""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        shown = self.conflict.to_json()
        return {**shown, "choice": self.choice.value, "value": self.value}


class Conflicts:
    """The open conflicts of an account. Every method works in the caller's transaction; none commits."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context

    async def of_incident(self, tx: AccountTx, id_or_key: str) -> list[OpenConflict]:
        """Return the open conflicts of an incident. Raises NotFoundError."""
        incident = await self._context.incidents.get(tx, id_or_key)
        return await self._of(tx, [(link, incident) for link in await links.of_incident(tx, incident.id)])

    async def of_account(self, tx: AccountTx) -> list[OpenConflict]:
        """Return the open conflicts of the account, those of the oldest links first."""
        found = await links.in_conflict(tx, limit=ACCOUNT_LIMIT)
        return await self._of(
            tx, [(link, await self._context.incidents.get(tx, link.incident_id)) for link in found]
        )

    async def tickets(self, tx: AccountTx, id_or_key: str) -> list[tuple[Link, str]]:
        """Return the links of an incident, each with the name of its integration. Raises NotFoundError."""
        incident = await self._context.incidents.get(tx, id_or_key)
        found = await links.of_incident(tx, incident.id)
        return [(link, _name(link, await self._context.target(tx, link.integration_id))) for link in found]

    async def find(self, tx: AccountTx, id_or_key: str, field: str, *, integration: str = "") -> OpenConflict:
        """Return the one conflict about `field`; `integration` (name or id) says which where there are several.

        Raises NotFoundError, and InvalidRequestError when it is not clear which one is meant.
        """
        found = [
            one
            for one in await self.of_incident(tx, id_or_key)
            if one.field == field and integration in {"", one.integration, one.link.integration_id}
        ]
        if not found:
            raise _no_conflict(id_or_key, field)
        if len(found) > 1:
            names = ", ".join(one.integration for one in found)
            raise InvalidRequestError(
                f"several tickets of {id_or_key} are in conflict about {field}: {names}",
                remediation="Name the integration.",
                fields={"integration": "missing"},
            )
        return found[0]

    async def resolve(
        self,
        tx: AccountTx,
        link_id: str,
        field: str,
        decision: Decision,
        origin: Origin,
        *,
        incident: str = "",
    ) -> Settlement:
        """Resolve a conflict as a person decided: stored at once, and carried over by a visit.

        `origin` is the person; `incident` (id or key) refuses a link of another one. Ours, or a value of their own, is written to
        the ticket, unless the ticket has been changed again since: then that is a new conflict. Theirs is taken as it was shown; a
        later value of theirs comes as the change that it is. Raises NotFoundError when there is no such conflict (any more),
        ConflictError when it is not the one that was seen, InvalidRequestError for a value that cannot be.
        """
        link = await links.load(tx, link_id, lock=True)
        if incident and (await self._context.incidents.get(tx, incident)).id != link.incident_id:
            raise NotFoundError(f"{incident} has no link {link_id!r}")
        edit = await self._context.incidents.edit(tx, link.incident_id)
        stored = link.merge.conflicts.get(field)
        if stored is None:
            raise _no_conflict(edit.incident.key, field)
        target = await self._context.target(tx, link.integration_id)
        if target is None:
            raise ConflictError(
                f"the integration of {link.ticket_key} is disabled or gone",
                remediation="Enable it again, then resolve the conflict.",
            )
        shown = _open(edit.incident, link, target, target.mappings(), stored)
        if decision.seen and decision.seen != shown.seen:
            raise ConflictError(
                f"the conflict about {field} has changed since you looked: here {words_of(shown.ours)}, "
                f"there {words_of(shown.theirs)}",
                remediation="Look at it again and decide on these values.",
                fields={"seen": f"now {shown.seen}"},
            )
        about = {
            "rules": {field: AppliedRule.PERSON_DECIDED.value},
            "integration": shown.integration,
            "ticket": link.ticket_key,
        }
        if decision.choice is Choice.VALUE:
            edit.change(**_as_change(field, own_value(field, decision.value)), origin=origin, about=about)
        rule = target.mappings().rules(target.integration_id)[field]
        ours = ours_of(edit.incident)[field]
        try:
            resolved = resolve(link.merge, rule, ours, decision.choice, ours)
        except ValueError as error:
            raise InvalidRequestError(
                f"{words_of(shown.theirs)} of {link.ticket_key} cannot be taken: {error}",
                remediation="Map it in the integration's sync settings, or give a value.",
            ) from error
        if decision.choice is Choice.THEIRS:
            edit.change(**_as_change(field, resolved.ours), origin=origin, about=about)
            resolved = _as_stored(resolved, field, ours_of(edit.incident)[field])
        settlement = Settlement(
            shown, decision.choice, resolved.ours, agreed=field not in resolved.state.pending
        )
        data = {
            "field": field,
            "choice": decision.choice.value,
            "ours": shown.ours,
            "theirs": shown.theirs,
            "value": resolved.ours,
            "integration": shown.integration,
            "ticket": link.ticket_key,
            "link_id": link.id,
        }
        edit.entry("sync_conflict_resolved", data, origin=origin)
        edit.event(CONFLICT_EVENT, {"link_id": link.id}, origin=origin)
        saved = await edit.save()
        link = replace(link, merge=resolved.state)
        await links.save(tx, link, self._context.clock.now())
        if link.status in {LinkStatus.CREATING, LinkStatus.ACTIVE}:
            lane = reactions.lane_of(saved.severity)
            await reactions.visit(self._context, tx, [link], lane, reason="conflict resolved")
        return settlement

    async def _of(self, tx: AccountTx, pairs: Sequence[tuple[Link, Incident]]) -> list[OpenConflict]:
        found: list[OpenConflict] = []
        for link, incident in pairs:
            if not link.merge.conflicts:
                continue
            target = await self._context.target(tx, link.integration_id)
            mappings = FieldMappings() if target is None else target.mappings()
            found += [_open(incident, link, target, mappings, one) for one in link.merge.conflicts.values()]
        return found


def _open(
    incident: Incident, link: Link, target: Target | None, mappings: FieldMappings, conflict: FieldConflict
) -> OpenConflict:
    here = mappings.rules(link.integration_id)[conflict.field].decode(conflict.theirs)
    return OpenConflict(
        incident=incident,
        link=link,
        integration=_name(link, target),
        field=conflict.field,
        ours=ours_of(incident)[conflict.field],
        theirs=conflict.theirs,
        theirs_here=None if here is NO_MEANING else here,
        base=conflict.base,
    )


def _name(link: Link, target: Target | None) -> str:
    return link.integration_id if target is None else target.name


def _no_conflict(incident: str, field: str) -> NotFoundError:
    return NotFoundError(
        f"{incident} has no open conflict about {field[:40]}",
        remediation="List its conflicts: somebody may have resolved it, or both sides came to mean the same.",
    )


def _as_change(field: str, value: Any) -> dict[str, Any]:  # noqa: ANN401  # a synced value
    values, status = incident_values({field: value})
    return {"values": values, "status": status}


def _as_stored(resolved: Resolved, field: str, stored: Any) -> Resolved:  # noqa: ANN401
    """Return `resolved` with what the incident really holds in place of what was taken: a trimmed text is no edit of ours."""
    state = resolved.state
    bases, pending = dict(state.bases), dict(state.pending)
    if field in pending:
        pending[field] = Pending(stored, pending[field].sent)
    else:
        bases[field] = Base(stored, bases[field].theirs)
    return Resolved(stored, LinkState(bases, pending, state.conflicts, state.accounted))


def own_value(field: str, given: Any) -> Any:  # noqa: ANN401
    """Return a value that a person gave for a synced field, in the form in which sync compares it.

    People write `sev1`; an assignee is an e-mail, an object with any of `id`, `name` and `email`, or None for nobody.
    Raises InvalidRequestError.
    """
    try:
        return _READ[field](given)
    except (TypeError, ValueError) as error:
        allowed = f"one of {', '.join(Status)}" if field == "status" else str(error)
        raise InvalidRequestError(
            f"{str(given)[:60]!r} cannot be the {field}: {allowed}", fields={"value": allowed}
        ) from error


def _text(given: Any) -> str:  # noqa: ANN401
    if not isinstance(given, str):
        raise TypeError("a text is needed")
    return given


def _person(given: Any) -> dict[str, str] | None:  # noqa: ANN401
    if given is None:
        return None
    if isinstance(given, str):
        given = {"email": given.strip()} if "@" in given else {"name": given.strip()}
    if not isinstance(given, Mapping) or not all(isinstance(one, str) for one in given.values()):
        raise TypeError("an e-mail, or an object with id, name or email, is needed")
    id_, name, email = (given.get(key, "") for key in ("id", "name", "email"))
    if set(given) - {"id", "name", "email"} or not (id_ or name or email):
        raise TypeError("an e-mail, or an object with id, name or email, is needed")
    return person_json(Person(id_ or email or name, name or email, email))


def _severity(given: Any) -> str:  # noqa: ANN401
    return str(Severity.parse(_text(given)))


def _status(given: Any) -> str:  # noqa: ANN401
    return Status(_text(given).strip().lower()).value


_READ: Mapping[str, Callable[[Any], Any]] = {
    "assignee": _person,
    "title": _text,
    "description": _text,
    "severity": _severity,
    "status": _status,
}


def words_of(value: Any) -> str:  # noqa: ANN401  # a value of either side
    """Return a value of either side as people read it."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("email") or value.get("id") or "somebody")
    # A status of theirs carries its category behind a bar.
    name, bar, category = str(value).rpartition("|")
    return f"“{name if bar and category in set(StatusCategory) else value}”"


__all__ = [
    "CONFLICT_EVENT",
    "SYNCED_FIELDS",
    "Choice",
    "Conflicts",
    "Decision",
    "OpenConflict",
    "Settlement",
    "own_value",
    "words_of",
]
