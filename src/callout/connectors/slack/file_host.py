"""The host of files' bytes: one origin, which alone is shown the bot token. What leads elsewhere is not followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin, urlsplit

from callout.connectors.slack.errors import http_failure
from callout.kit.clock import Clock
from callout.kit.http import HttpError, HttpStatusError, Timeouts, VendorHttp
from callout.ports.errors import (
    ConnectorError,
    PermissionDeniedError,
    RecordNotFoundError,
    RejectedError,
    UnavailableError,
)

DOWNLOAD: Final = "the file's download"
UPLOAD: Final = "the file's upload"
PATIENCE: Final = Timeouts(total=120.0)
"""Time limits of one file, in seconds."""
REDIRECTS: Final = 3
LARGEST: Final = 1 << 40
"""The caller counts the bytes that it takes."""
PAGE: Final = "text/html"
_MOVED: Final = frozenset({301, 302, 303, 307, 308})
_NOT_SEEN: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class FileHost:
    """Fetches and takes bytes. `http` carries the host's address and the bot token, `bare` the address alone."""

    def __init__(self, http: VendorHttp, bare: VendorHttp, clock: Clock) -> None:
        self._http = http
        self._bare = bare
        self._clock = clock

    async def download(
        self, address: str, *, media_type: str, size: int | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the bytes at `address`, which are to be of this type and size.

        Raises RejectedError for an address of another host, RecordNotFoundError, UnavailableError, and PermissionDeniedError where
        Slack shows its sign-in page instead, as it does to an app that may not read files.
        """
        for _ in range(REDIRECTS + 1):
            self._check(address)
            try:
                async with self._http.download(
                    address, max_bytes=LARGEST, follow_redirects=False, route="/files-pri", timeouts=PATIENCE
                ) as got:
                    is_page = got.headers.get("content-type", "").partition(";")[0].strip().lower() == PAGE
                    if is_page and media_type != PAGE:
                        raise _sign_in()
                    count = 0
                    async for chunk in got.chunks():
                        count += len(chunk)
                        yield chunk
                    if is_page and size is not None and count != size:
                        raise _sign_in()
                return
            except HttpStatusError as error:
                moved = error.headers.get("location", "") if error.status in _MOVED else ""
                if not moved:
                    raise self._failure(DOWNLOAD, error) from error
                address = urljoin(address, moved)
                if not self._is_ours(address):
                    raise _sign_in() from error
            except HttpError as error:
                raise self._failure(DOWNLOAD, error) from error
        raise UnavailableError("Slack sends us in circles for the file's bytes")

    async def upload(self, address: str, content: bytes) -> None:
        """Send the bytes of an upload to the address that Slack gave for it, which needs no token.

        Raises RejectedError, UnavailableError.
        """
        self._check(address)
        headers = {"Content-Type": "application/octet-stream"}
        try:
            await self._bare.request(
                "POST",
                address,
                content=content,
                headers=headers,
                safe=False,
                route="/upload",
                timeouts=PATIENCE,
            )
        except HttpError as error:
            raise self._failure(UPLOAD, error) from error

    def _check(self, address: str) -> None:
        if not self._is_ours(address):
            host = urlsplit(address).hostname or "an address without a host"
            raise RejectedError(
                f"the file is at {host}, which is not Slack's host of files: nothing was sent there"
            )

    def _is_ours(self, address: str) -> bool:
        try:
            parts, own = urlsplit(address), urlsplit(self._http.base_url)
            same = (parts.scheme, parts.hostname, _port(parts.port, parts.scheme)) == (
                own.scheme,
                own.hostname,
                _port(own.port, own.scheme),
            )
        except ValueError:
            return False
        return same and parts.username is None and parts.password is None

    def _failure(self, what: str, error: HttpError) -> ConnectorError:
        status = error.status if isinstance(error, HttpStatusError) else None
        if status in _NOT_SEEN:
            return _sign_in()
        if status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return RecordNotFoundError(f"Slack has no such file any more ({what})", status=status)
        # Nobody sees bytes that were sent and never shown: a repeat does no harm.
        return http_failure(what, error, repeatable=True, now=self._clock.now())


def _port(port: int | None, scheme: str) -> int:
    return port or (443 if scheme == "https" else 80)


def _sign_in() -> PermissionDeniedError:
    return PermissionDeniedError(
        "Slack showed its sign-in page in place of the file: the app may not read files there",
        remediation="Add the scope files:read under OAuth & Permissions of the Slack app, install it again, then put the message on the"
        " timeline.",
    )


__all__ = ["FileHost"]
