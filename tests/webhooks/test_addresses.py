"""Addresses: what a name means is judged at each connection, and nothing private is ever dialled."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from datetime import timedelta

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from callout.kit.net import AddressGuard
from callout.webhooks.outbound import DeliveryState, Sender
from callout.webhooks.outbound.sending import SenderClosedError
from tests.stories.people import eventually
from tests.webhooks.lab import LOCAL, Lab
from tests.webhooks.sink import Sink, answering


class Names(AbstractResolver):
    """A name server that says something else each time."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host,
                host=one,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for one in found
        ]

    async def close(self) -> None:
        return


def named(sink: Sink, path: str = "/in") -> str:
    return f"http://hooks.example.com:{sink.url.rpartition(':')[2]}{path}"


async def test_a_name_that_becomes_private_on_the_second_look_up_is_refused(lab: Lab) -> None:
    # 127.0.0.1 stands for a public address here: the one that the operator allows. All others are as private as ever.
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    one = await lab.add(named(lab.sink), name="rebound")
    lab.sink.always["/in"] = answering(204, connection="close")
    async with lab.working(resolver=names) as sender:
        await lab.tell("A", 1)
        await lab.all_are("delivered")
        assert sender._session is not None
        await sender._session.close()
        sender._session = None  # what was looked up is kept for a while; a later time has to look up again
        await lab.tell("A", 2)

        async def refused() -> bool:
            return bool((await lab.endpoint(one.id)).failures)

        await eventually(refused, what="the refusal")
        await lab.idle()
    assert names.asked == 2
    assert len(lab.sink.at("/in")) == 1
    last = (await lab.deliveries())[-1]
    [attempt] = (await lab.detail(last.id)).attempts
    assert last.state is DeliveryState.PENDING
    assert attempt.status is None
    assert attempt.error.startswith("refused: ")
    assert "127.0.0.2" in attempt.error


@pytest.mark.parametrize("answers", [["127.0.0.1", "10.0.0.1"], ["169.254.169.254"], ["::1"], ["0.0.0.0"]])  # noqa: S104
async def test_one_private_address_among_others_refuses_the_name(sink: Sink, answers: list[str]) -> None:
    sender = Sender(LOCAL, timeout=2, resolver=Names(answers))
    outcome = await sender.send(named(sink), b"{}", {})
    await sender.close()
    assert outcome.status is None
    assert outcome.error.startswith("refused: ")
    assert sink.got == []


async def test_plain_http_to_a_public_name_is_refused_where_https_is_required(sink: Sink) -> None:
    sender = Sender(AddressGuard.parse(""), timeout=2, resolver=Names(["93.184.216.34"]))
    outcome = await sender.send(named(sink), b"{}", {})
    await sender.close()
    assert "plain http" in outcome.error


async def test_a_redirect_to_a_private_address_is_not_followed(sink: Sink) -> None:
    sink.script["/in"] = [answering(302, location="http://169.254.169.254/latest/meta-data")]
    sender = Sender(LOCAL, timeout=2)
    outcome = await sender.send(f"{sink.url}/in", b"{}", {})
    await sender.close()
    assert (outcome.status, outcome.delivered) == (302, False)
    assert "redirect" in outcome.error


async def test_a_name_that_does_not_resolve_is_an_attempt_that_failed() -> None:
    class Nothing(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise socket.gaierror(socket.EAI_NONAME, f"{host}: unknown")

    sender = Sender(LOCAL, timeout=2, resolver=Nothing())
    outcome = await sender.send("http://nowhere.example.com/", b"{}", {})
    await sender.close()
    assert outcome.status is None
    assert "nowhere.example.com" in outcome.error


async def test_headers_without_end_are_an_attempt_that_failed(sink: Sink) -> None:
    async def huge(_got: object, out: asyncio.StreamWriter) -> None:
        out.write(b"HTTP/1.1 200 OK\r\n")
        for number in range(1000):
            out.write(b"x-%d: " % number + b"y" * 20_000 + b"\r\n")
            await out.drain()

    sink.script["/in"] = [huge]
    sender = Sender(LOCAL, timeout=3)
    outcome = await sender.send(f"{sink.url}/in", b"{}", {})
    await sender.close()
    assert outcome.status is None
    assert outcome.error


async def test_a_closed_sender_makes_no_attempt_and_opens_nothing(sink: Sink) -> None:
    sender = Sender(LOCAL, timeout=2)
    assert (await sender.send(f"{sink.url}/in", b"{}", {})).delivered
    await sender.close()
    with pytest.raises(SenderClosedError):
        await sender.send(f"{sink.url}/in", b"{}", {})
    assert sender._session is None
    assert len(sink.at("/in")) == 1


async def test_closing_under_an_attempt_is_not_the_endpoints_failure(sink: Sink) -> None:
    asked = asyncio.Event()

    async def silent(_got: object, _out: asyncio.StreamWriter) -> None:
        asked.set()
        await asyncio.sleep(5)

    sink.script["/in"] = [silent]
    sender = Sender(LOCAL, timeout=10)
    sending = asyncio.create_task(sender.send(f"{sink.url}/in", b"{}", {}))
    await asyncio.wait_for(asked.wait(), 5)
    await sender.close()
    with pytest.raises(SenderClosedError):
        await sending


async def test_deliveries_left_by_a_closed_sender_are_made_by_the_next_and_count_as_no_failure(
    lab: Lab,
) -> None:
    one = await lab.add("/in")
    async with lab.working() as sender:
        await sender.close()  # what a worker does that outlives its grace time
        for number in range(3):
            await lab.tell("A", number)

        async def put_off() -> bool:
            waiting = await lab.rows("SELECT waiting_for FROM job WHERE kind = 'webhooks.deliver'")
            return "this process is shutting down" in {row[0] for row in waiting}

        await eventually(put_off, what="a job that was left to another process")
    found = await lab.endpoint(one.id)
    assert (found.failures, lab.sink.got) == (0, [])
    assert {delivery.state for delivery in await lab.deliveries()} == {DeliveryState.PENDING}
    lab.clock.advance(timedelta(seconds=2))
    async with lab.working():
        await eventually(lambda: _three_at(lab), what="the deliveries")
    assert [delivery.attempts for delivery in await lab.deliveries()] == [1, 1, 1]


async def _three_at(lab: Lab) -> bool:
    return len(lab.sink.at("/in")) == 3
