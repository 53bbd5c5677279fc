"""Making a failing history small: steps, vendors and habits are left out as long as the same property stays broken."""

from __future__ import annotations

import itertools
from dataclasses import fields, replace
from typing import TYPE_CHECKING

from callout.sync.simulate.quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from callout.sync.simulate.steps import Plan, Step

MOST_TRIES = 3_000


def shrink(plan: Plan, fails: Callable[[Plan], bool], *, tries: int = MOST_TRIES) -> Plan:
    """Return a smaller plan for which `fails` still holds; it is asked at most `tries` times."""
    left = itertools.count(tries, -1)

    def still(candidate: Plan) -> bool:
        return next(left) > 0 and fails(candidate)

    while True:
        before = plan
        plan = _fewer_steps(plan, still)
        plan = _fewer_vendors(plan, still)
        plan = _fewer_habits(plan, still)
        plan = _plainer_steps(plan, still)
        if plan == before or next(left) <= 0:
            return plan


def _fewer_steps(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    size = max(len(plan.steps) // 2, 1)
    while size:
        at = 0
        while at < len(plan.steps):
            candidate = replace(plan, steps=plan.steps[:at] + plan.steps[at + size :])
            if still(candidate):
                plan = candidate
            else:
                at += size
        size //= 2
    return plan


def _fewer_vendors(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    at = len(plan.vendors) - 1
    while at >= 0 and len(plan.vendors) > 1:
        count = len(plan.vendors)
        places = {old: new for new, old in enumerate(one for one in range(count) if one != at)}
        steps = tuple(
            replace(step, at=places.get(step.at % count, 0)) for step in plan.steps if step.at % count != at
        )
        candidate = replace(plan, vendors=plan.vendors[:at] + plan.vendors[at + 1 :], steps=steps)
        if still(candidate):
            plan = candidate
        at -= 1
    return plan


def _fewer_habits(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    plain = Quirks()
    for at in range(len(plan.vendors)):
        for one in fields(Quirks):
            value = getattr(plain, one.name)
            if getattr(plan.vendors[at], one.name) == value:
                continue
            vendors = list(plan.vendors)
            vendors[at] = replace(vendors[at], **{one.name: value})
            candidate = replace(plan, vendors=tuple(vendors))
            if still(candidate):
                plan = candidate
    return plan


def _plainer_steps(plan: Plan, still: Callable[[Plan], bool]) -> Plan:
    for at in range(len(plan.steps)):
        for step in _plainer(plan.steps[at]):
            candidate = replace(plan, steps=(*plan.steps[:at], step, *plan.steps[at + 1 :]))
            if still(candidate):
                plan = candidate
                break
    return plan


def _plainer(step: Step) -> Iterator[Step]:
    """Yield simpler steps that may do as well, the simplest first."""
    if step.kind == "go":
        if step.value:
            yield replace(step, value="")
        yield from (replace(step, n=n, value="") for n in (1, 2, 3, 4, 6) if n < step.n)
    elif step.n and step.kind != "wait":
        yield replace(step, n=0)
