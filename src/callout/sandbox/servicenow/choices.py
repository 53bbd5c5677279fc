"""The choice lists an instance starts with. Two of them: as delivered today, and as customers have made them.

What a state means to the instance's own rules is named by `Phase`; which number carries it differs between the two,
as it does between real instances.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto


class Phase(Enum):
    """What a state means to the rules of the instance."""

    NEW = auto()
    WORK = auto()
    HOLD = auto()
    RESOLVED = auto()
    CLOSED = auto()
    CANCELED = auto()
    ASSESS = auto()
    AUTHORIZE = auto()
    SCHEDULED = auto()
    IMPLEMENT = auto()
    REVIEW = auto()


@dataclass(frozen=True, slots=True)
class Choice:
    """One row of sys_choice; `depends` is the value of the column it depends on."""

    table: str
    element: str
    value: str
    label: str
    depends: str = ""


def _list(table: str, element: str, *pairs: str, depends: str = "") -> tuple[Choice, ...]:
    """Choices from texts `value label words`."""
    split = (pair.partition("|") for pair in pairs)
    return tuple(Choice(table, element, value, label or value, depends) for value, _, label in split)


StateList = tuple[tuple[str, str, Phase], ...]

_CURRENT_INCIDENT: StateList = (
    ("1", "New", Phase.NEW),
    ("2", "In Progress", Phase.WORK),
    ("3", "On Hold", Phase.HOLD),
    ("6", "Resolved", Phase.RESOLVED),
    ("7", "Closed", Phase.CLOSED),
    ("8", "Canceled", Phase.CANCELED),
)
_CUSTOMISED_INCIDENT: StateList = (
    ("10", "Registered", Phase.NEW),
    ("20", "In Progress", Phase.WORK),
    ("25", "With Supplier", Phase.WORK),
    ("30", "On Hold", Phase.HOLD),
    ("60", "Resolved", Phase.RESOLVED),
    ("70", "Closed", Phase.CLOSED),
    ("80", "Canceled", Phase.CANCELED),
)
_SECURITY: StateList = (
    ("10", "Draft", Phase.NEW),
    ("16", "Analysis", Phase.WORK),
    ("18", "Contain", Phase.WORK),
    ("19", "Eradicate", Phase.WORK),
    # from memory: 20 and 100.
    ("20", "Recover", Phase.WORK),
    ("100", "Review", Phase.WORK),
    ("3", "Closed", Phase.CLOSED),
    ("7", "Cancelled", Phase.CANCELED),
)
_CHANGE: StateList = (
    ("-5", "New", Phase.NEW),
    ("-4", "Assess", Phase.ASSESS),
    ("-3", "Authorize", Phase.AUTHORIZE),
    ("-2", "Scheduled", Phase.SCHEDULED),
    ("-1", "Implement", Phase.IMPLEMENT),
    ("0", "Review", Phase.REVIEW),
    ("3", "Closed", Phase.CLOSED),
    ("4", "Canceled", Phase.CANCELED),
)
# from memory: problem states and task states.
_PROBLEM: StateList = (
    ("101", "New", Phase.NEW),
    ("102", "Assess", Phase.WORK),
    ("103", "Root Cause Analysis", Phase.WORK),
    ("104", "Fix in Progress", Phase.WORK),
    ("106", "Resolved", Phase.RESOLVED),
    ("107", "Closed", Phase.CLOSED),
)
_TASK: StateList = (
    ("-5", "Pending", Phase.HOLD),
    ("1", "Open", Phase.NEW),
    ("2", "Work in Progress", Phase.WORK),
    ("3", "Closed Complete", Phase.CLOSED),
    ("4", "Closed Incomplete", Phase.CLOSED),
    ("7", "Closed Skipped", Phase.CANCELED),
)

_LEGACY_CLOSE_CODES = (
    "Solved (Work Around)",
    "Solved (Permanently)",
    "Solved Remotely (Work Around)",
    "Solved Remotely (Permanently)",
    "Not Solved (Not Reproducible)",
    "Not Solved (Too Costly)",
    "Closed/Resolved by Caller",
)
_CURRENT_CLOSE_CODES = (
    "Duplicate",
    "Known error",
    "No resolution provided",
    "Resolved by caller",
    "Resolved by change",
    "Resolved by problem",
    "Resolved by request",
    "Solution provided",
    "Workaround provided",
    "User error",
)
_PRIORITIES = ("1|1 - Critical", "2|2 - High", "3|3 - Moderate", "4|4 - Low", "5|5 - Planning")
_LEVELS = ("1|1 - High", "2|2 - Medium", "3|3 - Low")

_SHARED = (
    *_list("task", "priority", *_PRIORITIES),
    *_list("task", "impact", *_LEVELS),
    *_list("task", "urgency", *_LEVELS),
    *_list(
        "task",
        "contact_type",
        "email|Email",
        "phone|Phone",
        "self-service|Self-service",
        "monitoring|Monitoring",
    ),
    *_list("incident", "severity", *_LEVELS),
    *_list(
        "incident",
        "category",
        "inquiry|Inquiry / Help",
        "software|Software",
        "hardware|Hardware",
        "network|Network",
        "database|Database",
    ),
    *_list("incident", "subcategory", "email|Email", "os|Operating System", depends="software"),
    *_list("incident", "subcategory", "cpu|CPU", "disk|Disk", depends="hardware"),
    *_list("incident", "subcategory", "dns|DNS", "vpn|VPN", depends="network"),
    *_list("incident", "subcategory", "oracle|Oracle", "sql server|MS SQL Server", depends="database"),
    *_list(
        "sn_si_incident",
        "category",
        "Malicious code activity",
        "Phishing",
        "Denial of Service",
        "Reconnaissance",
    ),
    *_list("sn_si_incident", "attack_vector", "email|Email", "web|Web", "external_media|External media"),
    *_list("sn_si_incident", "business_criticality", "1|1 - Critical", "2|2 - High", "3|3 - Non-critical"),
    *_list("sn_si_incident", "severity", *_LEVELS),
    *_list(
        # from memory: the codes.
        "sn_si_incident",
        "close_code",
        "Investigation completed",
        "Threat mitigated",
        "Patched vulnerability",
        "Invalid vulnerability",
        "Not resolved",
        "False positive",
    ),
    *_list("change_request", "type", "normal|Normal", "standard|Standard", "emergency|Emergency"),
    *_list("change_request", "risk", "2|High", "3|Moderate", "4|Low"),
    *_list("change_request", "priority", *_PRIORITIES[:4]),
    *_list("change_request", "category", "Hardware", "Software", "Network", "Other"),
    *_list(
        "change_request",
        "close_code",
        "successful|Successful",
        "successful_issues|Successful with issues",
        "unsuccessful|Unsuccessful",
    ),
    *_list(
        "change_request",
        "approval",
        "not requested|Not Yet Requested",
        "requested|Requested",
        "approved|Approved",
        "rejected|Rejected",
    ),
)
_CURRENT_HOLD = ("1|Awaiting Caller", "3|Awaiting Problem", "4|Awaiting Vendor", "5|Awaiting Change")
_CUSTOMISED_HOLD = ("1|Awaiting Caller", "11|Awaiting Problem", "12|Awaiting Vendor", "13|Awaiting Change")
AWAITING_CALLER = "1"


@dataclass(frozen=True, slots=True)
class ChoiceProfile:
    """The choice lists of one make of instance."""

    states: dict[str, StateList]
    lists: tuple[Choice, ...]

    def all(self) -> list[Choice]:
        """Every choice, in sequence."""
        made = list(self.lists)
        for table, states in self.states.items():
            made += [Choice(table, "state", value, label) for value, label, _ in states]
        made += [Choice("incident", "incident_state", v, label) for v, label, _ in self.states["incident"]]
        return made


def _profile(incident: StateList, hold: tuple[str, ...], codes: tuple[str, ...]) -> ChoiceProfile:
    states = {
        "task": _TASK,
        "incident": incident,
        "sn_si_incident": _SECURITY,
        "change_request": _CHANGE,
        "problem": _PROBLEM,
    }
    lists = (*_SHARED, *_list("incident", "hold_reason", *hold), *_list("incident", "close_code", *codes))
    return ChoiceProfile(states, lists)


PROFILES = {
    "current": _profile(_CURRENT_INCIDENT, _CURRENT_HOLD, _CURRENT_CLOSE_CODES),
    "customised": _profile(_CUSTOMISED_INCIDENT, _CUSTOMISED_HOLD, _LEGACY_CLOSE_CODES),
}
