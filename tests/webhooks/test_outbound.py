"""Deliveries over the wire, on both databases: order, retries, circuits, and endpoints that behave badly."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from callout.ports.errors import ConflictError, InvalidRequestError
from callout.webhooks.outbound import DeliveryFilter, DeliveryState
from callout.webhooks.outbound.plan import MOST_ATTEMPTS, OPEN_AFTER
from tests.webhooks.lab import OPERATOR, Lab
from tests.webhooks.sink import answering, dripping, endless, hanging_up, never


def numbers(lab: Lab, path: str, ticket: str) -> list[int]:
    return [one.json["number"] for one in lab.sink.at(path) if one.json["ticket_id"] == ticket]


async def test_deliveries_of_a_ticket_keep_their_order_and_do_not_wait_for_other_tickets(lab: Lab) -> None:
    await lab.add("/in")
    lab.sink.script["/in"] = [answering(500, b"not today")]
    await lab.tell("A", 1)
    async with lab.working():
        await lab.came("/in", 1)
        await lab.tell("A", 2, 3)
        await lab.tell("B", *range(20))
        await lab.came("/in", 21)
        await lab.idle()
        assert numbers(lab, "/in", "A") == [1]
        assert numbers(lab, "/in", "B") == list(range(20))
        await lab.skip(seconds=7)
        await lab.all_are("delivered")
    assert numbers(lab, "/in", "A") == [1, 1, 2, 3]
    first, again, *_ = [one for one in lab.sink.at("/in") if one.json["ticket_id"] == "A"]
    assert first.id == again.id
    assert first.body == again.body
    assert first.headers["webhook-timestamp"] < again.headers["webhook-timestamp"]
    failed = (await lab.deliveries(subject="A"))[0]
    told = await lab.detail(failed.id)
    assert [(one.number, one.status, one.answer) for one in told.attempts] == [
        (1, 500, b"not today"),
        (2, 204, b""),
    ]
    assert all(0 <= one.took < 5 for one in told.attempts)


async def test_retry_after_is_obeyed_by_the_whole_endpoint(lab: Lab) -> None:
    await lab.add("/in")
    lab.sink.script["/in"] = [answering(503, retry_after="100")]
    await lab.tell("A", 1)
    async with lab.working():
        await lab.came("/in", 1)
        await lab.tell("B", 1)
        await lab.skip(seconds=90)
        await asyncio.sleep(0.6)
        await lab.idle()
        assert len(lab.sink.at("/in")) == 1
        await lab.skip(seconds=20)
        await lab.all_are("delivered")


async def test_a_circuit_opens_and_closes_and_other_endpoints_notice_nothing(lab: Lab) -> None:
    await lab.add("/bad")
    await lab.add("/good")
    lab.sink.always["/bad"] = answering(500)
    async with lab.working():
        await lab.tell("X", *range(20))
        for number in range(20):
            await lab.tell(f"T{number}", number)
        await lab.came("/good", 40)
        await lab.came("/bad", OPEN_AFTER)
        await lab.idle()
        tried = len(lab.sink.at("/bad"))
        # The requests that were under way side by side when the first one failed are all that come on top.
        assert tried <= OPEN_AFTER + 1
        assert (await lab.endpoint("bad")).open_until is not None
        await lab.skip(seconds=40)
        await lab.came("/bad", tried + 1)
        await lab.idle()
        assert len(lab.sink.at("/bad")) == tried + 1, "a half-open circuit takes one delivery"
        del lab.sink.always["/bad"]
        await lab.skip(minutes=3)
        await lab.skip(seconds=40)
        await lab.all_are("delivered")
    bad = await lab.endpoint("bad")
    assert (bad.failures, bad.open_until, bad.failing_since) == (0, None, None)
    assert numbers(lab, "/bad", "X")[-20:] == list(range(20))


async def test_an_endpoint_that_is_gone_is_switched_off_with_a_notice_and_loses_nothing(lab: Lab) -> None:
    one = await lab.add("/in")
    lab.sink.script["/in"] = [answering(410)]
    async with lab.working():
        await lab.tell("A", 1)
        await lab.all_are("held")
        await lab.tell("A", 2)
        await lab.tell("B", 1)
        await lab.idle()
        assert len(lab.sink.at("/in")) == 1
        off = await lab.endpoint(one.id)
        assert not off.enabled
        assert "410" in off.disabled_why
        kinds = await lab.rows("SELECT kind, subject FROM event")
        assert ("webhook.disabled", one.id) in kinds
        audit = await lab.rows("SELECT action, audit_type FROM audit_log ORDER BY id")
        assert audit[-1] == ("webhook.disabled", "ALARM")
        await lab.within(lambda tx: lab.core.outbound.endpoints.enable(tx, one.id, actor=OPERATOR))
        await lab.all_are("delivered")
    assert numbers(lab, "/in", "A") == [1, 1, 2]
    assert numbers(lab, "/in", "B") == [1]


async def test_what_was_held_back_can_be_dropped(lab: Lab) -> None:
    one = await lab.add("/in")
    await lab.within(
        lambda tx: lab.core.outbound.endpoints.disable(tx, one.id, why="by request", actor=OPERATOR)
    )
    await lab.tell("A", 1, 2)
    await lab.within(
        lambda tx: lab.core.outbound.endpoints.enable(tx, one.id, actor=OPERATOR, send_held=False)
    )
    await lab.tell("A", 3)
    async with lab.working():
        await lab.all_are("delivered", "cancelled")
    assert numbers(lab, "/in", "A") == [3]


async def test_only_failures_for_days_switch_an_endpoint_off(lab: Lab) -> None:
    one = await lab.add("/in")
    lab.sink.always["/in"] = answering(500)
    await lab.tell("A", 1)
    async with lab.working(disable_after=timedelta(hours=30)):
        for _ in range(MOST_ATTEMPTS):
            await lab.idle()
            if not (await lab.endpoint(one.id)).enabled:
                break
            await lab.tell("A", 2)
            await lab.skip(hours=4)
        await lab.all_are("held", "dead")
    off = await lab.endpoint(one.id)
    assert not off.enabled
    assert "every attempt of the last" in off.disabled_why


async def test_a_delivery_is_given_up_after_a_day_at_the_earliest_and_then_sent_again_by_hand(
    lab: Lab,
) -> None:
    await lab.add("/in")
    lab.sink.always["/in"] = answering(500)
    await lab.tell("A", 1)
    await lab.tell("A", 2)
    start = lab.clock.now()
    async with lab.working(disable_after=timedelta(days=30)):
        first = (await lab.deliveries())[0]
        for _ in range(200):
            first = (await lab.deliveries())[0]
            if first.state is DeliveryState.DEAD:
                break
            await lab.idle()
            await lab.skip(minutes=20)
        assert first.state is DeliveryState.DEAD
        assert first.attempts == MOST_ATTEMPTS
        assert first.finished_at is not None
        assert first.finished_at - start >= timedelta(hours=24)
        assert numbers(lab, "/in", "A")[:MOST_ATTEMPTS] == [1] * MOST_ATTEMPTS
        del lab.sink.always["/in"]
        await lab.skip(minutes=20)
        await lab.all_are("dead", "delivered")
        again = await lab.within(
            lambda tx: lab.core.outbound.deliveries.redeliver(tx, first.id, actor=OPERATOR)
        )
        await lab.all_are("dead", "delivered")
    assert again.redelivery_of == first.id
    assert again.message_id == first.message_id
    assert lab.sink.at("/in")[-1].id == first.message_id


@pytest.mark.parametrize("bad", [never, hanging_up], ids=["never answers", "hangs up"])
async def test_no_answer_is_a_failed_attempt_in_words(lab: Lab, bad: object) -> None:
    await lab.add("/in")
    lab.sink.script["/in"] = [bad]  # type: ignore[list-item]
    await lab.tell("A", 1)
    async with lab.working(timeout=1.0):
        await lab.came("/in", 1)
        await lab.idle()
    [one] = await lab.deliveries()
    [attempt] = (await lab.detail(one.id)).attempts
    assert one.state is DeliveryState.PENDING
    assert attempt.status is None
    assert attempt.error == "no answer within 1 s" or "disconnected" in attempt.error.lower()


@pytest.mark.parametrize("bad", [endless, dripping], ids=["10 GB", "a letter a second"])
async def test_of_an_answer_two_kilobytes_are_read_and_no_time_is_lost_on_it(lab: Lab, bad: object) -> None:
    await lab.add("/in")
    lab.sink.script["/in"] = [bad]  # type: ignore[list-item]
    await lab.tell("A", 1)
    began = time.monotonic()
    async with lab.working():
        await lab.all_are("delivered")
    assert time.monotonic() - began < 20
    [one] = await lab.deliveries()
    [attempt] = (await lab.detail(one.id)).attempts
    assert attempt.status == 200
    assert 0 < len(attempt.answer) <= 2048
    assert set(attempt.answer) == {ord("x")}
    assert attempt.took < 5


async def test_dead_endpoints_delay_nobody_though_the_worker_has_one_place(lab: Lab) -> None:
    for number in range(20):
        await lab.add(f"/dead{number}")
        lab.sink.always[f"/dead{number}"] = never
    await lab.add("/alive")
    for number in range(10):
        await lab.tell(f"T{number}", number)
    began = time.monotonic()
    async with lab.working(timeout=8.0, concurrency=1):
        await lab.came("/alive", 10)
        took = time.monotonic() - began
        assert len(await lab.deliveries(state=DeliveryState.DELIVERED)) == 10 or took < 8
    assert took < 8, "a dead endpoint's time limit was waited for"


async def test_redirects_are_not_followed(lab: Lab) -> None:
    await lab.add("/in")
    lab.sink.script["/in"] = [answering(307, location=f"{lab.sink.url}/inside")]
    await lab.tell("A", 1)
    async with lab.working():
        await lab.came("/in", 1)
        await lab.idle()
    [one] = await lab.deliveries()
    [attempt] = (await lab.detail(one.id)).attempts
    assert (attempt.status, "redirect" in attempt.error) == (307, True)
    assert lab.sink.at("/inside") == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.2/in",
        "http://10.0.0.1/in",
        "http://[::1]/in",
        "http://169.254.169.254/latest/meta-data",
        "http://2130706433/in",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "https://exa mple.com/",
    ],
)
async def test_an_address_that_can_never_be_called_is_refused_at_once(lab: Lab, url: str) -> None:
    with pytest.raises(InvalidRequestError):
        await lab.add(url)


async def test_a_test_goes_the_same_way_once_also_to_an_endpoint_that_is_off(lab: Lab) -> None:
    one = await lab.add("/in")
    await lab.within(lambda tx: lab.core.outbound.endpoints.disable(tx, one.id, why="x", actor=OPERATOR))
    lab.sink.script["/in"] = [answering(500)]
    async with lab.working():
        for state in ("dead", "delivered"):
            off = await lab.endpoint(one.id)
            sent = await lab.within(
                lambda tx, off=off: lab.core.outbound.deliveries.test(tx, off, actor=OPERATOR)  # type: ignore[misc]
            )
            await lab.all_are("dead", "delivered")
            assert (await lab.detail(sent.id)).delivery.state == state
    assert [got.json["event_type"] for got in lab.sink.at("/in")] == ["webhook.test"] * 2
    assert not (await lab.endpoint(one.id)).enabled
    assert (await lab.endpoint(one.id)).failures == 0


async def test_a_range_is_sent_again_once_in_its_order(lab: Lab) -> None:
    await lab.add("/in")
    await lab.add("/other")
    async with lab.working():
        await lab.tell("A", 1, 2, 3)
        await lab.all_are("delivered")
        one = await lab.endpoint("in")

        async def again(after: int = 0, limit: int = 2) -> tuple[int, int | None]:
            wanted = DeliveryFilter(endpoint_id=one.id, state=DeliveryState.DELIVERED)
            done = await lab.within(
                lambda tx: lab.core.outbound.deliveries.redeliver_range(
                    tx, wanted, actor=OPERATOR, after=after, limit=limit
                )
            )
            return done.count, done.after

        count, after = await again()
        assert count == 2
        assert after is not None
        assert await again(after) == (1, None)
        await lab.all_are("delivered")
    assert numbers(lab, "/in", "A") == [1, 2, 3, 1, 2, 3]
    assert numbers(lab, "/other", "A") == [1, 2, 3]
    got = lab.sink.at("/in")
    assert [one.id for one in got[:3]] == [one.id for one in got[3:]]


async def test_what_is_on_its_way_or_without_an_endpoint_is_not_sent_again(lab: Lab) -> None:
    one = await lab.add("/in")
    await lab.tell("A", 1)
    [waiting] = await lab.deliveries()

    async def again() -> None:
        await lab.within(lambda tx: lab.core.outbound.deliveries.redeliver(tx, waiting.id, actor=OPERATOR))

    with pytest.raises(ConflictError, match="on its way"):
        await again()
    await lab.within(lambda tx: lab.core.outbound.endpoints.delete(tx, one.id, actor=OPERATOR))
    assert [d.state for d in await lab.deliveries()] == [DeliveryState.CANCELLED]
    with pytest.raises(ConflictError, match="removed"):
        await again()


async def test_old_deliveries_go_with_their_attempts_and_messages(lab: Lab) -> None:
    await lab.add("/in")
    await lab.tell("A", 1)
    async with lab.working():
        await lab.all_are("delivered")
        await lab.skip(days=40)
        await lab.tell("A", 2)
        await lab.all_are("delivered")
    before = lab.clock.now() - timedelta(days=30)
    purge = lab.core.outbound.deliveries.purge
    assert await lab.core.database.transaction(lambda tx: purge(tx, before=before)) == 1
    for table in ("webhook_delivery", "webhook_attempt", "webhook_message"):
        assert await lab.rows(f"SELECT count(*) FROM {table}") == [(1,)], table  # noqa: S608


async def test_deliveries_whose_job_is_lost_are_found_again(lab: Lab) -> None:
    await lab.add("/in")
    await lab.tell("A", 1)
    await lab.core.database.transaction(
        lambda tx: tx.driver_all("DELETE FROM job RETURNING id", "DELETE FROM job RETURNING id")
    )
    forgotten = lab.core.outbound.deliveries.wake_forgotten
    assert await lab.core.database.transaction(forgotten) == 0
    lab.clock.advance(timedelta(minutes=20))
    assert await lab.core.database.transaction(forgotten) == 1
    async with lab.working():
        await lab.all_are("delivered")
    assert numbers(lab, "/in", "A") == [1]
