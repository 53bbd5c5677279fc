from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from callout.access import StoredAnswer, request_digest
from callout.ports.errors import ConflictError, InvalidRequestError

if TYPE_CHECKING:
    from callout.storage import Tx
    from tests.access.services import Access

DIGEST = request_digest("POST", "/v1/incidents", b"{}")


async def _answer(access: Access, key: str = "k", digest: str = DIGEST, account: str = "a") -> str:
    async def work(tx: Tx) -> str:
        scoped = tx.account(account)
        stored = await access.idempotency.begin(scoped, key, digest)
        if stored is not None:
            return f"again {stored.body}"
        await access.idempotency.finish(scoped, key, status=201, body="made", headers={"Location": "/x"})
        return "made"

    return await access(work)


async def test_the_same_request_gets_the_stored_answer(access: Access) -> None:
    assert await _answer(access) == "made"
    stored = await access(lambda tx: access.idempotency.begin(tx.account("a"), "k", DIGEST))
    assert stored == StoredAnswer(201, "made", {"Location": "/x"})


async def test_many_at_once_have_one_effect(access: Access) -> None:
    answers = await asyncio.gather(*(_answer(access) for _ in range(8)))
    assert sorted(answers) == ["again made"] * 7 + ["made"]


async def test_a_key_used_for_another_request_is_a_conflict(access: Access) -> None:
    await _answer(access)
    other = request_digest("POST", "/v1/incidents", b'{"a":1}')
    with pytest.raises(ConflictError, match="another request"):
        await _answer(access, digest=other)


async def test_another_account_has_keys_of_its_own(access: Access) -> None:
    await _answer(access)
    assert await _answer(access, account="b") == "made"


async def test_an_effect_that_failed_leaves_the_key_free(access: Access) -> None:
    async def failing(tx: Tx) -> None:
        await access.idempotency.begin(tx.account("a"), "k", DIGEST)
        raise LookupError

    with pytest.raises(LookupError):
        await access(failing)
    assert await _answer(access) == "made"


async def test_keys_are_kept_at_least_a_day_and_then_forgotten(access: Access) -> None:
    await _answer(access)
    access.clock.advance(timedelta(hours=47))
    assert await _answer(access) == "again made"
    assert await access(access.idempotency.purge) == 0
    access.clock.advance(timedelta(hours=1))
    assert await _answer(access) == "made"
    access.clock.advance(timedelta(hours=48))
    assert await access(access.idempotency.purge) == 1


async def test_finishing_twice_or_without_a_beginning_is_a_mistake(access: Access) -> None:
    with pytest.raises(LookupError):
        await access(lambda tx: access.idempotency.finish(tx.account("a"), "none", status=200, body=""))


@pytest.mark.parametrize("key", ["", "x" * 401, "a\nb"])
async def test_a_senseless_key_is_refused(access: Access, key: str) -> None:
    with pytest.raises(InvalidRequestError):
        await _answer(access, key=key)
