"""The merge as a pure function: every row of its table, and what must hold for any history."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.sync.mapping import FieldMappings
from callout.sync.merge import (
    NO_MEANING,
    Base,
    Choice,
    FieldRule,
    LinkState,
    Pending,
    Resolution,
    SyncDirection,
    ValueKind,
    fold,
    merge,
    resolve,
)


def rule(**options: object) -> dict[str, FieldRule]:
    plain = FieldRule("title", lambda v: v, lambda v: v, lambda a, b: a == b)
    return {"title": replace(plain, **options)}  # type: ignore[arg-type]


def agreed(value: object = "a") -> LinkState:
    return LinkState({"title": Base(value, value)})


def test_nothing_changed_does_nothing() -> None:
    result = merge(agreed(), {"title": "a"}, {"title": "a"}, rule())
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({}, {}, ())


def test_only_ours_changed_is_pushed_and_remembered_as_pending() -> None:
    result = merge(agreed(), {"title": "b"}, {"title": "a"}, rule())
    assert result.to_theirs == {"title": "b"}
    assert result.state.pending == {"title": Pending("b", "b")}


def test_only_theirs_changed_is_pulled() -> None:
    result = merge(agreed(), {"title": "a"}, {"title": "b"}, rule())
    assert result.to_ours == {"title": "b"}
    assert result.state.bases["title"] == Base("b", "b")


def test_a_status_that_somebody_moved_on_before_it_was_read_back_is_their_change() -> None:
    rules = FieldMappings().rules("jira")
    state = LinkState({"status": Base("open", "To Do|new")})
    pushed = merge(state, {"status": "acknowledged"}, {"status": "To Do|new"}, rules)
    assert pushed.to_theirs

    folded = fold(pushed.state, {"status": "Done|done"}, rules)

    result = merge(folded, {"status": "acknowledged"}, {"status": "Done|done"}, rules)
    assert (result.to_ours, result.to_theirs) == ({"status": "resolved"}, {})


def test_a_status_read_back_in_other_words_is_the_one_that_was_sent() -> None:
    rules = FieldMappings().rules("jira")
    state = LinkState({"status": Base("open", "To Do|new")})
    pushed = merge(state, {"status": "acknowledged"}, {"status": "To Do|new"}, rules)

    folded = fold(pushed.state, {"status": "In Progress|active"}, rules)

    result = merge(folded, {"status": "acknowledged"}, {"status": "In Progress|active"}, rules)
    assert (result.to_ours, result.to_theirs) == ({}, {})


def test_both_changed_to_the_same_agree() -> None:
    result = merge(agreed(), {"title": "b"}, {"title": "b"}, rule())
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({}, {}, ())
    assert result.state.bases["title"] == Base("b", "b")


def test_both_changed_differently_waits_for_a_person() -> None:
    result = merge(agreed(), {"title": "b"}, {"title": "c"}, rule())
    assert [c.field for c in result.conflicts] == ["title"]
    assert (result.to_ours, result.to_theirs) == ({}, {})
    again = merge(result.state, {"title": "b"}, {"title": "c"}, rule())
    assert (again.conflicts, again.to_ours, again.to_theirs) == ((), {}, {})


def conflicting(**options: object) -> tuple[LinkState, dict[str, FieldRule]]:
    rules = rule(**options)
    return merge(agreed(), {"title": "b"}, {"title": "c"}, rules).state, rules


@pytest.mark.parametrize(
    ("choice", "value", "ours", "to_theirs"),
    [
        (Choice.OURS, None, "b", {"title": "b"}),
        (Choice.THEIRS, None, "c", {}),
        (Choice.VALUE, "d", "d", {"title": "d"}),
        (Choice.VALUE, "c", "c", {}),
    ],
)
def test_a_person_resolves_a_conflict(
    choice: Choice, value: object, ours: str, to_theirs: dict[str, str]
) -> None:
    state, rules = conflicting()
    resolved = resolve(state, rules["title"], "b", choice, value)
    assert resolved.ours == ours
    result = merge(resolved.state, {"title": ours}, {"title": "c"}, rules)
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({}, to_theirs, ())
    settled = fold(result.state, {"title": ours}, rules)
    again = merge(settled, {"title": ours}, {"title": ours}, rules)
    assert (again.to_ours, again.to_theirs, again.conflicts) == ({}, {}, ())


@pytest.mark.parametrize(("choice", "value"), [(Choice.OURS, None), (Choice.VALUE, "d")])
def test_a_choice_against_a_value_that_has_changed_since_is_asked_again(
    choice: Choice, value: object
) -> None:
    state, rules = conflicting()
    resolved = resolve(state, rules["title"], "b", choice, value)
    result = merge(resolved.state, {"title": resolved.ours}, {"title": "later"}, rules)
    assert (result.to_ours, result.to_theirs) == ({}, {})
    assert [(c.ours, c.theirs) for c in result.conflicts] == [(resolved.ours, "later")]


def test_theirs_is_taken_as_it_was_shown_and_a_later_one_comes_as_a_later_change() -> None:
    state, rules = conflicting()
    resolved = resolve(state, rules["title"], "b", Choice.THEIRS)
    assert resolved.ours == "c"
    result = merge(resolved.state, {"title": "c"}, {"title": "later"}, rules)
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({"title": "later"}, {}, ())


def test_a_choice_is_carried_over_although_that_side_went_back_to_what_was_agreed_on() -> None:
    state, rules = conflicting()
    resolved = resolve(state, rules["title"], "a", Choice.OURS)
    assert merge(resolved.state, {"title": "a"}, {"title": "c"}, rules).to_theirs == {"title": "a"}


def test_theirs_that_only_looks_longer_is_not_written_back() -> None:
    rules = {"title": FieldMappings().rules("jira")["title"]}
    long = "x" * 300
    state = merge(LinkState({"title": Base("a", "a")}), {"title": "b"}, {"title": long}, rules).state
    resolved = resolve(state, rules["title"], "b", Choice.THEIRS)
    assert resolved.ours == "x" * 255
    assert merge(resolved.state, {"title": resolved.ours}, {"title": long}, rules).to_theirs == {}


def test_a_value_without_counterpart_cannot_be_taken() -> None:
    state, rules = conflicting()
    nothing = replace(rules["title"], decode=lambda _: NO_MEANING)
    with pytest.raises(ValueError, match="no counterpart"):
        resolve(state, nothing, "b", Choice.THEIRS)
    with pytest.raises(KeyError):
        resolve(agreed(), rules["title"], "b", Choice.OURS)


@pytest.mark.parametrize(
    ("resolution", "to_ours", "to_theirs", "lost"),
    [(Resolution.LOCAL, {}, {"title": "b"}, "c"), (Resolution.EXTERNAL, {"title": "c"}, {}, "b")],
)
def test_a_rule_resolves_and_keeps_what_it_set_aside(
    resolution: Resolution, to_ours: dict[str, str], to_theirs: dict[str, str], lost: str
) -> None:
    result = merge(agreed(), {"title": "b"}, {"title": "c"}, rule(resolution=resolution))
    assert (result.to_ours, result.to_theirs) == (to_ours, to_theirs)
    assert [o.lost for o in result.overridden] == [lost]


def test_a_vendor_that_normalises_makes_no_echo() -> None:
    result = merge(agreed(), {"title": "b" * 300}, {"title": "a"}, rule())
    state = fold(result.state, {"title": "b" * 255}, rule())
    again = merge(state, {"title": "b" * 300}, {"title": "b" * 255}, rule())
    assert (again.to_ours, again.to_theirs, again.conflicts) == ({}, {}, ())


def test_a_write_whose_answer_was_lost_is_recognised() -> None:
    state = merge(agreed(), {"title": "b"}, {"title": "a"}, rule()).state
    result = merge(state, {"title": "b"}, {"title": "b"}, rule())
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({}, {}, ())
    assert result.state.pending == {}


def test_a_write_that_never_arrived_is_repeated() -> None:
    state = merge(agreed(), {"title": "b"}, {"title": "a"}, rule()).state
    assert merge(state, {"title": "b"}, {"title": "a"}, rule()).to_theirs == {"title": "b"}


def test_an_edit_between_our_write_and_its_repeat_is_not_overwritten() -> None:
    state = merge(agreed(), {"title": "b"}, {"title": "a"}, rule()).state
    result = merge(state, {"title": "b"}, {"title": "human"}, rule())
    assert (result.to_theirs, [c.theirs for c in result.conflicts]) == ({}, ["human"])


def test_a_field_that_was_not_told_is_left_alone() -> None:
    result = merge(agreed(), {"title": "b"}, {}, rule())
    assert (result.to_ours, result.to_theirs) == ({}, {})
    assert result.state.bases == agreed().bases


@pytest.mark.parametrize("direction", [SyncDirection.NONE, SyncDirection.INBOUND])
def test_a_field_that_does_not_travel_out_is_never_pushed(direction: SyncDirection) -> None:
    assert merge(agreed(), {"title": "b"}, {"title": "a"}, rule(direction=direction)).to_theirs == {}


def test_sets_are_merged_three_way() -> None:
    rules = rule(kind=ValueKind.SET, resolution=Resolution.MERGE)
    state = LinkState({"title": Base(["a", "b"], ["a", "b"])})
    result = merge(state, {"title": ["a", "c"]}, {"title": ["a", "b", "d"]}, rules)
    assert (result.to_ours, result.to_theirs) == ({"title": ["a", "c", "d"]}, {"title": ["a", "c", "d"]})


def test_texts_are_merged_by_line_and_a_clash_waits() -> None:
    rules = rule(kind=ValueKind.TEXT, resolution=Resolution.MERGE)
    base = "one\ntwo\nthree\nfour"
    result = merge(
        agreed(base), {"title": "ONE\ntwo\nthree\nfour"}, {"title": "one\ntwo\nthree\nFOUR"}, rules
    )
    assert result.to_ours == {"title": "ONE\ntwo\nthree\nFOUR"} == result.to_theirs
    clash = merge(agreed(base), {"title": "x\ntwo\nthree\nfour"}, {"title": "y\ntwo\nthree\nfour"}, rules)
    assert len(clash.conflicts) == 1


STATUS = FieldMappings().rules("jira")["status"]


def status_merge(base: tuple[str, str], ours: str, theirs: str) -> tuple[dict[str, str], dict[str, str], int]:
    result = merge(
        LinkState({"status": Base(*base)}), {"status": ours}, {"status": theirs}, {"status": STATUS}
    )
    return dict(result.to_ours), dict(result.to_theirs), len(result.conflicts)


def test_a_many_to_one_status_never_pushes_us_back() -> None:
    base = ("acknowledged", "In Progress|active")
    assert status_merge(base, "mitigated", "In Progress|active") == ({}, {}, 0)
    assert status_merge(base, "acknowledged", "In Review|active") == ({}, {}, 0)


def test_their_done_resolves_and_our_resolve_is_sent() -> None:
    base = ("acknowledged", "In Progress|active")
    assert status_merge(base, "acknowledged", "Done|done") == ({"status": "resolved"}, {}, 0)
    assert status_merge(base, "resolved", "In Progress|active") == ({}, {"status": "category:done"}, 0)


def test_both_moved_on_takes_the_one_further_along() -> None:
    assert status_merge(("open", "To Do|new"), "acknowledged", "Done|done") == ({"status": "resolved"}, {}, 0)
    assert status_merge(("open", "To Do|new"), "resolved", "In Progress|active") == (
        {},
        {"status": "category:done"},
        0,
    )


def test_one_went_back_while_the_other_went_on_waits_for_a_person() -> None:
    assert status_merge(("resolved", "Done|done"), "closed", "To Do|new")[2] == 1


values = st.sampled_from(["a", "b", "c", "d"])
edits = st.lists(
    st.tuples(st.sampled_from(["ours", "theirs", "sync", "lost answer", "lost write"]), values), max_size=30
)


@given(edits=edits, resolution=st.sampled_from([Resolution.LOCAL, Resolution.EXTERNAL, Resolution.MANUAL]))
def test_any_history_ends_in_agreement_or_a_shown_conflict(
    edits: list[tuple[str, str]], resolution: Resolution
) -> None:
    rules = rule(resolution=resolution)
    state, ours, theirs = agreed(), "a", "a"

    def sync(arrives: bool, answered: bool) -> None:
        nonlocal state, ours, theirs
        result = merge(state, {"title": ours}, {"title": theirs}, rules)
        state, ours = result.state, result.to_ours.get("title", ours)
        if result.to_theirs and arrives:
            theirs = result.to_theirs["title"]
            if answered:
                state = fold(state, {"title": theirs}, rules)

    for step, value in edits:
        match step:
            case "ours":
                ours = value
            case "theirs":
                theirs = value
            case "sync":
                sync(arrives=True, answered=True)
            case "lost answer":
                sync(arrives=True, answered=False)
            case _:
                sync(arrives=False, answered=False)
    sync(arrives=True, answered=True)
    sync(arrives=True, answered=True)
    if state.conflicts:
        assert resolution is Resolution.MANUAL
        assert (state.conflicts["title"].ours, state.conflicts["title"].theirs) == (ours, theirs)
    else:
        assert ours == theirs
    quiet = merge(state, {"title": ours}, {"title": theirs}, rules)
    assert (quiet.to_ours, quiet.to_theirs, quiet.conflicts) == ({}, {}, ())


@given(ours=values, theirs=values, base_ours=values, base_theirs=values)
def test_no_edit_is_lost_without_a_record(ours: str, theirs: str, base_ours: str, base_theirs: str) -> None:
    state = LinkState({"title": Base(base_ours, base_theirs)})
    for resolution in Resolution:
        result = merge(state, {"title": ours}, {"title": theirs}, rule(resolution=resolution))
        if ours != base_ours and theirs not in (base_theirs, ours):
            assert result.conflicts or result.overridden
