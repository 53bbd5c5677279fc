"""People who edit in the very moment of a write: by a vendor's history nothing of theirs is lost in silence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import pytest
import structlog

from callout.sync.conflicts import Choice
from callout.sync.mapping import FieldMappings
from callout.sync.merge import resolve
from callout.sync.simulate.meaning import Meaning
from callout.sync.simulate.play import Player
from callout.sync.simulate.quirks import Priorities, Quirks
from callout.sync.simulate.records import CHECKED, IN_STEPS, WINDOWS, WRITTEN
from callout.sync.simulate.steps import WAYS, Plan, Step
from callout.sync.simulate.store import MemoryDatabase

if TYPE_CHECKING:
    from callout.sync.links import Link

ALL = Step("go", n=200)
TELLING = Quirks(history=True, reads_back=True)


@pytest.fixture(scope="module")
def database() -> Iterator[MemoryDatabase]:
    with structlog.testing.capture_logs():
        yield MemoryDatabase()


def at(window: str, field: str, value: str, *, whose: str = "their") -> Step:
    return Step(f"{whose} quick edit", field=field, value=value, n=WAYS * WINDOWS.index(window))


def played(
    database: MemoryDatabase, quirks: Quirks, *steps: Step, settings: Mapping[str, object] | None = None
) -> Player:
    plan = Plan(1, (quirks,), "#1 db", "SEV-2", "#2 what we know", (ALL, *steps, ALL))
    player = Player(plan, Meaning(settings or {}), database)
    for step in plan.steps:
        player.step(step)
    assert not player.waiting, "nobody came by where the edit waited"
    return player


def link(player: Player) -> Link:
    return player.world.links()["A"]


def priority(player: Player) -> str:
    return str(player.world.vendors["A"].records["A-1"].priority)


OURS = Step("our edit", field="severity", value="SEV-3")


@pytest.mark.parametrize("fault", ["", "time-out after"])
def test_an_edit_that_our_write_took_the_place_of_is_a_conflict_that_keeps_it(
    database: MemoryDatabase, fault: str
) -> None:
    lost = (Step("fault", field="patch_ticket", value=fault),) if fault else ()
    waited = (ALL, Step("wait", n=61), ALL) if fault else ()
    player = played(database, TELLING, *lost, at(CHECKED, "priority", "LOW"), OURS, *waited)
    conflict = link(player).merge.conflicts["severity"]
    assert (conflict.ours, conflict.theirs, conflict.held) == ("SEV-3", "LOW", "MEDIUM")
    assert priority(player) == "MEDIUM"

    # However often the ticket is read, it says the same as we do: the edit stays a person's to decide about.
    for step in (Step("wait", n=400), Step("poll"), ALL):
        player.step(step)
    assert link(player).merge.conflicts["severity"].theirs == "LOW"
    player.end()
    assert player.outcome.broken == []


def test_without_a_history_the_window_of_one_call_remains(database: MemoryDatabase) -> None:
    player = played(database, Quirks(reads_back=True), at(CHECKED, "priority", "LOW"), OURS)
    assert (priority(player), dict(link(player).merge.conflicts)) == ("MEDIUM", {})
    player.end()
    assert player.outcome.broken == []
    [name] = [name for name in player.outcome.seen if name.startswith("edits within one call")]
    assert player.outcome.seen[name] == 1


@pytest.mark.parametrize("resolution", ["manual", "local", "external"])
def test_a_write_that_found_its_result_there_already_meets_the_edit_that_made_it(
    database: MemoryDatabase, resolution: str
) -> None:
    """Its lowest is MEDIUM: what somebody set there is what our LOW becomes, so that our write leaves no line."""
    few = Quirks(priorities=Priorities.FEW, history=True)
    lowest = Step("our edit", field="severity", value="SEV-4")
    settings = {"fields": {"severity": {"resolution": resolution}}}
    player = played(database, few, at(CHECKED, "priority", "LOW"), lowest, settings=settings)
    conflicts = link(player).merge.conflicts
    assert {name: (one.ours, one.theirs) for name, one in conflicts.items()} == (
        {"severity": ("SEV-4", "MEDIUM")} if resolution == "manual" else {}
    )
    player.end()
    assert player.outcome.broken == []


def test_a_vendor_that_only_counts_is_enough_to_say_that_there_was_an_edit(database: MemoryDatabase) -> None:
    player = played(database, Quirks(counts=True), at(CHECKED, "priority", "LOW"), OURS)
    assert (priority(player), dict(link(player).merge.conflicts)) == ("MEDIUM", {})
    player.end()
    assert player.outcome.broken == []
    assert not [name for name in player.outcome.seen if name.startswith("edits within one call")]


@pytest.mark.parametrize("quirks", [Quirks(versions=True), Quirks(versions=True, history=True)])
def test_a_vendor_that_compares_versions_itself_is_never_written_over(
    database: MemoryDatabase, quirks: Quirks
) -> None:
    player = played(database, quirks, at("before patch_ticket", "priority", "LOW"), OURS)
    conflict = link(player).merge.conflicts["severity"]
    assert (conflict.theirs, conflict.overwritten, priority(player)) == ("LOW", False, "LOW")


def test_an_edit_between_our_write_and_the_read_back_comes_to_us(database: MemoryDatabase) -> None:
    player = played(database, TELLING, at(WRITTEN, "priority", "LOW"), OURS)
    assert (str(player.world.incident().severity), priority(player)) == ("SEV-4", "LOW")


def test_an_edit_met_while_fields_are_written_one_by_one_is_not_written_over(
    database: MemoryDatabase,
) -> None:
    """One field is refused, so each is sent by itself; what the read-back of the first shows of the next is a person's edit."""
    steps = (
        Step("our edit", field="title", value="#3 disk"),
        Step("our edit", field="description", value="#4 the disk is full"),
        Step("our edit", field="assignee", value="cleo"),
        at(WRITTEN, "description", "#5 no: the network"),
    )
    player = played(database, Quirks(reads_back=True, strangers=True), *steps)
    assert player.world.vendors["A"].faults["refused values"]
    player.end()
    assert player.outcome.broken == []
    assert "#5 no: the network" in link(player).merge.conflicts["description"].theirs


