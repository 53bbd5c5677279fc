"""Status changes: by the instance's own states, with what each of them asks for; changes by the moves that their model allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from callout.connectors.servicenow.client import TableApi
from callout.connectors.servicenow.config import ServiceNowConfig
from callout.connectors.servicenow.meaning import (
    USUAL,
    USUAL_CLOSE_CODES,
    Choice,
    State,
    awaits_caller,
    is_cancelled,
    is_hold,
    needs_closure,
    same_words,
)
from callout.connectors.servicenow.metadata import JOURNALS, Table
from callout.connectors.servicenow.people import People
from callout.connectors.servicenow.wire import Record
from callout.ports.errors import PermissionDeniedError, RejectedError
from callout.ports.ticketing import FieldOption, RemoteField, StatusCategory, Transition

CATEGORY_PREFIX: Final = "category:"
CHANGE: Final = "change_request"
CLOSING_NOTES: Final = "Resolved in Callout."


def wanted_states(wanted: str, table: Table) -> list[State]:
    """Return the states that `wanted` means, the usual one first. Raises RejectedError, PermissionDeniedError."""
    if not table.states:
        raise PermissionDeniedError(
            f"the states of {table.name} cannot be read, so none can be set",
            remediation="Grant the integration's user read access to sys_choice (role personalize_choices).",
        )
    if not wanted.startswith(CATEGORY_PREFIX):
        found = [s for s in table.states if same_words(s.label, wanted)] or [
            s for s in table.states if s.value == wanted.strip()
        ]
        if not found:
            choices = ", ".join(state.label for state in table.states)
            raise RejectedError(
                f"{table.name} has no state {wanted!r}; it has: {choices}",
                fields={"status": f"allowed: {choices}"},
            )
        return found[:1]
    name = wanted.removeprefix(CATEGORY_PREFIX).strip().lower()
    if name not in {c.value for c in StatusCategory if c is not StatusCategory.UNKNOWN}:
        raise RejectedError(
            f"{wanted!r} is not a category of states",
            fields={"status": "use category:new, category:active or category:done"},
        )
    category = StatusCategory(name)
    usual = USUAL[category]

    def place(state: State) -> tuple[int, int]:
        label = state.label.casefold()
        return (usual.index(label) if label in usual else len(usual), table.states.index(state))

    found = sorted((state for state in table.states if state.category is category), key=place)
    # Work that was done is not work that was called off, as long as there is another way to end.
    found = [state for state in found if not is_cancelled(state.label)] or found
    if not found:
        raise RejectedError(
            f"no state of {table.name} means {name}",
            fields={"status": f"none means {name}"},
            remediation="Say which one does in state_categories of the integration.",
        )
    return found


class Workflow:
    """Moves records of one instance."""

    def __init__(self, config: ServiceNowConfig, api: TableApi, people: People) -> None:
        self._config = config
        self._api = api
        self._people = people

    async def steps(
        self, record: Record, table: Table, wanted: str, *, given: Mapping[str, Any]
    ) -> list[dict[str, str]]:
        """Return what has to be written, in turn, so that the record gets the wanted state; nothing when it has it.

        Raises:
            RejectedError: there is no such state or no way to it, or a field that it asks for is missing or wrong.
        """
        targets = wanted_states(wanted, table)
        if any(state.value == record.get("state") for state in targets):
            return []
        if table.extends(CHANGE):
            return await self._change_steps(record, table, targets, given=given)
        return [await self._entering(record, table, targets[0], given=given)]

    async def _change_steps(
        self, record: Record, table: Table, targets: Sequence[State], *, given: Mapping[str, Any]
    ) -> list[dict[str, str]]:
        """One step toward the target: each state of a change says itself what may come next, approvals among it."""
        answer = await self._api.change_next_states(record["sys_id"])
        allowed = [value for value in answer.get("available_states", []) if value != record.get("state")]
        by_value = {state.value: state for state in table.states}
        for state in targets:
            if state.value in allowed:
                return [await self._entering(record, table, state, given=given)]
        order = [state.value for state in table.states]
        here = order.index(record["state"]) if record.get("state") in order else 0
        goal = order.index(targets[0].value)
        between = [
            by_value[value]
            for value in allowed
            if value in by_value and here < order.index(value) < goal and not is_end(by_value[value])
        ]
        if between:
            return [await self._entering(record, table, between[-1], given=given)]
        shown = ", ".join(by_value[value].label for value in allowed if value in by_value) or "none"
        raise RejectedError(
            f"{record.get('number')} cannot become {targets[0].label!r} now; it can become: {shown}",
            fields={"status": f"allowed now: {shown}"},
            remediation="A change waits for its approvals: approve it in ServiceNow, then it goes on by itself.",
        )

    async def _entering(
        self, record: Record, table: Table, state: State, *, given: Mapping[str, Any]
    ) -> dict[str, str]:
        """Return the state with all that it asks for: the data policies want them in one write."""
        body = {"state": state.value}
        rest = {name: value for name, value in given.items() if value not in (None, "")}
        if needs_closure(state) and table.has("close_code"):
            body["close_code"] = self._close_code(record, table, rest.pop("close_code", ""))
            notes = str(rest.pop("close_notes", "") or self._config.close_notes)
            body["close_notes"] = notes or record.get("close_notes", "") or CLOSING_NOTES
        if is_hold(state.label) and table.has("hold_reason"):
            body["hold_reason"] = self._hold_reason(record, table, rest)
        if table.extends(CHANGE) and not record.get("assignment_group"):
            group = str(rest.pop("assignment_group", "") or self._config.assignment_group)
            if group:
                body["assignment_group"] = await self._people.group_id(group)
        body |= self._given(table, rest)
        return body

    def _given(self, table: Table, rest: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        for name, value in rest.items():
            if name in JOURNALS:
                raise RejectedError(
                    f"{name} cannot be a field of a status change: who reads it would not be asked",
                    fields={f"transition_fields/{name}": "use a comment"},
                )
            if table.columns and name not in table.columns:
                raise RejectedError(
                    f"{table.name} has no column {name!r}",
                    fields={f"transition_fields/{name}": "no such column"},
                )
            choices = table.choices.get(name, ())
            found[name] = picked(str(value), choices, name=name) if choices else str(value)
        return found

    def _close_code(self, record: Record, table: Table, given: Any) -> str:  # noqa: ANN401
        choices = table.choices.get("close_code", ())
        wanted = str(given or self._config.close_code)
        if wanted:
            return picked(wanted, choices, name="close_code") if choices else wanted
        if record.get("close_code"):
            return record["close_code"]
        for label in USUAL_CLOSE_CODES:
            for choice in choices:
                if same_words(choice.label, label) or same_words(choice.value, label):
                    return choice.value
        allowed = ", ".join(choice.label for choice in choices) or "unknown, as sys_choice cannot be read"
        raise RejectedError(
            f"{record.get('number') or table.name} needs a close code; the instance has: {allowed}",
            fields={"transition_fields/close_code": f"allowed: {allowed}"},
            remediation="Choose one as close_code of the integration, or in transition_fields of its sync settings.",
        )

    def _hold_reason(self, record: Record, table: Table, rest: dict[str, Any]) -> str:
        choices = table.choices.get("hold_reason", ())
        wanted = str(rest.pop("hold_reason", "") or self._config.hold_reason)
        if wanted:
            return picked(wanted, choices, name="hold_reason") if choices else wanted
        if record.get("hold_reason"):
            return record["hold_reason"]
        # A reason that waits for the caller asks for a comment to the caller, which nobody has written.
        usual = next((choice.value for choice in choices if not awaits_caller(choice.label)), "")
        if usual:
            return usual
        raise RejectedError(
            f"{record.get('number') or table.name} needs a reason for being on hold",
            fields={"transition_fields/hold_reason": f"allowed: {', '.join(c.label for c in choices)}"},
            remediation="Choose one as hold_reason of the integration, or in transition_fields of its sync settings.",
        )

    async def moves(self, record: Record, table: Table) -> list[Transition]:
        """Return the moves that the record can make now, with the fields they need."""
        states: Sequence[State] = table.states
        if table.extends(CHANGE):
            answer = await self._api.change_next_states(record["sys_id"])
            allowed = set(answer.get("available_states", []))
            states = [state for state in states if state.value in allowed]
        return self._described([state for state in states if state.value != record.get("state")], table)

    def moves_from(self, status: str, table: Table) -> list[Transition]:
        """Return the moves from a state that can be known without a record: all but those of changes, which each say theirs."""
        if table.extends(CHANGE):
            return []
        return self._described(
            [state for state in table.states if not same_words(state.label, status)], table
        )

    def _described(self, states: Sequence[State], table: Table) -> list[Transition]:
        return [
            Transition(state.value, state.label, state.label, state.category, self._needed(state, table))
            for state in states
        ]

    def _needed(self, state: State, table: Table) -> tuple[RemoteField, ...]:
        """Return what a state asks for, with what is written for those that nobody gives."""
        found: list[RemoteField] = []
        for field in needed_fields(state, table):
            try:
                found.append(replace(field, default=self._default(field.id, table)))
            except RejectedError:
                found.append(field)
        return tuple(found)

    def _default(self, name: str, table: Table) -> str:
        if name == "close_code":
            return self._close_code({}, table, "")
        if name == "hold_reason":
            return self._hold_reason({}, table, {})
        return self._config.close_notes or CLOSING_NOTES


def is_end(state: State) -> bool:
    """Return whether nothing comes after a state."""
    return state.category is StatusCategory.DONE


def picked(wanted: str, choices: Sequence[Choice], *, name: str) -> str:
    """Return the value of the choice of that label or value. Raises RejectedError naming what there is."""
    for choice in choices:
        if same_words(choice.label, wanted) or choice.value == wanted:
            return choice.value
    allowed = ", ".join(choice.label for choice in choices)
    raise RejectedError(
        f"{name}: this instance has no {wanted!r}; it has: {allowed}",
        fields={f"transition_fields/{name}": f"allowed: {allowed}"},
        remediation=f"Choose one of them for {name}.",
    )


def options(table: Table, column: str) -> tuple[FieldOption, ...]:
    """Return the choices of a column."""
    return tuple(FieldOption(choice.value, choice.label) for choice in table.choices.get(column, ()))


def needed_fields(state: State, table: Table) -> tuple[RemoteField, ...]:
    """Return what a state asks for, as far as ServiceNow's own rules are known; a customer's rules may ask for more."""
    names: list[str] = []
    if needs_closure(state) and table.has("close_code"):
        names += ["close_code", "close_notes"]
    if is_hold(state.label) and table.has("hold_reason"):
        names.append("hold_reason")
    made: list[RemoteField] = []
    for name in names:
        column = table.columns.get(name)
        kind = "enum" if table.choices.get(name) else "string"
        label = column.label if column else name
        made.append(RemoteField(name, label, name, kind, required=True, options=options(table, name)))
    return tuple(made)
