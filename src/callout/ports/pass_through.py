"""A call to the vendor's own API, as a program wrote it: through our budget, time limits, credentials and address guard."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import unquote

from callout.kit.http import HttpError, NotJsonError, TransportError, VendorHttp
from callout.ports.errors import InvalidRequestError, OutcomeUnknownError, UnavailableError

READING: Final = frozenset({"GET", "HEAD"})
WRITING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
LARGEST_ANSWER: Final = 4 * 1024 * 1024
_PATH: Final = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*")
_ANY_STATUS: Final = tuple(range(300, 600))


@dataclass(frozen=True, slots=True)
class VendorCall:
    """What to call: `path` is below the address of the integration."""

    method: str
    path: str
    query: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    body: Any = None

    @property
    def writes(self) -> bool:
        """Whether it may change something there."""
        return self.method not in READING


@dataclass(frozen=True, slots=True)
class VendorAnswer:
    """What the vendor answered, whatever its status; `body` is JSON where it was JSON, else text."""

    status: int
    media_type: str
    body: Any


def checked(method: str, path: str) -> tuple[str, str]:
    """Return method and path of a call that stays at the integration's own address. Raises InvalidRequestError."""
    verb = method.upper()
    if verb not in READING | WRITING:
        raise InvalidRequestError(
            f"{method[:20]!r} is no method to be passed on",
            fields={"/method": "unknown"},
            remediation=f"Use one of: {', '.join(sorted(READING | WRITING))}.",
        )
    plain = unquote(unquote(path))
    if (
        not _PATH.fullmatch(path)
        or "//" in plain
        or "\\" in plain
        or any(part in {".", ".."} for part in plain.split("/"))
        or not plain.isprintable()
    ):
        raise InvalidRequestError(
            "the path does not stay at the integration's own address",
            fields={"/path": "not a path"},
            remediation="Give a path such as /rest/api/3/myself; what follows `?` goes into query.",
        )
    return verb, path


async def pass_through(http: VendorHttp, call: VendorCall) -> VendorAnswer:
    """Make a checked call and return what was answered; redirects are not followed. Raises UnavailableError, OutcomeUnknownError."""
    options: dict[str, Any] = {} if call.body is None else {"json": call.body}
    try:
        found = await http.request(
            call.method,
            call.path,
            params={
                name: value if isinstance(value, str) else list(value) for name, value in call.query.items()
            },
            headers={"Accept": "application/json"},
            safe=not call.writes,
            accept=_ANY_STATUS,
            max_bytes=LARGEST_ANSWER,
            **options,
        )
    except HttpError as error:
        maybe_done = call.writes and (not isinstance(error, TransportError) or error.maybe_sent)
        kind = OutcomeUnknownError if maybe_done else UnavailableError
        raise kind(f"the other side did not answer {call.method} {call.path}", detail=str(error)) from error
    media_type = found.headers.get("content-type", "").partition(";")[0].strip()
    try:
        body = found.json()
    except NotJsonError:
        body = found.text
    return VendorAnswer(found.status, media_type, body)
