"""Walking a vendor's pages: a page is a value, a repeated token is noticed, and there is an end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

_ItemT = TypeVar("_ItemT")

MAX_PAGES: Final = 10_000


class PagingError(Exception):
    """The vendor's pages do not come to an end; the message says how."""


@dataclass(frozen=True, slots=True)
class Page(Generic[_ItemT]):
    """One page of a listing.

    Args:
        items: what is on it, possibly nothing.
        next_token: whatever fetches the next page (cursor, offset, URL); None on the last page.
    """

    items: Sequence[_ItemT]
    next_token: str | None


async def walk(
    fetch: Callable[[str | None], Awaitable[Page[_ItemT]]],
    *,
    start: str | None = None,
    max_pages: int = MAX_PAGES,
) -> AsyncIterator[_ItemT]:
    """Yield the items of all pages in order; a page is fetched only when its items are wanted.

    Args:
        fetch: returns the page of a token; None stands for the first page.
        start: token to begin with.
        max_pages: pages at most.

    Raises:
        PagingError: a token came a second time, or there are more pages than allowed.
    """
    token = start
    seen: set[str | None] = {start}
    for _ in range(max_pages):
        page = await fetch(token)
        for item in page.items:
            yield item
        if page.next_token is None:
            return
        token = page.next_token
        # Not only the token before: some vendors go round in longer circles when data changes underneath.
        if token in seen:
            raise PagingError("the vendor repeated a page token, so its pages would never end")
        seen.add(token)
    raise PagingError(f"the vendor has more than {max_pages} pages; ask for less at a time")
