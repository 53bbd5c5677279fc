"""Where in a text personal data stand: e-mail addresses, telephone numbers, payment cards, bank accounts. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_EMAIL = re.compile(r"[A-Za-z0-9._%+'-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.){1,8}[A-Za-z]{2,24}")
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:"
    r"(?:\+|00)[1-9](?:[ ()./-]{0,2}\d){6,14}"  # international
    r"|0\d{2,4}[ /-]\d(?:[ -]?\d){4,9}"  # national, with its area code apart
    r"|\(\d{3}\)[ ]?\d{3}[ -]\d{4}|\d{3}[.-]\d{3}[.-]\d{4}"  # as in North America
    r")(?![\w/-])"
)
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?:[ ]?[A-Z0-9]){11,30}(?!\w)")
_IBAN_LENGTHS: Final = range(15, 35)


def _emails(text: str) -> Iterator[tuple[int, int]]:
    for match in _EMAIL.finditer(text):
        yield match.span()


def _phones(text: str) -> Iterator[tuple[int, int]]:
    for match in _PHONE.finditer(text):
        yield match.span()


def _cards(text: str) -> Iterator[tuple[int, int]]:
    for match in _CARD.finditer(text):
        if luhn("".join(c for c in match[0] if c.isdecimal())):
            yield match.span()


def _ibans(text: str) -> Iterator[tuple[int, int]]:
    for match in _IBAN.finditer(text):
        end = _iban_end(match[0])
        if end:
            yield match.start(), match.start() + end


def _iban_end(found: str) -> int:
    """Return how many characters of `found` are an account number: words behind it may look like more of it; 0 for none."""
    for end in range(len(found), 0, -1):
        number = found[:end].replace(" ", "")
        if len(number) in _IBAN_LENGTHS and found[end - 1] != " " and mod97(number):
            return end
    return 0


def luhn(digits: str) -> bool:
    """Return whether the digits of a card number fit its check digit; one of a single digit repeated is none."""
    if len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004  # the sum of two digits
    return total % 10 == 0


def mod97(number: str) -> bool:
    """Return whether an IBAN without spaces fits its check digits."""
    turned = number[4:] + number[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


_FINDERS: Final = {"email": _emails, "phone": _phones, "card": _cards, "iban": _ibans}
KINDS: Final[Mapping[str, str]] = {
    "email": "e-mail address",
    "phone": "telephone number",
    "card": "card number",
    "iban": "bank account",
}
"""Kind → what it is called."""


def personal_spans(text: str, kinds: Iterable[str]) -> list[tuple[int, int, str]]:
    """Return where data of these `kinds` stand, as (start, end, kind)."""
    return [(start, end, kind) for kind in kinds for start, end in _FINDERS[kind](text)]
