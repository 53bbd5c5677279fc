"""Ledger, fault plan and clock, without a network."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from callout.sandbox.core.app import create_app
from callout.sandbox.core.clock import SandboxClock
from callout.sandbox.core.faults import FaultPlan, FaultPlanError
from callout.sandbox.core.ledger import Call, Ledger, current_call
from callout.sandbox.registry import TWINS


def a_clock() -> SandboxClock:
    return SandboxClock(source=lambda: 1000.0)


def test_the_ledger_is_bounded_and_keeps_counting() -> None:
    ledger = Ledger("slack", a_clock(), limit=3)
    for number in range(5):
        ledger.record("chat.postMessage", target=str(number))
    assert [(entry.seq, entry.target) for entry in ledger.entries()] == [(3, "2"), (4, "3"), (5, "4")]
    assert ledger.last_seq == 5


def test_an_entry_copies_the_request_being_handled() -> None:
    ledger = Ledger("slack", a_clock())
    token = current_call.set(Call("POST", "/api/x", "latency"))
    entry = ledger.record("chat.postMessage", actor="U1", summary={"text": "hi"})
    current_call.reset(token)
    assert (entry.method, entry.path, entry.fault, entry.at) == ("POST", "/api/x", "latency", 1000.0)
    assert ledger.record("other").method == "-"


def test_entries_are_found_by_seq_kind_prefix_and_effect() -> None:
    ledger = Ledger("jira", a_clock())
    ledger.record("issue.create")
    ledger.record("issue.edit")
    ledger.record("http", effect=False)
    assert [entry.kind for entry in ledger.entries(since=1)] == ["issue.edit", "http"]
    assert [entry.kind for entry in ledger.entries(kind="issue.*")] == ["issue.create", "issue.edit"]
    assert [entry.kind for entry in ledger.effects()] == ["issue.create", "issue.edit"]


def fired(plan: FaultPlan, times: int, method: str = "GET", path: str = "/a") -> list[bool]:
    return [bool(plan.for_request(method, path)) for _ in range(times)]


def test_a_rule_may_fire_on_the_nth_or_the_first_matching_requests() -> None:
    plan = FaultPlan(a_clock())
    plan.set({"rules": [{"match": {"nth": [2, 4]}, "effect": {"kind": "disconnect"}}]})
    assert fired(plan, 5) == [False, True, False, True, False]
    plan.set({"rules": [{"match": {"first": 2}, "effect": {"kind": "disconnect"}}]})
    assert fired(plan, 4) == [True, True, False, False]
    assert plan.as_json()["rules"][0]["fired"] == 2
    assert plan.as_json()["rules"][0]["seen"] == 4


def test_one_request_fails_in_one_way_and_the_next_rule_waits_its_turn() -> None:
    plan = FaultPlan(a_clock())
    plan.set(
        {
            "rules": [
                {"effect": {"kind": "latency", "seconds": 1}},
                {"match": {"first": 1}, "effect": {"kind": "status", "status": 429}},
                {"match": {"first": 1}, "effect": {"kind": "html"}},
            ]
        }
    )
    kinds = [[rule.kind for rule in plan.for_request("GET", "/")] for _ in range(3)]
    assert kinds == [["latency", "status"], ["latency", "html"], ["latency"]]
    assert [rule.fired for rule in plan.rules] == [3, 1, 1]


def test_method_and_path_narrow_a_rule_and_only_matches_are_counted() -> None:
    plan = FaultPlan(a_clock())
    plan.set(
        {
            "rules": [
                {"match": {"method": "post", "path": "issue$", "nth": 1}, "effect": {"kind": "disconnect"}}
            ]
        }
    )
    assert not plan.for_request("GET", "/issue")
    assert not plan.for_request("POST", "/issue/1")
    assert plan.for_request("POST", "/rest/issue")


def test_chance_repeats_with_the_same_seed() -> None:
    rules = [{"match": {"probability": 0.5}, "effect": {"kind": "disconnect"}}]
    plans = [FaultPlan(a_clock()) for _ in range(3)]
    for plan, seed in zip(plans, (7, 7, 8), strict=True):
        plan.set({"seed": seed, "rules": rules})
    first, second, other = (fired(plan, 40) for plan in plans)
    assert first == second != other
    assert 5 < sum(first) < 35


def test_after_waits_on_the_twins_clock() -> None:
    clock = a_clock()
    plan = FaultPlan(clock)
    plan.set({"rules": [{"match": {"after": 60}, "effect": {"kind": "disconnect"}}]})
    assert fired(plan, 1) == [False]
    clock.advance(61)
    assert fired(plan, 1) == [True]


def test_search_lag_is_asked_for_and_never_applied_to_a_request() -> None:
    plan = FaultPlan(a_clock())
    plan.set({"rules": [{"effect": {"kind": "lagging_search", "seconds": 4}}]})
    assert plan.for_request("GET", "/search") == []
    assert plan.search_lag("GET", "/search") == 4.0


@pytest.mark.parametrize(
    "rule",
    [
        {"effect": {"kind": "explode"}},
        {"effect": {"kind": "status"}},
        {"effect": {"kind": "disconnect"}, "match": {"path": "("}},
        {"effect": {"kind": "disconnect"}, "match": {"verb": "GET"}},
        {"effect": {"kind": "disconnect"}, "match": {"probability": "often"}},
        "disconnect",
    ],
)
def test_a_plan_that_cannot_be_read_is_refused_whole(rule: object) -> None:
    plan = FaultPlan(a_clock())
    plan.set({"rules": [{"effect": {"kind": "disconnect"}}]})
    with pytest.raises(FaultPlanError, match=r"rules\[0\]"):
        plan.set({"rules": [rule]})
    assert fired(plan, 1) == [True]


def test_an_unknown_twin_is_named() -> None:
    with pytest.raises(ValueError, match="nosuch"):
        create_app(only=["nosuch"])


def test_every_twin_gives_its_base_path_and_can_be_mounted() -> None:
    app = create_app()
    assert set(app.twins) == set(TWINS)
    assert {name: twin.credentials()["base_path"] for name, twin in app.twins.items()} == {
        name: f"/{name}" for name in TWINS
    }


def test_a_fault_plan_may_be_given_for_one_twin_at_the_start() -> None:
    app = create_app(only=["slack"], faults={"slack": {"rules": [{"effect": {"kind": "html"}}]}})
    assert [rule.kind for rule in app.twins["slack"].faults.rules] == ["html"]
    with pytest.raises(ValueError, match="jira"):
        create_app(only=["slack"], faults={"jira": {"rules": []}})


def test_the_sandbox_core_and_slack_import_nothing_else_of_callout() -> None:
    code = (
        "import sys, callout.sandbox.core.serve;"
        "print([m for m in sys.modules if m.startswith('callout.') and not m.startswith('callout.sandbox')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    folder = Path(__file__).parents[2] / "src/callout/sandbox/core"
    assert folder.is_dir()
