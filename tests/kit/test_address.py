"""Addresses that people enter."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callout.kit.address import web_address

EXAMPLE = "https://desk.example"


@pytest.mark.parametrize(
    ("entered", "kept"),
    [
        ("https://desk.example", "https://desk.example"),
        (" https://desk.example/sub// ", "https://desk.example/sub"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("", ""),
        ("  ", ""),
    ],
)
def test_what_is_one_is_kept_without_its_ends(entered: str, kept: str) -> None:
    assert web_address(entered, example=EXAMPLE) == kept


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ("desk.example", "full address, for example https://desk.example"),
        ("ftp://desk.example", "full address"),
        ("https://", "full address"),
        ("https://:443", "full address"),
        ("https://desk.example:port", "full address"),
        ("https://[::1", "full address"),
        ("https://ann:hush@desk.example", "credentials do not belong"),
        ("https://desk.example/?x=1", "without"),
        ("https://desk.example/#top", "without"),
        ("https://desk.example/sub?", "without"),
        ("https://desk.example#", "without"),
        ("https://@desk.example", "credentials do not belong"),
    ],
)
def test_what_is_none_is_told_in_words_that_hold_no_credentials(entered: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as told:
        web_address(entered, example=EXAMPLE)
    assert "hush" not in str(told.value)


@given(st.text())
def test_whatever_is_entered_is_an_address_or_an_error_in_words(entered: str) -> None:
    try:
        kept = web_address(entered, example=EXAMPLE)
    except ValueError:
        return
    assert kept == web_address(kept, example=EXAMPLE)
    assert not kept or kept.lower().startswith(("http://", "https://"))
