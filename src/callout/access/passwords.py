"""The secrets that members sign in with: which are good enough, and how they are kept."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from callout.kit.secrets import Secret
from callout.ports.errors import InvalidRequestError

SHORTEST: Final = 8
LONGEST: Final = 72
"""In bytes of UTF-8, which is what the wire contract counts."""
_DISTINCT: Final = 5
_COMMON_WORDS: Final = """
12345678 123456789 1234567890 11111111 00000000 87654321 12341234 123123123 1q2w3e4r 1q2w3e4r5t
1qaz2wsx abcd1234 abc12345 a1b2c3d4 aa123456 access14 admin123 admin1234 administrator adobe123
baseball basketball batman123 bailey123 blink182 butterfly callout1 changeme changeme1 charlie1
chocolate computer corvette dragon123 football football1 freedom1 hello123 helloworld iloveyou
iloveyou1 internet jennifer jordan23 letmein1 letmein123 liverpool london123 loveme123 master123
maverick mercedes michelle midnight monkey123 mustang1 mypassword ncc1701d newyork1 nothing1
oqwerty1 p@ssw0rd p@ssword passw0rd passw0rd1 password password! password1 password1! password12
password123 password1234 pa55word princess princess1 qazwsxedc qwer1234 qwerty12 qwerty123
qwerty1234 qwertyui qwertyuiop samantha secret123 shadow123 spiderman starwars sunshine sunshine1
superman superman1 superstar test1234 testtest trustno1 victoria welcome1 welcome123 whatever
whatever1 zaq12wsx zxcvbnm1 zxcvbnma
"""
_COMMON: Final = frozenset(_COMMON_WORDS.split())
"""What is tried first by whoever guesses; compared without regard to case."""
_ROWS: Final = ("abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm", "01234567890")
_hasher = PasswordHasher()
# Each takes 64 MiB while it runs: whoever knocks often waits, and takes no more than this.
_threads = ThreadPoolExecutor(2, thread_name_prefix="callout-passwords")
_NOBODY: Final = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRvZm91cnM$" + "A" * 43
"""Compared with where there is nobody of that name, so that the answer takes as long."""


def check_quality(secret: Secret, *names: str) -> None:
    """Raise InvalidRequestError unless `secret` is good enough for the member with these names; never repeats it."""
    text = secret.reveal()
    size = len(text.encode("utf-8", "replace"))
    if not SHORTEST <= size <= LONGEST:
        raise _refused(f"has {SHORTEST} to {LONGEST} bytes")
    plain = text.casefold()
    if plain in _COMMON or len(set(plain)) < _DISTINCT or _is_run(plain):
        raise _refused("must not be a common one, a run of neighbours or few characters repeated")
    if any(len(name) > 3 and name.casefold() in plain for name in names):  # noqa: PLR2004  # shorter ones are in many words
        raise _refused("must not hold the member's name")


def _is_run(text: str) -> bool:
    return any(text in row + row or text in (row + row)[::-1] for row in _ROWS)


def _refused(why: str) -> InvalidRequestError:
    return InvalidRequestError(
        f"the secret {why}",
        remediation="Choose several unrelated words, or let a password manager choose.",
        fields={"/secret": why},
    )


async def hashed(secret: Secret) -> str:
    """Return what to keep of `secret`. Takes tens of milliseconds of another thread: not for a transaction."""
    return await asyncio.get_running_loop().run_in_executor(_threads, _hasher.hash, secret.reveal())


async def fits(secret: Secret, kept: str | None) -> bool:
    """Return whether `secret` is the one behind `kept`; takes as long where nothing is kept. Not for a transaction."""
    found = await asyncio.get_running_loop().run_in_executor(_threads, _fits, secret.reveal(), kept)
    return found and kept is not None


def _fits(text: str, kept: str | None) -> bool:
    try:
        return _hasher.verify(kept or _NOBODY, text)
    except (VerificationError, InvalidHashError):
        return False
