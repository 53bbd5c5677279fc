"""One HTTP call before it is sent: where it goes, what it carries, which credentials it may show to whom."""

from __future__ import annotations

import base64
import contextlib
import json as jsonlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Final, Literal, TypeAlias
from urllib.parse import quote, unquote

import httpx

from callout.kit.http_errors import TransportError, TransportKind
from callout.kit.lanes import Lane, current_lane
from callout.kit.net import url_host
from callout.kit.redaction import is_secret_name
from callout.kit.secrets import Secret
from callout.kit.transport import Wire

ParamValue: TypeAlias = str | int | float | bool | Secret | Sequence[str | int] | None
Params: TypeAlias = Mapping[str, ParamValue]
Headers: TypeAlias = Mapping[str, str | Secret]
_Plain: TypeAlias = str | int | float | bool | None  # httpx's word for one value of a query

_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)


class _NoBody(Enum):
    NO_BODY = "no body"


NO_BODY: Final = _NoBody.NO_BODY
"""Default of `json`, because None is a value of its own there: `null`."""


@dataclass(frozen=True, slots=True)
class FilePart:
    """One file of a multipart upload.

    Args:
        field: name of the form field.
        filename: as the vendor will show it.
        content: the bytes.
        content_type: media type.
    """

    field: str
    filename: str
    content: bytes
    content_type: str = "application/octet-stream"