def test_a_move_between_our_fields_and_our_move_is_not_undone_in_silence(database: MemoryDatabase) -> None:
    steps = (at(IN_STEPS, "status", "Resolved"), Step("our act", value="mitigate"))
    player = played(database, Quirks(history=True, in_steps=True), *steps)
    player.end()
    assert player.outcome.broken == []


def test_where_theirs_wins_it_goes_back_to_the_ticket(database: MemoryDatabase) -> None:
    settings = {"fields": {"severity": {"resolution": "external"}}}
    player = played(database, TELLING, at(CHECKED, "priority", "LOW"), OURS, settings=settings)
    assert (str(player.world.incident().severity), priority(player)) == ("SEV-4", "LOW")


def test_texts_are_merged_as_if_they_had_been_read_in_time(database: MemoryDatabase) -> None:
    ours = Step("our edit", field="description", value="#4 ours", n=1)
    player = played(database, TELLING, at(CHECKED, "description", "#3 theirs"), ours)
    assert player.world.incident().description == "#4 ours\n#2 what we know\n#3 theirs"
    assert player.world.vendors["A"].records["A-1"].description == "#4 ours\n#2 what we know\n#3 theirs"


@pytest.mark.parametrize(
    ("choice", "ours", "pending"), [(Choice.THEIRS, "SEV-4", True), (Choice.OURS, "SEV-3", False)]
)
def test_either_choice_about_an_overwritten_edit_reaches_the_ticket(
    database: MemoryDatabase, choice: Choice, ours: str, pending: bool
) -> None:
    player = played(database, TELLING, at(CHECKED, "priority", "LOW"), OURS)
    rule = FieldMappings().rules("A")["severity"]
    decided = resolve(link(player).merge, rule, "SEV-3", choice)
    assert (decided.ours, "severity" in decided.state.pending) == (ours, pending)
    assert decided.state.bases["severity"].theirs == "MEDIUM"


def test_a_later_edit_there_takes_the_place_of_the_overwritten_one(database: MemoryDatabase) -> None:
    later = Step("their edit", field="priority", value="URGENT")
    player = played(
        database,
        TELLING,
        at(CHECKED, "priority", "LOW"),
        OURS,
        ALL,
        later,
        Step("deliver", n=9),
        Step("poll"),
    )
    for _ in range(4):
        player.step(Step("deliver"))
        player.step(ALL)
    conflict = link(player).merge.conflicts["severity"]
    assert (conflict.theirs, conflict.overwritten) == ("URGENT", False)
    player.end()
    assert player.outcome.broken == []
