"""Secrets stay hidden, and sealed values open only where they were sealed for."""

from __future__ import annotations

import base64
import copy
import dataclasses
import json
import pickle
from typing import TYPE_CHECKING

import pytest

from callout.kit.secrets import KeyFileError, KeyRing, SealError, Secret, hash_token

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-5a1e"
PLACE = ("default", "int-1", "api_token")


def key(byte: int) -> str:
    return base64.b64encode(bytes([byte]) * 32).decode()


@dataclasses.dataclass(frozen=True)
class Login:
    user: str
    password: Secret


def test_a_secret_shows_itself_only_when_asked() -> None:
    secret = Secret(CANARY)
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret!r:>20}",
        repr(Login("a", secret)),
    ]
    shown += [repr([secret]), repr(dataclasses.asdict(Login("a", secret))), repr(copy.deepcopy(secret))]
    assert not [text for text in shown if CANARY in text]
    assert secret.reveal() == CANARY


def test_a_secret_is_refused_by_json_and_pickle() -> None:
    with pytest.raises(TypeError) as json_error:
        json.dumps({"token": Secret(CANARY)})
    with pytest.raises(TypeError, match="cannot be pickled") as pickle_error:
        pickle.dumps(Secret(CANARY))
    assert CANARY not in f"{json_error.value}{pickle_error.value}"


def test_copies_of_a_secret_stay_equal_and_hidden() -> None:
    secret = Secret(CANARY)
    assert copy.copy(secret) == copy.deepcopy(secret) == secret
    assert {secret: 1}[Secret(CANARY)] == 1
    assert secret != Secret("other")
    assert secret != CANARY
    assert not Secret("")


def test_a_sealed_value_opens_in_its_place_only() -> None:
    ring = KeyRing.parse(f"v1:{key(1)}")
    sealed = ring.seal(Secret(CANARY), context=PLACE)
    assert CANARY not in sealed
    assert ring.open(sealed, context=PLACE) == Secret(CANARY)
    for other in [("default", "int-2", "api_token"), ("default", "int-1"), ("default", "int-1a", "pi_token")]:
        with pytest.raises(SealError, match="another place"):
            ring.open(sealed, context=other)


def test_context_parts_cannot_be_shifted() -> None:
    ring = KeyRing.generate()
    sealed = ring.seal("x", context=("ab", "c"))
    with pytest.raises(SealError):
        ring.open(sealed, context=("a", "bc"))
    with pytest.raises(ValueError, match="context"):
        ring.seal("x", context=())


def test_every_flipped_character_is_noticed() -> None:
    ring = KeyRing.parse(f"v1:{key(1)},v2:{key(2)}")
    sealed = ring.seal("value", context=PLACE)
    for position, letter in enumerate(sealed):
        changed = sealed[:position] + ("A" if letter != "A" else "B") + sealed[position + 1 :]
        with pytest.raises(SealError):
            ring.open(changed, context=PLACE)
    for cut in range(len(sealed)):
        with pytest.raises(SealError):
            ring.open(sealed[:cut], context=PLACE)


def test_the_last_key_seals_unless_another_is_marked() -> None:
    assert KeyRing.parse(f"v1:{key(1)},v2:{key(2)}").primary == "v2"
    assert KeyRing.parse(f"*v1:{key(1)},v2:{key(2)}").primary == "v1"


def test_rewrapping_moves_a_value_to_the_primary_key() -> None:
    old = KeyRing.parse(f"v1:{key(1)}")
    both = old.with_new_primary()
    sealed = old.seal("value", context=PLACE)
    assert both.needs_rewrap(sealed)
    moved = both.rewrap(sealed, context=PLACE)
    assert not both.needs_rewrap(moved)
    assert both.rewrap(moved, context=PLACE) == moved
    assert both.open(moved, context=PLACE).reveal() == "value"
    with pytest.raises(SealError, match="not among the configured keys"):
        old.open(moved, context=PLACE)


def test_the_ring_survives_its_own_text_form() -> None:
    ring = KeyRing.generate().with_new_primary()
    again = KeyRing.parse(ring.to_text())
    assert again.versions == ring.versions
    assert again.open(ring.seal("x", context=PLACE), context=PLACE).reveal() == "x"
    assert ring.to_text().reveal().rpartition(":")[2] not in repr(ring)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "nokey",
        "v1:!!!",
        f"v1:{key(1)},v1:{key(2)}",
        "v1:c2hvcnQ=",
        f"*v1:{key(1)},*v2:{key(2)}",
        f"a b:{key(1)}",
    ],
)
def test_a_bad_key_list_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(KeyFileError) as refused:
        KeyRing.parse(text)
    assert "c2hvcnQ" not in str(refused.value)
    assert key(1) not in str(refused.value)


def test_a_key_file_is_made_once_and_private(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = KeyRing.load_or_create(path)
    assert path.stat().st_mode & 0o777 == 0o600
    sealed = first.seal("x", context=PLACE)
    assert KeyRing.load_or_create(path).open(sealed, context=PLACE).reveal() == "x"
    assert [p.name for p in tmp_path.iterdir()] == ["keys"]


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    KeyRing.load_or_create(path)
    path.chmod(0o640)
    with pytest.raises(KeyFileError, match=r"mode 0640.*chmod 600"):
        KeyRing.load_or_create(path)


def test_a_second_creator_does_not_replace_the_first(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    first = KeyRing.load_or_create(path)
    with pytest.raises(FileExistsError):
        KeyRing.generate().save(path, replace=False)
    assert KeyRing.load_or_create(path).to_text() == first.to_text()
    first.with_new_primary().save(path, replace=True)
    assert KeyRing.load_or_create(path).primary == "v2"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_token_is_stored_as_its_digest() -> None:
    # Published SHA-256 vector (FIPS 180-2, appendix B.1).
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert hash_token("abc") == hash_token(Secret("abc")) == expected


def test_a_running_process_finds_a_rotated_key_in_its_file(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    running = KeyRing.load_or_create(path)
    old = running.seal("before", context=("a", "b"))
    rotated = KeyRing.load_or_create(path).with_new_primary()
    rotated.save(path, replace=True)
    new = rotated.seal("after", context=("a", "b"))
    assert running.open(new, context=("a", "b")).reveal() == "after"
    assert running.open(old, context=("a", "b")).reveal() == "before"
    assert running.primary == rotated.primary
