"""Asking one of our own addresses whether it answers: no vendor, so no guard, no retry, no credentials."""

from __future__ import annotations

from dataclasses import dataclass

import httpx


@dataclass(frozen=True, slots=True)
class Answered:
    """What an address answered: the status, and the JSON in it (None where it was none)."""

    status: int
    body: object


async def ask(url: str, *, seconds: float) -> Answered | None:
    """Return what `url` answers to GET; None when it does not within so many seconds. Redirects are not followed."""
    try:
        async with httpx.AsyncClient(timeout=seconds, trust_env=False) as http:
            answer = await http.get(url)
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    try:
        return Answered(answer.status_code, answer.json())
    except ValueError:
        return Answered(answer.status_code, None)


__all__ = ["Answered", "ask"]
