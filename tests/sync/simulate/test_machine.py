"""The same machinery as a state machine of hypothesis, which draws the steps; what fails is made small by our own means."""

from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from callout.sync.simulate.histories import ACTIONS, AUDIENCES, OPERATIONS, PEOPLE, PRIORITIES, SEVERITIES
from callout.sync.simulate.meaning import Meaning
from callout.sync.simulate.play import Player
from callout.sync.simulate.quirks import STATUSES, some_quirks
from callout.sync.simulate.records import FAULTS
from callout.sync.simulate.run import quiet, replay, shared_database
from callout.sync.simulate.shrink import shrink
from callout.sync.simulate.steps import Plan, Step

VENDORS = st.integers(0, 2)
COUNT = st.integers(0, 7)


class Histories(RuleBasedStateMachine):
    """People, network, vendors' troubles and crashes, in any order; the properties are judged at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.player: Player | None = None
        self.words = 2
        self.steps: list[Step] = []

    @initialize(
        vendors=st.lists(st.integers(0, 10_000), min_size=1, max_size=3), severity=st.sampled_from(SEVERITIES)
    )
    def declare(self, vendors: list[int], severity: str) -> None:
        quirks = tuple(some_quirks(random.Random(one)) for one in vendors)  # noqa: S311  # the same every time
        plan = Plan(
            0, quirks, "#1 orders fail in region two and people wait", severity, "#2 what we know", ()
        )
        self.player = Player(plan, Meaning({}), shared_database())

    def do(self, step: Step) -> None:
        assert self.player is not None
        self.steps.append(step)
        with quiet():
            self.player.step(step)

    def word(self) -> str:
        self.words += 1
        return f"#{self.words} a word that no other text has"

    @rule(field=st.sampled_from(("title", "description")), n=COUNT)
    def write_here(self, field: str, n: int) -> None:
        self.do(Step("our edit", 0, field, self.word(), n))

    @rule(value=st.sampled_from(SEVERITIES))
    def grade_here(self, value: str) -> None:
        self.do(Step("our edit", 0, "severity", value))

    @rule(value=st.sampled_from(PEOPLE))
    def assign_here(self, value: str) -> None:
        self.do(Step("our edit", 0, "assignee", value))

    @rule(value=st.sampled_from(ACTIONS))
    def act_here(self, value: str) -> None:
        self.do(Step("our act", value=value))

    @rule(audience=st.sampled_from(AUDIENCES))
    def note_here(self, audience: str) -> None:
        self.do(Step("our note", 0, audience, self.word()))

    @rule(at=VENDORS, field=st.sampled_from(("title", "description")), n=COUNT)
    def write_there(self, at: int, field: str, n: int) -> None:
        self.do(Step("their edit", at, field, self.word(), n))

    @rule(at=VENDORS, value=st.sampled_from(PRIORITIES))
    def grade_there(self, at: int, value: str) -> None:
        self.do(Step("their edit", at, "priority", value))

    @rule(at=VENDORS, value=st.sampled_from([name for name, _ in STATUSES]))
    def move_there(self, at: int, value: str) -> None:
        self.do(Step("their edit", at, "status", value))

    @rule(at=VENDORS, audience=st.sampled_from(AUDIENCES[1:]))
    def comment_there(self, at: int, audience: str) -> None:
        self.do(Step("their comment", at, audience, self.word()))

    @rule(kind=st.sampled_from(("deliver", "repeat", "lose")), at=VENDORS, n=COUNT)
    def network(self, kind: str, at: int, n: int) -> None:
        self.do(Step(kind, at, n=n))

    @rule(n=st.sampled_from((1, 2, 3, 6, 14, 40)), picks=st.integers(0, 9_999))
    def work(self, n: int, picks: int) -> None:
        self.do(Step("go", value=str(picks), n=n))

    @rule()
    def crash(self) -> None:
        self.do(Step("crash"))

    @rule(at=VENDORS, field=st.sampled_from(OPERATIONS), value=st.sampled_from(FAULTS))
    def fault(self, at: int, field: str, value: str) -> None:
        self.do(Step("fault", at, field, value))

    @rule(kind=st.sampled_from(("down", "up", "poll", "pause", "resume")), at=VENDORS)
    def weather(self, kind: str, at: int) -> None:
        self.do(Step(kind, at))

    @rule(n=st.sampled_from((1, 20, 61, 400)))
    def wait(self, n: int) -> None:
        self.do(Step("wait", n=n))

    def teardown(self) -> None:
        if self.player is None:
            return
        with quiet():
            self.player.end()
        broken = self.player.outcome.broken
        if broken:
            plan = replace(self.player.world.plan, steps=tuple(self.steps))
            small = shrink(plan, lambda candidate: bool(replay(candidate, {})), tries=400)
            raise AssertionError("\n".join([*broken, *small.told()]))


Histories.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestHistories = Histories.TestCase
