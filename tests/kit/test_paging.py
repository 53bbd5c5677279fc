"""Pages end, or it is said why not."""

from __future__ import annotations

import pytest

from callout.kit.paging import Page, PagingError, walk


class Book:
    def __init__(self, pages: dict[str | None, Page[int]]) -> None:
        self.pages = pages
        self.asked: list[str | None] = []

    async def __call__(self, token: str | None) -> Page[int]:
        self.asked.append(token)
        return self.pages[token]


async def test_all_items_come_in_order_also_after_an_empty_page() -> None:
    book = Book({None: Page([1, 2], "a"), "a": Page([], "b"), "b": Page([3], None)})
    assert [item async for item in walk(book)] == [1, 2, 3]
    assert book.asked == [None, "a", "b"]


async def test_a_page_is_fetched_only_when_wanted() -> None:
    book = Book({None: Page([1, 2], "a")})
    async for item in walk(book):
        if item == 2:
            break
    assert book.asked == [None]


@pytest.mark.parametrize(
    "circle",
    [
        {None: Page([1], "a"), "a": Page([2], "a")},
        {None: Page([1], "a"), "a": Page([2], "b"), "b": Page([3], "a")},
    ],
)
async def test_a_circle_is_noticed_before_it_is_walked_twice(circle: dict[str | None, Page[int]]) -> None:
    book = Book(circle)
    with pytest.raises(PagingError, match="repeated"):
        [item async for item in walk(book)]
    assert len(book.asked) == len(circle)


async def test_there_are_never_more_pages_than_allowed() -> None:
    async def endless(token: str | None) -> Page[int]:
        number = int(token or "0")
        return Page([number], str(number + 1))

    seen: list[int] = []
    with pytest.raises(PagingError, match="more than 5 pages"):  # noqa: PT012 - it comes in the middle
        async for item in walk(endless, max_pages=5):
            seen.append(item)  # noqa: PERF401
    assert seen == [0, 1, 2, 3, 4]
