"""What a plan says: findings about an integration's mapping, each with a verdict in one word and the next step in plain ones."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from callout.sync.needs_reading import Reading

SETTINGS: Final = frozenset(
    {
        "accept",
        "comments",
        "create",
        "fields",
        "file_readers",
        "files",
        "severities",
        "severities_in",
        "shadow",
        "statuses",
        "statuses_in",
        "transition_fields",
        "watch_webhooks",
    }
)
"""The keys of an integration's `sync` settings; any other is a slip of the pen."""


class Verdict(StrEnum):
    """What was found about one part of a mapping."""

    VALID = "valid"
    WARNING = "warning"
    """It works, and something will surprise."""
    REJECTED = "rejected"
    """Writes would be refused, or mean something else."""
    NOT_CHECKED = "not_checked"
    """The other system, or our connector, cannot tell."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found. `part` is what it is about (field, status, people …), `subject` which one of them."""

    part: str
    subject: str
    verdict: Verdict
    message: str
    remediation: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return {**dataclasses.asdict(self), "verdict": self.verdict.value}


@dataclass(frozen=True, slots=True)
class Somebody:
    """A person of ours who may have to be known there. `assigned` names the open incidents assigned to them."""

    name: str
    email: str = ""
    assigned: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnText:
    """The texts of an open incident."""

    key: str
    title: str
    description: str


@dataclass(frozen=True, slots=True)
class PlanSubject:
    """What is planned: an integration with its effective `settings` (`own` are those that the operator wrote).

    `custom_fields` are its mapped custom fields: our name → path there.
    """

    integration_id: str
    account_id: str
    name: str
    provider: str
    title: str
    settings: Mapping[str, Any]
    own: Mapping[str, Any]
    default_project: str = ""
    default_issue_type: str = ""
    custom_fields: Mapping[str, str] = field(default_factory=dict)
    people: tuple[Somebody, ...] = ()
    texts: tuple[OwnText, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """All findings about one integration."""

    subject: PlanSubject
    checked_at: datetime
    findings: tuple[Finding, ...]
    needs: Reading | None = None
    """What the moves to resolved and closed ask for; None where it could not be read."""

    @property
    def valid(self) -> bool:
        """Whether nothing was rejected."""
        return all(found.verdict is not Verdict.REJECTED for found in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        counted = Counter(found.verdict.value for found in self.findings)
        return {
            "integration": self.subject.name,
            "integration_id": self.subject.integration_id,
            "provider": self.subject.provider,
            "checked_at": self.checked_at.isoformat(),
            "valid": self.valid,
            "counts": {verdict.value: counted[verdict.value] for verdict in Verdict},
            "findings": [found.to_json() for found in self.findings],
        }


_MARKS: Final[Mapping[str, str]] = {
    Verdict.VALID: "ok      ",
    Verdict.WARNING: "warning ",
    Verdict.REJECTED: "REJECTED",
    Verdict.NOT_CHECKED: "?       ",
}


def plain_lines(plan: Mapping[str, Any]) -> Iterator[str]:
    """Yield a plan's JSON form in lines for a person."""
    yield f"{plan['integration']} ({plan['provider']}): {'valid' if plan['valid'] else 'REJECTED'}"
    for found in plan["findings"]:
        subject = f"{found['part']} {found['subject']}".strip()
        yield f"  {_MARKS[found['verdict']]} {subject}: {found['message']}"
        yield from (f"             {step}" for step in path_lines(found["data"].get("path", ())))
        if found["remediation"] and found["verdict"] != Verdict.VALID:
            yield f"           → {found['remediation']}"


def path_lines(path: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield the steps of a path in words."""
    for number, step in enumerate(path, 1):
        needs = [
            f"{need['name']} = {need['value'] or 'MISSING'} ({need['given_by'] or 'nothing gives it'})"
            for need in step["requires"]
        ]
        asked = f", needs {'; '.join(needs)}" if needs else ""
        yield f"{number}. {step['move']} → {step['to']}{asked}"


__all__ = [
    "SETTINGS",
    "Finding",
    "OwnText",
    "Plan",
    "PlanSubject",
    "Somebody",
    "Verdict",
    "path_lines",
    "plain_lines",
]
