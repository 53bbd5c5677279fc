"""The secrets of members: which are good enough, and that only the right one fits."""

from __future__ import annotations

import pytest

from callout.access import passwords
from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError


@pytest.mark.parametrize(
    "good", ["correct horse battery", "ünïcödé wörds", "x9!kQ2pZ", "a" * 8 + "bcdefgh" * 9]
)
def test_a_good_secret_passes(good: str) -> None:
    passwords.check_quality(Secret(good), "ana@example.com", "ana")


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "seven77",
        "ü" * 37,
        "aaaabbbb",
        "PASSWORD",
        "abcdefgh",
        "87654321",
        "poiuytrewq",
        "xx-anastasia-xx",
    ],
)
def test_what_is_guessed_first_is_refused_and_not_repeated(bad: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        passwords.check_quality(Secret(bad), "anastasia")
    assert not bad or bad not in f"{refused.value} {refused.value.fields} {refused.value.detail}"


async def test_only_the_right_secret_fits() -> None:
    kept = await passwords.hashed(Secret("correct horse battery"))
    assert "correct" not in kept
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$"), "as much work as is put in for thieves"
    assert await passwords.fits(Secret("correct horse battery"), kept)
    assert not await passwords.fits(Secret("correct horse batter"), kept)
    assert not await passwords.fits(Secret("correct horse battery"), None)
    assert not await passwords.fits(Secret("correct horse battery"), "no hash")
