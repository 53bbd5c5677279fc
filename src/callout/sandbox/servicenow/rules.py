"""The instance's own business rules and data policies: priority, states, what must be filled when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from callout.sandbox.servicenow.choices import AWAITING_CALLER, Phase
from callout.sandbox.servicenow.errors import AclError, BusinessRuleError, DataPolicyError
from callout.sandbox.servicenow.rights import CLOSING_ROLES
from callout.sandbox.servicenow.times import stored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from callout.sandbox.servicenow.instance import Instance
    from callout.sandbox.servicenow.model import Account, Values

_ENDED = frozenset({Phase.CLOSED, Phase.CANCELED})
_DONE = frozenset({Phase.RESOLVED, Phase.CLOSED})
_CODED = frozenset({"incident", "sn_si_incident", "change_request", "problem"})
_COMPUTED_PRIORITY = frozenset({"incident", "problem"})
_GROUP_NEEDED = frozenset(
    {Phase.ASSESS, Phase.AUTHORIZE, Phase.SCHEDULED, Phase.IMPLEMENT, Phase.REVIEW, Phase.CLOSED}
)
_HOLDABLE = frozenset({Phase.ASSESS, Phase.AUTHORIZE, Phase.SCHEDULED, Phase.IMPLEMENT, Phase.REVIEW})

_TAIL = {
    Phase.SCHEDULED: (Phase.IMPLEMENT, Phase.CANCELED),
    Phase.IMPLEMENT: (Phase.REVIEW, Phase.CANCELED),
    Phase.REVIEW: (Phase.CLOSED,),
    Phase.CLOSED: (),
    Phase.CANCELED: (),
}
# Where a change may go next, by type. Approvals, not a person, lead from Authorize to Scheduled.
CHANGE_PATHS: dict[str, dict[Phase, tuple[Phase, ...]]] = {
    "normal": {
        Phase.NEW: (Phase.ASSESS, Phase.CANCELED),
        Phase.ASSESS: (Phase.AUTHORIZE, Phase.CANCELED),
        Phase.AUTHORIZE: (Phase.CANCELED,),
        **_TAIL,
    },
    "standard": {Phase.NEW: (Phase.SCHEDULED, Phase.CANCELED), **_TAIL},
    "emergency": {Phase.NEW: (Phase.AUTHORIZE, Phase.CANCELED), Phase.AUTHORIZE: (Phase.CANCELED,), **_TAIL},
}


@dataclass(slots=True)
class Write:
    """A write before it is kept: `old` is None for a new record; rules change `new` in place."""

    instance: Instance
    account: Account
    table: str
    old: Values | None
    new: Values
    elements: Sequence[str] = ()
    by_approval: bool = False

    def phase(self, values: Values | None) -> Phase | None:
        """What the state of some values means."""
        return None if values is None else phase_of(self.instance, self.table, values.get("state", ""))

    def differs(self, name: str) -> bool:
        """Whether the write changes a column."""
        return (self.old or {}).get(name, "") != self.new.get(name, "")

    @property
    def now(self) -> str:
        """The moment, as it is kept."""
        return stored(self.instance.now())


def phase_of(instance: Instance, table: str, state: str) -> Phase | None:
    """What a state means on this instance, None for one its rules do not know."""
    for name in instance.lineage(table):
        if name in instance.profile.states:
            return next((phase for value, _, phase in instance.profile.states[name] if value == state), None)
    return None


def state_for(instance: Instance, table: str, phase: Phase) -> str:
    """The first state that means something on this instance; empty where there is none."""
    for name in instance.lineage(table):
        if name in instance.profile.states:
            return next((value for value, _, known in instance.profile.states[name] if known is phase), "")
    return ""


def defaults(instance: Instance, table: str) -> Values:
    """What a new task starts with, beyond the dictionary's defaults."""
    if not instance.descends(table, "task"):
        return {}
    state = state_for(instance, table, Phase.NEW)
    return {"state": state, "incident_state": state} if table == "incident" else {"state": state}


def apply(write: Write) -> None:
    """Run the rules of the table over a write.

    Raises:
        DataPolicyError: something mandatory is empty.
        BusinessRuleError: the change of state is not possible.
        AclError: the account may not make it.
    """
    if not write.instance.descends(write.table, "task"):
        return
    if write.table == "incident":
        _mirror_incident_state(write)
    _guard_closed(write)
    if write.table in _COMPUTED_PRIORITY:
        _priority(write)
    if write.table == "change_request":
        _change_model(write)
    _mandatory(write)
    _stamps(write)


