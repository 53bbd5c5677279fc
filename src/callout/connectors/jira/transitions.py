"""Status changes: always through the workflow's own moves, several if it takes several, with the fields they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from callout.connectors.jira import mapping, schema
from callout.connectors.jira.client import JiraClient
from callout.connectors.jira.metadata import SiteMetadata
from callout.connectors.jira.values import write_value
from callout.connectors.jira.wire import FieldMeta, StatusBean, TransitionBean
from callout.ports.errors import RejectedError
from callout.ports.ticketing import RemoteField, StatusCategory, Transition

MAX_HOPS: Final = 5
CATEGORY_PREFIX: Final = "category:"
USUAL_STATUSES: Final[Mapping[StatusCategory, tuple[str, ...]]] = {
    StatusCategory.NEW: ("to do", "open", "new", "backlog"),
    StatusCategory.ACTIVE: ("in progress", "work in progress", "investigating", "in review"),
    StatusCategory.DONE: ("done", "resolved", "closed", "completed", "fixed"),
}
"""Where several statuses of a category are one move away, the usual one is taken before "Won't do" or "Waiting"."""
USUAL_RESOLUTIONS: Final = ("done", "fixed", "resolved", "completed")

_RANK: Final[Mapping[StatusCategory, int]] = {
    StatusCategory.NEW: 0,
    StatusCategory.UNKNOWN: 1,
    StatusCategory.ACTIVE: 1,
    StatusCategory.DONE: 2,
}


class Target:
    """The status that is wanted: by name or id, or any of a category."""

    def __init__(self, wanted: str, statuses: Sequence[StatusBean]) -> None:
        """Raises RejectedError when the workflow has nothing of the kind."""
        self.wanted = wanted
        self.category = StatusCategory.UNKNOWN
        self._any_of_category = wanted.startswith(CATEGORY_PREFIX)
        if self._any_of_category:
            self.category = _category(wanted)
            found = any(mapping.category(status) is self.category for status in statuses)
        else:
            match = next((status for status in statuses if _is_called(status, wanted)), None)
            found = match is not None
            self.category = mapping.category(match)
        if not found:
            choices = ", ".join(status.get("name", "") for status in statuses)
            raise RejectedError(
                f"this issue's workflow has no status {wanted!r}; it has: {choices}",
                fields={"status": f"allowed: {choices}"},
            )

    def reached_by(self, status: StatusBean | None) -> bool:
        """Return whether `status` is what is wanted."""
        if status is None:
            return False
        if self._any_of_category:
            return mapping.category(status) is self.category
        return _is_called(status, self.wanted)


def _category(wanted: str) -> StatusCategory:
    name = wanted.removeprefix(CATEGORY_PREFIX).strip().lower()
    try:
        return StatusCategory(name)
    except ValueError:
        raise RejectedError(
            f"{wanted!r} is not a category of statuses",
            fields={"status": "use category:new, category:active or category:done"},
        ) from None


def _is_called(status: StatusBean, wanted: str) -> bool:
    return wanted.strip().casefold() == status.get("name", "").casefold() or wanted == status.get("id")


class Workflow:
    """Moves issues."""

    def __init__(self, client: JiraClient, metadata: SiteMetadata) -> None:
        self._client = client
        self._metadata = metadata

    async def target(self, wanted: str, *, project: str, issue_type: str) -> Target:
        """Return what `wanted` means in a project. Raises RejectedError."""
        return Target(wanted, await self._metadata.statuses(project, issue_type))

    async def reach(
        self, issue: str, target: Target, *, current: StatusBean | None, given: Mapping[str, Any]
    ) -> None:
        """Move `issue` until it has the wanted status.

        Args:
            issue: id or key.
            target: what is wanted.
            current: the status it has now.
            given: values for fields that moves ask for, by field id or name.

        Raises:
            RejectedError: no way there, or a move needs a field that nobody gave; names what is missing.
        """
        visited = {(current or {}).get("id", "")}
        for _ in range(MAX_HOPS):
            if target.reached_by(current):
                return
            answer = await self._client.get_transitions(issue)
            moves = [move for move in answer.get("transitions", []) if move.get("isAvailable", True)]
            move = choose(moves, target, visited)
            if move is None:
                raise self._stuck(issue, target, current, moves)
            body: dict[str, Any] = {"transition": {"id": move["id"]}}
            fields = transition_fields(move, given)
            if fields:
                body["fields"] = fields
            await self._client.do_transition(issue, body)
            current = move.get("to")
            visited.add((current or {}).get("id", ""))
        if not target.reached_by(current):
            raise self._stuck(issue, target, current, [])

    def _stuck(
        self, issue: str, target: Target, current: StatusBean | None, moves: Sequence[TransitionBean]
    ) -> RejectedError:
        choices = ", ".join((move.get("to") or {}).get("name", "") for move in moves)
        return RejectedError(
            f"no way to {target.wanted!r} for {issue} from {(current or {}).get('name', '?')!r};"
            f" moves from here lead to: {choices or 'nowhere'}",
            fields={"status": f"reachable: {choices or 'nothing'}"},
            remediation="Move it in Jira, add a transition to the workflow,"
            " or grant Transition Issues to the integration's user.",
        )


def choose(moves: Sequence[TransitionBean], target: Target, visited: set[str]) -> TransitionBean | None:
    """Return the best next move: straight to the target, else to an unvisited status nearest to its category."""
    straight = [move for move in moves if target.reached_by(move.get("to"))]
    if straight:
        usual = USUAL_STATUSES.get(target.category, ())
        return min(straight, key=lambda move: _usual_place((move.get("to") or {}).get("name", ""), usual))
    fresh = [move for move in moves if (move.get("to") or {}).get("id", "") not in visited]
    return min(fresh, key=_distance_to(target), default=None)


def _usual_place(name: str, usual: Sequence[str]) -> tuple[int, str]:
    folded = name.casefold()
    return (usual.index(folded) if folded in usual else len(usual), folded)


def _distance_to(target: Target) -> Callable[[TransitionBean], tuple[bool, int, str]]:
    def distance(move: TransitionBean) -> tuple[bool, int, str]:
        category = mapping.category(move.get("to"))
        # Never through "done" to something else when there is another way: it would look resolved for a moment.
        detour = category is StatusCategory.DONE and target.category is not StatusCategory.DONE
        return detour, abs(_RANK[category] - _RANK[target.category]), (move.get("to") or {}).get("name", "")

    return distance


def transition_fields(move: TransitionBean, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields to send with a move: those given that its screen has, and defaults for what it requires.

    Raises:
        RejectedError: a required field was not given and has no sensible default; names it and its allowed values.
    """
    folded = {name.casefold(): value for name, value in given.items()}
    fields: dict[str, Any] = {}
    for field_id, meta in (move.get("fields") or {}).items():
        name = meta.get("name", field_id)
        value = folded.get(field_id.casefold(), folded.get(name.casefold()))
        if value is not None:
            fields[field_id] = write_value(value, meta, name=name)
        elif meta.get("required") and not meta.get("hasDefaultValue"):
            fields[field_id] = _default(field_id, meta, move)
    return fields


