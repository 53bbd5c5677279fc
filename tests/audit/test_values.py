"""What is looked through at once is kept as what is looked at value by value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.audit.values import plain, plain_object
from callout.kit.redaction import forget, register
from callout.kit.secrets import MASK, Secret
from callout.ports.values import Status

words = st.one_of(
    st.text(max_size=12),
    st.sampled_from(
        ["key", "title", "password", "token_id", "Bearer abcdef123456", "https://u:p@x.test/a", "a\x00b"]
    ),
)
facts: Any = st.recursive(
    st.one_of(
        words, st.none(), st.booleans(), st.integers(), st.floats(allow_nan=True), st.just(Status.OPEN)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(words, inner, max_size=3)),
    max_leaves=6,
)


@given(st.dictionaries(words, facts, max_size=4))
def test_both_ways_give_the_same(data: dict[str, Any]) -> None:
    assert repr(plain_object(data)) == repr(plain(data))


@pytest.mark.parametrize(
    "data",
    [
        {"title": "x" * 9_000},
        {f"name {number}": "x" * 800 for number in range(12)},
        {"deep": {"deep": {"api_key": "k"}}},
    ],
)
def test_long_and_deep_ones_too(data: dict[str, Any]) -> None:
    assert plain_object(data) == plain(data)


def test_a_live_secret_is_masked_wherever_it_stands() -> None:
    secret = Secret("hunter2hunter2")
    register(secret)
    try:
        assert plain_object({"title": "it is hunter2hunter2", "deep": {"hunter2hunter2": "x"}}) == {
            "title": f"it is {MASK}",
            "deep": {MASK: "x"},
        }
    finally:
        forget(secret)
