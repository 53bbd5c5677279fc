"""The production transport against real sockets: the guard holds at connection time, and failures tell the truth."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from callout.kit.connector import GuardedConnector
from callout.kit.http import Timeouts, TransportError, TransportKind, VendorHttp
from callout.kit.net import AddressGuard, AddressRefused
from callout.kit.transport import GuardedTransport
from callout.kit.websocket import WebSocketError
from callout.ports.errors import UnavailableError
from callout.ports.failures import no_answer

LOCAL = AddressGuard.parse("127.0.0.0/8")
Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Server:
    def __init__(self, port: int) -> None:
        self.port = port
        self.heads: list[bytes] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@asynccontextmanager
async def serving(*answers: bytes | None) -> AsyncIterator[Server]:
    """A bare HTTP server: one prepared answer per request, None closes the connection instead."""
    left = list(answers)

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                for line in head.split(b"\r\n"):
                    if line.lower().startswith(b"content-length:"):
                        head += await reader.readexactly(int(line.split(b":")[1]))
                running.heads.append(head)
                answer = left.pop(0) if len(left) > 1 else left[0]
                if answer is None:
                    return
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    running = Server(server.sockets[0].getsockname()[1])
    try:
        yield running
    finally:
        server.close()
        await server.wait_closed()


def ok(body: bytes = b"{}", extra: bytes = b"") -> bytes:
    return b"HTTP/1.1 200 OK\r\n" + extra + b"Content-Length: %d\r\n\r\n" % len(body) + body


@asynccontextmanager
async def transport(guard: AddressGuard = LOCAL, **options: object) -> AsyncIterator[GuardedTransport]:
    made = GuardedTransport(guard, **options)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        await made.aclose()


class Names(AbstractResolver):
    """A name server whose answers change from question to question."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked += 1
        address = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        return


async def test_an_allowed_address_is_called_and_the_connection_kept() -> None:
    async with serving(ok(b'{"n": 1}')) as server, transport() as wire:
        http = VendorHttp(server.url, transport=wire)
        assert await http.request_json("GET", "/a") == {"n": 1}
        assert await http.request_json("POST", "/b", json={"x": 1}) == {"n": 1}
        assert server.connections == 1
        assert server.heads[1].endswith(b'{"x":1}')
        assert server.heads[0].count(b"User-Agent:") + server.heads[0].count(b"user-agent:") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
async def test_loopback_is_refused_however_it_is_written(host: str) -> None:
    async with serving(ok()) as server, transport(AddressGuard(require_https=False)) as wire:
        http = VendorHttp(f"http://{host}:{server.port}", transport=wire)
        with pytest.raises(TransportError) as refused:
            await http.request("POST", "/")
        assert refused.value.kind is TransportKind.REFUSED
        assert not refused.value.maybe_sent
        assert "CALLOUT_ALLOW_NETWORKS" in str(refused.value)
        assert server.connections == 0


async def test_a_name_that_changes_its_meaning_after_the_check_is_refused_when_connecting() -> None:
    guard = AddressGuard(require_https=False)
    names = Names("8.8.8.8", "127.0.0.1")
    # Someone checked the name early, and it was public then.
    first = await names.resolve("rebind.example")
    guard.check_addresses("http://rebind.example/", [entry["host"] for entry in first])
    async with serving(ok()) as server, transport(guard, resolver=names) as wire:
        http = VendorHttp(f"http://rebind.example:{server.port}", transport=wire)
        with pytest.raises(TransportError, match=r"rebind\.example resolves to 127\.0\.0\.1") as refused:
            await http.request("POST", "/")
        assert refused.value.kind is TransportKind.REFUSED
        assert server.connections == 0


