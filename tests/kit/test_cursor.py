from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.kit.cursor import decode_cursor, encode_cursor

values = st.recursive(
    st.none() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=3), max_leaves=5
)


@given(st.dictionaries(st.text(), values), st.text())
def test_a_position_comes_back_for_the_same_query(position: dict[str, object], scope: str) -> None:
    cursor = encode_cursor(position, scope=scope)
    assert decode_cursor(cursor, scope=scope) == position
    assert cursor.isascii()
    assert not set(cursor) & set("+/=%&? ")


@given(st.text(), st.text())
def test_a_cursor_of_another_query_is_refused(one: str, other: str) -> None:
    cursor = encode_cursor({"after": 1}, scope=one)
    if one != other:
        with pytest.raises(ValueError, match="another query"):
            decode_cursor(cursor, scope=other)


@given(st.text())
def test_garbage_is_refused_and_never_crashes(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        decode_cursor(text, scope="x")


@pytest.mark.parametrize(
    "text", ["", "e30", "W10", "bnVsbA", "eyJwIjp7fX0", "A" * 100_000, "W" * 8000, "\udcff"]
)
def test_what_only_looks_like_a_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        decode_cursor(text, scope="x")
