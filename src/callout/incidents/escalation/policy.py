"""Escalation policies as people write them: steps with delays and targets, and which policy is for whom. Pure.

The document is a table with `policies` (name → steps, repeat, repeat_after, triggers) and `default` (severity → policy).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

from callout.incidents.documents import duration, duration_text, listed, nearest, table, text, whole, wrong
from callout.ports.values import Severity

MOST_REPEATS: Final = 10
MOST_STEPS: Final = 20
MOST_TARGETS: Final = 20
SHORTEST_REPEAT: Final = timedelta(minutes=1)


class Trigger(StrEnum):
    """What begins an escalation by itself."""

    DECLARED = "declared"
    SLA_BREACHED = "sla_breached"


class TargetKind(StrEnum):
    """What can be called."""

    PERSON = "person"
    TEAM = "team"
    ROLE = "role"
    CHANNEL = "channel"
    ONCALL = "oncall"


@dataclass(frozen=True, slots=True)
class Target:
    """Whom or what to call: a `name`, and for channel and on-call the integration it is `at`.

    For on-call, `name` is an escalation policy there; empty: whoever that system calls for the incident.
    """

    kind: TargetKind
    name: str
    at: str = ""

    def __str__(self) -> str:
        if self.kind is TargetKind.ONCALL:
            return f"oncall:{self.at}/{self.name}" if self.name else f"oncall:{self.at}"
        return f"{self.kind.value}:{self.at}/{self.name}" if self.at else f"{self.kind.value}:{self.name}"

    @classmethod
    def parse(cls, word: str, place: str = "target") -> Target | str:
        """Return the target that `kind:name` says, or the bare word where it says no kind. Raises InvalidRequestError."""
        plain = text(word, place, most=200)
        if plain.startswith("#"):
            plain = f"channel:{plain[1:]}"
        head, colon, rest = plain.partition(":")
        kind = head.strip().lower()
        if not colon:
            return plain.removeprefix("@")
        if kind not in set(TargetKind):
            wrong(place, f"{head!r} is nothing that can be called", remedy=nearest(kind, list(TargetKind)))
        name = text(rest, place, most=200)
        if kind == TargetKind.ONCALL:
            at, _, policy = name.partition("/")
            return cls(TargetKind.ONCALL, policy.strip(), at.strip())
        if kind == TargetKind.CHANNEL:
            at, slash, channel = name.rpartition("/")
            return cls(TargetKind.CHANNEL, channel.removeprefix("#"), at if slash else "")
        return cls(TargetKind(kind), name.lower() if kind == TargetKind.ROLE else name.removeprefix("@"))


@dataclass(frozen=True, slots=True)
class PolicyStep:
    """One step: whom to call, `after` so long since the step before (or since the beginning)."""

    after: timedelta
    targets: tuple[Target | str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Steps that follow each other until somebody acknowledges; then once more `repeat` times, `repeat_after` the last."""

    name: str
    steps: tuple[PolicyStep, ...]
    repeat: int = 0
    repeat_after: timedelta = timedelta(minutes=10)
    triggers: frozenset[Trigger] = frozenset(Trigger)

    @property
    def length(self) -> int:
        """How many steps are gone through in all."""
        return len(self.steps) * (self.repeat + 1)

    def step(self, position: int) -> PolicyStep:
        """Return the step at `position`, counted over all rounds."""
        return self.steps[position % len(self.steps)]

    def wait(self, position: int) -> timedelta:
        """Return how long after the one before it the step at `position` follows."""
        first_again = position > 0 and position % len(self.steps) == 0
        return self.repeat_after if first_again else self.step(position).after

    def document(self) -> dict[str, Any]:
        """Return the policy as it is written."""
        return {
            "repeat": self.repeat,
            "repeat_after": duration_text(self.repeat_after),
            "triggers": sorted(self.triggers),
            "steps": [
                {"after": duration_text(step.after), "targets": [str(one) for one in step.targets]}
                for step in self.steps
            ],
        }


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of an account, and which of them is for a severity where service and team name none."""

    policies: Mapping[str, Policy] = field(default_factory=dict)
    default: Mapping[Severity, str] = field(default_factory=dict)
    document: Mapping[str, Any] = field(default_factory=dict)


NONE: Final = Policies()


def read(document: Mapping[str, Any]) -> Policies:
    """Return the policies of a document. Raises InvalidRequestError that says what is wrong where."""
    top = table(document, "", ("policies", "default"))
    policies = {}
    for name, value in table(top.get("policies", {}), "/policies").items():
        plain = text(name, "/policies")
        policies[plain] = read_policy(plain, value, f"/policies/{name}")
    default = {}
    for severity, name in table(top.get("default", {}), "/default").items():
        place = f"/default/{severity}"
        try:
            read_severity = Severity.parse(severity)
        except ValueError:
            wrong(place, f"{severity!r} is no severity", remedy="Write SEV-1 to SEV-4.")
        if name not in policies:
            wrong(place, f"there is no policy {name!r}", remedy=nearest(str(name), policies))
        default[read_severity] = str(name)
    return Policies(policies, default, dict(document))


def read_policy(name: str, value: Any, place: str = "") -> Policy:  # noqa: ANN401
    """Return one policy. Raises InvalidRequestError."""
    given = table(value, place, ("steps", "repeat", "repeat_after", "triggers"))
    steps = [
        _step(one, f"{place}/steps/{n}")
        for n, one in enumerate(listed(given.get("steps", []), f"{place}/steps", most=MOST_STEPS))
    ]
    if not steps:
        wrong(f"{place}/steps", "a policy needs a step")
    triggers = listed(given.get("triggers", list(Trigger)), f"{place}/triggers")
    for number, one in enumerate(triggers):
        if one not in set(Trigger):
            wrong(
                f"{place}/triggers/{number}",
                f"{one!r} begins nothing",
                remedy=nearest(str(one), list(Trigger)),
            )
    return Policy(
        name,
        tuple(steps),
        whole(given.get("repeat", 0), f"{place}/repeat", least=0, most=MOST_REPEATS),
        duration(given.get("repeat_after", "10m"), f"{place}/repeat_after", least=SHORTEST_REPEAT),
        frozenset(Trigger(one) for one in triggers),
    )


def _step(value: Any, place: str) -> PolicyStep:  # noqa: ANN401
    given = table(value, place, ("after", "targets"))
    named = listed(given.get("targets", []), f"{place}/targets", most=MOST_TARGETS)
    if not named:
        wrong(f"{place}/targets", "a step has to call somebody")
    targets = [Target.parse(one, f"{place}/targets/{n}") for n, one in enumerate(named)]
    return PolicyStep(duration(given.get("after", "0m"), f"{place}/after"), tuple(targets))


__all__ = [
    "NONE",
    "Policies",
    "Policy",
    "PolicyStep",
    "Target",
    "TargetKind",
    "Trigger",
    "read",
    "read_policy",
]