async def test_the_dialled_address_is_judged_even_when_the_lookup_is_bypassed() -> None:
    async with serving(ok()) as server:
        connector = GuardedConnector(AddressGuard(require_https=False))
        try:
            with pytest.raises(AddressRefused):
                connector._open_socket(
                    (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", server.port))
                )
        finally:
            await connector.close()


async def test_a_redirect_into_the_inner_network_is_refused_by_the_same_guard() -> None:
    async with serving(ok()) as inner:
        location = f"Location: http://127.0.0.2:{inner.port}/\r\n".encode()
        redirect = b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n"
        async with serving(redirect) as outer, transport(AddressGuard.parse("127.0.0.1")) as wire:
            http = VendorHttp(outer.url, transport=wire)
            with pytest.raises(TransportError) as refused:
                await http.request("GET", "/", follow_redirects=True)
            assert refused.value.kind is TransportKind.REFUSED
            assert inner.connections == 0


async def test_aiohttps_own_redirects_meet_the_guard_too() -> None:
    async with serving(ok()) as inner:
        location = f"Location: http://127.0.0.2:{inner.port}/\r\n".encode()
        redirect = b"HTTP/1.1 302 Found\r\n" + location + b"Content-Length: 0\r\n\r\n"
        connector = GuardedConnector(AddressGuard.parse("127.0.0.1"))
        async with serving(redirect) as outer, aiohttp.ClientSession(connector=connector) as session:
            with pytest.raises(OSError, match=r"127\.0\.0\.2"):
                await session.get(outer.url)
            assert inner.connections == 0


async def test_plain_http_to_a_name_needs_an_allowed_address() -> None:
    async with transport(AddressGuard(), resolver=Names("8.8.8.8")) as wire:
        http = VendorHttp("http://public.example", transport=wire)
        with pytest.raises(TransportError, match=r"plain http to public\.example") as refused:
            await http.request("POST", "/")
        assert refused.value.kind is TransportKind.REFUSED


async def test_nobody_listening_means_not_sent() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with transport() as wire:
        with pytest.raises(TransportError) as failed:
            await VendorHttp(f"http://127.0.0.1:{port}", transport=wire).request("POST", "/")
        assert (failed.value.kind, failed.value.maybe_sent) == (TransportKind.CONNECT, False)


async def test_a_name_that_does_not_resolve_means_not_sent() -> None:
    class Nowhere(Names):
        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            raise OSError(None, "Name or service not known")

    async with transport(resolver=Nowhere("")) as wire:
        with pytest.raises(TransportError) as failed:
            await VendorHttp("https://nowhere.invalid", transport=wire).request("POST", "/")
        assert (failed.value.kind, failed.value.maybe_sent) == (TransportKind.CONNECT, False)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_a_connection_closed_after_the_request_means_perhaps_done_and_no_repeat(method: str) -> None:
    # The second request meets a kept connection that the server closes: where aiohttp would repeat by itself.
    async with serving(ok(), None) as server, transport() as wire:
        http = VendorHttp(server.url, transport=wire)
        await http.request("POST", "/first")
        with pytest.raises(TransportError) as failed:
            await http.request(method, "/second", json={"a": 1})
        assert (failed.value.kind, failed.value.maybe_sent) == (TransportKind.CLOSED, True)
        assert len(server.heads) == 2


async def test_an_answer_that_never_comes_is_a_read_timeout() -> None:
    async with serving(b"") as server, transport() as wire:
        http = VendorHttp(server.url, transport=wire, timeouts=Timeouts(read=0.1, total=5))
        with pytest.raises(TransportError) as failed:
            await http.request("POST", "/")
        assert (failed.value.kind, failed.value.maybe_sent) == (TransportKind.TIMEOUT, True)


async def test_a_body_that_breaks_off_is_a_read_error() -> None:
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nhalf"
    async with serving(broken, None) as server, transport() as wire:
        http = VendorHttp(server.url, transport=wire, timeouts=Timeouts(read=0.2, total=5))
        with pytest.raises(TransportError) as failed:
            await http.request("POST", "/")
        assert failed.value.maybe_sent
        assert failed.value.kind in {TransportKind.READ, TransportKind.TIMEOUT}


async def test_an_answer_that_is_no_http_is_a_read_error() -> None:
    async with serving(b"220 mail.example ESMTP\r\n\r\n") as server, transport() as wire:
        with pytest.raises(TransportError) as failed:
            await VendorHttp(server.url, transport=wire).request("POST", "/")
        assert (failed.value.kind, failed.value.maybe_sent) == (TransportKind.READ, True)


async def test_a_server_without_tls_is_a_tls_failure() -> None:
    async with serving(ok()) as server, transport() as wire:
        with pytest.raises(TransportError) as failed:
            await VendorHttp(f"https://127.0.0.1:{server.port}", transport=wire).request("POST", "/")
        assert not failed.value.maybe_sent
        assert failed.value.kind in {TransportKind.TLS, TransportKind.CONNECT, TransportKind.TIMEOUT}


async def test_the_url_is_sent_exactly_as_built() -> None:
    async with serving(ok()) as server, transport() as wire:
        url = f"{server.url}/file%7E%2F?X-Sig=a%2Fb%3D%20%2B~"
        await VendorHttp(server.url, transport=wire).request("GET", url)
        assert server.heads[0].startswith(b"GET /file%7E%2F?X-Sig=a%2Fb%3D%20%2B~ HTTP/1.1")


async def test_cookies_are_not_kept() -> None:
    async with serving(ok(extra=b"Set-Cookie: JSESSIONID=abc\r\n")) as server, transport() as wire:
        http = VendorHttp(server.url, transport=wire)
        await http.request("GET", "/")
        await http.request("GET", "/")
        assert b"cookie" not in server.heads[1].lower()


async def test_a_closed_transport_refuses_whoever_comes_late_and_opens_nothing() -> None:
    async with serving(ok()) as server, transport() as wire:
        http = VendorHttp(server.url, transport=wire)
        await http.request("GET", "/before")
        await wire.aclose()
        with pytest.raises(TransportError, match="shutting down") as refused:
            await http.request("GET", "/after")  # one that would be repeated, did it fail out there
        assert (refused.value.kind, refused.value.maybe_sent) == (TransportKind.STOPPED, False)
        with pytest.raises(WebSocketError, match="shutting down"):
            await wire.open_websocket(f"ws://127.0.0.1:{server.port}/")
        assert wire._session is None
        assert (server.connections, len(server.heads)) == (1, 1)
        told = no_answer(refused.value, vendor="Jira", doing="reading", repeatable=False)
        assert isinstance(told, UnavailableError)  # it can be done later, since it was certainly not done


async def test_one_that_never_opened_anything_refuses_too_once_closed() -> None:
    wire = GuardedTransport(LOCAL)
    await wire.aclose()
    with pytest.raises(TransportError) as refused:
        await VendorHttp("http://127.0.0.1:9", transport=wire).request("GET", "/")
    assert refused.value.kind is TransportKind.STOPPED
    assert wire._session is None
