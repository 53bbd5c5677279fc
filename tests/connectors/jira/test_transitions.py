from __future__ import annotations

from typing import Any

import pytest

from callout.connectors.jira.transitions import Target, choose, transition_fields
from callout.connectors.jira.wire import StatusBean, TransitionBean
from callout.ports.errors import RejectedError


def status(name: str, category: str) -> StatusBean:
    return {"id": name.lower().replace(" ", "-"), "name": name, "statusCategory": {"key": category}}


TO_DO, DOING, REVIEW = (
    status("To Do", "new"),
    status("Doing", "indeterminate"),
    status("Review", "indeterminate"),
)
DONE, REJECTED, WONT_DO = status("Done", "done"), status("Rejected", "done"), status("Won't do", "done")
ALL = [TO_DO, DOING, REVIEW, DONE, REJECTED, WONT_DO]


def move(to: StatusBean, **fields: Any) -> TransitionBean:
    return {"id": f"to-{to['id']}", "name": f"Go to {to['name']}", "to": to, "fields": fields}


@pytest.mark.parametrize(
    ("wanted", "moves", "chosen"),
    [
        ("done", [DOING, DONE], DONE),
        ("category:done", [WONT_DO, REJECTED, DONE], DONE),
        ("category:done", [WONT_DO, REJECTED], REJECTED),
        ("category:done", [TO_DO, DOING], DOING),
        ("category:active", [REVIEW, DOING], DOING),
        ("Review", [DONE, DOING], DOING),
        ("Review", [DONE], DONE),
        ("To Do", [DOING, DONE], DOING),
    ],
)
def test_the_best_next_move_is_chosen(wanted: str, moves: list[StatusBean], chosen: StatusBean) -> None:
    found = choose([move(to) for to in moves], Target(wanted, ALL), set())
    assert found is not None
    assert found["to"] == chosen


def test_no_status_is_visited_twice() -> None:
    assert choose([move(DOING)], Target("Done", ALL), {"doing"}) is None


@pytest.mark.parametrize("wanted", ["Nonsense", "category:nonsense", "category:unknown"])
def test_a_target_that_the_workflow_lacks_is_refused(wanted: str) -> None:
    with pytest.raises(RejectedError) as caught:
        Target(wanted, ALL)
    assert "status" in caught.value.fields


RESOLUTION = {
    "name": "Resolution",
    "required": True,
    "schema": {"type": "resolution"},
    "allowedValues": [{"id": "2", "name": "Won't Do"}, {"id": "1", "name": "Done"}],
}
CAUSE = {
    "name": "Root cause",
    "required": True,
    "schema": {"type": "option"},
    "allowedValues": [{"id": "5", "value": "Change"}, {"id": "6", "value": "Load"}],
}


def test_a_required_resolution_has_a_sensible_default() -> None:
    assert transition_fields(move(DONE, resolution=RESOLUTION), {}) == {"resolution": {"id": "1"}}


def test_a_field_with_one_choice_needs_no_answer() -> None:
    only = {**CAUSE, "allowedValues": CAUSE["allowedValues"][:1]}  # type: ignore[index]
    assert transition_fields(move(DONE, customfield_1=only), {}) == {"customfield_1": {"id": "5"}}


def test_given_values_are_found_by_id_or_name_in_any_case() -> None:
    for name in ("customfield_1", "Root cause", "ROOT CAUSE"):
        assert transition_fields(move(DONE, customfield_1=CAUSE), {name: "load"}) == {
            "customfield_1": {"id": "6"}
        }


def test_a_missing_field_is_named_with_its_allowed_values() -> None:
    with pytest.raises(RejectedError) as caught:
        transition_fields(move(DONE, customfield_1=CAUSE), {})
    assert caught.value.fields == {"Root cause": "required by 'Go to Done'; allowed: Change, Load"}
    assert "Root cause" in caught.value.remediation


def test_what_has_a_default_or_is_optional_is_left_alone() -> None:
    quiet = {**CAUSE, "hasDefaultValue": True}
    optional = {**CAUSE, "required": False}
    assert transition_fields(move(DONE, a=quiet, b=optional), {"unrelated": 1}) == {}
