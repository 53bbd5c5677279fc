"""What two-way sync stands on, whatever a vendor does: late searches, values that come back changed, several statuses in one."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest

from callout.ports import provider as port
from callout.ports.errors import RejectedError
from callout.ports.provider import Findable, PollPosition
from callout.ports.ticketing import CommentDraft, Ticket, TicketPatch
from callout.ports.values import Priority, Status
from callout.sync.merge import NO_MEANING
from tests.conformance.harness import Harness
from tests.conformance.pair import Pair, mappings_of
from tests.conformance.tools import BODY, make

OVERLAP = timedelta(minutes=5)
MOMENT = timedelta(seconds=1)
TITLES = (
    "two  spaces",
    " at the edges ",
    "one line\nand another",
    "tab\there",
    "long " * 60,
    "<b>bold</b> &amp; \\ *signs* _here_ [x] {y}",
    "支払い障害 🔥 ümlaut",
)
TEXTS = (
    "spaces at the end   \nof a line  ",
    "*one* and __two__",
    "# Heading\n\n* a\n* b\n\n1) one\n2) two",
    "windows\r\nlines",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "```\ncode   with  spaces  \n```",
    "    indented",
    "<script>alert(1)</script> &amp; {brackets} [x] \\",
    "far\n\n\n\n\napart\n\n\n",
    "支払い障害 🔥 ümlaut",
    "https://example.com/a_b_c?d=1&e=2 and <https://example.com>",
)
FIELDS: Mapping[str, tuple[Any, ...]] = {
    "title": TITLES,
    "description": TEXTS,
    "priority": tuple(Priority),
    "tags": (("b", "a", "b"), ("Upper", "lower")),
    "due_date": (datetime(2026, 5, 1, 15, 30, 59, tzinfo=UTC),),
}
CASES = [
    pytest.param(name, value, id=f"{name}-{number}")
    for name, values in FIELDS.items()
    for number, value in enumerate(values)
]


@contextlib.asynccontextmanager
async def _search_late_by(harness: Harness, lag: timedelta) -> AsyncIterator[None]:
    async with contextlib.AsyncExitStack() as stack:
        if harness.lag_control is not None and lag:
            await stack.enter_async_context(harness.lagging(lag.total_seconds()))
        yield


class LaggingContract:
    """A search may show less than there is, for as long as the connector declares and no longer."""

    async def test_a_search_is_late_by_no_more_than_declared(self, harness: Harness) -> None:
        effect = harness.provider.effects["create_ticket"]
        assert isinstance(effect, Findable)
        late = effect.lag if harness.index_lag is None else harness.index_lag
        async with _search_late_by(harness, late):
            made = await make(harness, key="callout-inc-90")
            assert await harness.provider.get_ticket(made.id) == made, "reading a ticket waits for no index"
            harness.pass_time(effect.lag + MOMENT)
            another = harness.extra.get("another_process", lambda: harness.provider)()
            assert isinstance(another, port.SupportsFindByKey)
            assert [ticket.id for ticket in await another.find_by_key("callout-inc-90")] == [made.id]

    async def test_a_change_that_search_shows_late_is_told_by_a_later_poll(self, harness: Harness) -> None:
        """The high-water mark stands at the newest change seen, which may be newer than one not shown yet."""
        provider = harness.provider
        if not isinstance(provider, port.SupportsChanges):
            return
        old = await make(harness, "quiet")
        harness.pass_time(timedelta(hours=1))
        before = harness.clock.now()
        async with _search_late_by(harness, timedelta(seconds=90)):
            await provider.patch_ticket(old.id, TicketPatch({"title": "changed in the dark"}))
            mark = harness.clock.now()
            first = await _titles(provider, before)
            harness.pass_time(timedelta(seconds=91))
            later = await _titles(provider, mark)
        assert "changed in the dark" in first + later
        assert "changed in the dark" in later, "the overlap has to reach behind the mark"


async def _titles(provider: port.SupportsChanges, since: datetime) -> list[str]:
    found = [change async for change in provider.changes_since(PollPosition(since), overlap=OVERLAP)]
    return [change.ticket.title for change in found if change.ticket is not None]


class NormalisingContract:
    """What a vendor stores may differ from what was sent. The read-back is what counts, and it is stable."""

    @pytest.mark.parametrize(("name", "sent"), CASES)
    async def test_what_is_read_back_stays(self, harness: Harness, name: str, sent: Any) -> None:
        made = await _created(harness, name, sent)
        stored = getattr(made, name)
        again = await harness.provider.get_ticket(made.id)
        assert getattr(again, name) == stored, "two reads, two values"
        pushed = await _patched(harness, made, name, stored)
        assert getattr(pushed, name) == stored, "what was read does not come back when it is written"
        assert _settled(pushed) == _settled(again), "writing what is there changed something else"
        resent = await _patched(harness, made, name, sent)
        assert getattr(resent, name) == stored, "a patch stores it otherwise than a create does"

    async def test_what_the_vendor_makes_of_it_is_what_the_harness_says(self, harness: Harness) -> None:
        for name, (sent, stored) in harness.normalised.items():
            assert sent != stored, f"{name}: that is no example of a value that comes back changed"
            assert getattr(await make(harness, **{"title": "x", name: sent}), name) == stored, name

    @pytest.mark.parametrize("sent", TEXTS)
    async def test_a_comment_is_read_the_same_each_time(self, harness: Harness, sent: str) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        made = await make(harness)
        first = await provider.create_comment(made.id, CommentDraft(sent))
        listed = await provider.list_comments(made.id)
        assert [entry.content for entry in listed] == [first.content]
        second = await provider.create_comment(made.id, CommentDraft(first.content))
        assert second.content == first.content, "what was read does not come back when it is written"

    @pytest.mark.parametrize(
        ("name", "sent"), [case for case in CASES if case.values[0] in {"title", "description"}]
    )
    async def test_a_push_is_followed_by_quiet(self, harness: Harness, name: str, sent: str) -> None:
        """The base of theirs is what was read back: the vendor's own spelling is no edit of theirs."""
        made = await make(harness, "before", description="before")
        pair = Pair(harness.provider, mappings_of(harness), made.id, {name: sent})
        await pair.agree(**{name: "before"})
        with _RefusedByName(name) as refusal:
            result = await pair.step()
        if refusal:
            return
        if not pair.rules[name].direction.outbound:
            assert not result.to_theirs, "the mapping keeps this field to us"
            return
        assert set(result.to_theirs) == {name}
        assert await pair.is_quiet()
        assert await pair.is_quiet()
        assert pair.ours == {name: sent}, "the vendor's spelling was taken for an edit of theirs"