def described(move: TransitionBean) -> Transition:
    """Return a move with the fields it needs, and what is sent for those that nobody gives a value for."""
    plain = schema.transition(move)
    metas = move.get("fields") or {}
    fields = tuple(
        replace(field, default=_default_name(field, metas[field.id], move)) if field.required else field
        for field in plain.fields
    )
    return replace(plain, fields=tuple(replace(field, usual=field.id == "resolution") for field in fields))


def _default_name(field: RemoteField, meta: FieldMeta, move: TransitionBean) -> str:
    try:
        chosen = _default(field.id, meta, move)
    except RejectedError:
        return ""
    return next((option.name for option in field.options if option.id == chosen["id"]), "")


def _default(field_id: str, meta: FieldMeta, move: TransitionBean) -> dict[str, Any]:
    allowed = meta.get("allowedValues") or []
    if field_id == "resolution" and allowed:
        by_name = {schema.option_name(option).casefold(): option for option in allowed}
        chosen = next((by_name[name] for name in USUAL_RESOLUTIONS if name in by_name), allowed[0])
        return {"id": str(chosen["id"])}
    if len(allowed) == 1:
        return {"id": str(allowed[0]["id"])}
    name = meta.get("name", field_id)
    choices = ", ".join(schema.option_name(option) for option in allowed)
    raise RejectedError(
        f"the move {move.get('name', '')!r} needs the field {name!r}"
        + (f"; allowed: {choices}" if choices else ""),
        fields={name: f"required by {move.get('name', '')!r}" + (f"; allowed: {choices}" if choices else "")},
        remediation=f"Give a value for {name!r} with the status change, or set one in the mapping.",
    )
