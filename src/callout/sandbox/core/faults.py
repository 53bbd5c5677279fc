"""Faults on purpose: rules that say which request or webhook fails, and how.

A plan in JSON: `{"seed": 7, "rules": [{"match": {...}, "effect": {"kind": "latency", "seconds": 0.2}}]}`.

`match` (all given parts must hold; none given matches everything):
  `method`, `path` (regex searched in the path below the twin's mount), `event` (regex, webhooks only),
  `nth` (number or list: the n-th request matching the parts above, from 1), `first` (only the first n),
  `probability` (0..1, seeded), `after` (seconds since the plan was set).

`effect` by `kind`, with its options:
  `latency` seconds · `status` status, retry_after?, headers?, body?, after_write? · `html` status? ·
  `timeout_after_write` hold? (seconds) · `disconnect` · `disconnect_after_write` · `expired_token` ·
  `lagging_search` seconds · and for outgoing webhooks `webhook_drop` · `webhook_repeat` times ·
  `webhook_delay` seconds · `webhook_reorder` window · `webhook_tamper` (body altered after signing).
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from callout.sandbox.core.clock import SandboxClock

REQUEST_KINDS = frozenset(
    {
        "latency",
        "status",
        "html",
        "timeout_after_write",
        "disconnect",
        "disconnect_after_write",
        "expired_token",
    }
)
SEARCH_KINDS = frozenset({"lagging_search"})
WEBHOOK_KINDS = frozenset(
    {"webhook_drop", "webhook_repeat", "webhook_delay", "webhook_reorder", "webhook_tamper"}
)
_REQUIRED = {
    "latency": "seconds",
    "status": "status",
    "lagging_search": "seconds",
    "webhook_delay": "seconds",
    "webhook_repeat": "times",
    "webhook_reorder": "window",
}
_MATCH_KEYS = frozenset({"method", "path", "event", "nth", "first", "probability", "after"})


class FaultPlanError(ValueError):
    """The plan cannot be understood; the message names the rule and the field."""


@dataclass(frozen=True, slots=True)
class Match:
    """When a rule applies; see the module docstring."""

    method: str | None = None
    path: re.Pattern[str] | None = None
    event: re.Pattern[str] | None = None
    nth: frozenset[int] = frozenset()
    first: int | None = None
    probability: float | None = None
    after: float = 0.0

    def fits(self, method: str, path: str, event: str | None) -> bool:
        """Whether the request or webhook is of the kind meant, whatever its turn."""
        return (
            (self.method is None or self.method == method.upper())
            and (self.path is None or self.path.search(path) is not None)
            and (self.event is None or (event is not None and self.event.search(event) is not None))
        )


@dataclass(slots=True)
class FaultRule:
    """One rule with its counters: `seen` (requests it looked at) and `fired`."""

    kind: str
    options: Mapping[str, Any]
    match: Match
    source: Mapping[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def seconds(self, default: float = 0.0) -> float:
        """Return the option `seconds`."""
        return float(self.options.get("seconds", default))


class FaultPlan:
    """The rules of one twin, their counters and the seeded chance."""

    def __init__(self, clock: SandboxClock) -> None:
        self._clock = clock
        self._started = clock.now()
        self._random = random.Random(0)  # noqa: S311 - chance in a test stand-in, seeded to repeat
        self.seed = 0
        self.rules: list[FaultRule] = []

    def set(self, plan: Mapping[str, Any]) -> None:
        """Replace the plan. Raises FaultPlanError, and then changes nothing."""
        rules = plan.get("rules", [])
        if not isinstance(rules, list):
            raise FaultPlanError("rules must be a list")
        parsed = [_parse_rule(index, rule) for index, rule in enumerate(rules)]
        self.seed = int(plan.get("seed", 0))
        self._random = random.Random(self.seed)  # noqa: S311 - as above
        self._started = self._clock.now()
        self.rules = parsed

    def add(self, effect: Mapping[str, Any], **match: Any) -> FaultRule:
        """Append one rule; for tests that hold the twin in the same process."""
        rule = _parse_rule(len(self.rules), {"match": match, "effect": effect})
        self.rules.append(rule)
        return rule

    def clear(self) -> None:
        """Remove every rule."""
        self.rules = []

    def for_request(self, method: str, path: str) -> list[FaultRule]:
        """Return the rules that fire for this request, in plan order, and count them.

        Any number of latencies, but only one other fault: the first that fires keeps later ones for later.
        """
        fired: list[FaultRule] = []
        failed = False
        for rule in self.rules:
            if rule.kind not in REQUEST_KINDS:
                continue
            fails = rule.kind != "latency"
            if self._fires(rule, method, path, blocked=failed and fails):
                fired.append(rule)
                failed = failed or fails
        return fired

    def search_lag(self, method: str = "GET", path: str = "/") -> float:
        """Seconds by which a search may lag behind the writes, as the plan says; 0 without such a rule."""
        return max(
            (
                rule.seconds()
                for rule in self.rules
                if rule.kind in SEARCH_KINDS and self._fires(rule, method, path)
            ),
            default=0.0,
        )

    def for_webhook(self, event: str, path: str) -> list[FaultRule]:
        """Return the webhook rules that fire for an event sent to `path`, and count them."""
        return [
            rule
            for rule in self.rules
            if rule.kind in WEBHOOK_KINDS and self._fires(rule, "POST", path, event=event)
        ]

    def as_json(self) -> dict[str, Any]:
        """Return the plan with the counters of every rule."""
        return {
            "seed": self.seed,
            "rules": [{**rule.source, "seen": rule.seen, "fired": rule.fired} for rule in self.rules],
        }

    def _fires(
        self, rule: FaultRule, method: str, path: str, *, event: str | None = None, blocked: bool = False
    ) -> bool:
        match = rule.match
        if not match.fits(method, path, event) or self._clock.now() - self._started < match.after:
            return False
        rule.seen += 1
        wrong_turn = bool(match.nth) and rule.seen not in match.nth
        spent = match.first is not None and rule.fired >= match.first
        if blocked or wrong_turn or spent:
            return False
        if match.probability is not None and self._random.random() >= match.probability:
            return False
        rule.fired += 1
        return True


def _parse_rule(index: int, rule: object) -> FaultRule:
    if not isinstance(rule, dict):
        raise FaultPlanError(f"rules[{index}] must be an object")
    effect = rule.get("effect")
    kind = effect.get("kind") if isinstance(effect, dict) else None
    if not isinstance(effect, dict) or kind not in REQUEST_KINDS | SEARCH_KINDS | WEBHOOK_KINDS:
        raise FaultPlanError(f"rules[{index}].effect.kind {kind!r} is unknown")
    required = _REQUIRED.get(kind)
    if required is not None and not isinstance(effect.get(required), int | float):
        raise FaultPlanError(f"rules[{index}].effect.{required} must be a number")
    options = {key: value for key, value in effect.items() if key != "kind"}
    return FaultRule(kind, options, _parse_match(index, rule.get("match") or {}), source=dict(rule))


def _parse_match(index: int, raw: object) -> Match:
    if not isinstance(raw, dict) or not set(raw) <= _MATCH_KEYS:
        raise FaultPlanError(f"rules[{index}].match may hold only {', '.join(sorted(_MATCH_KEYS))}")
    nth = raw.get("nth", [])
    try:
        return Match(
            method=raw["method"].upper() if raw.get("method") else None,
            path=re.compile(raw["path"]) if raw.get("path") else None,
            event=re.compile(raw["event"]) if raw.get("event") else None,
            nth=frozenset(nth if isinstance(nth, list) else [int(nth)]),
            first=None if raw.get("first") is None else int(raw["first"]),
            probability=None if raw.get("probability") is None else float(raw["probability"]),
            after=float(raw.get("after") or 0.0),
        )
    except (re.error, TypeError, ValueError, AttributeError) as error:
        raise FaultPlanError(f"rules[{index}].match: {error}") from error