def _settled(ticket: Ticket) -> Ticket:
    """A ticket without what any write may move: its time of change, version and the vendor's own counters."""
    return replace(ticket, updated_at=None, version="", unmapped={})


async def _created(harness: Harness, name: str, value: Any) -> Ticket:
    with _RefusedByName(name):
        return await make(harness, **{"title": "before", "description": BODY, name: value})
    return await make(harness, "before", description=BODY)


async def _patched(harness: Harness, made: Ticket, name: str, value: Any) -> Ticket:
    with _RefusedByName(name):
        return await harness.provider.patch_ticket(made.id, TicketPatch({name: value}))
    return await harness.provider.get_ticket(made.id)


class _RefusedByName:
    """Let a refusal pass that says which field it is about: it is honest too. True afterwards when there was one."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._refused = False

    def __enter__(self) -> Self:
        return self

    def __bool__(self) -> bool:
        return self._refused

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        self._refused = isinstance(error, RejectedError) and self._name in error.fields
        return self._refused


class ManyToOneContract:
    """Several of our statuses share one of theirs: reading theirs back moves nobody."""

    @pytest.mark.parametrize("status", list(Status))
    async def test_a_status_read_back_does_not_push_us_back(self, harness: Harness, status: Status) -> None:
        made = await make(harness)
        pair = Pair(harness.provider, mappings_of(harness), made.id, {"status": status.value})
        await pair.agree(status=Status.OPEN.value)
        await pair.step()
        assert await pair.is_quiet()
        assert pair.ours == {"status": status.value}

    async def test_statuses_that_share_one_of_theirs_stay_where_they_are(self, harness: Harness) -> None:
        mappings = mappings_of(harness)
        shared: dict[str, list[str]] = {}
        for ours, theirs in mappings.statuses.items():
            shared.setdefault(theirs, []).append(str(ours))
        for group in shared.values():
            made = await make(harness)
            pair = Pair(harness.provider, mappings, made.id, {"status": group[0]})
            await pair.agree(status=Status.OPEN.value)
            await pair.step()
            for other in [*group[1:], group[0]]:
                pair.ours["status"] = other
                result = await pair.step()
                assert not result.to_theirs, f"{other}: theirs says it already"
                assert await pair.is_quiet()
                assert pair.ours == {"status": other}

    async def test_each_of_their_statuses_means_one_of_ours(self, harness: Harness) -> None:
        rule = mappings_of(harness).rules("int-1")["status"]
        for name in harness.statuses:
            made = await make(harness)
            moved = await harness.provider.patch_ticket(made.id, TicketPatch({"status": name}))
            theirs = f"{moved.status}|{moved.status_category.value}"
            ours = rule.decode(theirs)
            assert ours is not NO_MEANING
            sent = rule.encode(ours)
            assert sent in {moved.status, f"category:{moved.status_category}"}, (
                f"{theirs} is read as {ours}, which is sent as {sent}: following them would move them"
            )

    async def test_their_move_within_what_we_mean_moves_us_once(self, harness: Harness) -> None:
        """They resolve what we only acknowledged: we follow, and the echo of following is nothing."""
        made = await make(harness)
        pair = Pair(harness.provider, mappings_of(harness), made.id, {"status": Status.ACKNOWLEDGED.value})
        await pair.agree(status=Status.OPEN.value)
        await pair.step()
        await harness.provider.patch_ticket(made.id, TicketPatch({"status": harness.statuses[2]}))
        result = await pair.step()
        assert list(result.to_ours) == ["status"]
        assert not result.to_theirs
        assert Status(pair.ours["status"]) in {Status.RESOLVED, Status.CLOSED}
        assert await pair.is_quiet()


class TwoWayContract(LaggingContract, NormalisingContract, ManyToOneContract):
    """All three."""
