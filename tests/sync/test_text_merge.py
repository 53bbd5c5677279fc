from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.sync.text_merge import LINE_LIMIT, merge_lines

LINES = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=8).map("\n".join)


@given(LINES, LINES)
def test_one_sides_edit_is_taken_whole(base: str, edited: str) -> None:
    assert merge_lines(base, edited, base) == edited
    assert merge_lines(base, base, edited) == edited


@given(LINES, LINES)
def test_the_same_edit_on_both_sides_is_one(base: str, edited: str) -> None:
    assert merge_lines(base, edited, edited) == edited


@given(LINES, LINES, LINES)
def test_sides_may_be_swapped(base: str, one: str, other: str) -> None:
    assert merge_lines(base, one, other) == merge_lines(base, other, one)


@pytest.mark.parametrize(
    ("ours", "theirs", "both"),
    [
        ("A\nb\nc\nd", "a\nb\nc\nD", "A\nb\nc\nD"),
        ("a\nb\nc\nd\ne", "z\na\nb\nc\nd", "z\na\nb\nc\nd\ne"),
        ("a\nd", "a\nb\nc\nd", "a\nd"),
        ("A\nb\nc\nd", "Z\nb\nc\nd", None),
        ("a\nX\nc\nd", "a\nb\nY\nd", None),
    ],
)
def test_edits_apart_are_both_kept_and_edits_that_touch_need_a_person(
    ours: str, theirs: str, both: str | None
) -> None:
    assert merge_lines("a\nb\nc\nd", ours, theirs) == both


def test_a_very_long_text_is_left_to_a_person() -> None:
    long = "\n".join("x" for _ in range(LINE_LIMIT + 1))
    assert merge_lines("x", long, "y") is None