@dataclass(slots=True)
class Call:
    """A call ready to be sent, once or several times."""

    method: str
    url: httpx.URL
    shown_url: str
    route: str
    own_origin: bool
    safe: bool
    follow: bool
    lane: Lane
    part: str
    accept: frozenset[int]
    headers: dict[str, str | Secret]
    content: bytes | None
    content_type: str | None
    secrets: list[Secret] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)

    @property
    def maybe_sent(self) -> bool:
        """Whether any attempt so far may have reached the vendor."""
        return any(wire.sent or not wire.known for wire in self.wires)

    def build(self, *, user_agent: str, shared: Iterable[Headers]) -> httpx.Request:
        """Return the request; `shared` headers come before those of the call, which win."""
        merged = httpx.Headers(
            {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": user_agent}
        )
        if self.content_type is not None:
            merged["Content-Type"] = self.content_type
        for headers in (*shared, self.headers):
            for name, value in headers.items():
                merged[name] = self._reveal(name, value)
        return httpx.Request(self.method, self.url, headers=merged, content=self.content)

    def _reveal(self, name: str, value: str | Secret) -> str:
        if isinstance(value, str) and not is_secret_name(name):
            return value
        revealed = value.reveal() if isinstance(value, Secret) else value
        for part in credential_parts(revealed):
            if part not in self.secrets:
                self.secrets.append(part)
        return revealed


class Target:
    """The origin and path prefix that a client's calls go to.

    Raises:
        AddressRefused: not an http(s) URL with a host.
    """

    def __init__(self, base_url: str) -> None:
        url_host(base_url)
        self._base = httpx.URL(base_url)
        if self._base.query or self._base.fragment:
            raise ValueError("a base URL has no query and no fragment")
        self.base_url = str(self._base).rstrip("/")

    def call(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        json: object = NO_BODY,
        form: Mapping[str, str | Secret] | None = None,
        content: bytes | None = None,
        files: Sequence[FilePart] = (),
        headers: Headers | None = None,
        safe: bool,
        accept: Collection[int] = (),
        follow: bool = False,
        lane: Lane | None = None,
        part: str = "",
        route: str | None = None,
    ) -> Call:
        """Describe one call; the arguments are those of `VendorHttp.request`.

        Raises:
            ValueError: the path leaves the base URL, more than one body, or redirects of an unsafe call.
            TypeError: `json` holds something JSON has no form for.
        """
        if follow and not safe:
            raise ValueError("redirects are followed for safe calls only")
        secrets: list[Secret] = []
        url = self._url(path, _query(params or {}, secrets))
        body, content_type = _body(json, form, content, files, secrets=secrets)
        own = _origin(url) == _origin(self._base)
        return Call(
            method=method.upper(),
            url=url,
            shown_url=_shown(url, route=route, own=own),
            route=route or (url.path if own else f"{url.host}/…"),
            own_origin=own,
            safe=safe,
            follow=follow,
            lane=current_lane() if lane is None else lane,
            part=part,
            accept=frozenset(accept),
            headers=dict(headers or {}),
            content=body,
            content_type=content_type,
            secrets=secrets,
        )

    def redirected(self, call: Call, location: str) -> Call:
        """Return the next hop; only the base URL's own origin is shown credentials.

        Raises:
            TransportError: the redirect leads out of http(s) or from https to http.
        """
        try:
            url = call.url.join(location)
        except (httpx.InvalidURL, ValueError):
            raise _bad_redirect(call, "to something that is no URL") from None
        if url.scheme not in {"http", "https"} or not url.host:
            raise _bad_redirect(call, "out of http")
        if call.url.scheme == "https" and url.scheme == "http":
            raise _bad_redirect(call, "from https to http")
        own = _origin(url) == _origin(self._base)
        same = _origin(url) == _origin(call.url)
        return replace(
            call,
            url=url,
            shown_url=_shown(url, route=None, own=own),
            route=url.path if own else f"{url.host}/…",
            own_origin=own,
            headers=call.headers if same else {},
        )

    def _url(self, path: str, query: list[tuple[str, _Plain]]) -> httpx.URL:
        if _ABSOLUTE.match(path):
            url_host(path)
            whole = path
        else:
            plain = unquote(path.partition("?")[0])
            if any(part in {".", ".."} for part in plain.split("/")) or "\\" in plain:
                raise ValueError("a path must not contain '.' or '..' segments or backslashes")
            whole = f"{self.base_url}/{path.lstrip('/')}"
        if not query or "?" in whole or "#" in whole:
            url = httpx.URL(whole)
            return url.copy_merge_params(query) if query else url
        # All at once: a URL is read anew for each change of it, which takes longer than the rest of a call's description.
        return httpx.URL(f"{whole}?{httpx.QueryParams(query)}")


def credential_parts(header: str) -> list[Secret]:
    """Return what a vendor might echo of a credential header: all of it, its token, a Basic password."""
    scheme, _, token = header.partition(" ")
    parts = [header, token or scheme]
    if scheme.lower() == "basic":
        with contextlib.suppress(ValueError):  # not Basic after all: the whole value is covered anyway
            parts.append(base64.b64decode(token).decode("utf-8").partition(":")[2])
    return [Secret(part) for part in parts if part]


def path_segment(value: str) -> str:
    """Return `value` quoted as one segment of a path.

    Raises:
        ValueError: it is empty, '.' or '..', with which the path would mean another resource.
    """
    if value in {"", ".", ".."}:
        raise ValueError(f"{value!r} cannot be a segment of a path")
    return quote(value, safe="")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _shown(url: httpx.URL, *, route: str | None, own: bool) -> str:
    # The path of a foreign URL is often the credential itself (response URLs, signed links).
    path = route or (url.path if own else "/…")
    return f"{url.scheme}://{url.netloc.decode('ascii')}{path}"


def _bad_redirect(call: Call, where: str) -> TransportError:
    return TransportError(
        f"refused to follow a redirect {where}",
        method=call.method,
        url=call.shown_url,
        kind=TransportKind.REFUSED,
        maybe_sent=True,
    )


def _query(params: Params, secrets: list[Secret]) -> list[tuple[str, _Plain]]:
    pairs: list[tuple[str, _Plain]] = []
    for name, value in params.items():
        if value is None:
            continue
        values = list(value) if isinstance(value, Sequence) and not isinstance(value, str) else [value]
        for item in values:
            if isinstance(item, Secret):
                secrets.append(item)
                pairs.append((name, item.reveal()))
            elif isinstance(item, bool):
                pairs.append((name, "true" if item else "false"))
            else:
                pairs.append((name, str(item)))
    return pairs


_Body: TypeAlias = tuple[bytes | None, str | None]


def _body(
    json: object | Literal[_NoBody.NO_BODY],
    form: Mapping[str, str | Secret] | None,
    content: bytes | None,
    files: Sequence[FilePart],
    *,
    secrets: list[Secret],
) -> _Body:
    if sum((json is not NO_BODY, form is not None or bool(files), content is not None)) > 1:
        raise ValueError("a call has one body: json, form (with files) or content")
    if content is not None:
        return content, None
    if json is not NO_BODY:
        return _json_bytes(json, secrets), "application/json"
    fields: dict[str, str] = {}
    for name, value in (form or {}).items():
        if isinstance(value, Secret):
            secrets.append(value)
        fields[name] = value.reveal() if isinstance(value, Secret) else value
    if not files and form is None:
        return None, None
    parts = [(part.field, (part.filename, part.content, part.content_type)) for part in files]
    # httpx writes the bytes; any URL does.
    request = httpx.Request("POST", "http://localhost", data=fields, files=parts or None)
    return request.read(), request.headers.get("content-type")


def _json_bytes(value: object, secrets: list[Secret]) -> bytes:
    def reveal(item: object) -> str:
        if isinstance(item, Secret):
            secrets.append(item)
            return item.reveal()
        raise TypeError(f"JSON has no form for {type(item).__name__}")

    return jsonlib.dumps(value, default=reveal, allow_nan=False, separators=(",", ":")).encode()
