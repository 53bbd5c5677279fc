"""Tickets as people name them: a key, a number, or the address from the browser's bar. Pure; knows no vendor's addresses by heart."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

_RECORD_ID = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", re.IGNORECASE)
_PROJECT_KEY = re.compile(r"[A-Z][A-Z0-9_]{1,30}-[1-9][0-9]{0,11}")
_WORD = re.compile(r"[A-Za-z0-9_-]{1,64}")
ADDRESS_LIMIT: Final = 2_000


def is_address(text: str) -> bool:
    """Return whether a text is a web address."""
    return text.lower().startswith(("https://", "http://"))


def ticket_of(address: str) -> str:
    """Return the ticket that an address leads to, empty where none can be seen in it.

    A record's id or a key of a project wins over what stands last in the path.
    """
    try:
        parts = urlsplit(address[:ADDRESS_LIMIT])
    except ValueError:
        return ""
    path = [unquote(part) for part in parts.path.split("/") if part]
    values = [value for _, value in parse_qsl(parts.query)]
    everything = [*values, *reversed(path), unquote(parts.fragment)]
    for text in everything:
        if found := _PROJECT_KEY.fullmatch(text):
            return found[0]
    for text in everything:
        if found := _RECORD_ID.search(text):
            return found[0]
    last = path[-1] if path else ""
    return last if _WORD.fullmatch(last) and any(c.isdigit() for c in last) else ""


def closeness(address: str, site: str) -> int:
    """Return how surely an address is of a site: 2 for the same host, 1 for the same company's, 0 for another."""
    try:
        one, other = urlsplit(address[:ADDRESS_LIMIT]).hostname, urlsplit(site).hostname
    except ValueError:
        return 0
    if not one or not other:
        return 0
    if one == other:
        return 2
    same = one.split(".")[-2:]
    return int(len(same) == 2 and same == other.split(".")[-2:] and not same[-1].isdigit())  # noqa: PLR2004


def project_of(ticket: str) -> str:
    """Return the project of a key such as `OPS-31`, empty for what is no such key."""
    return ticket.rpartition("-")[0] if _PROJECT_KEY.fullmatch(ticket.upper()) else ""
