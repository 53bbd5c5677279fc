"""The contract against a vendor over HTTP: lagging search, faults, lost answers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from callout.ports import provider as port
from callout.ports.errors import (
    AuthFailedError,
    CalloutError,
    OutcomeUnknownError,
    PermissionDeniedError,
    RateLimitedError,
    RecordNotFoundError,
    StaleRecordError,
    UnavailableError,
)
from callout.ports.ticketing import (
    CommentDraft,
    TicketDraft,
)
from tests.conformance.harness import Harness
from tests.conformance.tools import attach, identity, make


class LagContract:
    """For providers whose search lags behind their writes."""

    async def test_a_new_ticket_is_found_by_key_once_the_index_has_it(self, harness: Harness) -> None:
        provider = harness.provider
        async with harness.lagging(60):
            made = await make(harness, key="callout-inc-9")
            fresh = harness.extra["another_process"]()
            assert isinstance(provider, port.SupportsFindByKey)
            assert isinstance(fresh, port.SupportsFindByKey)
            assert not await fresh.find_by_key("callout-inc-9"), (
                "the lag must be real for this to mean anything"
            )
            harness.pass_time(timedelta(seconds=61))
            assert [ticket.id for ticket in await fresh.find_by_key("callout-inc-9")] == [made.id]


class RemoteContract:
    """For providers behind a wire: what can break there, and what we make of it."""

    @pytest.mark.parametrize(
        ("effect", "error"),
        [
            ({"kind": "status", "status": 401}, AuthFailedError),
            ({"kind": "status", "status": 403}, PermissionDeniedError),
            ({"kind": "status", "status": 404}, RecordNotFoundError),
            ({"kind": "status", "status": 409}, StaleRecordError),
            ({"kind": "status", "status": 429}, RateLimitedError),
            ({"kind": "status", "status": 500}, UnavailableError),
            ({"kind": "status", "status": 503}, UnavailableError),
            ({"kind": "html"}, UnavailableError),
            ({"kind": "html", "status": 503}, UnavailableError),
            ({"kind": "disconnect"}, UnavailableError),
        ],
        ids=lambda value: "-".join(str(v) for v in value.values()) if isinstance(value, dict) else None,
    )
    async def test_a_read_that_fails_says_what_to_do(
        self, harness: Harness, effect: dict[str, object], error: type[CalloutError]
    ) -> None:
        made = await make(harness)
        assert harness.faults is not None
        harness.faults.add(effect)
        with pytest.raises(error) as caught:
            await harness.provider.get_ticket(made.id)
        assert caught.value.message
        assert caught.value.code != "INTERNAL"
        harness.faults.clear()
        assert (await harness.provider.get_ticket(made.id)).id == made.id

    async def test_a_rate_limit_says_how_long_to_wait(self, harness: Harness) -> None:
        made = await make(harness)
        assert harness.faults is not None
        harness.faults.add({"kind": "status", "status": 429, "retry_after": 17})
        with pytest.raises(RateLimitedError) as caught:
            await harness.provider.get_ticket(made.id)
        assert caught.value.retry_after == timedelta(seconds=17)

    @pytest.mark.parametrize(
        "effect",
        [
            {"kind": "disconnect_after_write"},
            {"kind": "timeout_after_write", "hold": 0.05},
            {"kind": "status", "status": 504, "after_write": True},
            {"kind": "status", "status": 500, "after_write": True},
        ],
        ids=lambda effect: f"{effect['kind']}-{effect.get('status', '')}",
    )
    async def test_a_create_whose_answer_is_lost_is_found_by_its_key(
        self, harness: Harness, effect: dict[str, object]
    ) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsFindByKey)
        await make(harness, "warm up")
        assert harness.faults is not None
        harness.faults.add(effect, method="POST", path=harness.write_path, first=1)
        with pytest.raises(OutcomeUnknownError):
            await make(harness, "lost", key="callout-inc-10")
        found = await provider.find_by_key("callout-inc-10")
        assert [ticket.title for ticket in found] == ["lost"]

    async def test_a_create_that_never_left_is_not_in_doubt(self, harness: Harness) -> None:
        dead = harness.extra["unreachable"]()
        with pytest.raises(UnavailableError):
            await dead.create_ticket(TicketDraft("x", project=harness.project))

    async def test_a_comment_whose_answer_is_lost_is_found_by_its_key(self, harness: Harness) -> None:
        provider = harness.provider
        assert isinstance(provider, port.SupportsComments)
        assert isinstance(provider, port.SupportsFindComment)
        made = await make(harness)
        assert harness.faults is not None
        harness.faults.add(
            {"kind": "disconnect_after_write"},
            method=harness.comment_method,
            path=harness.comment_path,
            first=1,
        )
        with pytest.raises(OutcomeUnknownError):
            await provider.create_comment(made.id, CommentDraft("lost", key="note-3"))
        found = await provider.find_comment(made.id, "note-3")
        assert found is not None
        assert found.content == "lost"

    @pytest.mark.parametrize(
        "effect",
        [{"kind": "disconnect_after_write"}, {"kind": "status", "status": 504, "after_write": True}],
        ids=lambda effect: str(effect["kind"]),
    )
    async def test_an_upload_whose_answer_is_lost_is_found_and_there_once(
        self, harness: Harness, effect: dict[str, object]
    ) -> None:
        provider = harness.provider
        if not isinstance(provider, port.SupportsAttachments):
            return
        assert isinstance(provider, port.SupportsFindAttachment)
        made = await make(harness)
        before = await attach(provider, made.id, "error.log", b"before")
        assert harness.faults is not None
        harness.faults.add(effect, method="POST", path=harness.upload_path, first=1)
        with pytest.raises(OutcomeUnknownError):
            await attach(provider, made.id, "error.log", b"lost 1")
        found = await provider.find_attachment(made.id, identity("error.log", b"lost 1"), known={before.id})
        assert found is not None
        assert {one.id for one in await provider.list_attachments(made.id)} == {before.id, found.id}
        read = b"".join([chunk async for chunk in provider.download_attachment(made.id, found.id)])
        assert read == b"lost 1"

    async def test_a_wrong_credential_fails_the_connection_check(self, harness: Harness) -> None:
        assert harness.wrong is not None
        with pytest.raises(AuthFailedError):
            await harness.wrong.check_connection()
        with pytest.raises(AuthFailedError):
            await harness.wrong.create_ticket(TicketDraft("x", project=harness.project))
