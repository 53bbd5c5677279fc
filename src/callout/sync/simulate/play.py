"""Playing one history: its steps, then the end of all faults, rest, and the judgement."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from callout.ports.ticketing import ChangeKind
from callout.ports.values import Audience, Priority, Severity
from callout.sync.simulate.judge import judge
from callout.sync.simulate.ledger import OURS, FileAdded
from callout.sync.simulate.records import PEOPLE
from callout.sync.simulate.steps import file_name
from callout.sync.simulate.world import MOST_BYTES, STAFF, World

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from callout.sync.simulate.meaning import Meaning
    from callout.sync.simulate.records import Record
    from callout.sync.simulate.steps import Plan, Step
    from callout.sync.simulate.store import MemoryDatabase
    from callout.sync.simulate.vendor import Vendor

MOMENT = timedelta(milliseconds=3)
"""What every step takes."""
MOST_BOUNDARIES = 4_000
MOST_WAITS = 400
ROUNDS_TO_REST = 12
QUIET_ROUNDS = 4
SETTLING_ROUNDS = 2
IDLE_WAITS = 20
"""So often may work come back without calling anybody: what then still waits, waits for a person."""


@dataclass(slots=True)
class Outcome:
    """What became of a history: the broken properties in plain words, and what occurred in it."""

    broken: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    quirks: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    crashes: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)

    @property
    def kind(self) -> str:
        """The property that was broken first; empty when none was."""
        return self.broken[0].partition(":")[0] if self.broken else ""


class Player:
    """Plays the steps of one history in a world."""

    def __init__(self, plan: Plan, meaning: Meaning, database: MemoryDatabase) -> None:
        self.world = World(plan, meaning, database)
        self.names = plan.names
        self.outcome = Outcome()
        self.waiting: list[tuple[Vendor, Step]] = []
        """Edits that will be made in a window of a visit."""
        for vendor in self.world.vendors.values():
            vendor.met = self._met
        self._do: Mapping[str, Callable[[Step, Vendor], None]] = {
            "our edit": self._our_edit,
            "our act": lambda step, _vendor: self.world.act(step.value),
            "our note": lambda step, _vendor: self.world.note(Audience(step.field), step.value),
            "our file": self._our_file,
            "their file": self._their_file,
            "their removal": self._their_removal,
            "their edit": self._their_edit,
            "our quick edit": self._lie_in_wait,
            "their quick edit": self._lie_in_wait,
            "their comment": self._their_comment,
            "their delete": self._their_delete,
            "their move": self._their_move,
            "deliver": self._deliver,
            "repeat": self._deliver,
            "lose": self._deliver,
            "go": self._go,
            "crash": lambda _step, _vendor: self._crash(),
            "fault": lambda step, vendor: vendor.armed.append((step.field, step.value)),
            "down": lambda _step, vendor: setattr(vendor, "down", True),
            "up": lambda _step, vendor: setattr(vendor, "down", False),
            "poll": lambda _step, _vendor: self.world.poll(),
            "wait": self._wait,
            "pause": lambda _step, vendor: self.world.paused.add(vendor.name),
            "resume": lambda _step, vendor: self.world.paused.discard(vendor.name),
        }

    def step(self, step: Step) -> None:
        """Do one step."""
        vendor = self.world.vendors[self.names[step.at % len(self.names)]]
        self.outcome.steps[step.kind] += 1
        self.world.clock.advance(MOMENT)
        self._do[step.kind](step, vendor)

    # ------------------------------------------------------------------ people

    def _our_edit(self, step: Step, _vendor: Vendor) -> None:
        value: Any = step.value
        if step.field == "severity":
            value = Severity.parse(step.value)
        elif step.field == "assignee":
            value = STAFF.get(step.value)
        elif step.field == "description":
            value = written(self.world.incident().description, step)
        self.world.edit(step.field, value)

    def _record(self, vendor: Vendor) -> Record | None:
        """Return the ticket that people see there."""
        return next((one for one in vendor.records.values() if not one.deleted), None)

    def _their_edit(self, step: Step, vendor: Vendor) -> None:
        record = self._record(vendor)
        if record is None:
            return
        value: Any = step.value
        if step.field == "priority":
            value = Priority(step.value)
        elif step.field == "assignee":
            value = next((one for one in PEOPLE if one.name.lower() == step.value), None)
            if vendor.unknown(value):
                return
        elif step.field == "description":
            value = written(record.description, step)
        elif step.field == "status" and (
            step.value not in vendor.flow.names
            or vendor.refuses(record.status, step.value, {"resolution": "given"})
        ):
            return
        if vendor.set(record, step.field, value, person=True):
            vendor.touched(record, ChangeKind.UPDATED, PEOPLE[step.n % len(PEOPLE)])
            self.outcome.seen["edits there"] += 1

    def _lie_in_wait(self, step: Step, vendor: Vendor) -> None:
        self.waiting.append((vendor, step))

    def _met(self, vendor: Vendor, window: str) -> None:
        """Make the edits that waited for this window of a visit."""
        for one in [one for one in self.waiting if one[0] is vendor and one[1].window == window]:
            self.waiting.remove(one)
            self.world.clock.advance(MOMENT)
            if one[1].kind == "their quick edit":
                self._their_edit(one[1], vendor)
            elif one[1].field == "status":
                self.world.act(one[1].value)
            else:
                self._our_edit(one[1], vendor)
            whose = one[1].kind.partition(" ")[0]
            self.outcome.faults[f"{whose} edit {window}"] += 1

    def _their_comment(self, step: Step, vendor: Vendor) -> None:
        record = self._record(vendor)
        if record is not None:
            vendor.add_comment(record, step.value, Audience(step.field), PEOPLE[0])

    def _our_file(self, step: Step, _vendor: Vendor) -> None:
        content, audience = step.value[:MOST_BYTES].encode(), Audience(step.field)
        self.world.attach(file_name(step.n), content, audience)
        self.world.ledger.files.append(FileAdded(OURS, file_name(step.n), content, audience))

    def _their_file(self, step: Step, vendor: Vendor) -> None:
        record = self._record(vendor)
        if record is not None:
            content, audience = step.value.encode(), Audience(step.field)
            info = vendor.add_file(record, file_name(step.n), content, audience=audience, author=PEOPLE[0])
            self.world.ledger.files.append(
                FileAdded(vendor.name, info.file_name, content, audience, record.id)
            )

    def _their_removal(self, step: Step, vendor: Vendor) -> None:
        record = self._record(vendor)
        if record is not None and record.files:
            vendor.remove_file(record, step.n % len(record.files), PEOPLE[0])

    def _their_delete(self, _step: Step, vendor: Vendor) -> None:
        record = self._record(vendor)
        if record is not None:
            vendor.touched(record, ChangeKind.DELETED, PEOPLE[0])
            record.deleted = True

    def _their_move(self, step: Step, vendor: Vendor) -> None:
        record = self._record(vendor)
        if record is not None:
            record.project, record.key = step.value, f"{step.value}-{record.id}"
            vendor.touched(record, ChangeKind.MOVED, PEOPLE[0])

    # ------------------------------------------------------------------ network, process

    def _deliver(self, step: Step, vendor: Vendor) -> None:
        if not vendor.network:
            return
        at = step.n % len(vendor.network)
        event = vendor.network[at] if step.kind == "repeat" else vendor.network.pop(at)
        if at and step.kind != "lose":
            self.outcome.faults["webhook out of order"] += 1
        if step.kind == "lose":
            self.outcome.faults["webhook lost"] += 1
            return
        if step.kind == "repeat":
            self.outcome.faults["webhook repeated"] += 1
        self.world.arrive(vendor.name, event)

    def _go(self, step: Step, _vendor: Vendor) -> None:
        self.go(step.n, step.value)

    def go(self, most: int, picks: str = "") -> int:
        """Let work go on for at most so many boundaries; `picks` seeds who goes next (empty: the first). Returns how many were left."""
        dispatcher = self.world.dispatcher
        rng = random.Random(picks) if picks else None  # noqa: S311  # a seeded choice
        for left in range(most, 0, -1):
            able = dispatcher.choices()
            if not able:
                return left
            self.world.clock.advance(MOMENT)
            dispatcher.advance(able[0] if rng is None or len(able) == 1 else rng.choice(able))
        return 0

    def _wait(self, step: Step, _vendor: Vendor) -> None:
        # A call does not take that long: what is under way ends first.
        dispatcher = self.world.dispatcher
        for _ in range(MOST_BOUNDARIES):
            running = next((one for one in dispatcher.choices() if one.running is not None), None)
            if running is None:
                break
            dispatcher.advance(running)
        self.world.clock.advance(timedelta(seconds=step.n))

    def _crash(self) -> None:
        if not self.world.dispatcher.crash():
            self.outcome.crashes["nothing at work"] += 1
        for name, link in self.world.links().items():
            for field_name in link.merge.pending:
                self.world.ledger.forgotten(name, field_name)

    # ------------------------------------------------------------------ the end

    def end(self) -> None:
        """End all faults, let everything come to rest by polling, and judge."""
        world = self.world
        self.waiting.clear()
        for vendor in world.vendors.values():
            vendor.armed.clear()
            vendor.down = False
            if vendor.network:
                self.outcome.faults["webhook lost"] += len(vendor.network)
            vendor.network.clear()
        world.paused.clear()
        lag = max(vendor.quirks.lag for vendor in world.vendors.values())
        if self._drained() and self._rested(lag):
            self.outcome.broken.extend(world.dispatcher.faults_of_ours)
        judge(world, self.outcome)
        for vendor in world.vendors.values():
            self.outcome.faults.update(vendor.faults)
            self.outcome.quirks.update(vendor.quirks.named())
        self.outcome.crashes.update(world.dispatcher.crashes)

    def _drained(self) -> bool:
        """Do everything that waits, however late it is due."""
        dispatcher = self.world.dispatcher
        idle = 0
        for _ in range(MOST_WAITS):
            before = self._calls()
            if not self.go(MOST_BOUNDARIES):
                break
            due = dispatcher.next_due()
            if due is None:
                return True
            idle = idle + 1 if self._calls() == before else 0
            if idle == IDLE_WAITS:
                self.outcome.seen["problems that wait for a person"] += 1
                return True
            self.world.clock.advance(max(due - self.world.clock.now(), timedelta(milliseconds=1)))
        self.outcome.broken.append("work never ends: jobs make each other without anybody's edit")
        return False

    def _calls(self) -> int:
        return sum(
            sum(vendor.calls.values()) - vendor.calls["changes_since"]
            for vendor in self.world.vendors.values()
        )

    def _rested(self, lag: int) -> bool:
        """Poll until nothing is read or written any more; then it has to stay so."""
        quiet = 0
        for _ in range(ROUNDS_TO_REST):
            # What was just written shows in searches only after their lag, and is looked at again when its time stamp has settled.
            pause = (lag + 1, 240, 20, 900)[quiet]
            self.world.clock.advance(timedelta(seconds=pause))
            before = self._calls()
            self.world.poll()
            if not self._drained():
                return False
            self.outcome.checks["rest"] += 1
            if self._calls() == before:
                quiet += 1
                if quiet == QUIET_ROUNDS:
                    return True
            elif quiet >= SETTLING_ROUNDS:
                break
            else:
                quiet = 0
        made = {name: dict(vendor.calls) for name, vendor in self.world.vendors.items()}
        self.outcome.broken.append(f"no rest: with nobody editing, polling goes on to cause calls ({made})")
        return False


def written(text: str, step: Step) -> str:
    """Return a description as somebody leaves it: a line more at the end or the start, one line exchanged, or all new."""
    lines = text.split("\n") if text else []
    way = step.n % 4
    if way == 0 or not lines:
        lines.append(step.value)
    elif way == 1:
        lines.insert(0, step.value)
    elif way == 2:  # noqa: PLR2004
        lines[step.n % len(lines)] = step.value
    else:
        lines = [step.value]
    return "\n".join(lines)


def play(plan: Plan, meaning: Meaning, database: MemoryDatabase) -> Outcome:
    """Play a whole history and judge it."""
    state = random.getstate()
    random.seed(plan.seed)  # the waits of trouble are spread by chance; a history is not
    try:
        player = Player(plan, meaning, database)
        for step in plan.steps:
            player.step(step)
        player.end()
    finally:
        random.setstate(state)
    return player.outcome