def _mirror_incident_state(write: Write) -> None:
    # `incident_state` is the column of old; whichever of the two was written leads the other.
    if write.differs("incident_state") and not write.differs("state"):
        write.new["state"] = write.new["incident_state"]
    write.new["incident_state"] = write.new["state"]


def _guard_closed(write: Write) -> None:
    privileged = write.account.has(*CLOSING_ROLES)
    if write.table != "incident" or privileged:
        return
    if write.old is not None and write.phase(write.old) is Phase.CLOSED:
        raise AclError("Update")
    if write.phase(write.new) is Phase.CLOSED:
        raise AclError("Update" if write.old is not None else "Insert")


def _priority(write: Write) -> None:
    try:
        impact, urgency = int(write.new["impact"]), int(write.new["urgency"])
    except ValueError:
        return
    # The matrix as delivered: 1 and 1 give 1, 3 and 3 give 5.
    write.new["priority"] = str(min(max(impact + urgency - 1, 1), 5))


def _change_model(write: Write) -> None:
    before, after = write.phase(write.old), write.phase(write.new)
    paths = CHANGE_PATHS.get(write.new["type"], CHANGE_PATHS["normal"])
    if write.old is None:
        if write.new["type"] == "standard" and not write.new["std_change_producer_version"]:
            raise BusinessRuleError(write.table, "Standard Change", "A standard change needs a template")
        before = Phase.NEW
    approved = write.by_approval and before is Phase.AUTHORIZE
    if (
        after is not before
        and not approved
        and (after is None or after not in paths.get(before or Phase.NEW, ()))
    ):
        raise BusinessRuleError(
            write.table,
            "Change Model: Check State Transition",
            "Invalid state transition for the change model",
        )
    if write.new["on_hold"] == "true" and after not in _HOLDABLE:
        raise BusinessRuleError(write.table, "Change On Hold", "A change in this state cannot be put on hold")
    if after is Phase.AUTHORIZE and before is not Phase.AUTHORIZE:
        write.new["approval"] = "requested"


def _mandatory(write: Write) -> None:
    wanted: list[str] = []
    phase = write.phase(write.new)
    if write.table in _CODED and phase in _DONE:
        wanted += ["close_code", "close_notes"]
    if write.table == "incident" and phase is Phase.HOLD:
        wanted.append("hold_reason")
        entering = write.differs("hold_reason") or write.phase(write.old) is not Phase.HOLD
        if write.new["hold_reason"] == AWAITING_CALLER and entering and "comments" not in write.elements:
            raise DataPolicyError([_label(write, "comments")])
    if write.table == "change_request" and phase in _GROUP_NEEDED:
        wanted.append("assignment_group")
    if write.table == "change_request" and write.new["on_hold"] == "true":
        wanted.append("on_hold_reason")
    missing = [name for name in wanted if not write.new.get(name)]
    if missing:
        raise DataPolicyError([_label(write, name) for name in missing])


def _label(write: Write, name: str) -> str:
    return write.instance.columns(write.table)[name].label


def _stamps(write: Write) -> None:
    before, after, me = write.phase(write.old), write.phase(write.new), write.account.sys_id
    new = write.new
    if write.old is None:
        new["opened_at"] = new["opened_at"] or write.now
        new["opened_by"] = new["opened_by"] or me
    if write.table == "incident":
        if after in _DONE and before not in _DONE:
            new["resolved_at"], new["resolved_by"] = write.now, new["resolved_by"] or me
        elif after not in _DONE and before in _DONE:
            new["resolved_at"] = new["resolved_by"] = ""
            new["reopen_count"] = str(int(new["reopen_count"] or 0) + 1)
        if after is not Phase.HOLD:
            new["hold_reason"] = ""
    if write.old is not None and write.differs("assignment_group") and write.old.get("assignment_group"):
        new["reassignment_count"] = str(int(new["reassignment_count"] or 0) + 1)
    if after in _ENDED and before not in _ENDED:
        new["closed_at"], new["closed_by"], new["active"] = write.now, me, "false"
    elif after not in _ENDED and before in _ENDED:
        new["closed_at"], new["closed_by"], new["active"] = "", "", "true"
