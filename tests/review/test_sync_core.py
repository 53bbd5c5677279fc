"""Edits that the merge lost, echoed or made up, found by reading: each test is the interleaving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from callout.sync.mapping import FieldMappings
from callout.sync.merge import Base, Choice, LinkState, Pending, fold, merge, resolve

RULES = FieldMappings().rules("one")
ANN_HERE = {"id": "member:1", "name": "Ann", "email": "ann@example.com"}
ANN_THERE = {"id": "77", "name": "Ann", "email": "ann@example.com"}


def _merge(state: LinkState, field: str, ours: Any, theirs: Any) -> Any:
    return merge(state, {field: ours}, {field: theirs}, RULES)


def test_a_person_whose_email_is_shown_in_some_answers_only_is_the_same_person() -> None:
    state = LinkState({"assignee": Base(ANN_HERE, ANN_THERE)})
    result = _merge(state, "assignee", ANN_HERE, {**ANN_THERE, "email": "", "name": "Ann B."})
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({}, {}, ())


@pytest.mark.parametrize(
    ("field", "ours", "base", "theirs"),
    [
        ("severity", "SEV-1", "URGENT", None),
        ("status", "resolved", "Done|done", "Parked|unknown"),
        ("title", "Shop down", "Shop down", "   "),
    ],
)
def test_a_value_without_a_counterpart_does_not_reset_ours(
    field: str, ours: str, base: str, theirs: str | None
) -> None:
    result = _merge(LinkState({field: Base(ours, base)}), field, ours, theirs)
    assert (result.to_ours, result.to_theirs, result.conflicts) == ({}, {}, ())
    assert result.state.bases[field] == Base(ours, theirs)


def test_our_edit_still_goes_out_over_a_value_without_a_counterpart() -> None:
    result = _merge(LinkState({"severity": Base("SEV-2", "HIGH")}), "severity", "SEV-1", None)
    assert result.to_theirs == {"severity": "URGENT"}
    folded = fold(result.state, {"severity": None}, RULES)
    assert _merge(folded, "severity", "SEV-1", None).to_theirs == {}  # the vendor ignored it: no loop


def test_a_long_title_is_pulled_as_an_incident_can_hold_it() -> None:
    result = _merge(LinkState({"title": Base("a", "a")}), "title", "a", "x" * 300)
    assert result.to_ours == {"title": "x" * 255}


@pytest.mark.parametrize(
    ("choice", "ours", "theirs", "held", "to_theirs"),
    [(Choice.THEIRS, "b", "a", "a", {}), (Choice.OURS, "a", "c", "a", {"title": "a"})],
)
def test_a_choice_holds_though_the_chosen_side_went_back_to_its_base(
    choice: Choice, ours: str, theirs: str, held: str, to_theirs: dict[str, str]
) -> None:
    state = _merge(LinkState({"title": Base("a", "a")}), "title", "b", "c").state
    state = _merge(state, "title", ours, theirs).state
    resolved = resolve(state, RULES["title"], ours, choice)
    result = _merge(resolved.state, "title", resolved.ours, theirs)
    assert (resolved.ours, result.to_ours, result.to_theirs) == (held, {}, to_theirs)


def test_nobody_can_be_chosen_as_assignee() -> None:
    state = _merge(LinkState(), "assignee", ANN_HERE, None).state
    assert "assignee" in state.conflicts
    resolved = resolve(state, RULES["assignee"], ANN_HERE, Choice.THEIRS)
    result = _merge(resolved.state, "assignee", resolved.ours, None)
    assert (resolved.ours, result.to_ours, result.to_theirs) == (None, {}, {})


def test_a_refused_field_stays_pending_when_its_neighbour_is_folded() -> None:
    state = LinkState(
        {"title": Base("a", "a"), "status": Base("open", "To Do|new")},
        {"title": Pending("b", "b"), "status": Pending("resolved", "category:done")},
    )
    folded = fold(state, {"title": "b"}, RULES)
    assert set(folded.pending) == {"status"}
    after = merge(folded, {"status": "resolved"}, {"status": "To Do|new"}, RULES)
    assert after.to_theirs == {"status": "category:done"}


def test_rules_keep_what_a_mapping_does_not_override() -> None:
    assert replace(RULES["status"]).steps == ("open", "acknowledged", "mitigated", "resolved", "closed")
